#include "package/pack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <vector>

#include "package/durable.hpp"
#include "package/entry_name.hpp"
#include "package/manifest.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;

struct CloseWriter {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct CloseEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Writer = std::unique_ptr<archive, CloseWriter>;

// Hands all of a file to `take`, block by block; returns how many bytes it had.
Result<std::uint64_t> read_blocks(const fs::path& path,
                                  const std::function<Result<>(std::string_view)>& take) {
  // Links are refused, and a FIFO must not wait for a writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!fd) return fail("cannot open {}: {}", path.string(), errno_text(errno));
  std::vector<char> block(std::size_t{128} << 10);
  std::uint64_t total = 0;
  for (;;) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("cannot read {}: {}", path.string(), errno_text(errno));
    if (got == 0) return total;
    const auto size = static_cast<std::size_t>(got);
    if (auto taken = take(std::string_view(block.data(), size)); !taken) {
      return tl::make_unexpected(taken.error());
    }
    total += size;
  }
}

// The names of all files, sorted as bytes.
Result<std::vector<std::string>> find_files(const fs::path& folder) {
  std::vector<std::string> names;
  EntryNames unique;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().lexically_relative(folder).generic_string();
    std::error_code ignored;
    const fs::file_status status = entry->symlink_status(ignored);
    if (entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
      continue;
    }
    if (name == kLocalFile || fs::is_directory(status)) continue;
    if (!fs::is_regular_file(status)) {
      return fail(
          "{} is neither a regular file nor a folder; a package must not contain anything else, "
          "links included",
          entry->path().string());
    }
    if (auto good = check_entry_name(name); !good) return tl::make_unexpected(good.error());
    if (auto good = unique.add(name); !good) return tl::make_unexpected(good.error());
    names.push_back(name);
    if (names.size() > kMaxEntries) return fail("there are more than {} files", kMaxEntries);
  }
  if (error) return fail("cannot list {}: {}", folder.string(), error.message());
  std::sort(names.begin(), names.end());
  return names;
}

Result<ManifestEntry> digest_of(const fs::path& folder, const std::string& name) {
  Digest digest;
  auto size = read_blocks(folder / name, [&digest](std::string_view bytes) {
    digest.add(bytes);
    return Result<>();
  });
  if (!size) return tl::make_unexpected(size.error());
  std::string hex = digest.hex();
  if (hex.empty()) return fail("this machine's OpenSSL does not offer SHA-256");
  return ManifestEntry{std::move(hex), *size, name};
}

Result<> library_error(archive* writer) {
  const char* text = archive_error_string(writer);
  return fail("cannot write the archive: {}", text != nullptr ? text : "unknown error");
}

Result<> begin_entry(archive* writer, const std::string& name, std::uint64_t size, mode_t mode) {
  const std::unique_ptr<archive_entry, CloseEntry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), mode);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
  archive_entry_set_mtime(entry.get(), 0, 0);
  return archive_write_header(writer, entry.get()) == ARCHIVE_OK ? Result<>()
                                                                 : library_error(writer);
}

Result<> add_bytes(archive* writer, std::string_view bytes) {
  while (!bytes.empty()) {
    const la_ssize_t put = archive_write_data(writer, bytes.data(), bytes.size());
    if (put <= 0) return library_error(writer);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<> add_file(archive* writer, const fs::path& folder, const ManifestEntry& file, mode_t mode) {
  Digest digest;
  if (auto done = begin_entry(writer, file.name, file.size, mode); !done) return done;
  auto size = read_blocks(folder / file.name, [&](std::string_view bytes) {
    digest.add(bytes);
    return add_bytes(writer, bytes);
  });
  if (!size) return tl::make_unexpected(size.error());
  if (*size != file.size || digest.hex() != file.sha256) {
    return fail("{} changed while it was being packed; try again", (folder / file.name).string());
  }
  return {};
}

// ustar: it can record names and times in only one way, so equal files give equal bytes.
Result<Writer> make_writer(const fs::path& archive, int fd) {
  Writer writer(archive_write_new());
  const std::string name = archive.filename().string();
  int status = archive_write_set_format_ustar(writer.get());
  if (name.ends_with(".tar.zst")) {
    status = std::min(status, archive_write_add_filter_zstd(writer.get()));
  } else if (name.ends_with(".tar.gz")) {
    status = std::min(status, archive_write_add_filter_gzip(writer.get()));
    status = std::min(status,
                      archive_write_set_filter_option(writer.get(), "gzip", "timestamp", nullptr));
  } else {
    return fail("{} is not the name of an archive; end it with .tar.zst or .tar.gz",
                archive.string());
  }
  if (status != ARCHIVE_OK || archive_write_open_fd(writer.get(), fd) != ARCHIVE_OK) {
    return tl::make_unexpected(library_error(writer.get()).error());
  }
  return writer;
}

// A temporary file beside `target`: keep() renames it to `target`, otherwise it is removed.
class NewFile {
 public:
  explicit NewFile(fs::path target)
      : target_(std::move(target)),
        path_((target_.parent_path() / ("." + target_.filename().string() + ".XXXXXX")).string()),
        fd_(::mkostemp(path_.data(), O_CLOEXEC)) {}
  ~NewFile() {
    if (fd_ && !kept_) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  int fd() const { return fd_.get(); }
  Result<> keep(mode_t mode) {
    if (::fchmod(fd(), mode) != 0 || ::fsync(fd()) != 0 ||
        ::rename(path_.c_str(), target_.c_str()) != 0) {
      return fail("cannot write {}: {}", target_.string(), errno_text(errno));
    }
    kept_ = true;
    return {};
  }

 private:
  const fs::path target_;
  std::string path_;
  UniqueFd fd_;
  bool kept_ = false;
};

}  // namespace

Result<Packed> pack(const fs::path& folder, const fs::path& archive) {
  auto names = find_files(folder);
  if (!names) return tl::make_unexpected(names.error());
  std::vector<ManifestEntry> files;
  Packed packed;
  for (const std::string& name : *names) {
    auto file = digest_of(folder, name);
    if (!file) return tl::make_unexpected(file.error());
    packed.bytes += file->size;
    files.push_back(*std::move(file));
  }
  packed.files = files.size();
  packed.secrets = find_secrets(folder, *names);
  const auto mode_of = [&packed](const std::string& name) {
    const bool secret = std::any_of(packed.secrets.begin(), packed.secrets.end(),
                                    [&name](const SecretFile& each) { return each.name == name; });
    return secret ? kOwnerAlone : kEverybody;
  };
  const std::string manifest = manifest_text(files);
  // What could not be unpacked must not be packed either; this checks the sizes, too.
  if (auto good = parse_manifest(manifest); !good) return tl::make_unexpected(good.error());
  NewFile file(archive);
  if (file.fd() < 0) return fail("cannot write {}: {}", archive.string(), errno_text(errno));
  auto writer = make_writer(archive, file.fd());
  if (!writer) return tl::make_unexpected(writer.error());
  Result<> done = begin_entry(writer->get(), kManifestFile, manifest.size(), kEverybody);
  if (done) done = add_bytes(writer->get(), manifest);
  for (const ManifestEntry& entry : files) {
    if (done) done = add_file(writer->get(), folder, entry, mode_of(entry.name));
  }
  if (done && archive_write_close(writer->get()) != ARCHIVE_OK) done = library_error(writer->get());
  if (done) done = file.keep(packed.secrets.empty() ? kEverybody : kOwnerAlone);
  if (!done) return tl::make_unexpected(done.error());
  return packed;
}

}  // namespace triggerd::package
