// The space that is left on the inbox's volume, and a reserve of it that nobody else can take.
//
// SQLite needs space to free space: a removal is written to the WAL first, and the WAL can only be
// used again after its content has been moved to the file. So the inbox stops growing while there
// is still some space to work with. The reserve is a file of its own, which is given up when others
// have filled the volume all the same, and taken again when there is space.
//
// No lock, no state but the files. [the writer; whoever opens the inbox]
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace triggerd::inbox {

class Volume {
 public:
  // The name of the reserve, in the inbox's folder.
  static constexpr const char* kReserve = "inbox.reserve";

  // Of the volume of `folder`. If empty, nothing is known, and there is always space.
  explicit Volume(std::filesystem::path folder);

  // How many bytes may be written between two checkpoints, so that these come in time: a 64th of
  // the volume, at least 64 KiB and at most 4 MiB.
  std::uint64_t portion() const { return portion_; }
  // How many bytes are kept free for the WAL.
  std::uint64_t working() const { return 2 * portion_; }

  // How many bytes of the volume this user can take; nullopt: not known.
  std::optional<std::uint64_t> available() const;

  bool is_reserved() const;
  // Takes the reserve, if as much again is left to work with. True: it is taken, or nothing is
  // known.
  bool reserve() const;
  void release() const;

 private:
  std::filesystem::path reserve_file() const { return folder_ / kReserve; }
  std::uint64_t reserve_bytes() const { return 2 * portion_; }

  const std::filesystem::path folder_;
  std::uint64_t portion_;
};

}  // namespace triggerd::inbox
