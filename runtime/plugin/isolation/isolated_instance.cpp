#include <sys/prctl.h>

#include <cassert>
#include <utility>

#include "base/passing.hpp"
#include "config/trigger.hpp"
#include "plugin/isolation/isolation.hpp"
#include "plugin/isolation/worker_link.hpp"

namespace triggerd::plugin::isolation {
namespace {

Result<> has_program(const Generation& generation) {
  if (!generation.source().worker_program.empty()) return {};
  return fail(
      "isolation = \"process\" is not possible here: this program cannot start worker processes");
}

// For a service that is made only to see whether it can be: whoever waits has messages waiting.
constexpr Millis kTryTimeout{15'000};

class QuietLog final : public Log {
 public:
  bool enabled(LogLevel) const override { return false; }
  void write(LogLevel, std::string_view, LogFields, std::string_view) override {}
};

Setup setup_of(const Generation& generation, const Log& log) {
  const Generation::Source& source = generation.source();
  Setup setup{.plugin = source.name,
              .file = generation.copy().string(),
              .generation = source.number,
              .done_timeout_ms = static_cast<std::uint64_t>(source.done_timeout.count()),
              .memory = 0,
              .log_level = static_cast<std::uint32_t>(LogLevel::error),
              .trigger = {}};
  for (const LogLevel level : {LogLevel::warn, LogLevel::info, LogLevel::debug, LogLevel::trace}) {
    if (log.enabled(level)) setup.log_level = static_cast<std::uint32_t>(level);
  }
  return setup;
}

class IsolatedInstance final : public Instance {
 public:
  IsolatedInstance(std::shared_ptr<Generation> generation, std::unique_ptr<WorkerLink> link,
                   Description::Service service)
      : generation_(std::move(generation)), link_(std::move(link)), service_(std::move(service)) {}
  ~IsolatedInstance() override {
    static_cast<void>(join_workers(clock().now() + kJoinTimeout));
    if (state_ == State::started) stop();
    destroy();
  }

  Result<> start() override {
    if (state_ == State::abandoned) return gone();
    assert(state_ == State::created || state_ == State::stopped);
    auto started = asked([this] { return link_->start(); });
    if (started) {
      state_ = State::started;
      return {};
    }
    return started;
  }
  Result<> run_workers(WorkSource& source, unsigned) override {
    if (state_ == State::abandoned) return gone();
    assert(state_ == State::started);
    return asked([&] { return link_->serve(source); });
  }
  // A worker that does not come back is ended, so there is never a call that is left.
  bool join_workers(Monotonic deadline) override {
    link_->call([&] { link_->end_serving(deadline); });
    return true;
  }
  void stop() override {
    if (state_ == State::abandoned) return;
    assert(state_ == State::started);
    link_->call([this] { link_->stop(); });
    state_ = State::stopped;
  }
  void abandon() override {
    if (state_ == State::abandoned) return;
    link_->call([this] {
      link_->end_serving(clock().now());
      link_->close(false);
    });
    state_ = State::abandoned;
  }
  bool abandoned() const override { return state_ == State::abandoned; }
  // A call that does not return ends with its process, so nothing is left either way.
  void destroy() override {
    if (state_ == State::abandoned || state_ == State::destroyed) return;
    link_->call([this] { link_->close(true); });
    state_ = State::destroyed;
  }
  Result<std::optional<SavedState>> save() override {
    if (state_ == State::abandoned) return std::nullopt;
    return asked([this] { return link_->save(); });
  }
  Result<> restore(const SavedState& state) override {
    assert(state_ == State::created);
    return asked([&] { return link_->restore(state); });
  }
  const Generation& generation() const override { return *generation_; }
  std::string_view service_name() const override { return service_.name; }
  bool can_be_probed() const override { return service_.can_be_probed; }
  std::size_t max_batch() const override { return service_.max_batch; }
  std::vector<Metric> metrics() const override { return link_->metrics(); }

 private:
  enum class State { created, started, stopped, abandoned, destroyed };
  static constexpr Millis kJoinTimeout{5000};

  const Clock& clock() const { return *generation_->source().clock; }
  tl::unexpected<Error> gone() const {
    return fail("service \"{}:{}\" was abandoned; restart the runtime", generation_->name(),
                service_.name);
  }
  // Errors of the service come in whole sentences; those of its process do not.
  template <class Order>
  auto asked(Order order) -> decltype(order()) {
    decltype(order()) result = tl::make_unexpected(Error{});
    link_->call([&] { result = order(); });
    if (result || result.error().code == WorkerLink::kHung ||
        result.error().message.starts_with("service ")) {
      return result;
    }
    return fail("service \"{}:{}\": {}", generation_->name(), service_.name,
                result.error().message);
  }

  const std::shared_ptr<Generation> generation_;
  const std::unique_ptr<WorkerLink> link_;
  const Description::Service service_;
  State state_ = State::created;
};

// What belongs in /proc to a process that is not dumpable, its memory among it, is root's: no
// worker of the same user reads or writes it. A crash makes it dumpable again, for its core dump
// (sudden_end.cpp).
void close_to_workers() {
  static_cast<void>(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

}  // namespace

Result<std::unique_ptr<Instance>> create(std::shared_ptr<Generation> generation,
                                         const config::Trigger& trigger, InstanceHost& host,
                                         Log& log) {
  if (auto possible = has_program(*generation); !possible) {
    return tl::make_unexpected(possible.error());
  }
  WorkerLink::Options options{.program = generation->source().worker_program,
                              .setup = setup_of(*generation, log),
                              .stopping = generation->source().patience,
                              .random = system_random(),
                              .clock = generation->source().clock};
  options.setup.memory = trigger.isolation_memory;
  options.setup.trigger = trigger;
  if (trigger.log_level) {
    options.setup.log_level = static_cast<std::uint32_t>(*trigger.log_level);
  }
  options.patience = std::max(options.patience, trigger.timeout);
  close_to_workers();
  auto link = WorkerLink::make(std::move(options), host, log);
  if (!link) return tl::make_unexpected(link.error());
  Result<Loaded> loaded;
  (*link)->call([&] { loaded = (*link)->open(); });
  if (!loaded) return tl::make_unexpected(loaded.error());
  return std::make_unique<IsolatedInstance>(std::move(generation), std::move(*link),
                                            loaded->services[loaded->chosen]);
}

Result<> try_create(const Generation& generation, const config::Trigger& trigger,
                    InstanceHost& host) {
  QuietLog log;  // whoever makes it here says the same again
  WorkerLink::Options options{.program = generation.source().worker_program,
                              .setup = setup_of(generation, log),
                              .patience = kTryTimeout,
                              .stopping = generation.source().patience,
                              .random = system_random(),
                              .clock = generation.source().clock};
  options.setup.trigger = trigger;
  auto link = WorkerLink::make(std::move(options), host, log);
  if (!link) return tl::make_unexpected(link.error());
  Result<Loaded> loaded;
  (*link)->call([&] {
    loaded = (*link)->open();
    if (loaded) (*link)->close(true);
  });
  if (loaded || loaded.error().code == WorkerLink::kRefused) return {};
  return tl::make_unexpected(Error{
      loaded.error().message + "; every service is first created in a worker process, as a trial",
      may_pass(loaded.error().code) ? loaded.error().code : 0});
}

Result<Description> describe(const Generation& generation, Log& log) {
  if (auto possible = has_program(generation); !possible) {
    return tl::make_unexpected(possible.error());
  }
  auto loaded = describe(generation.source().worker_program, setup_of(generation, log),
                         generation.source().patience, log);
  if (!loaded) return tl::make_unexpected(loaded.error());
  return Description(std::move(*loaded));
}

}  // namespace triggerd::plugin::isolation
