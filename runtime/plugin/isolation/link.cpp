#include "plugin/isolation/link.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <utility>

#include "base/passing.hpp"
#include "base/units.hpp"
#include "plugin/isolation/codec.hpp"
#include "plugin/isolation/mailbox.hpp"
#include "plugin/isolation/process.hpp"

namespace triggerd::plugin::isolation {
namespace {

constexpr Millis kLook{1'000};  // also when nothing wakes it
constexpr Millis kSoon{1};      // while the worker may have something to say and does not wake us
constexpr Millis kMetricsWait{200};
constexpr unsigned kBusyTurns = 16;
constexpr int kLastTurns = 1'000;         // for verdicts, of which there are a few
constexpr Millis kWorkerEndGrace{2'000};  // for a worker that was told to end
// How often a worker's memory is looked at, where it has a limit.
constexpr Millis kMemoryLook{100};

// How soon one that is waited for notices that the runtime stops.
constexpr Millis kSlice{50};

// The function of the service that it comes to.
std::string_view call_of(ToWorker order) {
  switch (order) {
    case ToWorker::setup:
      return "create";
    case ToWorker::start:
      return "start";
    case ToWorker::join:
      return "handle";
    case ToWorker::stop:
      return "stop";
    case ToWorker::save:
      return "save";
    case ToWorker::restore:
      return "restore";
    case ToWorker::destroy:
      return "destroy";
    default:
      return "a call";
  }
}

}  // namespace

Result<std::unique_ptr<Link>> Link::make(Options options, InstanceHost& host, Log& log) {
  UniqueFd doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!doorbell) return fail_with(errno, "cannot make an eventfd for a worker");
  const std::string name = thread_name('l', options.setup.trigger.name);
  std::unique_ptr<Link> link(new Link(std::move(options), host, log, std::move(doorbell)));
  auto thread = Thread::start(name, [link = link.get()] { link->run(); });
  if (!thread) return tl::make_unexpected(thread.error());
  link->thread_ = std::move(*thread);
  return link;
}

Link::Link(Options options, InstanceHost& host, Log& log, UniqueFd doorbell)
    : options_(std::move(options)),
      host_(host),
      log_(log),
      doorbell_(std::move(doorbell)),
      mailbox_(std::make_shared<Mailbox>(doorbell_.get())),
      service_(options_.setup.trigger.service) {}

Link::~Link() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
  }
  static_cast<void>(::eventfd_write(doorbell_.get(), 1));
  // The link thread waits for nothing without a bound.
  while (!thread_.join(system_clock().now() + kLook)) {
  }
  mailbox_->close();
}

// ---- The thread ----

void Link::run() {
  for (;;) {
    run_tasks();
    {
      const MutexLock lock(mutex_);
      if (ending_) break;
    }
    turn(kLook);
    if (!process_ && stage_ != Stage::closed && system_clock().now() >= start_again_at_)
      start_again();
  }
  close(false);
}

void Link::call(const std::function<void()>& task) {
  Task queued{.run = &task};
  const MutexLock lock(mutex_);
  tasks_.push_back(&queued);
  static_cast<void>(::eventfd_write(doorbell_.get(), 1));
  while (!queued.done) done_.wait(mutex_);
}

void Link::run_tasks() {
  for (;;) {
    Task* task = nullptr;
    {
      const MutexLock lock(mutex_);
      if (tasks_.empty()) return;
      task = tasks_.front();
      tasks_.pop_front();
    }
    (*task->run)();
    const MutexLock lock(mutex_);
    task->done = true;
    done_.notify_all();
  }
}

bool Link::has_tasks() {
  const MutexLock lock(mutex_);
  return !tasks_.empty() || ending_;
}

// Hears what there is, hands out what may go, and sleeps where there was nothing to hear.
void Link::turn(Millis at_most) {
  const bool heard = hear();
  feed();
  // What only poll() shows is not to wait for a worker that never falls silent.
  if (!heard || ++busy_turns_ % kBusyTurns == 0) sleep(heard ? Millis(0) : at_most);
  tend();
}

