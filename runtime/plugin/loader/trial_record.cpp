#include "plugin/loader/trial_record.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <optional>
#include <set>
#include <utility>

#include "base/file.hpp"
#include "config/trigger.hpp"

namespace triggerd::plugin {
namespace {

constexpr std::string_view kFirst = "triggerd-trials 1 ";
constexpr std::size_t kMaxFile = std::size_t{1} << 20;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kDigits = 64;
// What the loader reads beside the libraries themselves.
constexpr std::array kOfTheLoader{"/etc/ld.so.cache", "/etc/ld.so.preload"};

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::int64_t unix_time() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return nanoseconds(time);
}

// The variables that change which libraries are loaded, and how.
std::string loader_environment() {
  std::set<std::string_view> found;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (text.starts_with("LD_") || text.starts_with("GLIBC_TUNABLES=")) found.insert(text);
  }
  return fmt::format("{}", fmt::join(found, "\n"));
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<std::uint8_t>(byte));
  return text;
}

std::optional<std::string> key_of(std::string_view digits) {
  std::string bytes;
  if (digits.size() != kDigits) return std::nullopt;
  const auto value = [](char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = value(digits[i]);
    const int low = value(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

// Each with its length, so that no two lists look alike.
class Parts {
 public:
  Parts& operator<<(std::string_view part) {
    bytes_ += fmt::format("{}:{}", part.size(), part);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct Look {
  std::string text = "-";
  std::int64_t changed = 0;  // or put there; nobody can say another time than that
};

// Without the device: a volume may have another number after each start of the machine.
Look look_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {.text = fmt::format("{}.{}.{}.{}", status.st_ino, status.st_size,
                              nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)),
          .changed = nanoseconds(status.st_ctim)};
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

// Of this user, and of nobody else's making.
bool is_ours(const struct stat& status) {
  return S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
         (status.st_mode & (S_IRWXG | S_IRWXO)) == 0 && status.st_nlink == 1;
}

// What stands there, for the last time. nullopt: nothing that counts.
std::optional<std::string> read_and_remove(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  std::optional<std::string> text;
  if (fd && ::fstat(fd.get(), &status) == 0 && is_ours(status)) {
    if (auto read = read_file(fmt::format("/proc/self/fd/{}", fd.get()), kMaxFile)) {
      text = std::move(*read);
    }
  }
  // What cannot be forgotten is not to be believed either.
  if (::unlink(file.c_str()) != 0) return std::nullopt;
  return text;
}

// The libraries by the names that the loader has found them under, which may be links.
extern "C" int add_library_name(dl_phdr_info* info, std::size_t, void* names) {
  const std::string_view name(info->dlpi_name == nullptr ? "" : info->dlpi_name);
  if (name.starts_with('/')) static_cast<std::set<std::string>*>(names)->emplace(name);
  return 0;
}

// As they are named here, and as the kernel does, which knows no links.
std::set<std::string> all_names(const std::vector<std::filesystem::path>& files) {
  std::set<std::string> names;
  for (const std::filesystem::path& file : files) {
    std::error_code error;
    names.insert(file.string());
    names.insert(std::filesystem::weakly_canonical(file, error).string());
  }
  return names;
}

// The files that are mapped as code, but for `copies`.
Result<std::set<std::string>> mapped_code(const std::set<std::string>& copies) {
  const auto maps = read_file("/proc/self/maps", std::size_t{64} << 20);
  if (!maps) return tl::make_unexpected(maps.error());
  std::set<std::string> files;
  ::dl_iterate_phdr(add_library_name, &files);
  for (const std::string& copy : copies) files.erase(copy);
  std::string_view rest = *maps;
  while (!rest.empty()) {
    // ADDRESSES PERMISSIONS OFFSET DEVICE INODE PATH
    const std::string_view line = take_line(rest);
    const auto permissions = line.find(' ');
    const auto path = line.find('/');
    if (permissions == line.npos || path == line.npos || path < permissions) continue;
    if (line.substr(permissions + 1, 4).find('x') == std::string_view::npos) continue;
    const std::string_view name = line.substr(path);
    // Memory that a compiler in the process has made is no file.
    if (name.starts_with("/memfd:") || name.starts_with("/dev/zero")) continue;
    if (copies.contains(std::string(name))) continue;
    if (name.find('\\') != name.npos || name.ends_with(" (deleted)")) {
      return fail("{} is mapped, but the file at this path may be another one now", name);
    }
    files.emplace(name);
  }
  return files;
}

}  // namespace

TrialRecord::TrialRecord(std::filesystem::path file, bool trusted)
    : file_(std::move(file)), began_(unix_time()), environment_(loader_environment()) {
  const auto text = read_and_remove(file_);
  const MutexLock lock(mutex_);
  if (text && trusted && read(*text)) return;
  known_.clear();
  key_.assign(kKeyBytes, '\0');
  if (::getrandom(key_.data(), key_.size(), 0) != static_cast<ssize_t>(key_.size())) key_.clear();
}

bool TrialRecord::read(std::string_view text) {
  constexpr std::string_view kEnd = "end ";
  constexpr std::size_t kEndLine = kEnd.size() + kDigits + 1;
  if (!text.starts_with(kFirst) || text.size() < kFirst.size() + kDigits + 1 + kEndLine) {
    return false;
  }
  const std::string_view said = text.substr(0, text.size() - kEndLine);
  const auto key = key_of(said.substr(kFirst.size(), kDigits));
  if (!key) return false;
  key_ = *key;
  if (text.substr(said.size()) != fmt::format("{}{}\n", kEnd, digest(said))) return false;
  std::string_view rest = said;
  take_line(rest);
  while (!rest.empty()) {
    std::string_view line = take_line(rest);
    if (line.starts_with("tried ")) {
      known_.emplace(line.substr(6));
      continue;
    }
    if (!line.starts_with("path ")) return false;
    line.remove_prefix(5);
    const auto look = line.find(' ');
    if (look == line.npos) return false;
    if (look_at(std::string(line.substr(look + 1))).text != line.substr(0, look)) return false;
  }
  return true;
}

std::string TrialRecord::digest(std::string_view bytes) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  unsigned size = 0;
  if (key_.empty() || ::HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
                             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                             made.data(), &size) == nullptr) {
    return {};
  }
  return hex({reinterpret_cast<const char*>(made.data()), size});
}

std::string TrialRecord::library(std::string_view sha256, bool in_process) const {
  Parts parts;
  parts << "library" << environment_ << sha256 << (in_process ? "here" : "elsewhere");
  return digest(parts.bytes());
}

// All that the service is told when it is made.
std::string TrialRecord::service(std::string_view sha256, const config::Trigger& trigger) const {
  Parts parts;
  parts << "service" << environment_ << sha256 << trigger.service << trigger.name << trigger.alias
        << std::to_string(trigger.concurrency) << trigger.settings.json;
  for (const config::Setting& setting : trigger.settings.flat) {
    parts << setting.key << setting.value << std::to_string(static_cast<int>(setting.type));
  }
  return digest(parts.bytes());
}

bool TrialRecord::knows(const std::string& digest) const {
  const MutexLock lock(mutex_);
  return !over_ && known_.contains(digest);
}

void TrialRecord::add(const std::string& digest) {
  const MutexLock lock(mutex_);
  if (!over_ && !digest.empty()) tried_.insert(digest);
}

Result<> TrialRecord::keep(const Plugins& plugins) {
  const MutexLock lock(mutex_);
  if (std::exchange(over_, true) || tried_.empty()) return {};
  const std::set<std::string> copies = all_names(plugins.copies);
  auto paths = mapped_code(copies);
  if (!paths) return tl::make_unexpected(paths.error());
  paths->insert(kOfTheLoader.begin(), kOfTheLoader.end());
  for (const std::filesystem::path& folder : plugins.folders) {
    // One that has copies is ours, and has nothing else.
    const std::filesystem::path normal = (folder / "").lexically_normal().parent_path();
    const bool has_copies = std::any_of(
        copies.begin(), copies.end(),
        [&](const std::filesystem::path& copy) { return copy.parent_path() == normal; });
    if (!has_copies) paths->insert(normal.string());
  }
  auto text = text_for({paths->begin(), paths->end()});
  if (!text) return tl::make_unexpected(text.error());
  // It need not outlive a power cut: the next start then tries everything.
  return replace_private_file(file_, *text).map([](const UniqueFd&) {});
}

Result<std::string> TrialRecord::text_for(const std::vector<std::string>& paths) const {
  std::string text = fmt::format("{}{}\n", kFirst, hex(key_));
  for (const std::string& path : paths) {
    const Look look = look_at(path);
    if (look.changed >= began_) return fail("{} has changed since the start", path);
    if (!path.starts_with('/') || path.find('\n') != path.npos) {
      return fail("{} is not a path that can be written down", path);
    }
    text += fmt::format("path {} {}\n", look.text, path);
  }
  for (const std::string& tried : tried_) text += fmt::format("tried {}\n", tried);
  const std::string end = digest(text);
  if (end.empty()) return fail("OpenSSL offers no HMAC with SHA-256 here");
  text += fmt::format("end {}\n", end);
  if (text.size() > kMaxFile) return fail("the record would have {} bytes", text.size());
  return text;
}

}  // namespace triggerd::plugin
