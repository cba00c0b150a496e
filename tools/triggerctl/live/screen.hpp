// The whole terminal, for a view that is redrawn again and again. Its previous content comes back
// with the end of the object, and while the process is stopped (Ctrl-Z).
#pragma once

#include <signal.h>
#include <termios.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/file.hpp"

namespace triggerctl {

// Made before any other thread, which inherits the blocked signals. [main thread]
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Lines that are too long are cut. If there are too many, those at the scroll position are shown,
  // with a line that says which they are; `foot` is always shown.
  void draw(const std::string& text, const std::string& foot);

  enum class Happened { nothing, key, redraw, end };
  // A key, a new size, or a signal to end; nothing: none of these within `timeout`. `key` is the
  // byte. Keys that scroll are handled already, and count as redraw.
  Happened wait(triggerd::Millis timeout, char& key);

 private:
  void enter();
  void leave();
  bool scroll(char key);
  bool scroll(std::string_view sequence);
  Happened read_key(char& key);

  sigset_t signals_{};
  triggerd::UniqueFd signal_fd_;
  termios before_{};
  bool keys_ = false;           // standard input is the terminal
  std::size_t first_ = 0;       // line that is shown
  std::size_t room_ = 1;        // lines that were shown last
  std::size_t last_first_ = 0;  // the most that first_ may be
};

}  // namespace triggerctl
