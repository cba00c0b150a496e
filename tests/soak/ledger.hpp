// Ledger: what became of each message, from the lines of the plugin and the dead letters of the
// inbox.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "soak/numbered.hpp"

namespace triggerd::soak {

struct Totals {
  std::size_t calls = 0;
  std::size_t exceptions = 0;
  std::size_t retries = 0;
  std::size_t dead_letters = 0;
  std::size_t unexpected_dead_letters = 0;  // of messages that the service would have handled
  std::size_t handled_again[3] = {};        // by QoS: messages with more than one ok
  // Messages of QoS 2 that a process had taken, and was killed before it could write them.
  std::size_t taken_again = 0;
  std::size_t torn_lines = 0;  // of processes that were killed inside a write
};

class Ledger {
 public:
  explicit Ledger(std::filesystem::path records) : records_(std::move(records)) {}

  // Reads what the plugin has written since the last call.
  void read_records();
  // Reads all dead letters there are now. Throws where `inbox` cannot be read.
  void read_dead_letters(const std::filesystem::path& inbox);

  // Reads what the inbox of a runtime that was killed has kept of QoS 2: messages, and packet ids
  // whose PUBREL has not come. Throws where it cannot be read.
  void read_accepted(const std::filesystem::path& inbox);

  // Those of `messages` that no service said ok to and that are no dead letters.
  std::vector<Numbered> missing(const std::vector<Numbered>& messages) const;
  // Messages of QoS 2 that were given another message id by the same process, or by a later one
  // though the inbox had them, in words.
  std::vector<std::string> accepted_twice() const;
  // Calls and dead letters whose payload is not what was published, in words.
  const std::vector<std::string>& corrupt() const { return corrupt_; }
  Totals totals() const;

 private:
  using Key = std::tuple<unsigned, unsigned, unsigned>;  // QoS, stream, number
  struct Entry {
    std::size_t oks = 0;
    bool dead = false;
    std::vector<std::string> ids;  // as they came
  };
  static void add_id(Entry& entry, const std::string& id);
  bool is_accepted_twice(const Entry& entry) const;
  static Key key_of(const Numbered& m) { return {m.qos, m.stream, m.number}; }
  void read_line(const std::string& line);

  const std::filesystem::path records_;
  std::streamoff read_until_ = 0;
  std::string rest_;  // of a line that is not ended
  std::map<Key, Entry> entries_;
  std::set<std::int64_t> letters_;  // seen, by number
  std::set<std::string> accepted_;  // that an inbox had when its process was killed
  std::vector<std::string> corrupt_;
  Totals totals_;
};

}  // namespace triggerd::soak
