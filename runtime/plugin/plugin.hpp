// plugin/: the host side of the plugin ABI. It knows base/ and config/, and not what MQTT is.
//
//   plugin.hpp       a generation: one loaded copy of a plugin, and its instances
//   local_instance.hpp  an instance in this process
//   isolation/       an instance in a process of its own: isolation/isolation.hpp begins the story
//   work.hpp         what workers and services need from outside, as interfaces
//   staged_copy.hpp  the private copy that is loaded instead of the built file
//   elf_check.hpp    is this file a library that dlopen survives?
//   library.hpp      Boost.DLL, the entry point, unloading that is verified
//   abi_check.hpp    what the entry point returned, checked and copied
//   host_table.hpp   the trigger_host a plugin sees
//   publishes.hpp    publishes whose result a service is still to be told
//   completions.hpp  the thread on which publish results are told
//   worker_pool.hpp  threads that call handle()
//   brief_worker.hpp  calls handle() on the thread that has read the message
//   metrics.hpp      what services count
//   trace_context.hpp  which message a thread is at, and the trace it belongs to
//   thread.hpp       named threads, joined with a bound
//   current_call.hpp which call of a service a thread is in
//   sudden_end.hpp   what is said when a plugin ends the process (crash_record.hpp)
//   life_call.hpp    calls of create, start, stop and so on, which may hang
//   guarded_call.hpp calls into a plugin, from which no exception comes back
//   child_probe.hpp  loads it in a child process first
//   trial_record.hpp what an earlier start has tried so
//   watcher.hpp      which plugins were built anew
//   leak.hpp         leaking on purpose
//
// Who owns what: a Generation owns its library and its completions thread; an Instance owns its
// worker pool and keeps its generation alive. So when a generation goes, nothing of it is left
// running: workers are joined before stop(), the library is unloaded last. A generation that cannot
// be proven quiet (a worker or a done callback that does not come back, a thread that its stop left
// running) is abandoned: never unloaded under running code. It is leaked on purpose; whoever owns
// generations counts them by abandoned().
//
// Threads: load(), and everything that changes the life of an instance, is called from the plugin
// control thread (the main thread, until hot reload brings its own); services are called from
// workers.
#pragma once

#include <trigger/plugin.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "config/config_fwd.hpp"
#include "plugin/metrics.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

class Completions;
class Generation;
class HostTable;
class Library;
class LifeThread;
class Patience;
class StagedCopy;
class TrialRecord;
class WorkerPool;
struct PluginTable;

// What an instance leaves to its successor.
struct SavedState {
  std::uint32_t version = 0;  // of the service that wrote it
  std::string bytes;
};

// What a plugin has, as far as one may know without its code.
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

// One instance of one service, made for one trigger: in this process (local_instance.hpp), or in a
// worker process of its own (isolation/). Who uses it does not care.
//
// State: created -> started <-> stopped -> (destroyed with the object); abandoned from any of them.
// Calls in the wrong state are programming errors and asserted; on an abandoned instance they do
// nothing, and start() and run_workers() fail. [control]
class Instance {
 public:
  virtual ~Instance() = default;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Calls the service's start. After an error the instance is as it was before, or abandoned where
  // the call has not returned.
  [[nodiscard]] virtual Result<> start() = 0;
  // Starts `count` workers (1 or more) that take from `source`. The instance is started. After an
  // error, which is that the system has no more threads, none runs and none has taken a message.
  [[nodiscard]] virtual Result<> run_workers(WorkSource& source, unsigned count) = 0;
  // Asks the workers to come back, and does not wait: join_workers() does. For who ends many
  // instances, whose workers then end side by side. Without effect where only waiting ends them.
  virtual void end_workers() {}
  // Asks the workers to come back and waits for them until `deadline`. Afterwards none touches the
  // source. False: some service call has not returned. The instance must then be abandoned, and the
  // message of that call, for which answered() never comes, must stay in memory for ever.
  [[nodiscard]] virtual bool join_workers(Monotonic deadline) = 0;
  // Cancels publishes that are under way (their done is called with TRIGGER_E_CANCELLED), then
  // calls the service's stop. No worker runs. Where a done callback does not return within
  // Source::done_timeout, or stop within Source::call_timeout, the instance is abandoned instead.
  virtual void stop() = 0;
  // Leaves the service alone for ever: no done, no stop, no destroy, its library stays loaded, and
  // what it still asks of its host is refused. When it returns, no call of the service is inside
  // the InstanceHost, and none will be.
  virtual void abandon() = 0;
  virtual bool abandoned() const = 0;
  // Calls the service's destroy, as the destructor does otherwise, so that one can see whether it
  // has returned: else the instance is abandoned. Not started; only abandoned(), generation() and
  // service_name() may be called afterwards.
  virtual void destroy() {}

  // What the stopped service wants its successor to have; nullopt: it saves nothing.
  [[nodiscard]] virtual Result<std::optional<SavedState>> save() = 0;
  // Gives the service, which was not started yet, what its predecessor saved. A service that
  // restores nothing begins anew.
  [[nodiscard]] virtual Result<> restore(const SavedState& state) = 0;

