// An instance whose service runs in this process.
//
// No lock: the control thread alone uses it, apart from what Instance marks [any].
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/plugin.hpp"

namespace triggerd::plugin {

struct CallSite;
class ContentStage;

class LocalInstance final : public Instance {
 public:
  // `service` belongs to the generation, and `handle` is what its create has made. `aside` is as in
  // Generation::create, `timeout` is the trigger's, and `brief` is as in WorkerPool::Service.
  // `content` is what `host` goes through, and what workers take messages from; null: nothing
  // stands between them and the source.
  LocalInstance(std::shared_ptr<Generation> generation, const trigger_service& service,
                std::string trigger, const std::string& aside, Millis timeout,
                std::shared_ptr<std::atomic<bool>> brief, std::shared_ptr<ContentStage> content,
                std::unique_ptr<HostTable> host, void* handle);
  ~LocalInstance() override;

  Result<> start() override;
  Result<> run_workers(WorkSource& source, unsigned count) override;
  void end_workers() override;
  bool join_workers(Monotonic deadline) override;
  void stop() override;
  void abandon() override;
  bool abandoned() const override { return state_ == State::abandoned; }
  void destroy() override;
  Result<std::optional<SavedState>> save() override;
  Result<> restore(const SavedState& state) override;
  const Generation& generation() const override { return *generation_; }
  std::string_view service_name() const override;
  bool can_be_probed() const override;
  std::size_t max_batch() const override;
  std::vector<Metric> metrics() const override;

 private:
  enum class State { created, started, stopped, abandoned, destroyed };

  void abandon_because(std::string_view reason);
  bool call(const char* name, void (*function)(void*));
  Result<> call_for_answer(const char* name, std::function<Result<>()> function);
  tl::unexpected<Error> was_abandoned() const;
  bool life_call(const char* name, std::function<void()> function);
  bool cancel_publishes();
  void note_left_threads(std::string_view after);

  const std::shared_ptr<Generation> generation_;
  const trigger_service& service_;  // generation_'s
  const std::string trigger_;
  const std::string threads_;                   // what its threads are named after
  const std::string_view in_what_;              // the beginning of error lines about it
  const std::shared_ptr<const CallSite> site_;  // to name it if the process ends in its call
  const Millis timeout_;
  const Clock& clock_;  // the generation's
  const std::shared_ptr<std::atomic<bool>> brief_;
  std::shared_ptr<ContentStage> content_;  // may be null
  std::unique_ptr<HostTable> host_;
  void* const handle_;
  std::unique_ptr<WorkerPool> workers_;
  State state_ = State::created;
  bool call_lost_ = false;     // a call of handle has not returned
  bool threads_left_ = false;  // threads of the service still run, so it is never destroyed
};

}  // namespace triggerd::plugin
