// Messages that are kept until their server has them. The writer adds and removes them.
//
// Threads: any, under the inbox's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

class InboxFile;

class Outgoing {
 public:
  explicit Outgoing(InboxFile& file) : file_(file) {}

  // At most `limit` messages of `alias` with numbers above `after`, in the order of publishing; no
  // more once they have `bytes` together.
  Result<std::vector<OutgoingMessage>> page(std::string_view alias, std::int64_t after,
                                            std::size_t limit, std::size_t bytes);
  struct Total {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;  // of topics, payloads and properties
    std::int64_t last = 0;    // the highest number; 0: there is none
    std::uint16_t last_packet_id = 0;
    std::optional<Wall> oldest{};
  };
  Result<Total> total(std::string_view alias);
  // How many messages each alias has.
  Result<std::vector<std::pair<std::string, std::int64_t>>> counts();
  // In the session of `client_id`, the packet ids of QoS 2 messages that the server has and whose
  // PUBCOMP has not come.
  Result<std::vector<std::uint16_t>> awaiting_pubcomp(std::string_view client_id);
  // The oldest messages, with at most `payload_bytes` of each payload. Nobody who writes waits.
  struct Listed {
    OutgoingMessage message;
    std::uint64_t payload_size = 0;
  };
  Result<std::vector<Listed>> oldest(std::string_view alias, std::size_t limit,
                                     std::size_t payload_bytes);
  // Removes those of `alias` with numbers above `after` up to `up_to`, in several transactions.
  // Returns what was removed; when it returns, that is on the disk.
  Result<Total> clear(std::string_view alias, std::int64_t after, std::int64_t up_to);
  // Removes those of them that have expired, some thousands at most.
  Result<Total> expire(std::string_view alias, std::int64_t after, std::int64_t up_to);

 private:
  Result<Total> remove_some(std::string_view alias, std::int64_t after, std::int64_t up_to,
                            bool only_expired);

  InboxFile& file_;
};

}  // namespace triggerd::inbox
