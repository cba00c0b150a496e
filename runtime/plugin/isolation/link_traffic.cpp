// Link: what goes to the worker while it serves, and what comes from it. Everything that comes is
// judged here or decoded by what judges it; what makes no sense ends the worker.
#include <algorithm>
#include <limits>
#include <utility>

#include "plugin/host/host_table.hpp"
#include "plugin/isolation/link.hpp"
#include "plugin/isolation/mailbox.hpp"
#include "plugin/isolation/process.hpp"

namespace triggerd::plugin::isolation {
namespace {

// Messages are handed over ahead as far as they take so long together.
constexpr std::uint64_t kAheadNs = 500'000;
constexpr std::size_t kMostAhead = 255;
// In one turn, so that tasks and the socket get theirs.
constexpr int kTurn = 512;
constexpr unsigned kTurnsForTheSocket = 16;
constexpr std::size_t kMaxEvent = 64;

}  // namespace

// ---- To the worker ----

// By how long a message takes lately. A slow service gets one after another: a message that waits
// in a worker's hands would be part of what a reload has to wait for.
std::size_t Link::ahead() const {
  if (busy_ns_ == 0) return 0;
  return std::min<std::size_t>(kMostAhead, kAheadNs / busy_ns_);
}

void Link::feed() {
  if (process_ == nullptr) return;
  while (!process_->backlog.empty()) {
    auto& [type, record] = process_->backlog.front();
    if (!ring(type, record)) break;
    process_->backlog.pop_front();
  }
  // While one that is started again is not ready, a message could only be lost with it.
  while (process_->runs && source_ != nullptr && process_->backlog.empty() &&
         process_->rubbish.empty()) {
    const WorkSource::Taken taken = source_->poll(ahead());
    if (taken.message == nullptr) break;
    if (taken.message == &WorkSource::kProbe) {
      if (!ring(ToWorker::probe, {})) process_->backlog.emplace_back(ToWorker::probe, "");
    } else if (!send(*taken.message, taken.follows)) {
      break;
    }
  }
  if (!std::exchange(process_->rang, false)) return;
  SharedLayout& shared = *process_->memory;
  shared.bell.fetch_add(1);
  if (shared.at_the_bell.load() != 0) wake(shared.bell, std::numeric_limits<int>::max());
}

// False: it waits for room.
bool Link::send(const trigger_message& message, bool follows) {
  encode(message, follows, out_record_);
  if (out_record_.size() > process_->to_worker.longest()) {
    process_->socket.send(static_cast<std::uint32_t>(ToWorker::message), out_record_);
    if (ring(ToWorker::elsewhere, {})) return true;
    process_->backlog.emplace_back(ToWorker::elsewhere, "");
    return false;
  }
  if (ring(ToWorker::message, out_record_)) return true;
  process_->backlog.emplace_back(ToWorker::message, out_record_);
  return false;
}

bool Link::ring(ToWorker type, std::string_view record) {
  switch (process_->to_worker.write(static_cast<std::uint32_t>(type), record)) {
    case RingWriter::Outcome::written:
      process_->rang = true;
      return true;
    case RingWriter::Outcome::full:
      return false;
    case RingWriter::Outcome::rubbish:
      process_->rubbish = "how far it has read";
  }
  return false;
}

void Link::deliver_mail() {
  for (const Published& letter : mailbox_->take()) {
    if (process_) {
      process_->socket.send(static_cast<std::uint32_t>(ToWorker::published), encode(letter));
    }
  }
}

// ---- From the worker ----

// True: there was something, so there may be more.
bool Link::hear() {
  if (!process_ || !process_->rubbish.empty()) return false;
  bool heard = false;
  for (int i = 0; i < kTurn && process_->rubbish.empty(); ++i) {
    std::uint32_t type = 0;
    const RingReader::Outcome outcome = process_->to_host.read(type, record_);
    if (outcome == RingReader::Outcome::empty) break;
    if (outcome == RingReader::Outcome::rubbish) {
      process_->rubbish = "its ring";
      return false;
    }
    heard = true;
    hear_ring(type, record_);
  }
  // The ring is busy while the socket is quiet, and asking the socket is a system call.
  if (heard && ++process_->turns % kTurnsForTheSocket != 0) return true;
  switch (process_->socket.receive()) {
    case HostSocket::State::open:
      break;
    case HostSocket::State::closed:
      process_->has_ended = true;
      break;
    case HostSocket::State::rubbish:
      process_->rubbish = "the length or the type of a frame";
      return false;
  }
  for (auto frame = process_->socket.next(); frame && process_->rubbish.empty();
       frame = process_->socket.next()) {
    heard = true;
    hear_frame(*frame);
  }
  return heard;
}

void Link::hear_ring(std::uint32_t type, const std::string& record) {
  switch (static_cast<ToHost>(type)) {
    case ToHost::verdict:
      hear_verdict(record);
      return;
    case ToHost::probed:
      if (const auto reply = decode_reply(record); reply && source_ != nullptr) {
        source_->probed(reply->ok ? Result<>() : fail("{}", reply->bytes));
      }
      return;
    case ToHost::complete:
    case ToHost::extend:
    case ToHost::publish:
      hear_call(static_cast<ToHost>(type), record);
      return;
    default:
      process_->rubbish = "the type of a record";
  }
}

void Link::hear_frame(const Frame& frame) {
  switch (static_cast<ToHost>(frame.type)) {
    case ToHost::reply:
      if (auto reply = decode_reply(frame.bytes)) {
        reply_ = std::move(*reply);
      } else {
        process_->rubbish = "a reply";
      }
      return;
    case ToHost::confined:
      hear_confined();
      return;
    case ToHost::metrics:
      keep_metrics(frame.bytes);
      return;
    case ToHost::log: {
      const auto line = decode_log_line(frame.bytes);
      if (!line || !line->event.starts_with("plugin.") || line->event.size() > kMaxEvent) {
        process_->rubbish = "a log line";
        return;
      }
      const auto level = static_cast<LogLevel>(
          std::min<std::uint32_t>(line->level, static_cast<std::uint32_t>(LogLevel::error)));
      std::vector<LogField> fields{{"plugin", options_.setup.plugin}};
      if (!options_.setup.trigger.name.empty()) {
        fields.push_back({"trigger", options_.setup.trigger.name});
      }
      // What its log was told to leave out is left out here, too.
      if (static_cast<std::uint32_t>(level) >= options_.setup.log_level) {
        log_.write(level, line->event, fields, line->text);
      }
      return;
    }
    case ToHost::complete:
    case ToHost::extend:
    case ToHost::publish:
      hear_call(static_cast<ToHost>(frame.type), frame.bytes);
      return;
    default:
      process_->rubbish = "the type of a frame";
  }
}

// Before there is a plugin, so it is what it says. Another one has no descriptor any more.
void Link::hear_confined() {
  UniqueFd calls = process_->socket.take_descriptor();
  if (!calls || process_->judge) return;
  process_->judge.emplace(std::move(calls), process_->child.pid(), options_.setup.memory);
}

void Link::hear_verdict(const std::string& record) {
  auto verdict = decode_verdict(record);
  if (!verdict) {
    process_->rubbish = "a verdict";
    return;
  }
  if (verdict->answer.code == TRIGGER_OK) process_->handled_one = true;
  const std::uint64_t busy = std::max<std::uint64_t>(verdict->busy_ns, 1);
  busy_ns_ = busy_ns_ == 0 ? busy : (busy_ns_ * 7 + busy) / 8;
  if (source_ == nullptr) return;
  trigger_message message{};
  message.token = verdict->token;
  source_->answered(message, std::move(verdict->answer));
}

void Link::hear_call(ToHost type, const std::string& bytes) {
  const bool may = stage_ == Stage::started || stage_ == Stage::serving || quiet_end_;
  if (type == ToHost::complete) {
    auto call = decode_complete(bytes);
    if (!call || !is_verdict(call->answer.code)) {
      process_->rubbish = "a call of complete";
      return;
    }
    answer(call->place, may ? host_.complete(call->token, std::move(call->answer))
                            : std::int32_t{TRIGGER_E_STATE});
  } else if (type == ToHost::extend) {
    const auto call = decode_extend(bytes);
    if (!call) {
      process_->rubbish = "a call of extend";
      return;
    }
    answer(call->place, may ? host_.extend(call->token, call->ms) : std::int32_t{TRIGGER_E_STATE});
  } else {
    Publish call;
    if (!decode_publish(bytes, call) || !valid_publish(&call.request)) {
      process_->rubbish = "a call of publish";
      return;
    }
    answer(call.place, may ? publish(call) : std::int32_t{TRIGGER_E_STATE});
  }
}

std::int32_t Link::publish(const Publish& call) {
  if (call.id == 0) return host_.publish(call.request, {});
  const std::uint64_t worker = mailbox_->open();
  if (worker == 0) return TRIGGER_E_FULL;
  const std::int32_t code = host_.publish(
      call.request,
      [mailbox = mailbox_, worker, id = call.id](std::int32_t result, std::string reason) {
        mailbox->put(worker, {.id = id, .code = result, .reason = std::move(reason)});
      });
  if (code != TRIGGER_OK) mailbox_->drop();
  return code;
}

void Link::answer(std::uint32_t place, std::int32_t code) {
  if (place >= kCallPlaces) {
    process_->rubbish = "the place of a call";
    return;
  }
  CallPlace& call = process_->memory->calls[place];
  call.code.store(code, std::memory_order_relaxed);
  call.answered.store(1, std::memory_order_release);
  wake(call.answered, 1);
}

}  // namespace triggerd::plugin::isolation
