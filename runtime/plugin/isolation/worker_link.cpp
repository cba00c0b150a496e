#include "plugin/isolation/worker_link.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/passing.hpp"
#include "base/units.hpp"
#include "plugin/isolation/codec.hpp"
#include "plugin/isolation/mailbox.hpp"
#include "plugin/isolation/worker_process.hpp"

namespace triggerd::plugin::isolation {
namespace {

constexpr Millis kLook{1'000};  // also when nothing wakes it
constexpr unsigned kBusyTurns = 16;
constexpr int kLastTurns = 1'000;         // for verdicts, of which there are a few
constexpr Millis kWorkerEndGrace{2'000};  // for a worker that was told to end
// How soon somebody who waits for an order notices that the runtime stops.
constexpr Millis kSlice{50};

// The function of the service that the worker calls for it.
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

tl::unexpected<Error> protocol_violation(std::string_view what) {
  return fail("worker protocol violation ({})", what);
}

}  // namespace

Result<std::unique_ptr<WorkerLink>> WorkerLink::make(Options options, InstanceHost& host,
                                                     Log& log) {
  UniqueFd doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!doorbell) return fail_with(errno, "cannot create an eventfd for a worker process");
  const std::string name = thread_name('l', options.setup.trigger.name);
  std::unique_ptr<WorkerLink> link(
      new WorkerLink(std::move(options), host, log, std::move(doorbell)));
  auto thread = Thread::start(name, [link = link.get()] { link->run(); });
  if (!thread) return tl::make_unexpected(thread.error());
  link->thread_ = std::move(*thread);
  return link;
}

WorkerLink::WorkerLink(Options options, InstanceHost& host, Log& log, UniqueFd doorbell)
    : options_(std::move(options)),
      host_(host),
      log_(log),
      clock_(*options_.clock),
      doorbell_(std::move(doorbell)),
      mailbox_(std::make_shared<Mailbox>(doorbell_.get())),
      calls_(doorbell_.get()),
      metrics_(doorbell_.get(), clock_),
      restart_(options_.restarts, options_.random, clock_),
      service_(options_.setup.trigger.service) {}

WorkerLink::~WorkerLink() {
  calls_.close();
  // The link thread waits for nothing without a bound.
  while (!thread_.join(kLook)) {
  }
  mailbox_->close();
}

// ---- The thread ----

void WorkerLink::run() {
  for (;;) {
    calls_.run_all();
    if (calls_.closed()) break;
    turn(kLook);
    if (!process_ && stage_ != Stage::closed && restart_.due()) start_again();
  }
  close(false);
}

// Reads what there is, hands out what may go, and sleeps where there was nothing to read.
void WorkerLink::turn(Millis at_most) {
  const bool busy = read();
  if (process_ && source_ != nullptr) process_->feed(*source_);
  // A worker that never falls silent must not keep what only poll() shows waiting.
  if (!busy || ++busy_turns_ % kBusyTurns == 0) sleep(busy ? Millis(0) : at_most);
  tend();
}

bool WorkerLink::read() {
  if (!process_) return false;
  const bool had_something = process_->read({.source = source_, .calls_allowed = calls_allowed()});
  if (auto reply = process_->take_reply()) reply_ = std::move(reply);
  return had_something;
}

// Of host functions, by the service.
bool WorkerLink::calls_allowed() const {
  return stage_ == Stage::started || stage_ == Stage::serving || end_expected_;
}

void WorkerLink::sleep(Millis at_most) {
  bool rung = false;
  if (process_) {
    rung = process_->wait(doorbell_.get(), at_most);
  } else {
    if (stage_ != Stage::closed) at_most = restart_.left(at_most);
    pollfd watched{.fd = doorbell_.get(), .events = POLLIN, .revents = 0};
    rung = ::poll(&watched, 1, static_cast<int>(at_most.count())) > 0;
  }
  if (!rung) return;
  eventfd_t count = 0;
  static_cast<void>(::eventfd_read(doorbell_.get(), &count));
}

void WorkerLink::tend() {
  deliver_mail();
  if (!process_) return;
  if (metrics_.take_request()) process_->ask_for_metrics();
  if (process_->has_ended()) {
    reap({});
  } else if (const std::string fault = process_->fault(options_.patience); !fault.empty()) {
    reap(fault);
  } else if (source_ != nullptr && source_->overrunning()) {
    reap("a call of the service has not returned within the trigger's timeout");
  }
}

void WorkerLink::deliver_mail() {
  for (const Published& result : mailbox_->take()) {
    if (process_) process_->send(ToWorker::published, encode(result));
  }
}

// ---- Orders ----

Result<std::string> WorkerLink::order(ToWorker what, std::string bytes, Bound how) {
  return order(what, std::move(bytes), options_.patience, how);
}

// Tells the worker to do something and waits until it has, while the loop goes on. A worker that
// does not reply is ended, and the log says which call has not returned.
Result<std::string> WorkerLink::order(ToWorker what, std::string bytes, Millis patience,
                                      Bound how) {
  if (!process_) return gone();
  reply_.reset();
  end_expected_ = true;
  process_->send(what, std::move(bytes));
  const Monotonic began = clock_.now();
  CallBound bound(how == Bound::deadline ? nullptr : options_.stopping.get(), patience, clock_);
  while (process_ && !reply_ && clock_.now() < bound.end() &&
         !(how == Bound::impatient && calls_.somebody_waits())) {
    const auto left = std::chrono::ceil<Millis>(bound.end() - clock_.now());
    turn(std::clamp(left, Millis(0), kSlice));
  }
  end_expected_ = false;
  // A worker that ended after its reply has done what it was told.
  if (!reply_ && !process_) return gone();
  if (!reply_) {
    reap_quietly();
    return hung(what, std::chrono::round<Millis>(clock_.now() - began), how);
  }
  if (!reply_->ok) {
    return tl::make_unexpected(
        Error{std::move(reply_->bytes), reply_->may_pass ? EAGAIN : kRefused});
  }
  return std::move(reply_->bytes);
}

tl::unexpected<Error> WorkerLink::gone() const {
  return fail("its worker process was ended by {}", ended_by_);
}

tl::unexpected<Error> WorkerLink::hung(ToWorker what, Millis waited, Bound how) {
  Error error{fmt::format("{} of service \"{}:{}\" has not returned within {}", call_of(what),
                          options_.setup.plugin, service_, format_duration(waited)),
              kHung};
  // An error of create is for whoever creates, and one of a restart is logged as that.
  if (what != ToWorker::setup && how != Bound::impatient) log_abandoned(error.message);
  return tl::make_unexpected(std::move(error));
}

void WorkerLink::log_abandoned(std::string_view what) {
  log_.error("plugin.abandoned",
             {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
             "{}; its worker process is ended", what);
}

Result<Loaded> WorkerLink::open() {
  auto loaded = launch(Bound::usual);
  stage_ = loaded ? Stage::created : Stage::closed;
  if (!loaded) close(false);
  return loaded;
}

Result<> WorkerLink::start() {
  if (!process_) {
    auto loaded = launch(Bound::usual);
    if (!loaded) return tl::make_unexpected(loaded.error());
  }
  const auto started = order(ToWorker::start, {});
  if (!started) return tl::make_unexpected(started.error());
  stage_ = Stage::started;
  return {};
}

Result<> WorkerLink::serve(WorkSource& source) {
  const auto running = order(ToWorker::run, {});
  if (!running) return tl::make_unexpected(running.error());
  if (process_) process_->messages().open();
  source_ = &source;
  stage_ = Stage::serving;
  source.listen([doorbell = doorbell_.get()] { static_cast<void>(::eventfd_write(doorbell, 1)); });
  return {};
}

void WorkerLink::end_serving(Monotonic deadline) {
  if (source_ == nullptr) return;
  WorkSource& source = *source_;
  source.listen({});
  stage_ = Stage::started;
  if (process_) {
    process_->messages().close();
    const auto left = std::max(Millis(0), std::chrono::ceil<Millis>(deadline - clock_.now()));
    std::string bytes;
    Encoder(bytes).number(std::int64_t{left.count()});
    const auto joined = order(ToWorker::join, std::move(bytes), left + kLook, Bound::deadline);
    if (!joined && joined.error().code == kRefused) {
      log_abandoned(fmt::format("{} of service \"{}:{}\" has not returned", call_of(ToWorker::join),
                                options_.setup.plugin, service_));
    }
    if (!joined && process_) reap({});
  }
  for (int i = 0; i < kLastTurns && read(); ++i) {
  }
  source_ = nullptr;
  source.lost({.why = WorkSource::Loss::Why::not_begun, .reason = {}});
}

void WorkerLink::stop() {
  if (stage_ != Stage::started) return;
  if (process_) {
    // For the last time: the counters that it now says are the ones that stay.
    process_->send(ToWorker::metrics, {});
    const Millis patience = options_.patience + Millis(options_.setup.done_timeout_ms);
    const auto stopped = order(ToWorker::stop, {}, patience, Bound::usual);
    if (!stopped && stopped.error().code != kHung) {
      log_abandoned(fmt::format("stop of service \"{}:{}\": {}", options_.setup.plugin, service_,
                                stopped.error().message));
      if (process_) reap_quietly();
    }
  }
  stage_ = Stage::created;
  restart_.clear();
}

Result<std::optional<SavedState>> WorkerLink::save() {
  if (!process_) return std::nullopt;
  process_->expect_state(true);
  auto saved = order(ToWorker::save, {});
  if (process_) process_->expect_state(false);
  if (!saved) return tl::make_unexpected(saved.error());
  if (saved->empty()) return std::nullopt;
  auto state = decode_state(*saved);
  if (!state) return protocol_violation("malformed reply to save");
  return state;
}

Result<> WorkerLink::restore(const SavedState& state) {
  return order(ToWorker::restore, encode(state)).map([](const auto&) {});
}

void WorkerLink::close(bool in_good_order) {
  stage_ = Stage::closed;
  if (process_ && in_good_order) {
    static_cast<void>(order(ToWorker::destroy, {}));
    if (process_) {
      CallBound bound(options_.stopping.get(), kWorkerEndGrace, clock_);
      static_cast<void>(process_->wait_for_end(bound.end()));
    }
  }
  if (process_) reap_quietly();
}

// ---- The worker's life ----

Result<Loaded> WorkerLink::launch(Bound how) {
  auto process =
      WorkerProcess::start(options_.program, options_.setup, clock_,
                           {.host = host_, .log = log_, .metrics = metrics_, .mailbox = mailbox_});
  if (!process) return tl::make_unexpected(process.error());
  process_ = std::move(*process);
  const pid_t pid = process_->pid();
  mailbox_->next_worker();
  metrics_.worker_started();
  const auto reply = order(ToWorker::setup, encode(options_.setup), how);
  if (!reply && reply.error().code != kHung && !process_) {
    return tl::make_unexpected(
        Error{fmt::format("plugin \"{}\": {}", options_.setup.plugin, reply.error().message),
              may_pass(reply.error().code) ? reply.error().code : 0});
  }
  if (!reply) return tl::make_unexpected(reply.error());
  auto loaded = decode_loaded(*reply);
  if (!loaded) return protocol_violation("malformed reply to create");
  service_ = loaded->services[loaded->chosen].name;
  log_.debug("worker.started",
             {{"plugin", options_.setup.plugin},
              {"trigger", options_.setup.trigger.name},
              {"pid", std::to_string(pid)}},
             "a worker process runs its service");
  return *std::move(loaded);
}

// The worker has ended by itself, or is ended now, for the reason `why`.
void WorkerLink::reap(std::string_view why) {
  const bool by_itself = process_->has_ended();
  const std::string ending = process_->kill();
  // A verdict that it gave counts. It adds nothing any more, so this has an end.
  while (read()) {
  }
  ended_by_ = why.empty() || by_itself ? ending : fmt::format("{}: {}", ending, why);
  metrics_.worker_ended();
  const Millis delay = restart_.worker_ended(process_->handled_a_message());
  process_.reset();
  mailbox_->next_worker();
  if (source_ == nullptr && end_expected_) return;
  log_.error(
      "worker.ended", {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
      "the worker process was ended by {}; another one starts in {} ms", ended_by_, delay.count());
  if (source_ == nullptr) return;
  source_->lost({.why = WorkSource::Loss::Why::crashed,
                 .reason = fmt::format("the worker process was ended by {}", ended_by_)});
}

void WorkerLink::reap_quietly() {
  end_expected_ = true;
  reap({});
  end_expected_ = false;
}

void WorkerLink::start_again() {
  restart_.clear();
  const Result<> done = start_again_to_stage();
  if (done) {
    log_.info("worker.restarted",
              {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
              "a new worker process runs its service");
    return;
  }
  if (process_) reap_quietly();
  if (!restart_.is_set()) restart_.worker_ended(false);
  log_.error("worker.not_restarted",
             {{"plugin", options_.setup.plugin}, {"trigger", options_.setup.trigger.name}},
             "{}; the next attempt is in {} ms", done.error().message,
             restart_.left(Millis::max()).count());
}

// A new worker, as far as the one before it was.
Result<> WorkerLink::start_again_to_stage() {
  auto loaded = launch(Bound::impatient);
  if (!loaded) return tl::make_unexpected(loaded.error());
  if (stage_ == Stage::created) return {};
  auto done = order(ToWorker::start, {}, Bound::impatient);
  if (done && source_ != nullptr) {
    done = order(ToWorker::run, {}, Bound::impatient);
    if (done && process_) process_->messages().open();
  }
  if (!done) return tl::make_unexpected(done.error());
  return {};
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
  auto link = WorkerLink::make({.program = program,
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
