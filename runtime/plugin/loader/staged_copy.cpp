#include "plugin/loader/staged_copy.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/passing.hpp"

namespace triggerd::plugin {
namespace {

constexpr int kReadAttempts = 5;
constexpr Millis kReadPause{20};
constexpr off_t kMaxFileBytes = off_t{1} << 30;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    good_ = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }
  void add(std::span<const char> bytes) {
    good_ = good_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
  }
  // Empty: the library has no SHA-256 to offer.
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (!good_ || EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1) return {};
    std::string text;
    for (const unsigned char byte : std::span(digest).first(size)) {
      text += fmt::format("{:02x}", byte);
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
  bool good_ = false;
};

bool same_state(const struct stat& a, const struct stat& b) {
  const auto same_time = [](const timespec& x, const timespec& y) {
    return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
  };
  return a.st_size == b.st_size && same_time(a.st_mtim, b.st_mtim) &&
         same_time(a.st_ctim, b.st_ctim);
}

Result<> write_all(int fd, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_with(errno, "cannot be copied");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

// A file that is removed unless keep() is called.
class PartialFile {
 public:
  explicit PartialFile(const std::filesystem::path& stage_dir, std::string_view name)
      : path_((stage_dir / fmt::format(".{}.XXXXXX", name)).string()),
        fd_(::mkostemp(path_.data(), O_CLOEXEC)) {}
  ~PartialFile() {
    if (fd_ && !kept_) ::unlink(path_.c_str());
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  int fd() const { return fd_.get(); }
  Result<> keep(const std::filesystem::path& as) {
    if (::fchmod(fd(), 0500) != 0 || ::rename(path_.c_str(), as.c_str()) != 0) {
      return fail_with(errno, "cannot be copied to {}", as.string());
    }
    kept_ = true;
    return {};
  }

 private:
  std::string path_;
  UniqueFd fd_;
  bool kept_ = false;
};

// The SHA-256 of what was copied; nullopt where the file changed meanwhile.
Result<std::optional<std::string>> copy_once(const std::filesystem::path& from, int to,
                                             const std::function<void()>& while_reading) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const UniqueFd fd(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat before {};
  if (!fd || ::fstat(fd.get(), &before) != 0) {
    return fail_with(errno, "cannot be opened");
  }
  if (!S_ISREG(before.st_mode)) return fail("is not a regular file");
  if (before.st_size > kMaxFileBytes) {
    return fail("has {} bytes; a plugin may have at most {}", before.st_size, kMaxFileBytes);
  }
  if (::ftruncate(to, 0) != 0 || ::lseek(to, 0, SEEK_SET) != 0) {
    return fail_with(errno, "cannot be copied");
  }
  Sha256 hash;
  off_t copied = 0;
  std::array<char, 65536> block;
  while (copied <= before.st_size) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_with(errno, "cannot be read");
    if (got == 0) break;
    const auto piece = std::span(block).first(static_cast<std::size_t>(got));
    hash.add(piece);
    if (auto done = write_all(to, piece); !done) return tl::make_unexpected(done.error());
    copied += got;
  }
  while_reading();
  struct stat after {};
  if (::fstat(fd.get(), &after) != 0) return fail("cannot be read: {}", errno_text(errno));
  if (copied != before.st_size || !same_state(before, after)) return std::nullopt;
  std::string digest = hash.hex();
  if (digest.empty()) return fail("cannot be identified: OpenSSL offers no SHA-256 here");
  return digest;
}

bool is_loaded(const std::filesystem::path& path) {
  void* const handle = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle != nullptr) ::dlclose(handle);
  return handle != nullptr;
}

}  // namespace

Result<StagedCopy> StagedCopy::make(const std::filesystem::path& file,
                                    const std::filesystem::path& stage_dir, std::string_view name,
                                    unsigned number, const std::function<void()>& while_reading) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(stage_dir, error);
  if (error) return fail("cannot be copied to {}: {}", stage_dir.string(), error.message());
  PartialFile partial(folder, name);
  if (partial.fd() < 0) {
    return fail_with(errno, "cannot be copied to {}", folder.string());
  }
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kReadPause * attempt);
    auto digest = copy_once(file, partial.fd(), while_reading);
    if (!digest) return tl::make_unexpected(digest.error());
    if (!*digest) continue;
    const std::filesystem::path path =
        folder / fmt::format("{}.{}.{}.so", name, number, (*digest)->substr(0, 12));
    // dlopen would hand out the library that is there already, with its state.
    if (is_loaded(path))
      return fail("is already loaded, as generation {} ({})", number, path.string());
    if (auto done = partial.keep(path); !done) return tl::make_unexpected(done.error());
    return StagedCopy(path, std::move(**digest));
  }
  return fail("keeps changing while it is read; load it again once it is written");
}

StagedCopy::StagedCopy(StagedCopy&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      sha256_(std::move(other.sha256_)),
      remove_(other.remove_) {}

StagedCopy::~StagedCopy() {
  if (!path_.empty() && remove_) ::unlink(path_.c_str());
}

}  // namespace triggerd::plugin
