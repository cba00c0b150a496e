#include "plugin/instance/local_instance.hpp"

#include <cassert>
#include <thread>
#include <utility>

#include "base/units.hpp"
#include "plugin/host/guarded_call.hpp"
#include "plugin/host/host_table.hpp"
#include "plugin/instance/content_stage.hpp"
#include "plugin/instance/leak.hpp"
#include "plugin/instance/life_call.hpp"
#include "plugin/instance/worker_pool.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin {
namespace {

// A thread that was joined may show for a moment yet, and one that was told to end may need one.
constexpr Millis kThreadsGrace{200};
constexpr Millis kThreadsPoll{1};
// For workers that nobody joined.
constexpr Millis kJoinTimeout{5000};
// Of one instance; it is in memory twice for a moment.
constexpr std::size_t kMaxState = std::size_t{1} << 30;

std::string control_name(const std::string& threads) {
  return thread_name('p', threads);
}
std::string worker_name(const std::string& threads) {
  return thread_name('w', threads);
}

// Threads that the service of an instance started, from its start or from a worker, and that still
// run. They are known by the name they inherited; one that took another name is not seen.
std::size_t left_threads(const std::string& threads, const Clock& clock) {
  const std::string control = control_name(threads);
  const std::string worker = worker_name(threads);
  const Monotonic deadline = clock.now() + kThreadsGrace;
  for (;;) {
    const std::size_t left = count_threads_named(control, worker);
    if (left == 0 || clock.now() >= deadline) return left;
    std::this_thread::sleep_for(kThreadsPoll);
  }
}

}  // namespace

LocalInstance::LocalInstance(std::shared_ptr<Generation> generation, const trigger_service& service,
                             std::string trigger, const std::string& aside, Millis timeout,
                             std::shared_ptr<std::atomic<bool>> brief,
                             std::shared_ptr<ContentStage> content, std::unique_ptr<HostTable> host,
                             void* handle)
    : generation_(std::move(generation)),
      service_(service),
      trigger_(std::move(trigger)),
      threads_(aside.empty() ? trigger_ : aside),
      in_what_(aside.empty() ? "" : "in a test of the trigger: "),
      site_(std::make_shared<const CallSite>(
          CallSite{generation_->name(), std::string(service_name()), trigger_})),
      timeout_(timeout),
      clock_(*generation_->source().clock),
      brief_(std::move(brief)),
      content_(std::move(content)),
      host_(std::move(host)),
      handle_(handle) {}

LocalInstance::~LocalInstance() {
  static_cast<void>(join_workers(clock_.now() + kJoinTimeout));
  if (state_ == State::started) stop();
  destroy();
}

void LocalInstance::destroy() {
  if (threads_left_) abandon_because("the service left threads running");
  if (state_ == State::abandoned || state_ == State::destroyed) return;
  assert(state_ != State::started);
  if (!call("destroy", service_.destroy)) return;
  state_ = State::destroyed;
  host_.reset();
}

// Of a function that cannot fail. False: it has not returned.
bool LocalInstance::call(const char* name, void (*function)(void*)) {
  const auto thrown = std::make_shared<std::optional<std::string>>();
  if (!life_call(name, [=, handle = handle_] { *thrown = guarded([=] { function(handle); }); })) {
    return false;
  }
  if (*thrown) {
    generation_->log_.error("plugin.exception",
                            {{"plugin", generation_->name()}, {"trigger", trigger_}},
                            "{} threw an exception across the C ABI: {}", name, **thrown);
  }
  return true;
}

// Where `function` does not return it goes on, for ever perhaps: it has only what is its own.
bool LocalInstance::life_call(const char* name, std::function<void()> function) {
  const Monotonic began = clock_.now();
  const auto run = [site = site_, name, function = std::move(function)] {
    const CurrentCall current(site.get(), name);
    function();
  };
  if (generation_->life_call(control_name(threads_), run, timeout_)) return true;
  const auto waited = std::chrono::round<Millis>(clock_.now() - began);
  abandon_because(fmt::format("{} of service \"{}:{}\" has not returned within {}", name,
                              generation_->name(), service_name(), format_duration(waited)));
  return false;
}

// Of a function that can fail. Where it does not return that is an error too, and the instance is
// abandoned.
Result<> LocalInstance::call_for_answer(const char* name, std::function<Result<>()> function) {
  const auto answer = std::make_shared<Result<>>();
  if (life_call(name, [answer, function = std::move(function)] { *answer = function(); })) {
    return *answer;
  }
  return fail("service \"{}:{}\" has not returned from {}, and was abandoned", generation_->name(),
              service_name(), name);
}

tl::unexpected<Error> LocalInstance::was_abandoned() const {
  return fail("service \"{}:{}\" was abandoned; restart the runtime", generation_->name(),
              service_name());
}

Result<> LocalInstance::start() {
  if (state_ == State::abandoned) return was_abandoned();
  assert(state_ == State::created || state_ == State::stopped);
  // Before the call: a thread that start makes may publish at once.
  host_->set_state(HostTable::State::started);
  Result<> started = call_for_answer("start", [start = service_.start, handle = handle_] {
    return call_for_result("start", [&](trigger_result* error) { return start(handle, error); });
  });
  if (started) state_ = State::started;
  if (started || state_ == State::abandoned) return started;
  host_->set_state(HostTable::State::stopping);
  if (cancel_publishes()) {
    host_->set_state(state_ == State::created ? HostTable::State::created
                                              : HostTable::State::stopped);
    note_left_threads("failed start");
  }
  return fail("service \"{}:{}\" does not start: {}", generation_->name(), service_name(),
              started.error().message);
}

