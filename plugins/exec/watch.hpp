// Whether files have changed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace exec_plugin {

// Threads: one.
class Watch {
 public:
  explicit Watch(const std::vector<std::string>& files) : files_(files) {}

  // What there is now is what is known.
  void begin() {
    known_ = look();
    changing_.reset();
  }
  bool is_needed() const { return !files_.empty(); }
  // They have changed since the last time that this was true, and have stayed the same from one
  // call to the next: nobody is still writing them.
  bool has_changed() {
    Prints now = look();
    if (now == known_) {
      changing_.reset();
      return false;
    }
    if (changing_ != now) {
      changing_ = std::move(now);
      return false;
    }
    known_ = std::move(now);
    changing_.reset();
    return true;
  }

 private:
  struct Print {
    bool exists = false;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    bool operator==(const Print& other) const {
      return exists == other.exists && device == other.device && inode == other.inode &&
             size == other.size && seconds == other.seconds && nanoseconds == other.nanoseconds;
    }
    bool operator!=(const Print& other) const { return !(*this == other); }
  };
  using Prints = std::vector<Print>;

  Prints look() const {
    Prints prints;
    prints.reserve(files_.size());
    for (const std::string& file : files_) {
      struct stat about {};
      if (::stat(file.c_str(), &about) != 0) {
        prints.emplace_back();
        continue;
      }
      prints.push_back({true, about.st_dev, about.st_ino, about.st_size, about.st_mtim.tv_sec,
                        about.st_mtim.tv_nsec});
    }
    return prints;
  }

  const std::vector<std::string>& files_;
  Prints known_;
  std::optional<Prints> changing_;
};

}  // namespace exec_plugin
