// An inbox that somebody else has locked.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <string>

#include "support/triggerd_process.hpp"

namespace triggerd::test {

// Keeps the runtime from writing to its inbox: as long as it lives, every commit waits.
class LockedInbox {
 public:
  explicit LockedInbox(const TriggerdProcess& triggerd) {
    const std::string name = (triggerd.dir() / "var" / "inbox.db").string();
    if (sqlite3_open_v2(name.c_str(), &database_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK ||
        sqlite3_busy_timeout(database_, 5'000) != SQLITE_OK ||
        sqlite3_exec(database_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) {
      ADD_FAILURE() << "cannot lock " << name;
    }
  }
  ~LockedInbox() { sqlite3_close(database_); }
  LockedInbox(const LockedInbox&) = delete;
  LockedInbox& operator=(const LockedInbox&) = delete;

 private:
  sqlite3* database_ = nullptr;
};

}  // namespace triggerd::test
