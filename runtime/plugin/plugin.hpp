// plugin/: the host side of the plugin ABI. It knows base/ and config/, and nothing of MQTT.
//
// Here:
//   plugin.hpp       a generation: one loaded copy of a plugin
//   instance.hpp     an instance of one of its services
//   work.hpp         what workers and services need from outside, as interfaces
//   metrics.hpp      the metrics of an instance
//
// loader/: from a file to a generation
//   watcher.hpp      reports plugins that were built again (change_detector.hpp)
//   staged_copy.hpp  the private copy that is loaded instead of the built file
//   elf_check.hpp    whether a file is a library that dlopen survives
//   child_probe.hpp  loads a plugin in a child process first
//   service_trials.hpp  which services were created in a worker first (trial_record.hpp)
//   library.hpp      loads a library, and verifies that it is unloaded
//   abi_check.hpp    checks and copies what the entry function returned
//   create_call.hpp  a call of a service's create
//
// instance/: an instance in this process
//   local_instance.hpp  its stages
//   life_call.hpp    calls of create, start, stop and so on, which may hang
//   worker_pool.hpp  threads that call handle()
//   content_stage.hpp  evaluates messages between workers and their source (content/)
//   brief_worker.hpp calls handle() on the thread that has read the message (brief_services.hpp)
//   leak.hpp         leaking on purpose
//
// host/: what a plugin sees of its host
//   host_table.hpp   the trigger_host (call_gate.hpp: what may be called when; request_check.hpp)
//   publishes.hpp    publishes whose result is not reported yet (completions.hpp: the thread)
//   trace_context.hpp  the message a thread is handling, and the trace that it belongs to
//   guarded_call.hpp calls into a plugin, which let no exception out
//
// process/: threads and crashes
//   thread.hpp       named threads, joined with a time limit
//   current_call.hpp which call of a service a thread is in
//   sudden_end.hpp   reports a plugin that ends the process (crash_record.hpp)
//
// isolation/: an instance in a process of its own; isolation/isolation.hpp has its list
//
// Ownership: a Generation owns its library and its completions thread. An Instance owns its worker
// pool and keeps its generation alive. So nothing of a generation runs any more when it is
// destroyed: workers are joined before stop(), and the library is unloaded last. A generation that
// cannot be proved quiet (a worker or a done callback does not return, or stop has left a thread
// running) is abandoned: its library is never unloaded, but leaked on purpose. The owner of the
// generations counts these by abandoned().
//
// Threads: load(), and everything that changes the life of an instance, is called on the control
// thread; services are called on workers.
#pragma once

#include <trigger/plugin.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "config/config_fwd.hpp"
#include "plugin/instance.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

class BriefServices;
class Completions;
class Generation;
class HostTable;
class Library;
class LifeThread;
class Patience;
class ServiceTrials;
class StagedCopy;
class TrialRecord;
class WorkerPool;
struct PluginTable;

// What is known of a plugin without running its code.
struct Description {
  struct Service {
    std::string name;
    std::uint32_t flags = 0;
    bool can_be_probed = false;
    std::uint32_t max_batch = 1;
  };
  std::string version;
  std::vector<Service> services;
};

