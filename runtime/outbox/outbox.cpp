#include "outbox/outbox.hpp"

#include <fmt/format.h>

#include <future>
#include <utility>

namespace triggerd::outbox {
namespace {

constexpr int kSentAtOnce = 64;  // other connections get their turn
constexpr Millis kLook{1'000};

}  // namespace

// The packet id of a QoS 2 message that the server has is written.
class Outbox::ReleaseWaiter final : public inbox::PacketIdWaiter {
 public:
  ReleaseWaiter(std::shared_ptr<Outbox> outbox, std::uint16_t packet_id)
      : outbox_(std::move(outbox)), packet_id_(packet_id) {}
  void done() override { outbox_->received_is_written(packet_id_); }
  void flush_acknowledgement() override {}

 private:
  const std::shared_ptr<Outbox> outbox_;
  const std::uint16_t packet_id_;
};

Outbox::Outbox(const OutboxNeeds& needs, std::string alias, const config::Outbox& options)
    : needs_(needs),
      alias_(std::move(alias)),
      clock_(needs.supervisor->clock()),
      state_(alias_, options, clock_) {}

Result<std::shared_ptr<Outbox>> Outbox::open(const OutboxNeeds& needs, std::string alias,
                                             std::string client_id, const config::Outbox& options) {
  auto total = needs.stored.total(alias);
  if (!total) return tl::make_unexpected(total.error());
  std::shared_ptr<Outbox> outbox(new Outbox(needs, std::move(alias), options));
  {
    MutexLock lock(outbox->mutex_);
    outbox->state_.begin(*total);
    outbox->client_id_ = std::move(client_id);
  }
  if (total->messages == 0) return outbox;
  // What an earlier process has sent is among the first.
  if (auto read = outbox->read_page(true); !read) return tl::make_unexpected(read.error());
  outbox->look_later();
  return outbox;
}

void Outbox::change(std::string client_id, const config::Outbox& options) {
  MutexLock lock(mutex_);
  state_.change(options);
  client_id_ = std::move(client_id);
}

OutboxStats Outbox::stats() const {
  MutexLock lock(mutex_);
  return state_.stats();
}

// ---- Publishing ----

tl::expected<void, mqtt::PublishError> Outbox::publish(const mqtt::PublishRequest& request,
                                                       mqtt::PublishDone done) {
  Actions actions;
  tl::expected<void, mqtt::PublishError> result;
  {
    MutexLock lock(mutex_);
    auto accepted = state_.accept(shared_from_this(), request, std::move(done), actions);
    if (accepted) {
      needs_.writer.keep(*accepted);  // in the order of their places
    } else {
      result = tl::make_unexpected(accepted.error());
    }
  }
  carry_out(actions);
  if (result) {
    go_on_later();
    look_later();
  }
  return result;
}

// ---- The writer's thread ----

bool Outbox::wants_writing(const KeptPublish& message) const {
  MutexLock lock(mutex_);
  return !message.finished;
}

bool Outbox::begin_write(KeptPublish& message) {
  MutexLock lock(mutex_);
  return OutboxState::begin_write(message);
}

void Outbox::written(KeptPublish& message, std::optional<std::int64_t> number) {
  MutexLock lock(mutex_);
  state_.written(message, number);
}

void Outbox::not_written(KeptPublish& message) {
  MutexLock lock(mutex_);
  OutboxState::not_written(message);
}

void Outbox::after_write(KeptPublish& message) {
  Actions actions;
  {
    MutexLock lock(mutex_);
    state_.after_write(message, actions);
  }
  carry_out(actions);
  go_on_later();  // QoS 2 has waited for it
}

void Outbox::received_is_written(std::uint16_t packet_id) {
  // PUBREL leaves from the supervisor, which alone knows the connection.
  needs_.supervisor->post([self = shared_from_this(), packet_id] {
    Actions actions;
    {
      MutexLock lock(self->mutex_);
      self->state_.received_is_written(packet_id, actions);
    }
    self->carry_out(actions);
    self->go_on_later();
  });
}

// ---- What follows ----

// Without the lock. Packets only on the supervisor.
void Outbox::carry_out(Actions& actions) {
  if (!actions.packets.empty() && line_ != nullptr) {
    (void)line_->send(actions.packets, actions.publishes);  // off_line() follows where that fails
  }
  for (const std::int64_t number : actions.remove) needs_.writer.remove_outgoing(number);
  if (!actions.release.empty() || !actions.completed.empty()) {
    std::string client_id;
    {
      MutexLock lock(mutex_);
      client_id = client_id_;
      if (state_.nothing_in_flight()) rested_.notify_all();
    }
    for (const auto& [number, packet_id] : actions.release) {
      needs_.writer.release_outgoing(
          number, {client_id, packet_id},
          std::make_unique<ReleaseWaiter>(shared_from_this(), packet_id));
    }
    if (!actions.release.empty()) needs_.writer.hurry();
    for (const std::uint16_t packet_id : actions.completed) {
      needs_.writer.forget_completed({client_id, packet_id});
    }
  }
  for (const auto& [done, outcome] : actions.told) done(outcome);
  for (const Actions::Line& line : actions.lines) {
    needs_.log.log(line.level, line.event, {{"alias", alias_}}, "{}", line.text);
  }
}

// ---- The supervisor ----

void Outbox::post(void (Outbox::*task)()) {
  needs_.supervisor->post([weak = weak_from_this(), task] {
    if (const auto self = weak.lock()) (*self.*task)();
  });
}

void Outbox::go_on_later() {
  if (!going_on_.exchange(true)) post(&Outbox::go_on);
}

void Outbox::go_on() {
  going_on_ = false;
  read_more();
  if (line_ == nullptr) return;
  Actions actions;
  int sent = 0;
  {
    MutexLock lock(mutex_);
    while (sent < kSentAtOnce && state_.send_next(actions)) ++sent;
  }
  carry_out(actions);
  if (sent == kSentAtOnce) go_on_later();
}

void Outbox::read_more() {
  const Result<> read = read_page(false);
  if (read) return;
  // look() comes back.
  needs_.log.error("inbox.error", {{"alias", alias_}}, "cannot read the outbox: {}",
                   read.error().message);
}

// What is only in the file, if its turn comes. [the supervisor, or control before the first
// connection]
Result<> Outbox::read_page(bool may_be_sent) {
  std::int64_t after = 0;
  {
    MutexLock lock(mutex_);
    if (!state_.backlog().wants_page()) return {};
    after = state_.backlog().last_in_memory();
  }
  auto page = needs_.stored.page(alias_, after, Backlog::kMessages, Backlog::kBytes);
  if (!page) return tl::make_unexpected(page.error());
  std::vector<KeptPublishPtr> messages;
  messages.reserve(page->size());
  for (inbox::OutgoingMessage& stored : *page) {
    messages.push_back(
        std::make_shared<KeptPublish>(shared_from_this(), alias_, std::move(stored)));
    messages.back()->may_be_sent = may_be_sent;
  }
  MutexLock lock(mutex_);
  state_.add_page(messages);
  return {};
}

void Outbox::on_line(mqtt::PublishLine& line, const mqtt::PublishLine::Terms& terms) {
  line_ = &line;
  const std::vector<KeptPublishPtr> awaiting = awaiting_pubcomp();
  Actions actions;
  {
    MutexLock lock(mutex_);
    state_.on_line(terms, awaiting, actions);
  }
  carry_out(actions);
  go_on();
}

// Of earlier processes, in this session.
std::vector<KeptPublishPtr> Outbox::awaiting_pubcomp() {
  std::vector<KeptPublishPtr> awaiting;
  {
    MutexLock lock(mutex_);
    if (session_ == client_id_) return awaiting;
    session_ = client_id_;
  }
  const auto ids = needs_.stored.awaiting_pubcomp(session_);
  if (!ids) {
    needs_.log.error("inbox.error", {{"alias", alias_}}, "cannot read the outbox: {}",
                     ids.error().message);
    session_.clear();
    return awaiting;
  }
  awaiting.reserve(ids->size());
  for (const std::uint16_t id : *ids) {
    awaiting.push_back(std::make_shared<KeptPublish>(shared_from_this(), id));
  }
  return awaiting;
}

void Outbox::on_answers(const std::vector<mqtt::PublishAnswer>& answers) {
  Actions actions;
  {
    MutexLock lock(mutex_);
    for (const mqtt::PublishAnswer& answer : answers) state_.answered(answer, actions);
    if (state_.nothing_in_flight()) rested_.notify_all();
  }
  carry_out(actions);
  go_on();
}

void Outbox::off_line(const mqtt::PublishLine& line) {
  if (line_ != &line) return;
  line_ = nullptr;
  MutexLock lock(mutex_);
  state_.off_line();
  rested_.notify_all();  // nothing is confirmed any more
}

bool Outbox::rest(Monotonic deadline) {
  MutexLock lock(mutex_);
  state_.rest();
  while (state_.is_on_line() && !state_.nothing_in_flight()) {
    if (rested_.wait_until(mutex_, deadline) == std::cv_status::timeout) break;
  }
  return state_.nothing_in_flight();
}

// ---- Clearing ----

Result<std::uint64_t> Outbox::clear(Monotonic deadline) {
  // What is still with the writer is cleared, too, and then it has rows.
  if (!needs_.writer.flush(deadline)) return fail("the inbox cannot be written");
  auto cleared = std::make_shared<std::promise<Result<std::uint64_t>>>();
  auto waits = cleared->get_future();
  needs_.supervisor->post(
      [self = shared_from_this(), cleared] { cleared->set_value(self->clear_here()); });
  if (waits.wait_until(deadline) != std::future_status::ready) {
    return fail("it was not cleared in time");
  }
  Result<std::uint64_t> removed = waits.get();
  // So that none of them comes back with another process.
  if (removed && !needs_.writer.flush(deadline)) return fail("the inbox cannot be written");
  return removed;
}

Result<std::uint64_t> Outbox::clear_here() {
  Actions actions;
  std::uint64_t cleared = 0;
  std::int64_t after = 0;
  std::int64_t up_to = 0;
  {
    MutexLock lock(mutex_);
    after = state_.backlog().last_in_memory();
    up_to = state_.backlog().last_written();
    cleared = state_.clear(actions);
    state_.count_cleared(cleared);
  }
  carry_out(actions);
  const auto in_file = needs_.stored.clear(alias_, after, up_to);
  if (!in_file) return tl::make_unexpected(in_file.error());
  MutexLock lock(mutex_);
  state_.forget_in_file(in_file->messages, in_file->bytes);
  state_.count_cleared(in_file->messages);
  return cleared + in_file->messages;
}

// ---- What is due ----

void Outbox::look_later() {
  if (looking_.exchange(true)) return;
  needs_.supervisor->post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->needs_.supervisor->after(kLook, [weak] {
      if (const auto still = weak.lock()) still->look();
    });
  });
}

void Outbox::look() {
  looking_ = false;
  const Monotonic now = clock_.now();
  Actions actions;
  bool idle = false;
  bool stalled = false;
  {
    MutexLock lock(mutex_);
    state_.look(now, actions);
    idle = state_.is_idle();
    stalled = state_.is_stalled(now);
  }
  carry_out(actions);
  if (stalled && line_ != nullptr) {
    line_->connect_again("it has confirmed nothing of what was sent from the outbox for a minute");
  }
  if (line_ == nullptr) expire_in_file();
  go_on();
  if (!idle) look_later();
}

void Outbox::expire_in_file() {
  std::int64_t after = 0;
  std::int64_t up_to = 0;
  {
    MutexLock lock(mutex_);
    if (state_.backlog().behind() == 0) return;
    after = state_.backlog().last_in_memory();
    up_to = state_.backlog().last_written();
  }
  const auto expired = needs_.stored.expire(alias_, after, up_to);
  if (!expired || expired->messages == 0) return;
  MutexLock lock(mutex_);
  state_.forget_in_file(expired->messages, expired->bytes);
  state_.count_expired(expired->messages);
}

}  // namespace triggerd::outbox
