#include "package/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/text.hpp"
#include "package/durable.hpp"
#include "package/entry_name.hpp"
#include "package/manifest.hpp"
#include "package/secrets.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = std::size_t{128} << 10;

struct CloseReader {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, CloseReader>;

tl::unexpected<Error> library_error(archive* reader) {
  const char* text = archive_error_string(reader);
  return fail("not a package archive: {}", text != nullptr ? printable(text) : "it cannot be read");
}

Reader make_reader() {
  Reader reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  return reader;
}

class Unpacking {
 public:
  Unpacking(archive* reader, fs::path folder)
      : reader_(reader), folder_(std::move(folder)), block_(kBlock) {}

  Result<> run() {
    bool more = true;
    if (auto first = next(more); !first) return first;
    if (!more) return fail("the archive is empty");
    // The raw file and one filter on top: no archives that unpack to something compressed again.
    if (archive_filter_count(reader_) > 2) return fail("the archive is compressed more than once");
    if (auto done = take_manifest(); !done) return done;
    for (;;) {
      if (auto done = next(more); !done) return done;
      if (!more) break;
      if (auto done = take_file(); !done) return done;
    }
    if (!expected_.empty()) {
      return fail("\"{}\" is listed in {} but missing from the archive", expected_.begin()->first,
                  kManifestFile);
    }
    if (auto done = finish_files(); !done) return done;
    return sync_folders();
  }

