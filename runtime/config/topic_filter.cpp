#include "config/topic_filter.hpp"

#include <cstddef>
#include <optional>

#include "base/text.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kMaxBytes = 65'535;  // MQTT 3.1.1, section 1.5.3: the length has 16 bits

// What a topic name and a topic filter have in common.
Result<> check_text(std::string_view text) {
  if (text.empty()) return fail("is empty; write at least one character");
  if (text.size() > kMaxBytes) return fail("is longer than {} bytes", kMaxBytes);
  if (text.find('\0') != std::string_view::npos) {
    return fail("contains the character U+0000, which MQTT does not allow");
  }
  if (!is_utf8(text)) return fail("is not UTF-8 text");
  return {};
}

// Takes levels off the front, one after another.
class Levels {
 public:
  explicit Levels(std::string_view text) : rest_(text) {}

  std::optional<std::string_view> next() {
    if (!rest_) return std::nullopt;
    const std::size_t slash = rest_->find('/');
    const std::string_view level = rest_->substr(0, slash);
    if (slash == std::string_view::npos) {
      rest_.reset();
    } else {
      rest_->remove_prefix(slash + 1);
    }
    return level;
  }
  bool at_end() const { return !rest_; }

 private:
  std::optional<std::string_view> rest_;
};

}  // namespace

Result<> check_topic_filter(std::string_view filter) {
  if (auto checked = check_text(filter); !checked) return checked;
  if (filter.starts_with("$share/")) {
    return fail(
        "is a shared subscription ($share/); write the group's name into the trigger's "
        "shared_group, and only the filter here");
  }
  Levels levels(filter);
  while (const auto level = levels.next()) {
    if (level->find('#') != std::string_view::npos && (*level != "#" || !levels.at_end())) {
      return fail(
          "has a \"#\" that is not the whole last level; write it as \"#\" or at the end, "
          "as in \"a/#\"");
    }
    if (level->find('+') != std::string_view::npos && *level != "+") {
      return fail(
          "has a \"+\" that is not a whole level; write it between slashes, as in \"a/+/b\"");
    }
  }
  return {};
}

std::string shared_filter(std::string_view group, std::string_view filter) {
  return group.empty() ? std::string(filter) : fmt::format("$share/{}/{}", group, filter);
}

Result<> check_shared_group(std::string_view group) {
  if (auto checked = check_text(group); !checked) return checked;
  if (group.find_first_of("/+#") != std::string_view::npos) {
    return fail(
        "contains \"/\", \"+\" or \"#\", which a group's name must not; choose another name");
  }
  return {};
}

Result<> check_topic_name(std::string_view topic) {
  if (auto checked = check_text(topic); !checked) return checked;
  if (topic.find_first_of("+#") != std::string_view::npos) {
    return fail("contains a wildcard (\"+\" or \"#\"), which only topic filters may contain");
  }
  return {};
}

bool matches(std::string_view filter, std::string_view topic) {
  const bool wildcard_first = filter.starts_with('+') || filter.starts_with('#');
  if (wildcard_first && topic.starts_with('$')) return false;
  Levels wanted(filter);
  Levels levels(topic);
  while (const auto want = wanted.next()) {
    if (*want == "#") return true;  // also no level at all: "a/#" matches "a"
    const auto level = levels.next();
    if (!level || (*want != "+" && *want != *level)) return false;
  }
  return levels.at_end();
}

std::string_view topic_level(std::string_view topic, unsigned number) {
  if (number == 0) return {};
  Levels levels(topic);
  for (unsigned i = 1; i < number && !levels.at_end(); ++i) levels.next();
  return levels.next().value_or(std::string_view());
}

}  // namespace triggerd::config
