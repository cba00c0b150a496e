#include "plugin/isolation/worker.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/passing.hpp"
#include "plugin/isolation/child.hpp"
#include "plugin/isolation/codec.hpp"
#include "plugin/isolation/confinement.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/isolation/worker_side.hpp"
#include "plugin/plugin.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin::isolation {
namespace {

constexpr int kNoHost = 70;

// Lines go to the host, which knows whose they are.
class WorkerLog final : public Log {
 public:
  WorkerLog(WorkerSocket& socket, std::uint32_t lowest) : socket_(socket), lowest_(lowest) {}

  bool enabled(LogLevel level) const override {
    return static_cast<std::uint32_t>(level) >= lowest_;
  }
  void write(LogLevel level, std::string_view event, LogFields, std::string_view text) override {
    // Its host says what is true of it: a library, and a call that hangs, end with the process.
    for (const std::string_view left_out :
         {"plugin.loaded", "plugin.still_loaded", "plugin.abandoned"}) {
      if (event == left_out) return;
    }
    socket_.send(static_cast<std::uint32_t>(ToHost::log),
                 encode(LogLine{.level = static_cast<std::uint32_t>(level),
                                .event = std::string(event),
                                .text = std::string(text)}));
  }

 private:
  WorkerSocket& socket_;
  const std::uint32_t lowest_;
};

class Worker {
 public:
  // `problems`: what it could not be confined by yet.
  Worker(SharedMemory memory, std::vector<std::string> problems, const Clock& clock)
      : memory_(std::move(memory)),
        clock_(clock),
        side_(*memory_, socket_, kDoorbellFd, clock),
        problems_(std::move(problems)) {}

  int run() {
    const auto first = socket_.receive();
    if (!first || first->type != static_cast<std::uint32_t>(ToWorker::setup)) return kNoHost;
    const auto setup = decode_setup(first->bytes);
    if (!setup) return kNoHost;
    log_.emplace(socket_, setup->log_level);
    confine(setup->memory);
    auto reader = Thread::start("reader", [this] { read(); });
    if (!reader) {
      reply(tl::make_unexpected(reader.error()));
      return kNoHost;
    }
    reply(load(*setup));
    for (;;) {
      const Frame order = next_order();
      const auto type = static_cast<ToWorker>(order.type);
      if (type == ToWorker::destroy) break;
      reply(carry_out(type, order.bytes));
    }
    {
      const MutexLock lock(instance_mutex_);
      instance_.reset();
    }
    generation_.reset();
    reply(std::string());
    std::fflush(nullptr);
    ::_exit(0);  // the reader waits for a host that has nothing more to say
  }

 private:
  void confine(std::uint64_t memory) {
    const auto confined = confine_memory(memory);
    if (!confined) problems_.push_back(confined.error().message);
    const auto type = static_cast<std::uint32_t>(ToHost::confined);
    if (const auto calls = confine_system_calls(memory > 0)) {
      socket_.send_with(calls->get(), type, {});
    } else {
      problems_.push_back(calls.error().message);
      socket_.send(type, {});
    }
    if (problems_.empty()) return;
    log_->warn("plugin.unconfined", {},
               "the worker process is not fully isolated on this system: {}",
               fmt::format("{}", fmt::join(problems_, "; ")));
  }

  Result<std::string> load(const Setup& setup) {
    auto generation = Generation::load({.name = setup.plugin,
                                        .file = setup.file,
                                        .stage_dir = {},
                                        .number = setup.generation,
                                        .done_timeout = Millis(setup.done_timeout_ms),
                                        // Who waits ends this process where a call hangs.
                                        .call_timeout = std::chrono::hours(24 * 365),
                                        .is_private = true,
                                        .clock = &clock_},
                                       *log_);
    if (!generation) return tl::make_unexpected(generation.error());
    generation_ = std::move(*generation);
    concurrency_ = setup.trigger.concurrency;
    Loaded loaded{generation_->description(), 0};
    if (setup.trigger.name.empty()) return encode(loaded);
    side_.serve(setup.trigger.name, setup.trigger.timeout);
    auto made = generation_->create(setup.trigger, side_);
    if (!made) return tl::make_unexpected(made.error());
    for (std::uint32_t i = 0; i < loaded.services.size(); ++i) {
      if (loaded.services[i].name == (*made)->service_name()) loaded.chosen = i;
    }
    const MutexLock lock(instance_mutex_);
    instance_ = std::move(*made);
    return encode(loaded);
  }

