#include "plugin/isolation/worker_output.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace triggerd::plugin::isolation {
namespace {

// Records in one turn, so that calls and the socket get theirs.
constexpr int kTurn = 512;
constexpr unsigned kTurnsForTheSocket = 16;
constexpr std::size_t kMaxEvent = 64;

}  // namespace

WorkerOutput::WorkerOutput(SharedLayout& shared, HostSocket& socket, const Setup& setup,
                           Receivers receivers)
    : ring_(shared.to_host, shared.to_host_bytes),
      socket_(socket),
      setup_(setup),
      log_(receivers.log),
      metrics_(receivers.metrics),
      calls_(shared, receivers.host, std::move(receivers.mailbox)) {}

bool WorkerOutput::read(const Turn& turn) {
  if (!protocol_error_.empty()) return false;
  const bool had_records = read_ring(turn);
  if (!protocol_error_.empty()) return had_records;
  // The ring is busy while the socket is quiet, and asking the socket is a system call.
  if (had_records && ++turns_ % kTurnsForTheSocket != 0) return true;
  return read_socket(turn) || had_records;
}

bool WorkerOutput::read_ring(const Turn& turn) {
  bool had_records = false;
  for (int i = 0; i < kTurn && protocol_error_.empty(); ++i) {
    std::uint32_t type = 0;
    switch (ring_.read(type, record_)) {
      case RingReader::Outcome::empty:
        return had_records;
      case RingReader::Outcome::protocol_error:
        protocol_error_ = "corrupt ring";
        return false;
      case RingReader::Outcome::record:
        had_records = true;
        protocol_error_ = judge_record(type, turn);
    }
  }
  return had_records;
}

bool WorkerOutput::read_socket(const Turn& turn) {
  switch (socket_.receive()) {
    case HostSocket::State::open:
      break;
    case HostSocket::State::closed:
      closed_ = true;
      break;
    case HostSocket::State::protocol_error:
      protocol_error_ = "invalid length or type of a frame";
      return false;
  }
  bool had_frames = false;
  while (protocol_error_.empty()) {
    const auto frame = socket_.next();
    if (!frame) break;
    had_frames = true;
    protocol_error_ = judge_frame(*frame, turn);
  }
  return had_frames;
}

std::string_view WorkerOutput::judge_record(std::uint32_t type, const Turn& turn) {
  switch (static_cast<ToHost>(type)) {
    case ToHost::verdict:
      return take_verdict(turn);
    case ToHost::probed:
      if (const auto reply = decode_reply(record_); reply && turn.source != nullptr) {
        turn.source->probed(reply->ok ? Result<>() : fail("{}", reply->bytes));
      }
      return {};
    case ToHost::complete:
    case ToHost::extend:
    case ToHost::publish:
      return calls_.carry_out(static_cast<ToHost>(type), record_, turn.calls_allowed);
    default:
      return "unknown type of record";
  }
}

std::string_view WorkerOutput::judge_frame(const Frame& frame, const Turn& turn) {
  switch (static_cast<ToHost>(frame.type)) {
    case ToHost::reply:
      return keep_reply(frame.bytes);
    case ToHost::confined:
      // The first one comes before there is a plugin; a later one has no descriptor any more.
      if (UniqueFd calls = socket_.take_descriptor()) system_calls_ = std::move(calls);
      return {};
    case ToHost::metrics:
      return keep_metrics(frame.bytes);
    case ToHost::log:
      return write_log(frame.bytes);
    case ToHost::complete:
    case ToHost::extend:
    case ToHost::publish:
      return calls_.carry_out(static_cast<ToHost>(frame.type), frame.bytes, turn.calls_allowed);
    default:
      return "unknown type of frame";
  }
}

std::string_view WorkerOutput::take_verdict(const Turn& turn) {
  auto verdict = decode_verdict(record_);
  if (!verdict) return "malformed verdict";
  if (verdict->answer.code == TRIGGER_OK) handled_a_message_ = true;
  const std::uint64_t busy = std::max<std::uint64_t>(verdict->busy_ns, 1);
  busy_ns_ = busy_ns_ == 0 ? busy : (busy_ns_ * 7 + busy) / 8;
  if (turn.source == nullptr) return {};
  trigger_message message{};
  message.token = verdict->token;
  turn.source->answered(message, std::move(verdict->answer));
  return {};
}

std::string_view WorkerOutput::keep_reply(std::string_view bytes) {
  reply_ = decode_reply(bytes);
  return reply_ ? std::string_view() : "malformed reply";
}

std::string_view WorkerOutput::keep_metrics(std::string_view bytes) {
  auto metrics = decode_metrics(bytes);
  if (!metrics) return "malformed metrics";
  metrics_.keep(std::move(*metrics));
  return {};
}

std::string_view WorkerOutput::write_log(std::string_view bytes) {
  const auto line = decode_log_line(bytes);
  if (!line || !line->event.starts_with("plugin.") || line->event.size() > kMaxEvent) {
    return "malformed log line";
  }
  // The worker's log leaves out the same; but that is the worker's word.
  const std::uint32_t level = std::min(line->level, static_cast<std::uint32_t>(LogLevel::error));
  if (level < setup_.log_level) return {};
  std::vector<LogField> fields{{"plugin", setup_.plugin}};
  if (!setup_.trigger.name.empty()) fields.push_back({"trigger", setup_.trigger.name});
  log_.write(static_cast<LogLevel>(level), line->event, fields, line->text);
  return {};
}

}  // namespace triggerd::plugin::isolation
