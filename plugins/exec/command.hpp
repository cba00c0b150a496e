// One process of a trigger's command, and the conversation with it.
//
// A command begins once it is constructed, is ready when it says so, takes messages until it is
// retired, and has ended when its process has and all that it wrote has been read. What it has in
// hand then is told by end().
//
// Nothing here waits. Threads: the one of the pool.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/limited_log.hpp"
#include "item.hpp"
#include "mailbox.hpp"
#include "process.hpp"
#include "protocol.hpp"
#include "settings.hpp"

namespace exec_plugin {

// What commands of an instance share. All of it outlives them.
struct Surroundings {
  const Settings& settings;
  const trigger::Context& context;
  std::shared_ptr<Mailbox> mailbox;
  plugin_common::LimitedLog& log;
};

class Command {
 public:
  // Starts the process; throws std::runtime_error. `number`: no other command has it. `place`:
  // which of the trigger's processes it is.
  Command(const Surroundings& around, std::uint64_t number, std::size_t place);

  std::uint64_t number() const { return number_; }
  std::size_t place() const { return place_; }
  bool is_ready() const { return ready_; }
  // It has answered a message.
  bool has_answered() const { return has_answered_; }
  // How many messages it can be given now.
  std::size_t room() const;
  // At least one, and no more than there is room for.
  void give(std::vector<Item> items);
  void tell(const PublishResult& result);
  bool has_in_hand() const { return !in_hand_.empty(); }

  // It gets no more messages; once it has none in hand, it is told to stop.
  void retire();
  // It is told to stop now, whatever it has in hand, and is killed if it does not.
  void stop();
  // It is killed; `why` is how it has ended then.
  void end_it(std::string why);
  // For how long it has run.
  Clock::duration age() const { return Clock::now() - begun_; }

  // What to wait for, and until when at most.
  void add_to(std::vector<pollfd>& list);
  Clock::time_point due() const;
  // Does what is possible without waiting, by what poll() has found out about `list`.
  void work(const std::vector<pollfd>& list);

  // How it ended, in words. nullopt: it runs, or there is more to read from it.
  const std::optional<std::string>& end() const { return end_; }
  // The last that it wrote to standard error, if it did; for people.
  const std::string& last_words() const { return last_words_; }
  std::vector<Item> take_in_hand();

 private:
  struct InHand {
    Item item;
    bool expired = false;
  };

  void send(std::string_view line);
  void write_input();
  void read_output();
  void read_errors();
  void hear_error(std::string_view line);
  void hear(std::string_view line);
  void hear_ready(const Ready& ready);
  void hear_answer(Answer answer, std::string_view line);
  void hear_publication(const Publication& publication);
  void hear_measurement(const Measurement& measurement, std::string_view line);
  void hear_extension(const Extension& extension, std::string_view line);
  void complain(std::string_view line, std::string_view problem);
  void let_time_pass();
  void expire(Clock::time_point now);
  void stop_gradually(Clock::time_point now);
  bool hears_and_speaks() const { return !output_is_over_ && process_->input().is_open(); }
  void look_for_end();

  const Surroundings around_;
  const std::uint64_t number_;
  const std::size_t place_;
  const std::unique_ptr<Process> process_;
  const Clock::time_point begun_ = Clock::now();

  std::string to_write_;
  std::size_t written_ = 0;   // of to_write_
  std::string output_;        // without a newline yet
  std::string errors_;        //
  std::size_t searched_ = 0;  // of output_: how much has no newline
  bool output_is_over_ = false;
  bool errors_are_over_ = false;
  std::optional<std::size_t> polled_;  // where its own begin in the list

  std::map<std::string, InHand, std::less<>> in_hand_;
  bool ready_ = false;
  bool has_answered_ = false;
  bool retired_ = false;
  bool told_to_stop_ = false;
  bool terminated_ = false;
  Clock::time_point stop_by_ = Clock::time_point::max();  // and then it is killed
  Clock::time_point end_by_ = Clock::time_point::max();   // the same, of one that is deaf or mute
  std::string why_;                                       // it was killed; empty: it was not
  std::string last_words_;
  std::optional<std::string> end_;
};

}  // namespace exec_plugin
