// The whole terminal, for a view that is drawn again and again. What was on it before comes back
// when the object goes, and while the process is stopped (Ctrl-Z).
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

  // Lines that are too long are cut. Of lines that are too many those are shown to which was
  // scrolled, and a line says which they are; `foot` always is.
  void draw(const std::string& text, const std::string& foot);

  enum class Happened { nothing, key, redraw, end };
  // A key, a new size, or a signal that ends; nothing: none within `timeout`. `key` is the byte.
  // Keys that scroll have done so already, and are a redraw.
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
