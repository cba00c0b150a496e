#include "plugin/instance/content_stage.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "plugin/abi_text.hpp"

namespace triggerd::plugin {
namespace {

// No token of a source has it.
constexpr std::uint64_t kPartToken = std::uint64_t{1} << 63;
constexpr std::size_t kMaxReason = sizeof(trigger_result::reason) - 1;
// Evaluators that wait for the next message.
constexpr std::size_t kSpare = 64;

trigger_bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string as_reason(std::string text) {
  if (text.size() > kMaxReason) text.resize(kMaxReason);
  return text;
}

}  // namespace

struct ContentStage::Part : trigger_message {
  Part(const trigger_message& received, Original& of) : trigger_message(received), whole(&of) {}

  Original* const whole;
  bool pending = false;  // otherwise its call has not returned, or not begun
  // What complete() said while the call of it had not returned yet.
  std::optional<Answer> completed;
  std::string made_payload;
  std::string made_id;
};

struct ContentStage::Original {
  explicit Original(const trigger_message& of)
      : message(of), token(of.token), deadline_ns(of.deadline_mono_ns) {}

  // The source may have taken it back once it is completed, which another thread can do.
  const trigger_message& message;
  const std::uint64_t token;
  std::vector<Part> parts{};  // it never grows: the service has their addresses
  std::size_t next = 0;       // the one to hand over next
  std::size_t called = 0;     // in a call that has not returned
  std::size_t pending = 0;
  std::uint64_t deadline_ns;
  bool ends = false;  // no more parts are handed over
  bool told_pending = false;
  Answer answer{TRIGGER_OK, 0, {}};

  bool is_split() const { return parts.size() > 1; }
};

ContentStage::ContentStage(std::string trigger, content::Options options, InstanceHost& host,
                           Log& log, const Clock& clock)
    : trigger_(std::move(trigger)),
      options_(std::move(options)),
      host_(host),
      log_(log),
      clock_(clock) {}

ContentStage::~ContentStage() = default;

void ContentStage::serve(WorkSource& source, std::shared_ptr<const CallSite> site) {
  source_ = &source;
  site_ = std::move(site);
}

std::uint64_t ContentStage::now_ns() const {
  const auto since_boot = clock_.now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since_boot).count());
}

void ContentStage::forget() {
  const MutexLock lock(mutex_);
  parts_.clear();
  waiting_.clear();
  put_back_.clear();
  originals_.clear();
}

std::size_t ContentStage::held() const {
  const MutexLock lock(mutex_);
  return originals_.size();
}

// ---- Messages ----

const trigger_message* ContentStage::take(std::stop_token stop) {
  for (;;) {
    Told told;
    {
      const MutexLock lock(mutex_);
      if (waiting_.empty()) break;
      Original& original = *waiting_.back();
      waiting_.pop_back();
      if (goes_on(original, stop.stop_requested())) return hand_over(original);
      told = end_calls(original);
    }
    source_->answered(*told.original, std::move(told.answer));
  }
  const trigger_message* const next = take_put_back();
  return next_wanted(next != nullptr ? next : source_->take(stop), stop);
}

const trigger_message* ContentStage::exchange(const trigger_message& message, Answer answer,
                                              std::stop_token stop) {
  Told told;
  {
    const MutexLock lock(mutex_);
    Part& part = static_cast<Part&>(const_cast<trigger_message&>(message));
    Original& original = *part.whole;
    settle(part, std::move(answer));
    if (goes_on(original, stop.stop_requested())) return hand_over(original);
    told = end_calls(original);
  }
  return next_wanted(exchange_original(*told.original, std::move(told.answer), stop), stop);
}

void ContentStage::answered(const trigger_message& message, Answer answer) {
  const trigger_message* const one = &message;
  std::vector<Answer> answers;
  answers.push_back(std::move(answer));
  batch_answered({&one, 1}, std::move(answers));
}

const trigger_message* ContentStage::take_put_back() {
  const MutexLock lock(mutex_);
  if (put_back_.empty()) return nullptr;
  const trigger_message* const next = put_back_.front();
  put_back_.pop_front();
  return next;
}

// What was put back comes first: the source may have nothing more, and would wait.
const trigger_message* ContentStage::exchange_original(const trigger_message& original,
                                                       Answer answer, const std::stop_token& stop) {
  const trigger_message* const next = take_put_back();
  if (next == nullptr) return source_->exchange(original, std::move(answer), stop);
  source_->answered(original, std::move(answer));
  return next;
}

// The first part of the first message that is wanted; what is not is answered.
const trigger_message* ContentStage::next_wanted(const trigger_message* original,
                                                 const std::stop_token& stop) {
  while (original != nullptr && original != &kProbe) {
    Answer unwanted;
    if (const trigger_message* const part = begin(*original, unwanted)) return part;
    original = exchange_original(*original, std::move(unwanted), stop);
  }
  return original;
}

