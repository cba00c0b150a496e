# Makes a C++ source of files, at build time:
#   cmake -DOUT=FILE.cpp -DROOT=DIR -DFILES=A|B -DOPENAPI=FILE -P embed.cmake
# The names of FILES are relative to ROOT.
string(REPLACE "|" ";" files "${FILES}")

set(arrays "")
set(entries "")
set(number 0)

function(embed name file)
  file(READ ${file} hex HEX)
  file(SHA256 ${file} digest)
  string(SUBSTRING ${digest} 0 32 tag)
  string(LENGTH "${hex}" length)
  math(EXPR size "${length} / 2")
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  set(arrays "${arrays}constexpr unsigned char kBytes${number}[] = {${bytes}0};\n" PARENT_SCOPE)
  set(entry "{\"${name}\", \"\\\"${tag}\\\"\", {reinterpret_cast<const char*>(kBytes${number}), ${size}}}" PARENT_SCOPE)
  math(EXPR next "${number} + 1")
  set(number ${next} PARENT_SCOPE)
endfunction()

embed(openapi.yaml ${OPENAPI})
set(openapi ${entry})
foreach(name ${files})
  embed(${name} ${ROOT}/${name})
  string(APPEND entries "      ${entry},\n")
endforeach()

file(WRITE ${OUT} "#include <vector>

#include \"admin/embedded.hpp\"

namespace triggerd::admin {
namespace {

${arrays}
}  // namespace

std::span<const EmbeddedFile> console_files() {
  static const std::vector<EmbeddedFile> files = {
${entries}  };
  return files;
}

const EmbeddedFile& openapi_file() {
  static const EmbeddedFile file = ${openapi};
  return file;
}

}  // namespace triggerd::admin
")
