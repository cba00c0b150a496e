// SmallDisk: a volume that a test can fill.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace triggerd::test {

// Gives the calling thread, and what it starts from here on, mounts of its own: they end with the
// last that sees them. Before there are other threads. Without root it takes a user namespace for
// it. Throws where the kernel refuses.
void enter_private_mounts();

// Throws where it cannot.
void mount_tmpfs(const std::filesystem::path& folder, const std::string& options);

// A tmpfs on an empty folder, which is made. It is for those with private mounts.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path folder, unsigned mebibytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  // Takes all room that is left. Throws where it was not the lack of room that ended it.
  void fill();
  void free();
  // Bytes that are left.
  std::uint64_t available() const;

 private:
  std::filesystem::path ballast() const { return folder_ / "ballast"; }

  const std::filesystem::path folder_;
};

}  // namespace triggerd::test
