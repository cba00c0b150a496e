#include "pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace exec_plugin {
namespace {

using std::chrono::milliseconds;
using trigger::Verdict;

constexpr milliseconds first_pause(100);
constexpr milliseconds longest_pause(30'000);
// A pause that is worth telling the runtime, so that messages wait where they cost no attempt.
constexpr milliseconds long_pause(1000);
constexpr milliseconds between_looks(500);
// So long before its deadline a message goes back if no process is ready.
constexpr milliseconds margin(250);
constexpr milliseconds zero(0);

milliseconds pause_after(unsigned failures) {
  if (failures == 0) return milliseconds(0);
  return std::min<milliseconds>(longest_pause, first_pause * (1 << std::min(failures - 1, 10U)));
}

// Leaves those out that have ended.
void remove_ended(std::vector<std::unique_ptr<Command>>& commands) {
  commands.erase(std::remove_if(commands.begin(), commands.end(),
                                [](const auto& command) { return command->end().has_value(); }),
                 commands.end());
}

std::string with_last_words(const Command& command) {
  std::string text = *command.end();
  if (!command.last_words().empty()) text += "; its last line: " + command.last_words();
  return text;
}

}  // namespace

Pool::Pool(const Settings& settings, const trigger::Context& context)
    : settings_(settings),
      context_(context),
      running_(context.gauge("exec_processes", "Processes of the command that run.")),
      starts_(context.counter("exec_starts_total", "Starts of processes of the command.")),
      reloads_(context.counter("exec_reloads_total",
                               "Changed files that were taken over by new processes.")),
      mailbox_(std::make_shared<Mailbox>()),
      log_(context, "the command"),
      watch_(settings.watched) {}

Pool::~Pool() {
  if (thread_.joinable()) (void)stop();
}

void Pool::start() {
  news_.reset();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "exec");
    run();
  });
  const std::string problem = news_.wait();
  if (problem.empty()) return;
  (void)end(News::Stop::at_once);
  throw std::runtime_error(problem);
}

std::vector<Item> Pool::end(News::Stop how) {
  news_.stop(how);
  mailbox_->wake();
  thread_.join();
  return std::exchange(left_, {});
}

// ---- The thread ----

void Pool::run() {
  // Writing to a process that has ended is an error here and no signal.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);

  stopping_ = false;
  was_ready_ = false;
  failures_ = 0;
  start_at_ = {};
  unready_since_ = Clock::now();
  watch_.begin();
  while (!stopping_ || !commands_.empty() || !next_.empty() || !old_.empty()) {
    try {
      work();
    } catch (const std::exception& error) {  // out of memory, most likely
      begin_again(error.what());
    }
  }
  log_.tell_left_out();
  for (Item& item : waiting_) left_.push_back(std::move(item));
  waiting_.clear();
}

void Pool::work() {
  take_mail();
  for (Commands* list : {&commands_, &next_, &old_}) {
    for (const auto& command : *list) command->work(polled_);
  }
  look_for_ends();
  if (!stopping_) {
    keep_running();
    follow_reload();
    look_for_changes();
    drop_expired();
    give_messages();
    log_.tell_in_time();
  }
  wait();
}

// Without the processes there were, and what they had in hand is tried again.
void Pool::begin_again(const std::string& why) {
  for (Commands* list : {&commands_, &next_, &old_}) {
    running_.add(-static_cast<double>(list->size()));
    list->clear();
  }
  polled_.clear();
  has_failed("the plugin cannot go on with its processes: " + why);
}

void Pool::take_mail() {
  Mailbox::Mail mail = mailbox_->take();
  for (Item& item : mail.items) waiting_.push_back(std::move(item));
  for (const PublishResult& result : mail.results) {
    for (Commands* list : {&commands_, &next_, &old_}) {
      for (const auto& command : *list) {
        if (command->number() == result.command) command->tell(result);
      }
    }
  }
  const News::Stop wanted = news_.wanted_stop();
  if (stopping_ || wanted == News::Stop::none) return;
  stopping_ = true;
  for (Commands* list : {&commands_, &next_, &old_}) {
    for (const auto& command : *list) {
      command->stop();
      if (wanted == News::Stop::at_once) command->end_it("its start is given up");
    }
  }
}

void Pool::wait() {
  if (stopping_ && commands_.empty() && next_.empty() && old_.empty()) return;
  polled_.assign({{mailbox_->ready(), POLLIN, 0}});
  for (const Commands* commands : {&commands_, &next_, &old_}) {
    for (const auto& command : *commands) command->add_to(polled_);
  }
  const Clock::time_point until = due();
  int ms = -1;
  if (until != Clock::time_point::max()) {
    // Upwards, so that it is not too early by less than a millisecond, again and again.
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }
  if (::poll(polled_.data(), polled_.size(), ms) < 0) {
    for (pollfd& one : polled_) one.revents = 0;
  }
}

Clock::time_point Pool::due() const {
  Clock::time_point due = Clock::time_point::max();
  for (const Commands* commands : {&commands_, &next_, &old_}) {
    for (const auto& command : *commands) due = std::min(due, command->due());
  }
  if (stopping_) return due;
  if (commands_.size() < settings_.processes) due = std::min(due, start_at_);
  if (watch_.is_needed()) due = std::min(due, look_at_);
  const bool ready = is_any_ready();
  if (!waiting_.empty() && !ready) due = std::min(due, unready_since_ + long_pause);
  for (const Item& item : waiting_) due = std::min(due, item.deadline - (ready ? zero : margin));
  return std::min(due, log_.due());
}

// ---- Processes ----

