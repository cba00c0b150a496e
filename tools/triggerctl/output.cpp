#include "output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace triggerctl {

bool& json_wanted() {
  static bool wanted = false;
  return wanted;
}

void print_json(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

std::string coloured(Colour colour, std::string_view text) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment here.
  static const bool wanted = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  if (!wanted || colour == Colour::none) return std::string(text);
  const int code = colour == Colour::green    ? 32
                   : colour == Colour::yellow ? 33
                   : colour == Colour::red    ? 31
                                              : 2;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string Table::text() const {
  if (rows_.size() < 2) return "";
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += fmt::format("{:<{}}", row[i], i + 1 < row.size() ? widths[i] + 2 : 0);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace triggerctl
