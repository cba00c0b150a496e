// The processes of an instance: keeps as many running as there are to be, and gives them messages.
//
// All of it happens on one thread, which never waits for a process. A process that ends is started
// again: at once if it has answered a message or has run for long, otherwise after a time that
// doubles. While none is ready, messages soon go back to the runtime, where waiting costs no
// attempt. When a watched file has changed, new processes are started beside the old ones, and take
// over once all of them are ready; the old ones answer what they have in hand. If one of the new
// ones fails, the old ones stay.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "command.hpp"
#include "item.hpp"
#include "mailbox.hpp"
#include "news.hpp"
#include "settings.hpp"
#include "watch.hpp"

namespace exec_plugin {

// Threads: start and stop one at a time; the others any.
class Pool {
 public:
  // Both outlive it.
  Pool(const Settings& settings, const trigger::Context& context);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Returns once a process is ready. Throws std::runtime_error that says why none is.
  void start();
  // Ends all processes. Returns the messages that got no verdict.
  std::vector<Item> stop() { return end(News::Stop::in_order); }

  // Between start and stop.
  void submit(Item item) { mailbox_->post(std::move(item)); }
  // Why no process is ready; empty: one is.
  std::string problem() const { return news_.problem(); }

 private:
  using Commands = std::vector<std::unique_ptr<Command>>;

  std::vector<Item> end(News::Stop how);
  void run();
  void work();
  void begin_again(const std::string& why);
  void take_mail();
  void wait();
  Clock::time_point due() const;

  void keep_running();
  void launch(Commands& into, std::size_t place);
  void look_for_changes();
  void begin_reload();
  void follow_reload();
  void give_up_reload(const std::string& why);
  void discard_next();

  void look_for_ends();
  void has_ended(Command& command);
  void has_failed(const std::string& why);
  bool is_any_ready() const;
  void drop_expired();
  void give_messages();
  void refuse_waiting();
  void refuse(Item& item);

  const Settings& settings_;
  const trigger::Context& context_;
  const trigger::Metric running_;
  const trigger::Metric starts_;
  const trigger::Metric reloads_;
  const std::shared_ptr<Mailbox> mailbox_;
  News news_;
  std::thread thread_;

  // The thread's.
  plugin_common::LimitedLog log_;
  Watch watch_;
  std::vector<pollfd> polled_;
  Commands commands_;  // in service
  Commands next_;      // to take over
  Commands old_;       // retired; they have messages in hand, or are about to end
  std::deque<Item> waiting_;
  std::vector<Item> left_;
  std::uint64_t last_number_ = 0;
  unsigned failures_ = 0;              // in a row, without an answer
  Clock::time_point start_at_{};       // and not before
  Clock::time_point look_at_{};        // at the watched files
  Clock::time_point unready_since_{};  // if no process is ready
  bool was_ready_ = false;             // one, since the start
  bool stopping_ = false;
};

}  // namespace exec_plugin
