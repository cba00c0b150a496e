#include "inbox/packet_ids.hpp"

#include "inbox/inbox_file.hpp"
#include "inbox/message_rows.hpp"

namespace triggerd::inbox {

Result<std::vector<AwaitingPubrel>> PacketIds::awaiting_pubrel(std::string_view client_id) {
  MutexLock lock(file_.mutex());
  Statement query(file_.database(),
                  "SELECT packet_id, message_id FROM awaiting_pubrel WHERE client_id = ?");
  query.bind(client_id);
  std::vector<AwaitingPubrel> found;
  while (query.step()) {
    found.push_back({static_cast<std::uint16_t>(query.number(0)), query.text(1)});
  }
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<std::vector<StagedMessage>> PacketIds::staged(std::string_view client_id) {
  MutexLock lock(file_.mutex());
  // Ids of one run ascend (message_id.hpp).
  Statement query(file_.database(),
                  "SELECT key, message_id, packet FROM staged WHERE client_id = ?"
                  " ORDER BY message_id");
  query.bind(client_id);
  std::vector<StagedMessage> found;
  while (query.step()) found.push_back({query.text(0), query.text(1), query.text(2)});
  if (auto read = query.finish("read"); !read) return tl::make_unexpected(read.error());
  return found;
}

Result<> PacketIds::accept_staged(std::string_view client_id, const StagedMessage& staged,
                                  const StoredMessage& message) {
  MutexLock lock(file_.mutex());
  Database& database = file_.database();
  // Before and after a power cut it is in one of the two tables, so there is nothing to wait for;
  // there may be tens of thousands.
  auto transaction = Transaction::begin(database, Transaction::Sync::process);
  if (!transaction) return tl::make_unexpected(transaction.error());
  MessageView view = view_of(message);
  view.message_id = staged.message_id;
  if (auto added = MessageInsert(database).run(view, file_.row_clock()); !added) {
    return tl::make_unexpected(added.error());
  }
  Statement keep(database,
                 "INSERT OR REPLACE INTO awaiting_pubrel (client_id, packet_id, message_id)"
                 " VALUES (?, ?, ?)");
  keep.bind(client_id).bind(std::int64_t{message.packet_id}).bind(staged.message_id);
  if (auto done = keep.finish("write"); !done) return done;
  Statement remove(database, "DELETE FROM staged WHERE client_id = ? AND key = ?");
  if (auto done = remove.bind(client_id).bind(staged.key).finish("write"); !done) return done;
  return transaction->commit();
}

}  // namespace triggerd::inbox
