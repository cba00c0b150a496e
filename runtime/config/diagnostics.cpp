#include "config/diagnostics.hpp"

#include <algorithm>
#include <tuple>

#include "base/text.hpp"

namespace triggerd::config {

void Diagnostics::begin_file(const std::string& name) {
  file_order_.emplace(name, file_order_.size());
}

void Diagnostics::add(Place place, std::string message) {
  found_.push_back({std::move(place), std::move(message)});
}

std::vector<Diagnostic> Diagnostics::sorted() && {
  const auto key = [this](const Diagnostic& d) {
    return std::tuple(file_order_[d.place.file], d.place.line, d.place.column);
  };
  std::stable_sort(found_.begin(), found_.end(),
                   [&key](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
  return std::move(found_);
}

std::string to_string(const Place& place) {
  if (place.line == 0) return place.file;
  return fmt::format("{}:{}:{}", place.file, place.line, place.column);
}

std::string to_string(const Diagnostic& diagnostic) {
  return fmt::format("{}: error: {}", to_string(diagnostic.place), diagnostic.message);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string found = closest(word, candidates);
  return found.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", printable(found));
}

}  // namespace triggerd::config
