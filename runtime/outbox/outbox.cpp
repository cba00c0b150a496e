#include "outbox/outbox.hpp"

#include <fmt/format.h>

#include <future>
#include <utility>

namespace triggerd::outbox {
namespace {

constexpr int kSentAtOnce = 64;  // other connections get their turn
// No more is sent while so many bytes wait for room: reading goes on, and pings find their way.
constexpr std::size_t kUnsent = 65'536;
constexpr Millis kLook{1'000};

}  // namespace

// The packet id of a QoS 2 message that the server has is written.
class Outbox::ReleaseWaiter final : public inbox::PacketIdWaiter {
 public:
  ReleaseWaiter(std::shared_ptr<Outbox> outbox, std::uint16_t packet_id)
      : outbox_(std::move(outbox)), packet_id_(packet_id) {}
  void done() override { outbox_->received_is_written(packet_id_); }
  // PUBREL leaves from the supervisor, which alone knows the connection: for all of them at once.
  void flush_acknowledgement() override { outbox_->go_on_later(); }

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
  if (auto read = outbox->read_page(); !read) return tl::make_unexpected(read.error());
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
  const auto message = std::make_shared<KeptPublish>(shared_from_this(), alias_, request, clock_);
  {
    MutexLock lock(mutex_);
    result = state_.accept(message, done, request.wait_limit, actions);
    if (result) needs_.writer.keep(message);  // in the order of their places
  }
  carry_out(actions);
  if (result) {
    go_on_later();
    look_later();
  }
  return result;
}

// ---- The writer's thread ----

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
  MutexLock lock(mutex_);
  released_.push_back(packet_id);
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
  // What finds no room in the socket waits here: answers, and look(), come back.
  const bool has_room = line_ != nullptr && line_->unsent() < kUnsent;
  Actions actions;
  bool more = has_room;
  {
    MutexLock lock(mutex_);
    for (const std::uint16_t id : std::exchange(released_, {})) {
      state_.received_is_written(id, actions);
    }
    int sent = 0;
    while (more && sent++ < kSentAtOnce && actions.packets.size() < kUnsent) {
      more = state_.send_next(actions);
    }
  }
  carry_out(actions);
  if (more) go_on_later();
}

void Outbox::read_more() {
  const Result<> read = read_page();
  if (read) return;
  // look() comes back.
  needs_.log.error("inbox.error", {{"alias", alias_}}, "cannot read the outbox: {}",
                   read.error().message);
}

// What is only in the file, if its turn comes. [the supervisor, or control before the first
// connection]
Result<> Outbox::read_page() {
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
  }
  Actions actions;
  bool again = false;
  {
    MutexLock lock(mutex_);
    state_.add_page(messages, actions);
    again = state_.backlog().wants_page();  // those were too many
  }
  carry_out(actions);
  if (again) go_on_later();
  return {};
}

void Outbox::on_line(mqtt::PublishLine& line, const mqtt::PublishLine::Terms& terms) {
  line_ = &line;
  waiting_terms_ = terms;
  begin_line();
}

// Once it is known which packet ids wait for PUBCOMP.
void Outbox::begin_line() {
  if (line_ == nullptr || !waiting_terms_) return;
  const auto awaiting = awaiting_pubcomp();
  if (!awaiting) {
    needs_.log.error("inbox.error", {{"alias", alias_}}, "cannot read the outbox: {}",
                     awaiting.error().message);
    look_later();
    return;
  }
  Actions actions;
  {
    MutexLock lock(mutex_);
    state_.on_line(*std::exchange(waiting_terms_, std::nullopt), *awaiting, actions);
  }
  carry_out(actions);
  go_on();
}

// Of earlier processes, in this session.
Result<std::vector<KeptPublishPtr>> Outbox::awaiting_pubcomp() {
  std::vector<KeptPublishPtr> awaiting;
  std::string client_id;
  {
    MutexLock lock(mutex_);
    client_id = client_id_;
  }
  if (session_ == client_id) return awaiting;
  const auto ids = needs_.stored.awaiting_pubcomp(client_id);
  if (!ids) return tl::make_unexpected(ids.error());
  session_ = client_id;
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
  waiting_terms_.reset();
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
  auto cleared = std::make_shared<std::promise<Cleared>>();
  auto waits = cleared->get_future();
  needs_.supervisor->post(
      [self = shared_from_this(), cleared] { cleared->set_value(self->clear_here()); });
  if (waits.wait_until(deadline) != std::future_status::ready) {
    return fail("it was not cleared in time");
  }
  const Cleared memory = waits.get();
  const auto in_file = needs_.stored.clear(alias_, memory.after, memory.up_to);
  if (!in_file) return tl::make_unexpected(in_file.error());
  {
    MutexLock lock(mutex_);
    state_.forget_in_file(in_file->messages, in_file->bytes);
    state_.count_cleared(memory.messages + in_file->messages);
  }
  // So that none of them comes back with another process.
  if (!needs_.writer.flush(deadline)) return fail("the inbox cannot be written");
  return memory.messages + in_file->messages;
}

// Those in memory. What is only in the file is not read from here on.
Outbox::Cleared Outbox::clear_here() {
  Actions actions;
  Cleared cleared;
  {
    MutexLock lock(mutex_);
    cleared.after = state_.backlog().last_in_memory();
    cleared.up_to = state_.backlog().last_written();
    state_.skip_written();
    cleared.messages = state_.clear(actions);
  }
  carry_out(actions);
  return cleared;
}

void Outbox::end() {
  Actions actions;
  {
    MutexLock lock(mutex_);
    state_.end(actions);
  }
  carry_out(actions);
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
  if (line_ != nullptr && line_->unsent() > 0) {  // who takes nothing is noticed by keep_alive
    MutexLock lock(mutex_);
    state_.note_progress(now);
  } else if (stalled && line_ != nullptr) {
    line_->connect_again("it has confirmed nothing of what was sent from the outbox for a minute");
  }
  begin_line();
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
