// Who we are to servers, and what they keep for us: client ids, and the sessions under them.
//
// Threads: any, under the inbox's lock. Each call that writes is on the disk when it returns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

class InboxFile;

class Sessions {
 public:
  explicit Sessions(InboxFile& file) : file_(file) {}

  // The client id that is kept for `alias`; if there is none, keeps and returns `candidate`.
  Result<std::string> client_id(std::string_view alias, std::string_view candidate);

  // The filters last subscribed to under `client_id`, in the session that the server has for it;
  // nullopt if no such session was made. remember() replaces them.
  Result<std::optional<std::vector<std::string>>> filters(std::string_view client_id);
  Result<> remember(std::string_view client_id, const std::vector<std::string>& filters);
  // Notes the alias and the server of a session, if there is one with its client id. Returns what
  // was noted before.
  Result<std::optional<Session>> place(const Session& session);
  // The server has the session no more, so its packet ids are forgotten too.
  Result<> forget(std::string_view client_id);
  // Ordered by client id.
  Result<std::vector<Session>> all();

 private:
  InboxFile& file_;
};

}  // namespace triggerd::inbox