// The parts of one message go into one call, or those of several that have one each: that is how
// the source counts them.
void ContentStage::take_more(std::vector<const trigger_message*>& batch) {
  std::vector<const trigger_message*> originals;
  {
    const MutexLock lock(mutex_);
    Original& first = *static_cast<const Part*>(batch.front())->whole;
    while (batch.size() < kMaxBatch && first.next < first.parts.size()) {
      batch.push_back(hand_over(first));
    }
    if (first.is_split()) return;
    originals.push_back(&first.message);
  }
  source_->take_more(originals);
  const Monotonic enough = clock_.now() + options_.timeout;
  for (std::size_t i = 1; i < originals.size(); ++i) {
    if (clock_.now() >= enough) {  // the first ones wait for their call
      const MutexLock lock(mutex_);
      put_back_.insert(put_back_.end(), originals.begin() + static_cast<std::ptrdiff_t>(i),
                       originals.end());
      return;
    }
    Answer unwanted;
    if (const trigger_message* const part = begin(*originals[i], unwanted)) {
      batch.push_back(part);
    } else {
      source_->answered(*originals[i], std::move(unwanted));
    }
  }
}

void ContentStage::batch_answered(std::span<const trigger_message* const> batch,
                                  std::vector<Answer> answers) {
  std::vector<const trigger_message*> originals;
  std::vector<Answer> said;
  {
    const MutexLock lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Part& part = static_cast<Part&>(const_cast<trigger_message&>(*batch[i]));
      Original& original = *part.whole;
      settle(part, std::move(answers[i]));
      if (original.called > 0) continue;  // another part of it is in this batch
      if (goes_on(original, false)) {
        waiting_.push_back(&original);
        continue;
      }
      Told told = end_calls(original);
      originals.push_back(told.original);
      said.push_back(std::move(told.answer));
    }
  }
  if (originals.size() == 1) {
    source_->answered(*originals.front(), std::move(said.front()));
  } else if (!originals.empty()) {
    source_->batch_answered(originals, std::move(said));
  }
}

const trigger_message& ContentStage::as_received(const trigger_message& message) const {
  if (&message == &kProbe) return message;
  return static_cast<const Part&>(message).whole->message;
}

// Evaluates a message. Its first part; null: it has none, and is to be answered with `unwanted`.
const trigger_message* ContentStage::begin(const trigger_message& message, Answer& unwanted) {
  using Kind = content::Evaluation::Kind;
  std::string fault;
  std::unique_ptr<content::Evaluator> evaluator = lend_evaluator(fault);
  if (!evaluator) {
    unwanted = {.code = TRIGGER_UNAVAILABLE, .reason = as_reason(std::move(fault))};
    return nullptr;
  }
  content::Evaluation evaluation = evaluate(*evaluator, message);
  give_back(std::move(evaluator));
  if (evaluation.kind == Kind::filter) {
    unwanted = {.code = TRIGGER_OK, .unseen = true};
    return nullptr;
  }
  if (evaluation.kind == Kind::fail && options_.on_error == content::OnError::reject) {
    unwanted = {
        .code = TRIGGER_REJECT, .reason = as_reason(std::move(evaluation.reason)), .unseen = true};
    return nullptr;
  }
  auto original = std::make_unique<Original>(message);
  if (evaluation.kind == Kind::fail || !evaluation.payloads) {
    original->parts.emplace_back(message, *original);
  } else {
    const std::size_t count = evaluation.payloads->size();
    original->parts.reserve(count);
    for (std::string& payload : *evaluation.payloads) {
      Part& part = original->parts.emplace_back(message, *original);
      part.made_payload = std::move(payload);
      part.payload = bytes_of(part.made_payload);
      if (count == 1) continue;
      part.made_id = fmt::format("{}-{}", view(message.id), original->parts.size());
      part.id = {part.made_id.data(), part.made_id.size()};
    }
  }
  if (log_.enabled(LogLevel::debug)) tell(*original);
  const MutexLock lock(mutex_);
  Original& kept = *original;
  originals_.emplace(&kept, std::move(original));
  return hand_over(kept);
}

void ContentStage::tell(const Original& original) const {
  for (const Part& part : original.parts) {
    log_.debug("plugin.message", {{"trigger", trigger_}, {"message", std::string(view(part.id))}},
               "the service gets {}", printable(view(part.payload)));
  }
}

content::Evaluation ContentStage::evaluate(content::Evaluator& evaluator,
                                           const trigger_message& message) const {
  const trigger_message* const one = &message;
  const CurrentCall call(site_.get(), "evaluate", {&one, 1});
  std::vector<content::Subject::Property> properties;
  for (std::size_t i = 0; i < message.property_count; ++i) {
    const trigger_property& property = message.properties[i];
    properties.push_back({property.id, property.number, view(property.name), view(property.value)});
  }
  return evaluator.evaluate({.topic = view(message.topic),
                             .payload = view(message.payload),
                             .qos = message.qos,
                             .retained = (message.flags & TRIGGER_MESSAGE_RETAIN) != 0,
                             .received_unix_ns = message.received_unix_ns,
                             .properties = properties});
}

