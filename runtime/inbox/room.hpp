// Room: what the volume of the inbox has left, and a reserve of it that nobody else can take.
//
// SQLite needs room to make room: a removal is written to the WAL first, and the WAL can only be
// used again when what is in it has been moved to the file. So the inbox stops growing while there
// is some left to work with. The reserve is a file of its own; it is given up where others have
// filled the volume all the same, and taken again when there is room.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace triggerd::inbox {

class Room {
 public:
  // The name of the reserve, in the inbox's folder.
  static constexpr const char* kReserve = "inbox.reserve";

  // The volume of `folder`. Empty: nothing is known of it, and there always is room.
  explicit Room(std::filesystem::path folder);

  // What may be written between two checkpoints, so that they come before it is too late: a 64th of
  // the volume, at least 64 KiB and at most 4 MiB.
  std::uint64_t portion() const { return portion_; }
  // What is left alone for the WAL to work in.
  std::uint64_t working() const { return 2 * portion_; }

  // Of the volume, for this user; nullopt: not known.
  std::optional<std::uint64_t> available() const;

  bool is_reserved() const;
  // Takes it, where as much again is left to work with. True: it is taken, or nothing is known.
  bool reserve() const;
  void release() const;

 private:
  std::filesystem::path reserve_file() const { return folder_ / kReserve; }
  std::uint64_t reserve_bytes() const { return 2 * portion_; }

  const std::filesystem::path folder_;
  std::uint64_t portion_;
};

}  // namespace triggerd::inbox