Result<> LocalInstance::run_workers(WorkSource& source, unsigned count) {
  if (state_ == State::abandoned) return was_abandoned();
  assert(state_ == State::started && !workers_ && count > 0);
  if (content_) content_->serve(source, site_);
  auto workers = WorkerPool::start(
      {service_.handle, handle_, service_.probe, service_.handle_batch, site_, brief_},
      content_ ? static_cast<WorkSource&>(*content_) : source, count, worker_name(threads_),
      clock_);
  if (!workers) return tl::make_unexpected(workers.error());
  workers_ = std::move(*workers);
  return {};
}

void LocalInstance::end_workers() {
  if (workers_) workers_->request_end();
}

bool LocalInstance::join_workers(Monotonic deadline) {
  if (!workers_) return true;
  const bool all = workers_->join(deadline);
  workers_.reset();
  if (!all) call_lost_ = true;
  return all;
}

void LocalInstance::stop() {
  if (call_lost_) abandon();
  if (state_ == State::abandoned) return;
  assert(state_ == State::started && !workers_);
  host_->set_state(HostTable::State::stopping);
  if (!cancel_publishes()) return;
  if (!call("stop", service_.stop)) return;
  host_->set_state(HostTable::State::stopped);
  if (content_) content_->forget();
  state_ = State::stopped;
  note_left_threads("stop");
}

void LocalInstance::note_left_threads(std::string_view after) {
  const std::size_t left = left_threads(threads_, clock_);
  if (left == 0) return;
  threads_left_ = true;
  generation_->log_.error(
      "plugin.threads_left", {{"plugin", generation_->name()}, {"trigger", trigger_}},
      "{}{} thread(s) that the service started still run after its {}, which must join them; its "
      "library will not be unloaded",
      in_what_, left, after);
}

bool LocalInstance::cancel_publishes() {
  const Millis bound = generation_->source_.done_timeout;
  if (host_->cancel_publishes(clock_.now() + bound)) return true;
  abandon_because("a done callback does not return");
  return false;
}

void LocalInstance::abandon() {
  abandon_because("a call of the service does not return");
}

void LocalInstance::abandon_because(std::string_view reason) {
  if (state_ == State::abandoned || state_ == State::destroyed) return;
  static_cast<void>(join_workers(clock_.now()));
  generation_->log_.error("plugin.abandoned",
                          {{"plugin", generation_->name()},
                           {"generation", std::to_string(generation_->number())},
                           {"trigger", trigger_}},
                          "{}{}; the {} is abandoned, and its library stays loaded until a "
                          "restart",
                          in_what_, reason, in_what_.empty() ? "service" : "tested service");
  host_->sever();
  generation_->abandon();
  leak(std::move(host_));
  leak(std::move(content_));
  leak(generation_);
  leak(handle_);  // the service's, which nobody destroys
  state_ = State::abandoned;
}

// ---- State for a successor ----

namespace {

// On the thread of the call.
std::int32_t append_state(void* sink, trigger_bytes piece) {
  auto& state = *static_cast<std::string*>(sink);
  if (piece.len > kMaxState - state.size()) return TRIGGER_E_FULL;
  if (piece.len > 0) state.append(reinterpret_cast<const char*>(piece.ptr), piece.len);
  return TRIGGER_OK;
}

}  // namespace

Result<std::optional<SavedState>> LocalInstance::save() {
  assert(state_ == State::stopped || state_ == State::abandoned);
  if (state_ == State::abandoned || service_.save == nullptr) return std::nullopt;
  const auto state = std::make_shared<SavedState>();
  state->version = service_.state_version;
  const Result<> saved = call_for_answer("save", [state, save = service_.save, handle = handle_] {
    return call_for_result("save", [&](trigger_result* error) {
      return save(handle, &append_state, &state->bytes, error);
    });
  });
  if (saved) return std::move(*state);
  if (state_ == State::abandoned) return tl::make_unexpected(saved.error());
  return fail("service \"{}:{}\" cannot save its state: {}", generation_->name(), service_name(),
              saved.error().message);
}

Result<> LocalInstance::restore(const SavedState& state) {
  assert(state_ == State::created);
  if (service_.restore == nullptr) return {};
  const auto given = std::make_shared<const SavedState>(state);
  Result<> restored =
      call_for_answer("restore", [given, restore = service_.restore, handle = handle_] {
        const trigger_bytes bytes{reinterpret_cast<const std::uint8_t*>(given->bytes.data()),
                                  given->bytes.size()};
        return call_for_result("restore", [&](trigger_result* error) {
          return restore(handle, given->version, bytes, error);
        });
      });
  if (restored || state_ == State::abandoned) return restored;
  return fail("service \"{}:{}\" cannot take over the state of version {}: {}", generation_->name(),
              service_name(), state.version, restored.error().message);
}

std::string_view LocalInstance::service_name() const {
  return {service_.name.ptr, service_.name.len};
}

bool LocalInstance::can_be_probed() const {
  return service_.probe != nullptr;
}

std::size_t LocalInstance::max_batch() const {
  return service_.handle_batch == nullptr ? 1 : kMaxBatch;
}

std::vector<Metric> LocalInstance::metrics() const {
  return host_ ? host_->metrics().snapshot() : std::vector<Metric>();
}

}  // namespace triggerd::plugin
