#include "trigger/backlog_loader.hpp"

namespace triggerd::trigger {
namespace {

constexpr Millis kTryAgain{1'000};
constexpr Millis kNextWindow{1};  // so that others get their turn

}  // namespace

void BacklogLoader::begin() {
  begun_ = true;
  go_on();
}

void BacklogLoader::go_on() {
  if (!begun_ || done_ || stopped_) return;
  auto all = intake_.take_backlog(dispatcher_.room());
  if (!all) {
    log_.error("inbox.error", {{"trigger", trigger_}}, "{}", all.error().message);
    supervisor_.after(kTryAgain, tasks_([this] { go_on(); }));
    return;
  }
  if (!*all) {
    // Whoever makes room in a full dispatcher calls this again. A quick service may have taken all
    // of the window already.
    if (!dispatcher_.full()) supervisor_.after(kNextWindow, tasks_([this] { go_on(); }));
    return;
  }
  done_ = true;
  done_callback_();
}

}  // namespace triggerd::trigger
