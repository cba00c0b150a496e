#include "command.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>
#include <variant>

#include "publisher.hpp"

namespace exec_plugin {
namespace {

using std::chrono::milliseconds;
using trigger::Verdict;

// After SIGTERM.
constexpr milliseconds until_killed(1000);
constexpr std::size_t longest_error_line = 8192;
constexpr std::size_t much = std::size_t{1} << 20;

std::string shown(std::string_view line) {
  return "\"" + trigger::printable(line, 120) + "\"";
}

}  // namespace

Command::Command(const Surroundings& around, std::uint64_t number, std::size_t place)
    : around_(around), number_(number), place_(place), process_(Process::start(around.settings)) {
  send(start_line(around_.settings, around_.context, place_));
}

// ---- Messages ----

std::size_t Command::room() const {
  if (!ready_ || retired_ || end_ || !why_.empty() || !hears_and_speaks()) return 0;
  const Settings& settings = around_.settings;
  // The next batch follows when all of one has been answered.
  if (settings.batch > 1) return in_hand_.empty() ? settings.batch : 0;
  return settings.in_flight - std::min(settings.in_flight, in_hand_.size());
}

void Command::give(std::vector<Item> items) {
  const Clock::time_point now = Clock::now();
  std::vector<std::string> closed;
  closed.reserve(items.size());
  for (Item& item : items) {
    const auto left =
        std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(item.deadline - now));
    closed.push_back(closed_message(std::exchange(item.opened, {}), left));
    std::string token = item.token;
    in_hand_.emplace(std::move(token), InHand{std::move(item)});
  }
  if (around_.settings.batch > 1) {
    send(messages_line(std::move(closed)));
  } else {
    for (std::string& one : closed) {
      one += '\n';
      send(one);
    }
  }
}

void Command::tell(const PublishResult& result) {
  // Messages are bounded by what it has in hand; these are not.
  if (to_write_.size() - written_ > longest_line) {
    end_it("it does not read its input, and more than 64 MiB wait for it");
    return;
  }
  send(published_line(result.id, result.code, result.reason));
}

std::vector<Item> Command::take_in_hand() {
  std::vector<Item> items;
  for (auto& [token, in_hand] : in_hand_) items.push_back(std::move(in_hand.item));
  in_hand_.clear();
  return items;
}

// ---- The end ----

void Command::retire() {
  retired_ = true;
  if (in_hand_.empty()) stop();
}

void Command::stop() {
  retired_ = true;
  if (told_to_stop_) return;
  told_to_stop_ = true;
  stop_by_ = Clock::now() + around_.settings.stop_timeout;
  send(stop_line());
}

void Command::stop_gradually(Clock::time_point now) {
  if (now < stop_by_) return;
  if (terminated_) {
    process_->signal(SIGKILL);
    stop_by_ = Clock::time_point::max();
    return;
  }
  process_->signal(SIGTERM);
  terminated_ = true;
  stop_by_ = now + until_killed;
}

void Command::end_it(std::string why) {
  if (!why_.empty()) return;
  why_ = std::move(why);
  process_->input().close();
  process_->signal(SIGKILL);
}

void Command::look_for_end() {
  if (end_) return;
  const auto ended = process_->ended();
  if (!ended) return;
  // What it wrote before counts. A program that it has left behind may hold the pipes open, and
  // what that writes does not.
  read_output();
  read_errors();
  if (!errors_.empty()) hear_error(std::exchange(errors_, {}));
  end_ = why_.empty() ? *ended : why_;
}

// ---- Time ----

Clock::time_point Command::due() const {
  if (!why_.empty()) return Clock::time_point::max();  // its end is near
  Clock::time_point due = stop_by_;
  if (!told_to_stop_) due = std::min(due, end_by_);
  if (!ready_ && !told_to_stop_) due = std::min(due, begun_ + around_.settings.start_timeout);
  for (const auto& [token, in_hand] : in_hand_) {
    if (!in_hand.expired) due = std::min(due, in_hand.item.deadline);
  }
  return due;
}

void Command::let_time_pass() {
  const Clock::time_point now = Clock::now();
  stop_gradually(now);
  if (!hears_and_speaks() && !told_to_stop_ && end_by_ == Clock::time_point::max()) {
    end_by_ = now + until_killed;  // most likely it is about to end by itself
  }
  if (now >= end_by_ && !told_to_stop_) {
    end_it(output_is_over_ ? "it has closed its standard output"
                           : "it has closed its standard input");
  }
  if (!ready_ && !told_to_stop_ && now >= begun_ + around_.settings.start_timeout) {
    end_it("it did not say that it is ready within " +
           std::to_string(around_.settings.start_timeout.count()) + " ms");
  }
  expire(now);
}

