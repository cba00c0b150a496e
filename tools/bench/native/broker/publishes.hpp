// The messages of a flat-out run, built once: a round of whole PUBLISH packets that is sent again
// and again, so that sending costs the copy into the socket and nothing else. Slot i of the round
// has packet id i + 1, which is therefore free again when its slot comes round: the sender looks.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/options.hpp"

namespace bench {

// How far a connection is: `message` counts from 0 and does not wrap; `offset` bytes of it are
// written.
struct Position {
  std::uint64_t message = 0;
  std::size_t offset = 0;
};

// What one writev takes.
struct Parts {
  static constexpr std::size_t kMost = 512;
  std::array<iovec, kMost> parts;
  std::size_t count = 0;
  std::size_t bytes = 0;
  void add(const char* from, std::size_t size) {
    if (size == 0) return;
    parts[count++] = {const_cast<char*>(from), size};
    bytes += size;
  }
};

class Publishes {
 public:
  explicit Publishes(const Options& options);

  // Messages in a round.
  std::size_t size() const { return starts_.size() - 1; }
  std::size_t slot(std::uint64_t message) const { return message % size(); }
  // What comes from `from` on, up to the message `until`, as far as it fits. `out` keeps what it
  // has.
  void gather(Position from, std::uint64_t until, Parts& out) const;
  Position after(Position from, std::size_t written) const;

 private:
  const char* head(std::size_t slot) const { return bytes_.data() + heads_[slot]; }
  std::size_t head_size(std::size_t slot) const { return heads_[slot + 1] - heads_[slot]; }

  std::string bytes_;  // whole packets; where payloads are large only what is before each payload
  std::string body_;   // then this is the payload of all
  std::vector<std::size_t> heads_;   // of slot i in bytes_; one more for the end
  std::vector<std::size_t> starts_;  // of slot i in what is sent; one more for the end
};

}  // namespace bench