// One loaded copy of a plugin, which makes instances of its services.
//
// [control], unless a function says otherwise; the parts that other threads use have their own
// locks.
class Generation : public std::enable_shared_from_this<Generation> {
 public:
  struct Source {
    std::string name;                 // as triggers name it: the file's name without ".so"
    std::filesystem::path file;       // the plugin as it was built
    std::filesystem::path stage_dir;  // where the private copy goes; exists, 0700
    unsigned number = 1;              // counts the generations of this plugin
    Millis done_timeout{5000};        // how long stop() waits for done callbacks
    // How long create, start, stop, save, restore and destroy may take; a trigger's own timeout
    // counts instead if it is longer, but not for create. Once the runtime stops it is what
    // `patience`, which may be null, leaves.
    Millis call_timeout{30'000};
    std::shared_ptr<const Patience> patience{};
    // Called with the private copy, which is not loaded after an error. The error continues a
    // sentence that begins with the file's name. May be empty.
    std::function<Result<>(const StagedCopy&)> verify{};
    // `file` already is a private copy, which is loaded and left where it is.
    bool is_private = false;
    // This program, for `PROGRAM --worker`. If empty, no instance can have a process of its own.
    std::filesystem::path worker_program{};
    // False: no instance is expected in this process, so the library is loaded only if one is made
    // here all the same.
    bool in_process = true;
    // What earlier starts have tried, so that this one need not; may be null.
    std::shared_ptr<TrialRecord> trials{};
    // Incremented for each generation that stays in memory for ever. May be null.
    std::shared_ptr<std::atomic<unsigned>> leaked{};
    // For everything in it that has a deadline. Outlives it.
    const Clock* clock = &system_clock();
  };
  // Copies, checks and loads the plugin, in this process or in a worker. The error says which check
  // failed, with the values of both sides. `log` outlives the generation.
  static Result<std::shared_ptr<Generation>> load(const Source& source, Log& log);
  // Unloads the library, verifies that it is gone, and removes the private copy.
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  const Source& source() const { return source_; }
  const std::string& name() const { return source_.name; }
  unsigned number() const { return source_.number; }
  std::string_view version() const { return description_.version; }
  const std::string& sha256() const { return sha256_; }
  // The plugin as it was built; another build may have replaced it by now.
  const std::filesystem::path& file() const { return source_.file; }
  // The private copy, which exists as long as this does.
  const std::filesystem::path& copy() const { return path_; }
  // The folders in which the loader looks for the plugin's libraries; empty if it is not loaded
  // here.
  std::vector<std::filesystem::path> search_folders() const;
  const Description& description() const { return description_; }
  std::vector<std::string> service_names() const;

  // The service with the name `service`, or the only one if that is empty. The error lists the
  // services. Optional functions that the plugin was built without are NULL. The plugin is loaded
  // in this process.
  Result<const trigger_service*> find_service(std::string_view service) const;

  // Calls the service's create with the trigger's settings. If the source has a program for
  // workers, that is tried in one first (service_trials.hpp). The instance keeps this generation
  // alive. `host` outlives the instance, as does `log`, which replaces the generation's log for the
  // instance. `aside` names an instance beside the one that serves the trigger, so that neither is
  // blamed for the other's threads.
  Result<std::unique_ptr<Instance>> create(const config::Trigger& trigger, InstanceHost& host,
                                           Log* log = nullptr, const std::string& aside = {});

  // All triggers that there were have their instances, so that new instances have new settings.
  void is_in_service();

  // Whether an instance was abandoned: this generation is never unloaded. [any]
  bool abandoned() const { return abandoned_; }

 private:
  friend class LocalInstance;
  Generation(Source source, Log& log, StagedCopy copy);

  Result<> load_here();
  Result<> load_in_worker();
  // Makes the service in a worker process first, where that is due. Returns the digest
  // for ServiceTrials::passed().
  Result<std::string> try_first(const config::Trigger& trigger, InstanceHost& host);
  Result<std::unique_ptr<Instance>> create_here(const config::Trigger& trigger, InstanceHost& host,
                                                Log& log, const std::string& aside);

  std::shared_ptr<std::atomic<bool>> brief_for(const config::Trigger& trigger,
                                               const trigger_service& service);

  // Runs a call into the plugin that may hang. False: it has not returned in time.
  bool life_call(const std::string& thread, std::function<void()> call, Millis at_least) const;
  void abandon();
  void count_leak() const;

  const Source source_;
  Log& log_;
  const std::filesystem::path path_;
  const std::string sha256_;
  std::unique_ptr<StagedCopy> copy_;  // until the library has it
  std::unique_ptr<Library> library_;  // null: not loaded here
  const std::unique_ptr<LifeThread> life_thread_;
  std::unique_ptr<HostTable> host_;  // the plugin's own, for the entry function
  std::unique_ptr<PluginTable> table_;
  std::shared_ptr<Completions> completions_;
  Description description_;
  const std::unique_ptr<ServiceTrials> trials_;
  const std::unique_ptr<BriefServices> brief_;
  std::atomic<bool> abandoned_{false};
};

// Finds NAME.so in the first of `dirs` that has it. The error lists the folders and the closest
// name.
Result<std::filesystem::path> find_plugin(const std::vector<std::filesystem::path>& dirs,
                                          std::string_view name);

}  // namespace triggerd::plugin