// There come to be as many as there are workers with a message at the same time.
std::unique_ptr<content::Evaluator> ContentStage::lend_evaluator(std::string& fault) {
  {
    const MutexLock lock(mutex_);
    if (!evaluators_.empty()) {
      auto evaluator = std::move(evaluators_.back());
      evaluators_.pop_back();
      return evaluator;
    }
  }
  auto made = content::Evaluator::make(options_);
  if (made) return std::move(*made);
  fault = made.error().message;
  return nullptr;
}

void ContentStage::give_back(std::unique_ptr<content::Evaluator> evaluator) {
  const MutexLock lock(mutex_);
  if (evaluators_.size() < kSpare) evaluators_.push_back(std::move(evaluator));
}

// ---- Parts ----

const trigger_message* ContentStage::hand_over(Original& original) {
  Part& part = original.parts[original.next++];
  if (original.is_split()) part.token = kPartToken | ++last_serial_;
  ++original.called;
  parts_.insert_or_assign(part.token, &part);
  return &part;
}

// The call of a part has returned.
void ContentStage::settle(Part& part, Answer answer) {
  Original& original = *part.whole;
  --original.called;
  if (answer.code == TRIGGER_PENDING && part.completed) {
    // The original's own token was completed with the host, which waits for this answer.
    if (original.is_split()) answer = std::move(*part.completed);
  } else if (answer.code == TRIGGER_PENDING) {
    part.pending = true;
    ++original.pending;
    return;
  }
  release(part);
  if (!original.is_split()) {
    original.answer = std::move(answer);
    original.ends = true;
    return;
  }
  if (answer.code == TRIGGER_OK) return;
  answer.reason = as_reason(fmt::format("part {} of {}: {}", &part - original.parts.data() + 1,
                                        original.parts.size(), answer.reason));
  const bool goes_again = answer.code != TRIGGER_REJECT;
  if (goes_again ? !original.ends : original.answer.code == TRIGGER_OK) {
    original.answer = std::move(answer);
  }
  original.ends = original.ends || goes_again;
}

// Whether another part of it is to be handed over.
bool ContentStage::goes_on(Original& original, bool stopping) {
  if (original.ends || original.next == original.parts.size()) return false;
  if (stopping) {
    original.answer = {TRIGGER_UNAVAILABLE, 0,
                       fmt::format("the service ends before part {} of {}", original.next + 1,
                                   original.parts.size())};
  } else if (now_ns() >= original.deadline_ns) {
    original.answer = {
        TRIGGER_RETRY, 0,
        fmt::format("no time is left for part {} of {}", original.next + 1, original.parts.size())};
  } else {
    return true;
  }
  original.ends = true;
  return false;
}

// No more calls of it begin: what the source is told.
ContentStage::Told ContentStage::end_calls(Original& original) {
  original.ends = true;
  if (original.pending == 0) return finish(original);
  original.told_pending = true;
  return {&original.message, original.token, {TRIGGER_PENDING, 0, {}}};
}

ContentStage::Told ContentStage::finish(Original& original) {
  Told told{&original.message, original.token, std::move(original.answer)};
  originals_.erase(&original);
  return told;
}

void ContentStage::release(Part& part) {
  parts_.erase(part.token);
}

// ---- Host functions ----

std::int32_t ContentStage::complete(std::uint64_t token, Answer answer) {
  if ((token & kPartToken) != 0) return complete_part(token, std::move(answer));
  const std::int32_t code = host_.complete(token, std::move(answer));
  if (code != TRIGGER_OK && code != TRIGGER_E_STALE) return code;
  const MutexLock lock(mutex_);
  const auto found = parts_.find(token);
  if (found == parts_.end()) return code;
  Part& part = *found->second;
  if (part.pending) {
    release(part);
    originals_.erase(part.whole);
  } else {
    part.completed.emplace();
  }
  return code;
}

// Of several parts: the host hears of it once all of them are done with.
std::int32_t ContentStage::complete_part(std::uint64_t token, Answer answer) {
  if (answer.code == TRIGGER_PENDING) return TRIGGER_E_INVALID;
  Told told;
  {
    const MutexLock lock(mutex_);
    const auto found = parts_.find(token);
    if (found == parts_.end()) return TRIGGER_E_STALE;
    Part& part = *found->second;
    Original& original = *part.whole;
    if (!part.pending) {
      if (part.completed) return TRIGGER_E_STALE;
      part.completed = std::move(answer);
      return TRIGGER_OK;
    }
    --original.pending;
    ++original.called;  // as if its call returned now
    settle(part, std::move(answer));
    if (original.pending > 0 || !original.told_pending) return TRIGGER_OK;
    told = finish(original);
  }
  return host_.complete(told.token, std::move(told.answer));
}

std::int32_t ContentStage::extend(std::uint64_t token, std::uint32_t ms) {
  {
    const MutexLock lock(mutex_);
    const auto found = parts_.find(token);
    if (found == parts_.end()) {
      if ((token & kPartToken) != 0) return TRIGGER_E_STALE;
    } else {
      Original& original = *found->second->whole;
      token = original.token;
      original.deadline_ns = now_ns() + std::uint64_t{ms} * 1'000'000;
    }
  }
  return host_.extend(token, ms);
}

}  // namespace triggerd::plugin
