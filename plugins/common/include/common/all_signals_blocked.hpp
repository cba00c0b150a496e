// Blocks all signals on the calling thread while it lives, for a library that starts threads: the
// runtime's signals are for its own threads, and SIGPIPE, which OpenSSL may cause, is for none.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace plugin_common {

class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace plugin_common
