#include "package/entry_name.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace triggerd::package {
namespace {

constexpr std::size_t kMaxLength = 200;
constexpr std::size_t kMaxParts = 16;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '+' || c == '@';
}

}  // namespace

Result<> check_entry_name(std::string_view name) {
  const auto refused = [name](std::string_view why) {
    return fail("\"{}\" cannot be the name of a file in a package: {}", printable(name), why);
  };
  if (name.empty()) return refused("it is empty");
  if (name.size() > kMaxLength)
    return refused(fmt::format("it is longer than {} bytes", kMaxLength));
  if (name.starts_with('/')) return refused("it is absolute");
  std::size_t parts = 0;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty()) return refused("it has an empty component");
    if (part == "." || part == "..") return refused("it has a component \".\" or \"..\"");
    if (!std::all_of(part.begin(), part.end(), is_plain)) {
      return refused("use only letters, digits, \"_\", \".\", \"-\", \"+\" and \"@\"");
    }
    if (part[0] == '.' || part[0] == '-') {
      return refused("a component of it begins with \".\" or \"-\"");
    }
    if (++parts > kMaxParts)
      return refused(fmt::format("it has more than {} components", kMaxParts));
    begin = end + 1;
  }
  for (const char* reserved : {kManifestFile, kLocalFile}) {
    if (lower_case(name) == lower_case(reserved)) {
      return refused("that name is reserved for the runtime");
    }
  }
  return {};
}

Result<> EntryNames::add(std::string_view name) {
  for (std::size_t slash = 0;;) {
    slash = name.find('/', slash);
    const bool file = slash == std::string_view::npos;
    const std::string part(name.substr(0, slash));
    const auto [first, inserted] = seen_.emplace(lower_case(part), Seen{part, file});
    if (!inserted && (file || first->second.file || first->second.name != part)) {
      if (first->second.name == part && file && first->second.file) {
        return fail("\"{}\" appears twice", part);
      }
      return fail(
          "\"{}\" and \"{}\" would collide on a case-insensitive file system, or are a file and a "
          "folder with the same name",
          first->second.name, part);
    }
    if (file) return {};
    ++slash;
  }
}

}  // namespace triggerd::package
