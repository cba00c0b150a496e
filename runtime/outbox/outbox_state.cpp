#include "outbox/outbox_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/units.hpp"
#include "mqtt/reason.hpp"

namespace triggerd::outbox {
namespace {

using Row = KeptPublish::Row;
using Sent = KeptPublish::Sent;

// A server that confirms nothing for so long has forgotten what it was sent, and only a new
// connection sends it again (MQTT 3.1.1 and 5, section 4.4).
constexpr Millis kStalled{60'000};
// Where the oldest messages are only in the file, it may be over its size by a part until they are
// read and dropped.
constexpr std::uint64_t kOverSize = 8;
// It is said again that it is full once a tenth of it has become free.
constexpr double kRoomAgain = 0.9;

std::string plural(std::uint64_t messages) {
  return fmt::format("{} message{}", messages, messages == 1 ? "" : "s");
}

}  // namespace

OutboxState::OutboxState(std::string alias, const config::Outbox& options, const Clock& clock)
    : alias_(std::move(alias)), options_(options), clock_(clock), progress_(clock.now()) {}

void OutboxState::begin(const inbox::Outgoing::Total& total) {
  backlog_.begin(total.messages, total.last);
  messages_ = total.messages;
  bytes_ = total.bytes;
  oldest_in_file_ = total.oldest;
  last_at_start_ = total.last;
  if (total.messages > 0) {
    next_id_ = static_cast<std::uint16_t>(std::max<unsigned>(total.last_packet_id + 1U, kFirstId));
    if (next_id_ < kFirstId) next_id_ = kFirstId;
  }
}

// ---- Publishing ----

tl::expected<void, mqtt::PublishError> OutboxState::accept(const KeptPublishPtr& message,
                                                           mqtt::PublishDone& done,
                                                           Millis wait_limit, Actions& actions) {
  if (message->bytes() > options_.max_size) {
    ++counts_.dropped;
    return tl::make_unexpected(mqtt::PublishError::invalid);  // there never is room for it
  }
  if (!make_room(message->bytes(), actions)) {
    note_full(actions);
    ++counts_.dropped;
    // As without an outbox: whoever publishes waits until the server is back.
    return tl::make_unexpected(terms_ ? mqtt::PublishError::full
                                      : mqtt::PublishError::not_connected);
  }
  message->set_packet_id(next_id_);
  if (++next_id_ < kFirstId) next_id_ = kFirstId;
  message->place = ++last_place_;
  message->deadline = clock_.now() + wait_limit;
  message->done = std::move(done);
  ++messages_;
  bytes_ += message->bytes();
  unsafe_.emplace(message->place, message);
  backlog_.push(message);
  return {};
}

bool OutboxState::make_room(std::size_t bytes, Actions& actions) {
  const auto fits = [&](std::uint64_t more) { return bytes_ + bytes <= options_.max_size + more; };
  if (fits(0)) return true;
  if (options_.when_full == config::Outbox::WhenFull::refuse) return false;
  note_full(actions);
  while (!fits(0) && !backlog_.empty()) drop_oldest(actions);
  // The oldest of the rest are in the file: add_page() drops them, once they are read.
  return fits(backlog_.behind() > 0 ? options_.max_size / kOverSize : 0);
}

void OutboxState::drop_oldest(Actions& actions) {
  ++counts_.dropped;
  give_up(backlog_.pop(), actions, "it was dropped from the outbox to make room for newer ones");
}

void OutboxState::add_page(const std::vector<KeptPublishPtr>& page, Actions& actions) {
  for (const KeptPublishPtr& message : page) {
    if (message->number > last_at_start_) break;
    // All of QoS 2 that was sent is before all that was not; DUP of QoS 1 does no harm.
    message->may_be_sent = message->qos() == 1 || sent_at_start_++ < kMostSent;
  }
  backlog_.add_page(page);
  if (options_.when_full == config::Outbox::WhenFull::refuse) return;
  while (is_over() && backlog_.behind() > 0 && !backlog_.empty()) drop_oldest(actions);
}

void OutboxState::note_full(Actions& actions) {
  if (std::exchange(full_, true)) return;
  const bool drops = options_.when_full == config::Outbox::WhenFull::drop_oldest;
  actions.lines.push_back(
      {LogLevel::warn, "outbox.full",
       fmt::format("its outbox is full ({} in {}): {}", plural(messages_),
                   format_size(options_.max_size),
                   drops ? "the oldest messages are dropped" : "new messages are refused")});
}

// ---- The writer ----

bool OutboxState::begin_write(KeptPublish& message) {
  if (message.finished) {
    message.row = Row::none;
    return false;
  }
  message.row = Row::writing;
  return true;
}

void OutboxState::written(KeptPublish& message, std::optional<std::int64_t> number) {
  if (!number) return;
  message.row = Row::written;
  message.number = *number;
  backlog_.note_written(message, *number);
}

void OutboxState::not_written(KeptPublish& message) {
  message.row = Row::queued;
}

void OutboxState::after_write(KeptPublish& message, Actions& actions) {
  if (message.row != Row::written) return;
  if (message.finished) {
    actions.remove.push_back(message.number);
    message.row = Row::none;
    return;
  }
  tell(message, actions, {});
}

void OutboxState::received_is_written(std::uint16_t packet_id, Actions& actions) {
  const KeptPublishPtr message = in_flight_.take(packet_id);
  if (!message) return;
  forget(*message);
  message->row = Row::none;
  message->finished = true;
  message->forget_content();
  message->sent = Sent::pubrel;
  in_flight_.add(message);
  // Where there is no connection, the next one sends PUBREL.
  if (terms_) mqtt::append_pubrel(actions.packets, packet_id);
  note_drained(actions);
}

// ---- The connection ----

void OutboxState::on_line(const mqtt::PublishLine::Terms& terms,
                          const std::vector<KeptPublishPtr>& awaiting, Actions& actions) {
  terms_ = terms;
  resting_ = false;
  progress_ = clock_.now();
  for (const KeptPublishPtr& message : awaiting) {
    if (!in_flight_.contains(message->packet_id())) in_flight_.add(message);
  }
  if (messages_ > 0 && !std::exchange(announced_, true)) {
    actions.lines.push_back({LogLevel::info, "outbox.sending",
                             fmt::format("sending {} from the outbox", plural(messages_))});
  }
  if (!terms.session_present) backlog_.forget_that_sent();
  // What is not confirmed goes before all others, as the window of this connection lets it.
  std::vector<KeptPublishPtr> again;
  for (const KeptPublishPtr& message : in_flight_.take_all()) {
    if (message->sent == Sent::publish) {
      message->sent = Sent::no;
      message->may_be_sent = terms.session_present;
      again.push_back(message);
    } else if (message->sent == Sent::received || terms.session_present) {
      in_flight_.add(message);  // PUBREL leaves once the packet id is written, or again
      if (message->sent == Sent::pubrel) {
        mqtt::append_pubrel(actions.packets, message->packet_id());
      }
    } else {
      actions.completed.push_back(message->packet_id());
    }
  }
  backlog_.put_back(again);
}

void OutboxState::send(const KeptPublishPtr& message, Actions& actions) {
  std::string properties;
  actions.publishes.push_back(actions.packets.size());
  mqtt::append_publish(actions.packets, message->packet(terms_->v5, clock_.now(), properties));
  message->sent = Sent::publish;
  message->may_be_sent = true;
  if (in_flight_.empty()) progress_ = clock_.now();
  in_flight_.add(message);
}

bool OutboxState::may_send() const {
  return terms_ && !resting_ && !backlog_.empty() && in_flight_.size() < terms_->window &&
         (in_flight_.empty() || in_flight_.bytes() < kBytesInFlight);
}

bool OutboxState::send_next(Actions& actions) {
  if (!may_send()) return false;
  const KeptPublish& next = *backlog_.front();
  const Monotonic now = clock_.now();
  if (next.has_expired(now)) {
    ++counts_.expired;
    give_up(backlog_.pop(), actions, "it has expired before its server was there");
    return true;
  }
  std::string properties;
  if (const auto why = why_refused(next, next.packet(terms_->v5, now, properties))) {
    ++counts_.refused;
    actions.lines.push_back(
        {LogLevel::warn, "outbox.refused",
         fmt::format("message for \"{}\" was not sent: {}", next.topic(), *why)});
    give_up(backlog_.pop(), actions, *why);
    return true;
  }
  const bool waits_for_row = next.qos() == 2 && next.row != Row::written;
  if (waits_for_row || in_flight_.contains(next.packet_id())) return false;
  send(backlog_.pop(), actions);
  return true;
}

// What the server has said it does not take would end the connection (MQTT 5.0, section 3.2.2.3).
std::optional<std::string> OutboxState::why_refused(const KeptPublish& message,
                                                    const mqtt::PublishPacket& packet) const {
  const mqtt::PublishLimits& limits = terms_->limits;
  if (message.qos() > limits.qos) {
    return fmt::format("the server does not support QoS {}, only up to {}", message.qos(),
                       limits.qos);
  }
  if (message.retained() && !limits.retained) {
    return "the server does not support retained messages";
  }
  if (limits.packet_size > 0 && mqtt::size_of(packet) > limits.packet_size) {
    return fmt::format("its packet has {} bytes, and the server accepts at most {}",
                       mqtt::size_of(packet), limits.packet_size);
  }
  return std::nullopt;
}

void OutboxState::answered(const mqtt::PublishAnswer& answer, Actions& actions) {
  using Kind = mqtt::PublishAnswer::Kind;
  const KeptPublishPtr message = in_flight_.find(answer.packet_id);
  if (!message) {
    // The server has one that nobody here knows of any more, and waits for the rest of it.
    if (answer.kind == Kind::pubrec && !answer.refuses()) {
      mqtt::append_pubrel(actions.packets, answer.packet_id);
    }
    return;
  }
  const bool fits = answer.kind == Kind::puback   ? message->qos() == 1
                    : answer.kind == Kind::pubrec ? message->qos() == 2
                                                  : message->sent == Sent::pubrel;
  if (!fits) return;
  progress_ = clock_.now();
  if (answer.kind == Kind::pubcomp) {
    (void)in_flight_.take(answer.packet_id);
    actions.completed.push_back(answer.packet_id);
  } else if (message->sent != Sent::publish) {
    if (message->sent == Sent::pubrel) mqtt::append_pubrel(actions.packets, answer.packet_id);
  } else if (answer.refuses()) {
    (void)in_flight_.take(answer.packet_id);
    ++counts_.refused;
    std::string why =
        fmt::format("the server refused it: {}", mqtt::reason_text(answer.reason, answer.why));
    actions.lines.push_back(
        {LogLevel::warn, "outbox.refused",
         fmt::format("message for \"{}\" was not taken: {}", message->topic(), why)});
    finish(*message, actions, tl::make_unexpected(Error{std::move(why), answer.reason}));
  } else if (answer.kind == Kind::puback) {
    (void)in_flight_.take(answer.packet_id);
    ++counts_.sent;
    finish(*message, actions, {});
  } else {
    message->sent = Sent::received;
    ++counts_.sent;
    actions.release.emplace_back(message->number, answer.packet_id);
  }
}

bool OutboxState::is_stalled(Monotonic now) const {
  if (!terms_ || now - progress_ < kStalled) return false;
  const std::vector<KeptPublishPtr> all = in_flight_.all();
  // What the server has said waits for our disk is not its fault.
  return std::any_of(all.begin(), all.end(),
                     [](const auto& message) { return message->sent != Sent::received; });
}

// ---- The end of a message ----

// The caller has taken it out of wherever it was.
void OutboxState::finish(KeptPublish& message, Actions& actions, const Result<>& outcome) {
  message.finished = true;
  if (message.row == Row::written) {
    actions.remove.push_back(message.number);
    message.row = Row::none;
  }
  forget(message);
  tell(message, actions, outcome);
  note_drained(actions);
}

// One of QoS 2 that the server may have is not forgotten: its packet id would be taken for this
// message when another one has it. It is released instead.
void OutboxState::give_up(const KeptPublishPtr& message, Actions& actions, const std::string& why) {
  const bool may_be_there =
      message->qos() == 2 && message->may_be_sent && message->row == Row::written;
  if (may_be_there && !in_flight_.contains(message->packet_id())) {
    forget(*message);
    message->sent = Sent::received;
    in_flight_.add(message);
    actions.release.emplace_back(message->number, message->packet_id());
    tell(*message, actions, fail("{}", why));
    return;
  }
  finish(*message, actions, fail("{}", why));
}

void OutboxState::tell(KeptPublish& message, Actions& actions, const Result<>& outcome) {
  unsafe_.erase(message.place);
  if (message.done) actions.told.emplace_back(std::exchange(message.done, nullptr), outcome);
}

void OutboxState::forget(KeptPublish& message) {
  if (std::exchange(message.counted, false)) forget(1, message.bytes());
}

void OutboxState::forget(std::uint64_t messages, std::uint64_t bytes) {
  messages_ -= std::min(messages, messages_);
  bytes_ -= std::min(bytes, bytes_);
  if (static_cast<double>(bytes_) < kRoomAgain * static_cast<double>(options_.max_size)) {
    full_ = false;
  }
}

void OutboxState::note_drained(Actions& actions) {
  if (messages_ > 0 || !std::exchange(announced_, false)) return;
  actions.lines.push_back({LogLevel::info, "outbox.empty", "the outbox is empty"});
}

void OutboxState::forget_in_file(std::uint64_t messages, std::uint64_t bytes) {
  backlog_.forget_behind(messages);
  forget(messages, bytes);
}

void OutboxState::look(Monotonic now, Actions& actions) {
  std::vector<KeptPublishPtr> late;
  for (const auto& [place, message] : unsafe_) {
    const bool may_come = message->row == Row::writing || message->row == Row::written ||
                          (terms_ && message->sent != Sent::no);
    if (message->deadline <= now && !may_come) late.push_back(message);
  }
  for (const KeptPublishPtr& message : late) {
    if (message->sent != Sent::no) {
      (void)in_flight_.take(message->packet_id());
    } else if (message->in_memory) {
      backlog_.remove(*message);
    } else {
      backlog_.forget_behind();
    }
    give_up(message, actions, "it was neither sent nor written in time");
  }
  for (const KeptPublishPtr& message : backlog_.take_expired(now)) {
    ++counts_.expired;
    give_up(message, actions, "it has expired before its server was there");
  }
}

std::uint64_t OutboxState::clear(Actions& actions) {
  const std::vector<KeptPublishPtr> all = backlog_.take_all();
  for (const KeptPublishPtr& message : all) give_up(message, actions, "the outbox was cleared");
  return all.size();
}

void OutboxState::end(Actions& actions) {
  terms_.reset();
  const Result<> ended = fail("the runtime has ended before the message was safe");
  for (auto& [place, message] : std::exchange(unsafe_, {})) {
    if (message->done) actions.told.emplace_back(std::exchange(message->done, nullptr), ended);
  }
  (void)backlog_.take_all();
  (void)in_flight_.take_all();
}

OutboxStats OutboxState::stats() const {
  OutboxStats stats = counts_;
  stats.messages = messages_;
  stats.bytes = bytes_;
  stats.max_bytes = options_.max_size;
  stats.in_flight = in_flight_.size();
  const auto older = [&stats](Wall kept) {
    if (!stats.oldest || kept < *stats.oldest) stats.oldest = kept;
  };
  if (messages_ == 0) return stats;
  for (const KeptPublishPtr& message : in_flight_.all()) {
    if (message->sent != Sent::pubrel) older(message->kept());
  }
  if (!backlog_.empty()) older(backlog_.front()->kept());
  if (!stats.oldest) stats.oldest = oldest_in_file_;
  return stats;
}

}  // namespace triggerd::outbox