void Command::expire(Clock::time_point now) {
  bool any = false;
  bool all = true;
  for (auto& [token, in_hand] : in_hand_) {
    if (!in_hand.expired && in_hand.item.deadline <= now) {
      in_hand.expired = true;
      any = true;
      send(expired_line(token));
    }
    all = all && in_hand.expired;
  }
  if (any && all && !told_to_stop_) {
    end_it("it gave no verdict in time on any message that it had");
  }
}

// ---- Input and output ----

namespace {

// What each command has in the list, in this order; -1 where there is nothing to wait for.
enum Polled : std::size_t { process_end, its_output, its_errors, its_input };

}  // namespace

void Command::add_to(std::vector<pollfd>& list) {
  polled_ = list.size();
  const bool to_write = process_->input().is_open() && written_ < to_write_.size();
  list.push_back({end_ ? -1 : process_->end(), POLLIN, 0});
  list.push_back({end_ || output_is_over_ ? -1 : process_->output(), POLLIN, 0});
  list.push_back({end_ || errors_are_over_ ? -1 : process_->errors(), POLLIN, 0});
  list.push_back({end_ || !to_write ? -1 : process_->input().get(), POLLOUT, 0});
}

void Command::work(const std::vector<pollfd>& list) {
  if (end_ || !polled_) return;
  const auto is_due = [&](Polled what) { return list[*polled_ + what].revents != 0; };
  if (is_due(its_input)) write_input();
  if (is_due(its_output)) read_output();
  if (is_due(its_errors)) read_errors();
  let_time_pass();
  if (retired_ && in_hand_.empty()) stop();
  if (is_due(process_end)) look_for_end();
}

void Command::send(std::string_view line) {
  if (!process_->input().is_open()) return;
  if (written_ == to_write_.size()) {
    to_write_.clear();
    written_ = 0;
  } else if (written_ > much) {
    to_write_.erase(0, written_);
    written_ = 0;
  }
  to_write_ += line;
  write_input();
}

void Command::write_input() {
  if (!process_->input().is_open()) return;
  while (written_ < to_write_.size()) {
    const ssize_t wrote =
        ::write(process_->input().get(), to_write_.data() + written_, to_write_.size() - written_);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) return;
    if (wrote < 0) {  // it reads no more: it has ended, or is about to
      process_->input().close();
      return;
    }
    written_ += static_cast<std::size_t>(wrote);
  }
  to_write_.clear();
  written_ = 0;
  if (to_write_.capacity() > much) to_write_.shrink_to_fit();
  if (told_to_stop_) process_->input().close();
}

namespace {

// Reads what there is, to a bound, so that one command does not keep the others waiting. True: it
// is over.
bool read_some(int fd, std::string& into) {
  std::array<char, 65536> buffer;
  for (int rounds = 0; rounds < 16; ++rounds) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno != EAGAIN;
    if (got == 0) return true;
    into.append(buffer.data(), static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) < buffer.size()) return false;
  }
  return false;
}

}  // namespace

void Command::read_output() {
  if (output_is_over_) return;
  output_is_over_ = read_some(process_->output(), output_);
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = output_.find('\n', std::max(begin, searched_));
    if (end == std::string::npos) break;
    hear(std::string_view(output_).substr(begin, end - begin));
    begin = end + 1;
  }
  output_.erase(0, begin);
  searched_ = output_.size();
  if (output_.size() > longest_line) end_it("it wrote a line of more than 64 MiB");
}

void Command::read_errors() {
  if (errors_are_over_) return;
  errors_are_over_ = read_some(process_->errors(), errors_);
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = errors_.find('\n', begin);
    const std::size_t size = std::min(end, errors_.size()) - begin;
    if (size > longest_error_line) {  // it becomes several
      hear_error(std::string_view(errors_).substr(begin, longest_error_line));
      begin += longest_error_line;
      continue;
    }
    if (end == std::string::npos) break;
    hear_error(std::string_view(errors_).substr(begin, size));
    begin = end + 1;
  }
  errors_.erase(0, begin);
}

void Command::hear_error(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.empty()) return;
  last_words_ = trigger::printable(line, 200);
  around_.log.say(around_.settings.stderr_level, line);
}

