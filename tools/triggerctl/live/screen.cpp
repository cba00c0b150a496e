#include "live/screen.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>
#include <vector>

namespace triggerctl {
namespace {

struct Size {
  std::size_t rows = 24;
  std::size_t columns = 80;
};

Size size_now() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return {};
  return {size.ws_row, size.ws_col};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// Colours take no column, and are reset where the line is cut.
std::string cut(const std::string& line, std::size_t columns) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      while (i < line.size() && line[i] != 'm') ++i;
    } else if ((line[i] & 0xC0) != 0x80 && seen++ == columns) {
      return line.substr(0, i) + "\x1b[0m";
    }
  }
  return line;
}

}  // namespace

Screen::Screen() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT}) {
    sigaddset(&signals_, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  signal_fd_ = triggerd::UniqueFd(::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK));
  keys_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0;
  enter();
}

Screen::~Screen() {
  leave();
  pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
}

void Screen::enter() {
  if (keys_) {
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  fmt::print("\x1b[?1049h\x1b[?25l\x1b[2J");
  std::fflush(stdout);
}

void Screen::leave() {
  fmt::print("\x1b[?25h\x1b[?1049l");
  std::fflush(stdout);
  if (keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

void Screen::draw(const std::string& text, const std::string& foot) {
  const Size size = size_now();
  const auto lines = lines_of(text);
  const auto below = lines_of(foot);
  std::size_t room = size.rows > below.size() ? size.rows - below.size() : 0;
  const bool scrolls = lines.size() > room && room > 1;
  if (scrolls) --room;  // for the line that says so
  room_ = std::max<std::size_t>(room, 1);
  last_first_ = lines.size() > room ? lines.size() - room : 0;
  first_ = std::min(first_, last_first_);
  // Written at once, without clearing first: a screen that is cleared flickers.
  std::string out = "\x1b[H";
  for (std::size_t row = 0; row < room; ++row) {
    if (first_ + row < lines.size()) out += cut(lines[first_ + row], size.columns);
    out += "\x1b[K\r\n";
  }
  if (scrolls) {
    const std::string where =
        fmt::format("lines {} to {} of {}{}", first_ + 1, first_ + room, lines.size(),
                    keys_ ? "; scroll with the arrow keys, Page Up and Page Down" : "");
    out += cut(where, size.columns) + "\x1b[K\r\n";
  }
  for (std::size_t i = 0; i < below.size(); ++i) {
    out += cut(below[i], size.columns) + "\x1b[K" + (i + 1 < below.size() ? "\r\n" : "");
  }
  out += "\x1b[J";
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

Screen::Happened Screen::wait(triggerd::Millis timeout, char& key) {
  std::array<pollfd, 2> watched{{{signal_fd_.get(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
  const int ready = ::poll(watched.data(), keys_ ? 2 : 1, static_cast<int>(timeout.count()));
  if (ready <= 0) return Happened::nothing;
  if ((watched[0].revents & POLLIN) != 0) {
    signalfd_siginfo info{};
    if (::read(signal_fd_.get(), &info, sizeof info) != sizeof info) return Happened::nothing;
    if (info.ssi_signo == SIGTSTP) {
      leave();
      ::raise(SIGSTOP);
      enter();
    }
    const bool redraw =
        info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT || info.ssi_signo == SIGTSTP;
    return redraw ? Happened::redraw : Happened::end;
  }
  return read_key(key);
}

// A key with a name sends several bytes at once: ESC [ A.
Screen::Happened Screen::read_key(char& key) {
  std::array<char, 32> bytes{};
  const ssize_t got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  if (got <= 0) return Happened::end;  // the terminal is gone
  std::string_view rest(bytes.data(), static_cast<std::size_t>(got));
  while (!rest.empty()) {
    if (rest.front() == '\x1b' && rest.size() > 2) {
      std::size_t end = 2;
      while (end < rest.size() && (rest[end] < '@' || rest[end] > '~')) ++end;
      scroll(rest.substr(1, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      continue;
    }
    key = rest.front();
    if (!scroll(key)) return Happened::key;
    rest.remove_prefix(1);
  }
  return Happened::redraw;
}

bool Screen::scroll(char key) {
  const auto by = [this](std::size_t lines, bool down) {
    first_ = down ? std::min(first_ + lines, last_first_) : first_ - std::min(first_, lines);
    return true;
  };
  switch (key) {
    case 'j':
      return by(1, true);
    case 'k':
      return by(1, false);
    case ' ':
      return by(room_, true);
    case 'b':
      return by(room_, false);
    case 'g':
      return by(last_first_, false);
    case 'G':
      return by(last_first_, true);
    default:
      return false;
  }
}

// `sequence` is what follows ESC.
bool Screen::scroll(std::string_view sequence) {
  static constexpr std::array<std::pair<std::string_view, char>, 12> kKeys = {{{"[A", 'k'},
                                                                               {"OA", 'k'},
                                                                               {"[B", 'j'},
                                                                               {"OB", 'j'},
                                                                               {"[5~", 'b'},
                                                                               {"[6~", ' '},
                                                                               {"[H", 'g'},
                                                                               {"OH", 'g'},
                                                                               {"[1~", 'g'},
                                                                               {"[F", 'G'},
                                                                               {"OF", 'G'},
                                                                               {"[4~", 'G'}}};
  for (const auto& [name, key] : kKeys) {
    if (sequence == name) return scroll(key);
  }
  return false;
}

}  // namespace triggerctl