  virtual const Generation& generation() const = 0;
  virtual std::string_view service_name() const = 0;
  // Whether the service has a probe. [any]
  virtual bool can_be_probed() const = 0;
  // The most messages of one call of the service: 1 without handle_batch. [any]
  virtual std::size_t max_batch() const = 0;
  // What the service counts. [any]
  virtual std::vector<Metric> metrics() const = 0;

 protected:
  Instance() = default;
};

// One loaded copy of a plugin.
class Generation : public std::enable_shared_from_this<Generation> {
 public:
  struct Source {
    std::string name;                 // as triggers say it: the file's name without ".so"
    std::filesystem::path file;       // the plugin as it was built
    std::filesystem::path stage_dir;  // where the private copy goes; exists, 0700
    unsigned number = 1;              // of this generation of this plugin
    Millis done_timeout{5000};        // the longest that stop() waits for done callbacks
    // The longest that create, start, stop, save, restore and destroy may take; start and stop also
    // a trigger's own timeout, where that is longer. Less when `patience`, which may be null, ends.
    Millis call_timeout{30'000};
    std::shared_ptr<const Patience> patience{};
    // Looks at the private copy before it is loaded; an error, which continues a sentence that
    // begins with the file's name, and it is not. May be empty.
    std::function<Result<>(const StagedCopy&)> verify{};
    // The file is a private copy already: it is loaded as it is, and left where it is.
    bool is_private = false;
    // This program, for `PROGRAM --worker`: without it no instance can have a process of its own.
    std::filesystem::path worker_program{};
    // False: no instance is to be in this process, so the library is not loaded here unless one is
    // made here all the same.
    bool in_process = true;
    // What earlier starts have tried, and this one need not; may be null: it tries.
    std::shared_ptr<TrialRecord> trials{};
    // Counts the generations that stay in memory for ever. May be null.
    std::shared_ptr<std::atomic<unsigned>> leaked{};
  };
  // Checks, copies, loads, negotiates; or has a worker process do that. The error says which check
  // failed, with both sides' values. `log` outlives the generation.
  static Result<std::shared_ptr<Generation>> load(const Source& source, Log& log);
  // Unloads, verifies that the library is gone, removes the private copy.
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  const Source& source() const { return source_; }
  const std::string& name() const { return source_.name; }
  unsigned number() const { return source_.number; }
  std::string_view version() const { return description_.version; }
  const std::string& sha256() const { return sha256_; }
  // The plugin as it was built; another build may be there by now.
  const std::filesystem::path& file() const { return source_.file; }
  // The private copy, as long as this lives.
  const std::filesystem::path& copy() const { return path_; }
  // Where the loader looks for the plugin's libraries; empty where it is not loaded here.
  std::vector<std::filesystem::path> search_folders() const;
  const Description& description() const { return description_; }
  std::vector<std::string> service_names() const;

  // The service called `service`, or the only one where that is empty. The error names what there
  // is. Optional functions that the plugin's build did not know are NULL. It is loaded here.
  Result<const trigger_service*> find_service(std::string_view service) const;

  // Calls the service's create with the trigger's settings, after it was tried in a worker process
  // where the source names a program for one, by this start or before. The instance keeps this
  // generation alive. `host` outlives the instance. `log` takes what it logs instead of the
  // generation's, and outlives the instance too. `aside` is for an instance beside the one that
  // serves the trigger: a name of its own, so that neither is charged with the other's threads.
  Result<std::unique_ptr<Instance>> create(const config::Trigger& trigger, InstanceHost& host,
                                           Log* log = nullptr, const std::string& aside = {});

  // The triggers that there were have their instances: what is made from now on has other settings.
  // [control]
  void is_in_service() { in_service_ = true; }

  // Whether an instance was abandoned: this generation is never unloaded. [any]
  bool abandoned() const { return abandoned_; }

 private:
  friend class LocalInstance;
  Generation(Source source, Log& log, StagedCopy copy);

  Result<> load_here();
  Result<> load_in_worker();
  // The digest of what was tried; empty where that was another trigger of the service.
  Result<std::string> try_once(const config::Trigger& trigger, InstanceHost& host);
  Result<std::unique_ptr<Instance>> create_here(const config::Trigger& trigger, InstanceHost& host,
                                                Log& log, const std::string& aside);

  std::shared_ptr<std::atomic<bool>> brief_for(const config::Trigger& trigger,
                                               const trigger_service& service);

  // Runs a call into the plugin that may hang. False: it has not returned.
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
  Mutex tried_mutex_;
  std::set<std::string> tried_ TRIGGERD_GUARDED_BY(tried_mutex_);  // services
  Mutex brief_mutex_;
  // By service, of those that are said to be brief: whether they have been so far.
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> brief_
      TRIGGERD_GUARDED_BY(brief_mutex_);
  std::atomic<bool> in_service_{false};
  std::atomic<bool> abandoned_{false};
};

// Finds NAME.so in `dirs`, first one wins; the error lists where it looked and the closest name.
Result<std::filesystem::path> find_plugin(const std::vector<std::filesystem::path>& dirs,
                                          std::string_view name);

}  // namespace triggerd::plugin