// ---- What it says ----

void Command::hear(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.empty()) return;
  Said said = read_line(line);
  if (const auto* wrong = std::get_if<Wrong>(&said)) {
    complain(line, wrong->problem);
    const auto found = wrong->token ? in_hand_.find(*wrong->token) : in_hand_.end();
    if (found == in_hand_.end()) return;
    Item item = std::move(found->second.item);
    in_hand_.erase(found);
    item.completion.complete(Verdict::retry("the command's verdict is wrong: " + wrong->problem));
    return;
  }
  if (!ready_ && !std::holds_alternative<Ready>(said) && !std::holds_alternative<LogText>(said)) {
    complain(line, "it has not said that it is ready");
    return;
  }
  if (auto* answer = std::get_if<Answer>(&said)) {
    hear_answer(std::move(*answer), line);
  } else if (const auto* ready = std::get_if<Ready>(&said)) {
    hear_ready(*ready);
  } else if (const auto* publication = std::get_if<Publication>(&said)) {
    hear_publication(*publication);
  } else if (const auto* text = std::get_if<LogText>(&said)) {
    around_.log.say(text->level, text->text);
  } else if (const auto* measurement = std::get_if<Measurement>(&said)) {
    hear_measurement(*measurement, line);
  } else if (const auto* extension = std::get_if<Extension>(&said)) {
    hear_extension(*extension, line);
  }
}

void Command::complain(std::string_view line, std::string_view problem) {
  around_.log.say(trigger::Level::warn, "the command wrote " + shown(line) +
                                            ", which was ignored: " + std::string(problem));
}

void Command::hear_ready(const Ready& ready) {
  if (ready_) return;
  ready_ = true;
  const std::string version = ready.version.empty() ? "" : " " + ready.version;
  around_.context.info("process " + std::to_string(process_->pid()) + " is ready" +
                       (ready.name.empty() ? "" : ": " + trigger::printable(ready.name + version)));
}

void Command::hear_answer(Answer answer, std::string_view line) {
  if (!answer.token && in_hand_.size() != 1) {
    complain(line, "token is missing, and it has " + std::to_string(in_hand_.size()) +
                       " messages in hand");
    return;
  }
  const auto found = answer.token ? in_hand_.find(*answer.token) : in_hand_.begin();
  if (found == in_hand_.end()) {
    complain(line, "it has no such message in hand");
    return;
  }
  Item item = std::move(found->second.item);
  const bool expired = found->second.expired;
  in_hand_.erase(found);
  has_answered_ = true;
  // What a late verdict wants to publish is published when the message comes again.
  if (answer.publish.empty() || expired) {
    item.completion.complete(answer.verdict);
  } else {
    publish_then_complete(around_.context, answer.publish, std::move(item.completion));
  }
}

void Command::hear_publication(const Publication& publication) {
  const auto mailbox = around_.mailbox;
  const trigger::Context context = around_.context;
  publish(around_.context, publication,
          [mailbox, context, number = number_, id = publication.id, topic = publication.topic](
              std::int32_t code, std::string_view reason) {
            if (id) {
              mailbox->post(PublishResult{number, *id, code, std::string(reason)});
            } else if (code != TRIGGER_OK) {
              context.warn("a message of the command to " + trigger::printable(topic) +
                           " was not published: " +
                           std::string(reason.empty() ? trigger::describe(code) : reason));
            }
          });
}

void Command::hear_measurement(const Measurement& measurement, std::string_view line) {
  if (measurement.name.rfind("exec_", 0) == 0) {
    complain(line, "names that begin with exec_ are the plugin's own");
    return;
  }
  try {
    const trigger::Context& context = around_.context;
    const trigger::Metric metric = measurement.is_counter
                                       ? context.counter(measurement.name, measurement.help)
                                       : context.gauge(measurement.name, measurement.help);
    if (!metric.add(measurement.add)) complain(line, "a counter only goes upwards");
  } catch (const std::runtime_error& error) {
    complain(line, error.what());
  }
}

void Command::hear_extension(const Extension& extension, std::string_view line) {
  const auto found = in_hand_.find(extension.token);
  if (found == in_hand_.end()) {
    complain(line, "it has no such message in hand");
    return;
  }
  InHand& in_hand = found->second;
  if (in_hand.expired || !in_hand.item.completion.extend(extension.from_now)) return;
  in_hand.item.deadline = Clock::now() + extension.from_now;
}

}  // namespace exec_plugin