void Link::sleep(Millis at_most) {
  std::array<pollfd, 5> watched{};
  for (pollfd& each : watched) each = {.fd = -1, .events = POLLIN, .revents = 0};
  watched[0].fd = doorbell_.get();
  bool check_again = false;
  if (process_) {
    watched[1].fd = process_->socket.fd();
    watched[2].fd = process_->child.pidfd();
    watched[3].fd = process_->doorbell.fd();
    if (process_->judge) watched[4].fd = process_->judge->fd();
    if (options_.setup.memory > 0) at_most = std::min(at_most, kMemoryLook);
    if (process_->socket.has_unsent()) watched[1].events |= POLLOUT;
    if (!process_->to_worker.drained() || !process_->backlog.empty()) {
      at_most = std::min(at_most, kSoon);
    }
    process_->memory->host_sleeps.store(1);
    // As in WorkerSide::knock(): it sees that we sleep, or we see what it wrote. Without it some
    // processors may look into the ring first.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    check_again = !process_->to_host.empty();
  } else if (stage_ != Stage::closed && start_again_at_ != Monotonic::max()) {
    at_most = std::clamp(std::chrono::ceil<Millis>(start_again_at_ - system_clock().now()),
                         Millis(0), at_most);
  }
  // A task that was queued has rung the doorbell.
  const int ready =
      ::poll(watched.data(), watched.size(), check_again ? 0 : static_cast<int>(at_most.count()));
  if (process_) process_->memory->host_sleeps.store(0);
  if (ready <= 0) return;
  if (watched[0].revents != 0) {
    eventfd_t count = 0;
    static_cast<void>(::eventfd_read(doorbell_.get(), &count));
  }
  if (!process_) return;
  if (watched[1].revents != 0) process_->socket.flush();
  if (watched[2].revents != 0) process_->has_ended = true;
  if (watched[3].revents != 0) process_->doorbell.heard();
  if ((watched[4].revents & POLLIN) != 0) process_->judge->answer_one();
}

// What is to be looked at from time to time.
void Link::tend() {
  deliver_mail();
  bool ask = false;
  {
    const MutexLock lock(mutex_);
    ask = process_ && std::exchange(metrics_wanted_, false);
  }
  // One that does not read is not asked again and again.
  if (ask && !process_->socket.has_unsent()) {
    process_->socket.send(static_cast<std::uint32_t>(ToWorker::metrics), {});
  }
  if (!process_) return;
  if (process_->has_ended) {
    bury("");
  } else if (!process_->rubbish.empty()) {
    bury("it wrote what makes no sense (" + process_->rubbish + ")");
  } else if (source_ != nullptr && source_->overdue()) {
    bury("a call of the service has not returned within the trigger's timeout");
  } else if (const auto since = process_->socket.unfinished_since();
             since && system_clock().now() > *since + options_.patience) {
    bury("it has not finished what it began to write");
  } else {
    watch_memory();
  }
}

// RLIMIT_DATA bounds what is its own alone; shared memory is seen only by looking.
void Link::watch_memory() {
  const std::uint64_t limit = options_.setup.memory;
  if (limit == 0 || system_clock().now() < process_->memory_seen + kMemoryLook) return;
  process_->memory_seen = system_clock().now();
  const std::uint64_t has = memory_of(process_->child.pid());
  if (has <= limit) return;
  bury(fmt::format("it has {} KiB of memory, and isolation_memory is {} KiB", has >> 10,
                   limit >> 10));
}

// ---- Life of a worker ----

Result<Loaded> Link::open() {
  auto loaded = launch(false);
  stage_ = loaded ? Stage::created : Stage::closed;
  if (!loaded) close(false);
  return loaded;
}

