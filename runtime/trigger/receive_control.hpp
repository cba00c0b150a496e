// Back-pressure: why and how one trigger's connection stops receiving, and resumes.
//
// A pause begins by not reading from the socket, which costs the server nothing and is over at
// once. Only reading answers keep-alive, so a pause that lasts becomes a disconnect with the
// session kept; the server keeps what is published meanwhile. A clean session would lose that: its
// pause lasts as long as the server allows.
#pragma once

#include <functional>
#include <string>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/task_guard.hpp"

namespace triggerd::trigger {

// What receives: the trigger's connection.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void pause_reading() = 0;                     // [any]
  virtual void resume_reading() = 0;                    // [any]
  virtual void disconnect(const std::string& why) = 0;  // and keeps the session [supervisor]
  virtual void connect() = 0;                           // [supervisor]
  virtual Millis keep_alive() const = 0;                // 0: none [supervisor]
  virtual bool clean_session() const = 0;               // [any]
};

class ReceiveControl {
 public:
  // What the trigger's state asks for.
  struct Wish {
    std::string pause{};         // why receiving is to pause; empty: it is not
    bool at_once = false;        // the pause disconnects at once, whatever the session
    bool may_connect = true;     // false: it unsubscribes, for good
    bool may_disconnect = true;  // false: it is stopping, and its acknowledgements have to leave
  };
  // Called with the pause lock held, on any thread: takes leaf locks at most.
  using Ask = std::function<Wish()>;

  // All outlive it. `trigger` is for the log.
  ReceiveControl(std::string trigger, Ask ask, EventLoop& supervisor, const TaskGuard& tasks,
                 Log& log)
      : trigger_(std::move(trigger)),
        ask_(std::move(ask)),
        supervisor_(supervisor),
        tasks_(tasks),
        log_(log) {}

  // What it controls. It outlives this. [control, before anything else]
  void use(Receiver& receiver) { receiver_ = &receiver; }
  // The inbox takes no messages, for this reason; empty: it does. Call update() afterwards. [any]
  void note_inbox_trouble(const std::string& reason);

  // Something that the wish depends on has changed: stops or starts reading. [any]
  void update();
  // The same for the connection, and reports a pause that lasts. [supervisor]
  void apply();

  struct Status {
    bool paused = false;
    std::string reason{};
    Monotonic::duration total{};  // of all pauses
  };
  Status status() const;  // [any]

 private:
  Wish wish() const TRIGGERD_REQUIRES(mutex_);
  void look_again();

  const std::string trigger_;
  const Ask ask_;
  EventLoop& supervisor_;
  const TaskGuard& tasks_;
  Log& log_;
  Receiver* receiver_ = nullptr;

  // The pause lock. The wish is read and acted on in one step under it, so that of two updates at
  // the same time the later one wins.
  mutable Mutex mutex_;
  std::string inbox_trouble_ TRIGGERD_GUARDED_BY(mutex_);
  bool reading_paused_ TRIGGERD_GUARDED_BY(mutex_) = false;
  Monotonic paused_since_ TRIGGERD_GUARDED_BY(mutex_){};
  Monotonic::duration paused_before_ TRIGGERD_GUARDED_BY(mutex_){};  // all earlier pauses
  bool look_armed_ TRIGGERD_GUARDED_BY(mutex_) = false;

  bool disconnected_ = false;  // [supervisor] for a pause
  bool reported_ = false;      // [supervisor] that receiving pauses
};

}  // namespace triggerd::trigger
