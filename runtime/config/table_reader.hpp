// Reads the keys of one TOML table, checks their types and ranges, and remembers which keys it was
// asked for. All other keys are unknown; those asked for are the candidates for "did you mean".
//
// If a key is absent or its value is wrong, the reading function leaves its target unchanged, so
// that the default stays. A wrong value is reported to the file's diagnostics. The function returns
// whether it wrote the target. Keys must be literals: the reader keeps no copy of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log_level.hpp"
#include "config/diagnostics.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

// A string after expansion, and how messages show it.
struct Text {
  std::string value;
  // On one line, as it was written, with ${NAME} unexpanded: a variable's value may be a secret.
  std::string shown;
  Spot spot;
};

// The string in `node`, expanded. nullopt, with the error reported, if it is not a string, a
// variable is missing, or it contains U+0000, which neither MQTT nor a path allows. `what` is the
// key.
std::optional<Text> read_text(const SourceFile& file, std::string_view what, const Node& node);

class TableReader {
 public:
  // `title` is the name of the table in messages: "[log]". `table` holds a Node::Table.
  TableReader(const SourceFile& file, const Node& table, std::string title);

  const SourceFile& file() const { return file_; }
  const std::string& title() const { return title_; }
  Spot spot() const { return table_.spot; }

  // Every key of the table, in the order of the file.
  std::vector<std::string_view> keys() const;
  // The value at `key`, of whatever type, or nullptr.
  const Node* get(std::string_view key);
  // The place of the value at `key`; if there is none, the place of the table.
  Spot spot_of(std::string_view key) const;

  std::optional<Text> text(std::string_view key);
  // A path, relative to the folder of this file.
  std::optional<std::filesystem::path> path(std::string_view key);
  // An array of strings.
  std::optional<std::vector<Text>> texts(std::string_view key);
  // A string that is passed on uninterpreted, so it may contain U+0000.
  bool payload(std::string_view key, std::string& target);
  bool string(std::string_view key, std::string& target);
  bool boolean(std::string_view key, bool& target);
  bool number(std::string_view key, double& target, double min, double max);
  bool duration(std::string_view key, Millis& target, Millis min, Millis max);
  bool size(std::string_view key, std::uint64_t& target, std::uint64_t min, std::uint64_t max);
  std::optional<TableReader> table(std::string_view key);

  template <class Integer>
  bool integer(std::string_view key, Integer& target, std::int64_t min, std::int64_t max) {
    const auto value = integer_in(key, min, max);
    if (value) target = static_cast<Integer>(*value);
    return value.has_value();
  }

  template <class T>
  using Choices = std::initializer_list<std::pair<std::string_view, T>>;
  // One of a few words.
  template <class T>
  bool choice(std::string_view key, T& target, Choices<T> choices) {
    const auto word = text(key);
    if (!word) return false;
    std::vector<std::string_view> words;
    for (const auto& [name, value] : choices) {
      if (word->value == name) {
        target = value;
        return true;
      }
      words.push_back(name);
    }
    report_no_choice(key, *word, words);
    return false;
  }

  // Reports that `key` is needed; `example` is a line that would do.
  void report_missing(std::string_view key, std::string_view example) const;
  // Reports all keys that were never asked for. Call this last.
  void report_unknown_keys() const;

 private:
  const Node* find(std::string_view key) const;
  std::optional<std::int64_t> integer_in(std::string_view key, std::int64_t min, std::int64_t max);
  void report_no_choice(std::string_view key, const Text& word,
                        std::span<const std::string_view> words) const;
  void report_type(std::string_view key, const Node& node, std::string_view expected) const;

  const SourceFile& file_;
  const Node& table_;
  const std::string title_;
  std::vector<std::string_view> asked_;
};

bool read_log_level(TableReader& reader, std::string_view key, LogLevel& target);

// Two durations that belong together: the first delay and the longest.
void read_backoff(TableReader& reader, std::string_view min_key, std::string_view max_key,
                  Backoff& target);

}  // namespace triggerd::config