Result<Loaded> Link::launch(bool again) {
  auto doorbell = Doorbell::make();
  if (!doorbell) return tl::make_unexpected(doorbell.error());
  auto memory = SharedMemory::make();
  if (!memory) return tl::make_unexpected(memory.error());
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_with(errno, "cannot make a socket for a worker");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  auto child = Child::start(options_.program, theirs.get(), doorbell->bell(), memory->fd());
  if (!child) return tl::make_unexpected(child.error());
  mailbox_->next_worker();
  const pid_t pid = child->pid();
  process_ = std::make_unique<Process>(std::move(*memory), std::move(ours), std::move(*doorbell),
                                       std::move(*child));
  {
    const MutexLock lock(mutex_);
    has_worker_ = true;
  }
  const auto said = order(ToWorker::setup, encode(options_.setup), options_.patience,
                          again ? Bound::impatient : Bound::usual);
  if (!said && said.error().code != kHung && !process_) {
    return tl::make_unexpected(
        Error{fmt::format("plugin \"{}\": {}", options_.setup.plugin, said.error().message),
              may_pass(said.error().code) ? said.error().code : 0});
  }
  if (!said) return tl::make_unexpected(said.error());
  auto loaded = decode_loaded(*said);
  if (!loaded) return fail("its worker process answered with what makes no sense");
  if (loaded->chosen < loaded->services.size()) service_ = loaded->services[loaded->chosen].name;
  log_.debug("worker.started",
             {{"plugin", options_.setup.plugin},
              {"trigger", options_.setup.trigger.name},
              {"pid", std::to_string(pid)}},
             "a worker process runs its service");
  return *std::move(loaded);
}

