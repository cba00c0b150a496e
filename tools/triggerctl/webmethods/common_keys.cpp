#include "webmethods/common_keys.hpp"

#include "base/text.hpp"

namespace triggerd::webmethods {

void note_name(Draft& draft, const Entry& entry, const Read<std::string>& name,
               const std::string& given) {
  if (given == name.value || !name.given) return;
  draft.differs(entry,
                "it is called \"{}\" here: names must be unique, and consist of letters, digits, "
                "\"_\", \".\" and \"-\"",
                given);
}

void note_package(Draft& draft, const Entry& entry, const Options& options,
                  const std::string& package) {
  if (!options.flat || !is_of_package(package)) return;
  draft.differs(entry,
                "it belongs to package \"{}\", which switches it on and off there; with -o it "
                "becomes a package here, see docs/guides/packages.md",
                printable(package));
}

}  // namespace triggerd::webmethods