void Pool::keep_running() {
  if (Clock::now() < start_at_) return;
  std::vector<bool> taken(settings_.processes, false);
  for (const auto& command : commands_) taken[command->place()] = true;
  try {
    for (std::size_t place = 0; place < taken.size(); ++place) {
      if (!taken[place]) launch(commands_, place);
    }
  } catch (const std::runtime_error& error) {
    has_failed(error.what());
  }
}

// Throws std::runtime_error if the process cannot be started.
void Pool::launch(Commands& into, std::size_t place) {
  const Surroundings around{settings_, context_, mailbox_, log_};
  into.push_back(std::make_unique<Command>(around, ++last_number_, place));
  running_.add(1);
  starts_.add();
}

void Pool::look_for_ends() {
  for (Commands* list : {&commands_, &next_, &old_}) {
    for (const auto& command : *list) {
      if (command->end()) has_ended(*command);
    }
  }
  remove_ended(commands_);
  remove_ended(old_);
  if (stopping_) remove_ended(next_);
  if (is_any_ready()) {
    was_ready_ = true;
    unready_since_ = Clock::time_point::max();
    if (!news_.problem().empty()) news_.set({});
  } else if (unready_since_ == Clock::time_point::max()) {
    unready_since_ = Clock::now();
  }
}

bool Pool::is_any_ready() const {
  return std::any_of(commands_.begin(), commands_.end(),
                     [](const auto& command) { return command->is_ready() && !command->end(); });
}

void Pool::has_ended(Command& command) {
  running_.add(-1);
  const std::string why = with_last_words(command);
  std::vector<Item> in_hand = command.take_in_hand();
  if (stopping_) {
    for (Item& item : in_hand) left_.push_back(std::move(item));
    return;
  }
  for (Item& item : in_hand) {
    item.completion.complete(Verdict::retry("the command ended while it had the message: " + why));
  }
  const bool in_service = std::any_of(commands_.begin(), commands_.end(),
                                      [&](const auto& known) { return known.get() == &command; });
  if (!in_service) return;  // a retired one was to end; a new one is looked at by follow_reload()
  if (command.has_answered() || command.age() > longest_pause) failures_ = 0;
  has_failed(why);
}

// A process of those in service has ended, or could not be started.
void Pool::has_failed(const std::string& why) {
  const milliseconds pause = pause_after(failures_++);
  start_at_ = Clock::now() + pause;
  if (was_ready_) {  // otherwise whoever starts the instance hears of it
    log_.say(trigger::Level::error,
             "the command is started again" +
                 (pause.count() == 0 ? "" : " in " + std::to_string(pause.count()) + " ms") + ": " +
                 why);
  }
  if (!is_any_ready()) news_.set("the command does not run: " + why);
}

// ---- Reload ----

void Pool::look_for_changes() {
  if (!watch_.is_needed() || Clock::now() < look_at_) return;
  look_at_ = Clock::now() + between_looks;
  if (watch_.has_changed()) begin_reload();
}

void Pool::begin_reload() {
  discard_next();  // of a change before this one
  context_.info("a file of the command has changed: new processes are started");
  try {
    for (std::size_t place = 0; place < settings_.processes; ++place) launch(next_, place);
  } catch (const std::runtime_error& error) {
    give_up_reload(error.what());
  }
}

void Pool::follow_reload() {
  if (next_.empty()) return;
  for (const auto& command : next_) {
    if (!command->end()) continue;
    const std::string why = with_last_words(*command);
    remove_ended(next_);
    give_up_reload(why);
    return;
  }
  const bool all_ready = std::all_of(next_.begin(), next_.end(),
                                     [](const auto& command) { return command->is_ready(); });
  if (!all_ready) return;
  for (auto& command : commands_) {
    command->retire();
    old_.push_back(std::move(command));
  }
  commands_ = std::exchange(next_, {});
  failures_ = 0;
  start_at_ = {};
  news_.set({});
  reloads_.add();
  context_.info("the changed command is in service");
}

void Pool::give_up_reload(const std::string& why) {
  context_.error("the changed command is not taken over, and the one before stays in service: " +
                 why);
  discard_next();
  start_at_ = {};  // if the one before does not run, the changed one is tried at once
}

void Pool::discard_next() {
  for (auto& command : next_) {
    command->stop();
    old_.push_back(std::move(command));
  }
  next_.clear();
}

// ---- Messages ----

void Pool::drop_expired() {
  const Clock::time_point now = Clock::now();
  const bool ready = is_any_ready();
  for (auto item = waiting_.begin(); item != waiting_.end();) {
    if (item->deadline - (ready ? zero : margin) > now) {
      ++item;
      continue;
    }
    if (ready) {
      item->completion.complete(Verdict::retry("no process was free in time"));
    } else {
      refuse(*item);
    }
    item = waiting_.erase(item);
  }
}

// To whoever has the most room, so that all have something to do.
void Pool::give_messages() {
  while (!waiting_.empty()) {
    Command* best = nullptr;
    for (const auto& command : commands_) {
      if (command->room() > (best == nullptr ? 0 : best->room())) best = command.get();
    }
    if (best == nullptr) break;
    const std::size_t count = settings_.batch > 1 ? std::min(best->room(), waiting_.size()) : 1;
    std::vector<Item> items;
    items.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      items.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    best->give(std::move(items));
  }
  if (waiting_.empty() || is_any_ready()) return;
  if (Clock::now() - unready_since_ >= long_pause) refuse_waiting();
}

// They wait with the runtime, where that costs no attempt.
void Pool::refuse_waiting() {
  for (Item& item : waiting_) refuse(item);
  waiting_.clear();
}

void Pool::refuse(Item& item) {
  const auto left = std::chrono::ceil<milliseconds>(start_at_ - Clock::now());
  item.completion.complete(Verdict::unavailable(std::max(left, long_pause), news_.problem()));
}

}  // namespace exec_plugin
