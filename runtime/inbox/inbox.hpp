// inbox/: what the runtime remembers across restarts, in one SQLite file: STATE_DIR/inbox.db.
//
//   inbox.hpp     what is kept, as plain calls
//   database.hpp  SQLite behind RAII: open, statement, transaction
//   schema.hpp    the tables, their version and its migrations
//
// Kept so far: generated client ids, the subscriptions last made for each client id, dead letters,
// and which retained messages a trigger has handled. The file is meant to be read with sqlite3(1).
//
// Threads: any; calls are serialised inside, and each that writes is one transaction that has
// reached the operating system when it returns, and the disk where it says so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"

namespace triggerd::inbox {

class Database;

// A message that nobody will try again by itself, and why.
struct DeadLetter {
  std::int64_t number = 0;  // given by add()
  std::string message_id;
  std::string trigger;
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retained = false;
  std::string reason;
  std::uint32_t attempts = 0;
  Wall received{};
  Wall died{};
};

class Inbox {
 public:
  // Opens or creates the file. An error names the file and what to do.
  static Result<std::unique_ptr<Inbox>> open(const std::filesystem::path& file);
  ~Inbox();

  // The client id kept for `alias`; where there is none, `candidate` is kept and returned.
  Result<std::string> client_id(std::string_view alias, std::string_view candidate);

  // The filters last subscribed to under `client_id`, in the server's session of it; nullopt where
  // no such session was made. remember_session() replaces them.
  Result<std::optional<std::vector<std::string>>> session(std::string_view client_id);
  Result<> remember_session(std::string_view client_id, const std::vector<std::string>& filters);
  Result<> forget_session(std::string_view client_id);

  // On disk when it returns.
  Result<std::int64_t> add_dead_letter(const DeadLetter& letter);
  // The newest `limit` ones, newest first; of one trigger where `trigger` is not empty.
  Result<std::vector<DeadLetter>> dead_letters(std::string_view trigger, std::size_t limit);

  // Topic and digest of the retained messages that `trigger` has handled.
  Result<std::vector<std::pair<std::string, std::string>>> handled_retained(
      std::string_view trigger);
  Result<> set_handled_retained(std::string_view trigger, std::string_view topic,
                                std::string_view digest);

 private:
  explicit Inbox(std::unique_ptr<Database> database);

  Mutex mutex_;
  const std::unique_ptr<Database> database_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::inbox
