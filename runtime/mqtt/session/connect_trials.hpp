// Connects once more where a connect has failed, each time on a thread of its own, and tells in
// words why it fails.
//
// Unlike a lookup of a name, a trial is ended and waited for when the process ends: it uses
// OpenSSL, whose exit handlers free what a thread that still ran would use.
#pragma once

#include <functional>
#include <list>
#include <set>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "mqtt/session/resolver.hpp"
#include "mqtt/tls/handshake.hpp"

namespace triggerd::mqtt {

// The sockets on which trials wait. Any thread.
class TrialSockets {
 public:
  // A socket whose connect has begun. One that is added when end() was called is shut down at once.
  void add(int fd);
  void remove(int fd);  // before it is closed
  // Shuts all down, so that nobody goes on waiting for the other end.
  void end();

 private:
  Mutex mutex_;
  std::set<int> open_ TRIGGERD_GUARDED_BY(mutex_);
  bool ended_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

// start() on any thread.
class ConnectTrials {
 public:
  ConnectTrials(const Clock& clock, const tls::HandshakeLimits& limits)
      : clock_(clock), limits_(limits) {}
  // Ends the trials that run. When it returns, each of them has been told.
  ~ConnectTrials();
  ConnectTrials(const ConnectTrials&) = delete;
  ConnectTrials& operator=(const ConnectTrials&) = delete;

  // As Resolver::explain().
  void start(const Resolver::Failed& failed, const std::function<void(std::string)>& done);

 private:
  // Whether there was a thread to be had.
  bool started(const Resolver::Failed& failed, const std::function<void(std::string)>& done);

  struct Trial {
    std::thread thread;
    bool finished = false;  // guarded by mutex_: nothing but joining is left
  };
  std::list<Trial> take_finished() TRIGGERD_REQUIRES(mutex_);

  const Clock& clock_;
  const tls::HandshakeLimits limits_;
  TrialSockets sockets_;
  Mutex mutex_;
  std::list<Trial> trials_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::mqtt
