// LossyDisk: files in memory, and what a power cut would leave of them. LossyVfs puts SQLite on it.
//
// What is promised to survive is what a journalled Linux filesystem (ext4 ordered, XFS) promises,
// and no more:
//   - Bytes survive once the file was synced after they were written. Of unsynced bytes each sector
//     survives, is lost or is torn, whatever became of its neighbours and of earlier writes. Where
//     the file ends after a later byte that survived, what is missing before it reads as zeros.
//   - A torn sector keeps, within the bytes written, a part of the old, a part of the new, or
//     garbage. Bytes next to those written are unharmed (SQLite's "power-safe overwrite").
//   - Creating, removing and shortening files are journalled in one order, and a cut keeps them up
//     to some moment and none after it. Syncing a file makes durable all up to its own latest, so
//     the name of a file that was synced is there. Removing a file is durable at once only where
//     its folder is synced with it, otherwise it may be undone: the file is back, with what was
//     durable of it.
//   - What was written behind a shortened file's end is lost where the shortening is.
// POSIX promises less (a name needs its folder synced), a single filesystem often keeps more.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace triggerd::test {

// What a power cut did to what was not synced.
struct Loss {
  std::size_t kept = 0;     // sectors
  std::size_t dropped = 0;  // sectors
  std::size_t torn = 0;     // sectors
  std::size_t undone = 0;   // files created, removed or shortened

  bool any() const { return dropped + torn + undone > 0; }
};

class LossyDisk {
 public:
  // Alive as long as somebody has it open, whatever becomes of its name.
  class File {
   public:
    std::string_view content() const { return live_; }

   private:
    friend class LossyDisk;
    struct Change {
      std::uint64_t journalled = 0;  // for a shortening: its place in the journal. 0: a write
      std::size_t at = 0;            // where the write begins, or the file ends
      std::string bytes;
    };
    std::string live_;             // what processes see
    std::string durable_;          // what is safe
    std::vector<Change> changes_;  // what lies between
    std::uint64_t journalled_ = 0;
  };
  using FilePtr = std::shared_ptr<File>;

  // Bytes that are lost or kept together: 512 or 4096.
  explicit LossyDisk(std::size_t sector_size) : sector_size_(sector_size) {}

  FilePtr find(const std::string& path) const;  // nullptr: no such file
  FilePtr create(const std::string& path);
  // False: no such file.
  bool remove(const std::string& path, bool with_folder_synced);

  static void write(File& file, std::size_t at, std::string_view bytes);
  void resize(File& file, std::size_t size);
  void sync(File& file);
  // As Linux has it: processes go on seeing what they wrote, an arbitrary part of it is on disk,
  // and no later sync makes up for the rest.
  void sync_in_vain(File& file);

  // Files have what survived, and all that is durable. Those who have a file open keep what they
  // saw; it is no file of this disk any more.
  Loss cut(std::uint64_t seed);

 private:
  struct Entry {
    std::uint64_t journalled;
    std::string path;
    FilePtr file;  // nullptr: removed
  };

  void make_durable(std::uint64_t until);
  std::string survivors(const File& file, std::uint64_t journal_end, Loss& loss);
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  const std::size_t sector_size_;
  std::mt19937_64 random_;
  std::map<std::string, FilePtr> files_;
  std::map<std::string, FilePtr> durable_files_;
  std::deque<Entry> journal_;  // what lies between
  std::uint64_t journalled_ = 0;
  std::uint64_t journal_durable_ = 0;
};

}  // namespace triggerd::test