// Tells the worker to do something and waits until it has. It hears whatever else the worker says
// meanwhile. A worker that does not answer is ended, and the log says of which call. `impatient`:
// for nothing where somebody waits; `deadline`: so long, whether or not the runtime stops.
Result<std::string> Link::order(ToWorker order, std::string bytes, Millis patience, Bound how) {
  if (!process_) return fail("its worker process was ended by {}", ended_by_);
  reply_.reset();
  quiet_end_ = true;
  process_->socket.send(static_cast<std::uint32_t>(order), std::move(bytes));
  const Monotonic began = system_clock().now();
  CallBound bound(how == Bound::deadline ? nullptr : options_.stopping.get(), patience);
  const auto goes_on = [&] {
    return process_ && !reply_ && system_clock().now() < bound.end() &&
           !(how == Bound::impatient && has_tasks());
  };
  while (goes_on()) {
    const auto left = std::chrono::ceil<Millis>(bound.end() - system_clock().now());
    turn(std::clamp(left, Millis(0), kSlice));
  }
  quiet_end_ = false;
  // One that ended after it had answered has done what it was told.
  if (!reply_ && !process_) return fail("its worker process was ended by {}", ended_by_);
  if (!reply_) {
    bury_quietly();
    Error hung{
        fmt::format("{} of service \"{}:{}\" has not returned within {}", call_of(order),
                    options_.setup.plugin, service_,
                    format_duration(std::chrono::round<Millis>(system_clock().now() - began))),
        kHung};
    // What is not made yet is an error of whoever makes it.
    if (order != ToWorker::setup && how != Bound::impatient) {
      log_.error("plugin.abandoned",
                 {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
                 "{}; its worker process is ended", hung.message);
    }
    return tl::make_unexpected(std::move(hung));
  }
  if (!reply_->ok) {
    return tl::make_unexpected(
        Error{std::move(reply_->bytes), reply_->may_pass ? EAGAIN : kRefused});
  }
  return std::move(reply_->bytes);
}

Result<> Link::start() {
  if (!process_) {
    auto loaded = launch(false);
    if (!loaded) return tl::make_unexpected(loaded.error());
  }
  const auto started = order(ToWorker::start, {}, options_.patience);
  if (!started) return tl::make_unexpected(started.error());
  stage_ = Stage::started;
  return {};
}

Result<> Link::serve(WorkSource& source) {
  const auto running = order(ToWorker::run, {}, options_.patience);
  if (!running) return tl::make_unexpected(running.error());
  if (process_) process_->runs = true;
  source_ = &source;
  stage_ = Stage::serving;
  source.listen([doorbell = doorbell_.get()] { static_cast<void>(::eventfd_write(doorbell, 1)); });
  return {};
}

void Link::end_serving(Monotonic deadline) {
  if (source_ == nullptr) return;
  WorkSource& source = *source_;
  source.listen({});
  stage_ = Stage::started;
  if (process_) {
    process_->runs = false;
    process_->backlog.clear();
    const auto left =
        std::max(Millis(0), std::chrono::ceil<Millis>(deadline - system_clock().now()));
    std::string bytes;
    Encoder(bytes).number(std::int64_t{left.count()});
    const auto joined = order(ToWorker::join, std::move(bytes), left + kLook, Bound::deadline);
    if (!joined && joined.error().code == kRefused) {
      log_.error("plugin.abandoned",
                 {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
                 "{} of service \"{}:{}\" has not returned; its worker process is ended",
                 call_of(ToWorker::join), options_.setup.plugin, service_);
    }
    if (!joined && process_) bury("");
  }
  for (int i = 0; i < kLastTurns && process_ && hear(); ++i) {
  }
  source_ = nullptr;
  source.lost({.why = WorkSource::Loss::Why::not_begun, .reason = {}});
}

void Link::stop() {
  if (stage_ != Stage::started) return;
  if (process_) {
    // For the last time: what it says of its counters is what stays of them.
    process_->socket.send(static_cast<std::uint32_t>(ToWorker::metrics), {});
    const Millis patience = options_.patience + Millis(options_.setup.done_timeout_ms);
    const auto stopped = order(ToWorker::stop, {}, patience);
    if (!stopped && stopped.error().code != kHung) {
      log_.error("plugin.abandoned",
                 {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
                 "stop of service \"{}:{}\": {}; its worker process is ended",
                 options_.setup.plugin, service_, stopped.error().message);
      if (process_) bury_quietly();
    }
  }
  stage_ = Stage::created;
  start_again_at_ = Monotonic::max();
}

Result<std::optional<SavedState>> Link::save() {
  if (!process_) return std::nullopt;  // what it had is gone with it
  process_->state_is_due = true;
  auto saved = order(ToWorker::save, {}, options_.patience);
  if (process_) process_->state_is_due = false;
  if (!saved) return tl::make_unexpected(saved.error());
  if (saved->empty()) return std::nullopt;
  auto state = decode_state(*saved);
  if (!state) return fail("its worker process answered with what makes no sense");
  return state;
}

Result<> Link::restore(const SavedState& state) {
  return order(ToWorker::restore, encode(state), options_.patience).map([](const auto&) {});
}

void Link::close(bool in_good_order) {
  stage_ = Stage::closed;
  if (!process_) return;
  if (in_good_order) {
    static_cast<void>(order(ToWorker::destroy, {}, options_.patience));
    if (process_) {
      static_cast<void>(
          process_->child.wait(CallBound(options_.stopping.get(), kWorkerEndGrace).end()));
    }
  }
  if (process_) bury_quietly();
}

void Link::bury_quietly() {
  quiet_end_ = true;
  bury("");
  quiet_end_ = false;
}

// It has ended, or is ended now, for this reason.
void Link::bury(const std::string& why) {
  const bool by_itself = process_->has_ended;
  const std::string ending = process_->child.end();
  // A verdict that it gave counts. It adds nothing any more, so this has an end.
  while (hear()) {
  }
  ended_by_ = why.empty() ? ending : by_itself ? ending : fmt::format("{}: {}", ending, why);
  fold_metrics();
  const bool handled = process_->handled_one;
  process_.reset();
  mailbox_->next_worker();
  busy_ns_ = 0;
  failures_ = handled ? 1 : failures_ + 1;
  const Millis delay = options_.restarts.delay(failures_, options_.random());
  start_again_at_ = system_clock().now() + delay;
  if (source_ == nullptr && quiet_end_) return;
  log_.error(
      "worker.ended", {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
      "the worker process was ended by {}; another one starts in {} ms", ended_by_, delay.count());
  if (source_ == nullptr) return;
  source_->lost({.why = WorkSource::Loss::Why::crashed,
                 .reason = fmt::format("the worker process was ended by {}", ended_by_)});
}

void Link::start_again() {
  start_again_at_ = Monotonic::max();
  Result<> done;
  if (auto loaded = launch(true); !loaded) {
    done = tl::make_unexpected(loaded.error());
  } else if (stage_ != Stage::created) {
    auto said = order(ToWorker::start, {}, options_.patience, Bound::impatient);
    if (said && source_ != nullptr) {
      said = order(ToWorker::run, {}, options_.patience, Bound::impatient);
      if (process_) process_->runs = said.has_value();
    }
    if (!said) done = tl::make_unexpected(said.error());
  }
  if (done) {
    log_.info("worker.restarted",
              {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
              "a new worker process runs its service");
    return;
  }
  if (process_) bury_quietly();
  if (start_again_at_ == Monotonic::max()) {
    start_again_at_ =
        system_clock().now() + options_.restarts.delay(++failures_, options_.random());
  }
  log_.error("worker.not_restarted",
             {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
             "{}; the next try is in {} ms", done.error().message,
             std::chrono::ceil<Millis>(start_again_at_ - system_clock().now()).count());
}

// ---- Metrics ----

std::vector<Metric> Link::metrics() {
  const MutexLock lock(mutex_);
  if (has_worker_ && !ending_) {
    const std::uint64_t told = metrics_told_;
    metrics_wanted_ = true;
    static_cast<void>(::eventfd_write(doorbell_.get(), 1));
    const Monotonic deadline = system_clock().now() + kMetricsWait;
    while (metrics_told_ == told && has_worker_ && system_clock().now() < deadline) {
      done_.wait_until(mutex_, deadline);
    }
  }
  std::vector<Metric> all = metrics_before_;
  for (const Metric& metric : metrics_now_) {
    const auto known = std::find_if(all.begin(), all.end(),
                                    [&](const Metric& one) { return one.name == metric.name; });
    if (known == all.end()) {
      all.push_back(metric);
    } else {
      known->value += metric.value;
    }
  }
  return all;
}

void Link::keep_metrics(const std::string& bytes) {
  auto metrics = decode_metrics(bytes);
  if (!metrics) {
    process_->rubbish = "its metrics";
    return;
  }
  const MutexLock lock(mutex_);
  metrics_now_ = std::move(*metrics);
  ++metrics_told_;
  done_.notify_all();
}

// Counters go on where a worker's successor begins with 0; gauges were its own.
void Link::fold_metrics() {
  const MutexLock lock(mutex_);
  for (const Metric& metric : metrics_now_) {
    if (metric.kind != TRIGGER_METRIC_COUNTER) continue;
    const auto known = std::find_if(metrics_before_.begin(), metrics_before_.end(),
                                    [&](const Metric& one) { return one.name == metric.name; });
    if (known == metrics_before_.end()) {
      metrics_before_.push_back(metric);
    } else {
      known->value += metric.value;
    }
  }
  metrics_now_.clear();
  has_worker_ = false;
  done_.notify_all();
}

Result<Loaded> describe(const std::filesystem::path& program, const Setup& setup,
                        std::shared_ptr<const Patience> stopping, Log& log) {
  class Nobody final : public InstanceHost {
   public:
    std::int32_t complete(std::uint64_t, Answer) override { return TRIGGER_E_STATE; }
    std::int32_t extend(std::uint64_t, std::uint32_t) override { return TRIGGER_E_STATE; }
    std::int32_t publish(const trigger_publish&, PublishDone) override { return TRIGGER_E_STATE; }
  };
  Nobody nobody;
  auto link = Link::make({.program = program,
                          .setup = setup,
                          .stopping = std::move(stopping),
                          .random = [] { return 0.0; }},
                         nobody, log);
  if (!link) return tl::make_unexpected(link.error());
  Result<Loaded> loaded;
  (*link)->call([&] {
    loaded = (*link)->open();
    (*link)->close(true);
  });
  return loaded;
}

}  // namespace triggerd::plugin::isolation
