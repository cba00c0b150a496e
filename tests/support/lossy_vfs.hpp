// LossyVfs: a place for SQLite databases that loses power when a test says so.
//
//   LossyVfs vfs("lossy");                      // file names are any words; no real disk is
//   touched
//   {
//     auto inbox = open("inbox.db", "lossy");   // sqlite3_open_v2(..., "lossy")
//     vfs.cut_power_after(7, seed);             // in the middle of a commit, say
//     while (inbox.write(...)) ...              // until SQLITE_IOERR: the power is gone
//   }                                           // a process without power has nothing open
//   vfs.restore_power();
//   open("inbox.db", "lossy");                  // finds what survived
//
// lossy_disk.hpp says what survives: everything synced, and of the rest what the seed decides. The
// same operations and the same seed have the same outcome (but for the salts that SQLite draws).
//
// Without power every call of SQLite fails with SQLITE_IOERR, on open files and for new ones.
//
// It does what SQLite's own "unix" VFS does, for one process: several connections, locks, WAL mode
// with shared memory that is gone after a cut, power-safe overwrite. No memory-mapped I/O.
// Temporary files without a name are never cut short nor made to fail. A connection with a busy
// timeout waits for another one's unlock, and no longer than it would for real.
//
// Threads: every function may be called from any, SQLite's calls come from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "support/lossy_disk.hpp"

namespace triggerd::test {

class LossyVfs {
 public:
  // Registers `name`, not as the default. Throws where it is taken.
  // `sector_size`: what is lost or kept together, and what SQLite is told: 512 or 4096.
  explicit LossyVfs(std::string name, std::size_t sector_size = 4096);
  // Every connection is closed by then; it aborts the test program where one is not.
  ~LossyVfs();
  LossyVfs(const LossyVfs&) = delete;
  LossyVfs& operator=(const LossyVfs&) = delete;

  const std::string& name() const;

  // Now. Without power, nothing happens, and the last loss is told.
  Loss cut_power(std::uint64_t seed);
  // In the middle of the operation that is the `operations`th from now; 1 is the next. 0: not at
  // all, whatever was asked for before. A write it hits may survive as any unsynced one.
  void cut_power_after(std::size_t operations, std::uint64_t seed);
  // Throws std::logic_error where a connection is still open: it would be from before the cut.
  void restore_power();
  bool powered() const;
  // By the latest cut.
  Loss loss() const;

  // Until told SQLITE_OK, each write does nothing and fails with `code`: SQLITE_FULL, SQLITE_IOERR.
  void fail_writes(int code);
  // Until told SQLITE_OK, each sync fails with `code`; see LossyDisk::sync_in_vain().
  void fail_syncs(int code);

  // Operations so far on files that have a name: a write, a truncation, a sync, a removal; failed
  // ones too.
  std::size_t operations() const;
  bool exists(const std::string& file) const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace triggerd::test