  Result<std::string> carry_out(ToWorker order, std::string_view bytes) {
    const auto said_nothing = [] { return std::string(); };
    if (!instance_) return fail("no instance has been created");
    switch (order) {
      case ToWorker::start:
        return instance_->start().map(said_nothing);
      case ToWorker::run:
        return instance_->run_workers(side_, concurrency_).map(said_nothing);
      case ToWorker::join: {
        Decoder in(bytes);
        const Millis within(in.number<std::int64_t>());
        if (instance_->join_workers(clock_.now() + within)) {
          side_.discard();
          return {};
        }
        return fail("a call of the service has not returned");
      }
      case ToWorker::stop:
        instance_->stop();
        if (instance_->abandoned()) return fail("a call of the service has not returned");
        side_.forget_messages();
        return {};
      case ToWorker::save: {
        auto saved = instance_->save();
        if (!saved) return tl::make_unexpected(saved.error());
        return *saved ? encode(**saved) : std::string();
      }
      case ToWorker::restore: {
        const auto state = decode_state(bytes);
        if (!state) return fail("the saved state is damaged");
        return instance_->restore(*state).map(said_nothing);
      }
      default:
        return fail("unknown order");
    }
  }

  void reply(const Result<std::string>& result) {
    Reply said{.ok = true, .may_pass = false, .bytes = {}};
    if (result) {
      said.bytes = *result;
    } else {
      said = {false, may_pass(result.error().code), result.error().message};
    }
    socket_.send(static_cast<std::uint32_t>(ToHost::reply), encode(said));
  }

  Frame next_order() {
    const MutexLock lock(orders_mutex_);
    while (orders_.empty()) ordered_.wait(orders_mutex_);
    Frame order = std::move(orders_.front());
    orders_.pop_front();
    return order;
  }

  // [reader]
  void read() {
    while (auto frame = socket_.receive()) {
      switch (static_cast<ToWorker>(frame->type)) {
        case ToWorker::message:
          side_.arrived(std::move(frame->bytes));
          break;
        case ToWorker::published:
          if (auto published = decode_published(frame->bytes)) {
            side_.published(std::move(*published));
          }
          break;
        case ToWorker::metrics:
          tell_metrics();
          break;
        default: {
          const MutexLock lock(orders_mutex_);
          orders_.push_back(std::move(*frame));
          ordered_.notify_all();
        }
      }
    }
    // The host has gone, or the socket was closed under us: nothing that runs here is of use.
    ::kill(0, SIGKILL);
    ::_exit(kNoHost);
  }

  void tell_metrics() {
    std::vector<Metric> metrics;
    {
      const MutexLock lock(instance_mutex_);
      if (instance_) metrics = instance_->metrics();
    }
    socket_.send(static_cast<std::uint32_t>(ToHost::metrics), encode(metrics));
  }

  const SharedMemory memory_;
  const Clock& clock_;
  WorkerSocket socket_{kSocketFd};
  WorkerSide side_;
  std::vector<std::string> problems_;
  std::optional<WorkerLog> log_;
  std::shared_ptr<Generation> generation_;
  std::uint32_t concurrency_ = 1;
  Mutex instance_mutex_;  // main alone changes it
  std::unique_ptr<Instance> instance_;

  Mutex orders_mutex_;
  CondVar ordered_;
  std::deque<Frame> orders_ TRIGGERD_GUARDED_BY(orders_mutex_);
};

}  // namespace

int run_worker() {
  std::vector<std::string> problems = confine_process();
  for (const int fd : {kSocketFd, kDoorbellFd, kMemoryFd}) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      std::fputs(
          "triggerd: error: --worker is for triggerd itself; it does nothing on a command line\n",
          stderr);
      return 1;
    }
  }
  auto memory = SharedMemory::map(UniqueFd(kMemoryFd));
  if (!memory) return kNoHost;
  Worker worker(std::move(*memory), std::move(problems), system_clock());
  return worker.run();
}

}  // namespace triggerd::plugin::isolation
