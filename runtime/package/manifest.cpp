#include "package/manifest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "base/text.hpp"
#include "package/entry_name.hpp"

namespace triggerd::package {
namespace {

constexpr std::string_view kFirstLine = "triggerd package 1";
constexpr std::size_t kDigits = 64;

Result<ManifestEntry> parse_line(std::string_view line) {
  const auto malformed = [line] {
    return fail("{} has the line \"{}\", which is not a digest, a size and a name", kManifestFile,
                printable(line));
  };
  ManifestEntry entry;
  if (line.size() < kDigits + 1 || line[kDigits] != ' ') return malformed();
  entry.sha256 = line.substr(0, kDigits);
  if (entry.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) return malformed();
  line.remove_prefix(kDigits + 1);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return malformed();
  const char* const end = line.data() + space;
  const auto [stopped, error] = std::from_chars(line.data(), end, entry.size);
  if (error != std::errc() || stopped != end) return malformed();
  entry.name = line.substr(space + 1);
  return entry;
}

}  // namespace

std::string manifest_text(const std::vector<ManifestEntry>& entries) {
  std::string text(kFirstLine);
  text += '\n';
  for (const ManifestEntry& entry : entries) {
    text += fmt::format("{} {} {}\n", entry.sha256, entry.size, entry.name);
  }
  return text;
}

Result<std::vector<ManifestEntry>> parse_manifest(std::string_view text) {
  std::vector<ManifestEntry> entries;
  EntryNames names;
  std::uint64_t total = 0;
  for (bool first = true; !text.empty(); first = false) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos)
      return fail("{} ends in the middle of a line", kManifestFile);
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (first) {
      if (line == kFirstLine) continue;
      return fail("{} begins with \"{}\" instead of \"{}\"", kManifestFile, printable(line),
                  kFirstLine);
    }
    auto entry = parse_line(line);
    if (!entry) return tl::make_unexpected(entry.error());
    if (auto good = check_entry_name(entry->name); !good) return tl::make_unexpected(good.error());
    if (auto good = names.add(entry->name); !good) return tl::make_unexpected(good.error());
    if (!entries.empty() && entries.back().name > entry->name) {
      return fail("{} is not sorted by name", kManifestFile);
    }
    if (entry->size > kMaxEntrySize) {
      return fail("\"{}\" has {} bytes; a file in a package may have at most {}", entry->name,
                  entry->size, kMaxEntrySize);
    }
    total += entry->size;
    if (total > kMaxTotalSize)
      return fail("the files have more than {} bytes in total", kMaxTotalSize);
    if (entries.size() == kMaxEntries) return fail("there are more than {} files", kMaxEntries);
    entries.push_back(*std::move(entry));
  }
  if (entries.empty()) return fail("{} lists no files", kManifestFile);
  return entries;
}

Digest::Digest() : context_(EVP_MD_CTX_new()) {
  good_ = context_ != nullptr && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1;
}

Digest::~Digest() {
  EVP_MD_CTX_free(context_);
}

void Digest::add(std::string_view bytes) {
  good_ = good_ && EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1;
}

std::string Digest::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (!good_ || EVP_DigestFinal_ex(context_, digest.data(), &size) != 1) return {};
  std::string text;
  for (const unsigned char byte : std::span(digest).first(size)) {
    text += fmt::format("{:02x}", byte);
  }
  return text;
}

}  // namespace triggerd::package
