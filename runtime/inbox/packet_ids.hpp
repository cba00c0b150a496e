// What is kept of QoS 2 messages until their PUBREL. The writer adds and removes packet ids.
//
// Threads: any, under the inbox's lock.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

class InboxFile;

class PacketIds {
 public:
  explicit PacketIds(InboxFile& file) : file_(file) {}

  // In the session of `client_id`, those that the server may send again.
  Result<std::vector<AwaitingPubrel>> awaiting_pubrel(std::string_view client_id);

  // What an older version has left, in the order of arrival. accept_staged() replaces one of these
  // by `message` and keeps its packet id until PUBREL, in one transaction. That need not be on the
  // disk when it returns, because one of the two is.
  Result<std::vector<StagedMessage>> staged(std::string_view client_id);
  Result<> accept_staged(std::string_view client_id, const StagedMessage& staged,
                         const StoredMessage& message);

 private:
  InboxFile& file_;
};

}  // namespace triggerd::inbox