 private:
  // Reads the next header: name_ and size_. Everything but a regular file is refused.
  Result<> next(bool& more) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader_, &entry);
    more = status != ARCHIVE_EOF;
    if (!more) return {};
    if (status != ARCHIVE_OK) return library_error(reader_);
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr) return fail("the name of a file cannot be read");
    name_ = name;
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) {
      return fail("\"{}\" is a link; a package may contain only regular files", printable(name_));
    }
    if (archive_entry_filetype(entry) != AE_IFREG) {
      return fail("\"{}\" is not a regular file; a package may contain nothing else",
                  printable(name_));
    }
    if (archive_entry_size_is_set(entry) == 0 || archive_entry_size(entry) < 0) {
      return fail("\"{}\" has no size", printable(name_));
    }
    size_ = static_cast<std::uint64_t>(archive_entry_size(entry));
    private_ = (archive_entry_perm(entry) & S_IROTH) == 0;
    return {};
  }

  // Hands at most size_ bytes to `take`, and expects as many.
  template <class Take>
  Result<> read_data(Take take) {
    std::uint64_t total = 0;
    for (;;) {
      const la_ssize_t got = archive_read_data(reader_, block_.data(), block_.size());
      if (got < 0) return library_error(reader_);
      total += static_cast<std::uint64_t>(got);
      if (total > size_ || (got == 0 && total < size_)) {
        return fail("\"{}\" does not have the size that its header says", printable(name_));
      }
      if (got == 0) return {};
      if (auto taken = take(std::string_view(block_.data(), static_cast<std::size_t>(got)));
          !taken) {
        return taken;
      }
    }
  }

  Result<> take_manifest() {
    if (name_ != kManifestFile) {
      return fail("its first file is \"{}\" instead of {}", printable(name_), kManifestFile);
    }
    if (size_ > kMaxManifest) return fail("{} has more than {} bytes", kManifestFile, kMaxManifest);
    std::string text;
    auto done = read_data([&text](std::string_view bytes) {
      text += bytes;
      return Result<>();
    });
    if (!done) return done;
    auto entries = parse_manifest(text);
    if (!entries) return tl::make_unexpected(entries.error());
    for (ManifestEntry& entry : *entries) {
      std::string name = entry.name;
      expected_.emplace(std::move(name), std::move(entry));
    }
    return {};
  }

  Result<> take_file() {
    const auto found = expected_.find(name_);
    if (found == expected_.end()) {
      // If the name itself is not allowed, that is the better reason to give.
      if (auto good = check_entry_name(name_); !good) return good;
      return fail("\"{}\" is {}", name_,
                  taken_.count(name_) > 0
                      ? std::string("in the archive twice")
                      : fmt::format("in the archive but not listed in {}", kManifestFile));
    }
    const ManifestEntry expected = std::move(found->second);
    expected_.erase(found);
    taken_.insert(name_);
    if (size_ != expected.size) {
      return fail("\"{}\" has {} bytes, but {} says {}", name_, size_, kManifestFile,
                  expected.size);
    }
    if (auto made = make_folders(); !made) return made;
    const fs::path path = folder_ / name_;
    if (private_) secrets_.insert(name_);
    const UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kOwnerAlone));
    if (!fd || ::fchmod(fd.get(), kOwnerAlone) != 0) {
      return fail("cannot write {}: {}", path.string(), errno_text(errno));
    }
    Digest digest;
    auto done = read_data([&](std::string_view bytes) {
      digest.add(bytes);
      return write_all(fd.get(), bytes, path);
    });
    if (!done) return done;
    if (digest.hex() != expected.sha256) {
      return fail(
          "the digest of \"{}\" is not the one in {}: the archive is damaged, or was modified",
          name_, kManifestFile);
    }
    return {};
  }

  // Which files are secrets is known only once all are there, so until then only the owner may read
  // any of them. What the archive marks as a secret counts as one, too: whoever packed it may know
  // better.
  Result<> finish_files() {
    const std::vector<std::string> names(taken_.begin(), taken_.end());
    for (SecretFile& secret : find_secrets(folder_, names)) secrets_.insert(std::move(secret.name));
    for (const std::string& name : names) {
      const fs::path path = folder_ / name;
      const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
      const mode_t mode = secrets_.count(name) > 0 ? kOwnerAlone : kEverybody;
      if (!fd || ::fchmod(fd.get(), mode) != 0) {
        return fail("cannot write {}: {}", path.string(), errno_text(errno));
      }
      if (auto done = sync_to_disk(fd.get(), path); !done) return done;
    }
    return {};
  }

  Result<> make_folders() {
    for (std::size_t slash = name_.find('/'); slash != std::string::npos;
         slash = name_.find('/', slash + 1)) {
      const std::string name = name_.substr(0, slash);
      if (!folders_.insert(name).second) continue;
      const fs::path path = folder_ / name;
      if (::mkdir(path.c_str(), 0755) != 0 || ::chmod(path.c_str(), 0755) != 0) {
        return fail("cannot create {}: {}", path.string(), errno_text(errno));
      }
    }
    return {};
  }

  Result<> sync_folders() const {
    for (const std::string& name : folders_) {
      if (auto done = sync_folder(folder_ / name); !done) return done;
    }
    return sync_folder(folder_);
  }

  archive* const reader_;
  const fs::path folder_;
  std::vector<char> block_;
  std::string name_;  // of the entry that is being read
  std::uint64_t size_ = 0;
  bool private_ = false;  // according to the archive, not everybody may read it
  std::map<std::string, ManifestEntry> expected_;
  std::set<std::string> taken_;
  std::set<std::string> secrets_;
  std::set<std::string> folders_;
};

Result<> run(const Reader& reader, int opened, const fs::path& folder) {
  if (opened != ARCHIVE_OK) return library_error(reader.get());
  return Unpacking(reader.get(), folder).run();
}

}  // namespace

Result<> unpack(const fs::path& archive, const fs::path& folder) {
  const UniqueFd fd(::open(archive.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == EACCES) {
    return fail("cannot open {}: {}; it must be readable by user {}, who is installing it",
                archive.string(), errno_text(EACCES), ::geteuid());
  }
  if (!fd) return fail("cannot open {}: {}", archive.string(), errno_text(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail("cannot read {}: not a regular file", archive.string());
  }
  const Reader reader = make_reader();
  auto done = run(reader, archive_read_open_fd(reader.get(), fd.get(), kBlock), folder);
  if (!done) return fail("{}: {}", archive.string(), done.error().message);
  return {};
}

Result<> unpack_bytes(std::string_view archive, const fs::path& folder) {
  const Reader reader = make_reader();
  return run(reader, archive_read_open_memory(reader.get(), archive.data(), archive.size()),
             folder);
}

}  // namespace triggerd::package
