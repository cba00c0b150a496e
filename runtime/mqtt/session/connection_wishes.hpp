// What the owner of a connection wants of it, and whom to tell once that has been done. Belongs to
// the supervisor.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace triggerd::mqtt {

class ConnectionWishes {
 public:
  using Done = std::function<void()>;

  void open() { open_ = true; }
  void pause(std::string why) {
    paused_ = true;
    pause_reason_ = std::move(why);
  }
  void resume() { paused_ = leaving_ = false; }
  // False: it was leaving already.
  bool leave(Done done) {
    left_.push_back(std::move(done));
    return !std::exchange(leaving_, true);
  }
  void close(Done done) {
    closed_.push_back(std::move(done));
    closing_ = true;
  }

  bool connect() const { return open_ && !paused_ && !closing_ && !leaving_; }
  bool closing() const { return closing_; }
  bool leaving() const { return leaving_; }
  // Whether somebody waits to be told that it has left.
  bool awaits_left() const { return !left_.empty(); }
  // Why it is to be off; empty where nobody has said so.
  std::string reason() const { return paused_ ? pause_reason_ : std::string(); }

  void report_left() { tell(left_); }
  void report_closed() { tell(closed_); }

 private:
  static void tell(std::vector<Done>& waiting) {
    for (const Done& done : std::exchange(waiting, {})) done();
  }

  bool open_ = false;
  bool paused_ = false;
  bool closing_ = false;
  bool leaving_ = false;
  std::string pause_reason_;
  std::vector<Done> left_;
  std::vector<Done> closed_;
};

}  // namespace triggerd::mqtt
