// What may be written into the room that there is, as arithmetic on what was measured: what fits,
// how much of it at once, and when receiving has to pause.
//
// Plain values, without a clock, a lock or a system call. [the writer]
#pragma once

#include <cstdint>

namespace triggerd::inbox {

// Of the files and of the volume, in bytes.
struct Space {
  std::uint64_t used = 0;       // by what is kept, and by the WAL
  std::uint64_t wal = 0;        // of that
  std::uint64_t free = 0;       // in the file
  bool known = false;           // of the volume
  std::uint64_t available = 0;  // in it, when what is in the WAL has gone to the file
};

class RoomBudget {
 public:
  // The volume's portion, and what it keeps free for the WAL, are explained in volume.hpp.
  RoomBudget(std::uint64_t max_size, std::uint64_t volume_portion, std::uint64_t working);

  // ---- What is known ----

  void measured(const Space& space) { space_ = space; }
  const Space& space() const { return space_; }
  // The volume was full: until the reserve is taken again, only removals are written, little by
  // little.
  void set_cramped(bool cramped) { cramped_ = cramped; }
  bool is_cramped() const { return cramped_; }
  // A reader keeps the WAL from being used again.
  void set_wal_held(bool held) { wal_is_held_ = held; }
  bool wal_is_held() const { return wal_is_held_; }

  // ---- What follows from it, in bytes ----

  // After so much the WAL is checkpointed, and bytes_at_once() is never less.
  std::uint64_t portion() const { return portion_; }
  // The most that one transaction takes of messages, unless it is a single one; and of each kind of
  // note.
  std::uint64_t bytes_at_once() const;
  std::uint64_t removal_bytes_at_once() const { return cramped_ ? portion_ : bytes_at_once(); }
  // Above this the WAL is given back to the volume: all of it while the volume is full, since the
  // reserve may need just that.
  std::uint64_t wal_allowed() const;
  // What the inbox may hold: max_size, or less if the volume has less.
  std::uint64_t limit() const;
  std::uint64_t max_size() const { return max_size_; }

  // ---- Decisions ----

  // Of what needs room. What is finished by then goes all the same.
  bool takes_only_removals() const { return cramped_ || wal_is_too_large(); }
  // Whatever is added leaves enough for the WAL to work in; and what makes the file larger, so much
  // that as much can be added again once that is free, as the file does not become smaller.
  bool may_add(std::uint64_t bytes) const;
  // The file is mostly free, and there is enough room to write what is left of it again.
  bool is_worth_shrinking() const;

  enum class Shortage { none, reader, volume, size };
  // Why something does not fit.
  Shortage why_not() const;
  // Whether receiving has to pause, and why. Once it has, it takes more room to end that than it
  // took to begin.
  Shortage judge();
  // Whether max_size alone would have judge() pause receiving.
  bool is_over_size() const;

 private:
  bool wal_is_too_large() const { return wal_is_held_ && space_.wal > wal_limit_; }
  bool is_low() const;
  std::uint64_t left_for_wal() const { return space_.available + (wal_is_held_ ? 0 : space_.wal); }

  const std::uint64_t max_size_;
  const std::uint64_t volume_portion_;
  const std::uint64_t working_;
  const std::uint64_t portion_;
  const std::uint64_t wal_limit_;  // behind a reader
  Space space_;                    // as of the last measurement
  bool cramped_ = false;
  bool wal_is_held_ = false;
  bool low_ = false;        // the volume is nearly full, by the last judge()
  bool over_size_ = false;  // the same
};

}  // namespace triggerd::inbox
