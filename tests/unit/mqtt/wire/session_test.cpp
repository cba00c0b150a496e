// What the fuzzers begin with, and what they found once: see tests/fuzz/README.md.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.hpp"
#include "unit/mqtt/packet/any_properties.hpp"
#include "unit/mqtt/wire/any_session.hpp"

namespace triggerd::mqtt {
namespace {

template <class Body>
std::size_t for_each_file(const char* folder, Body body) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto bytes = read_file(entry.path(), 1 << 20);
    EXPECT_TRUE(bytes);
    if (bytes) body(*bytes);
    ++files;
  }
  return files;
}

TEST(Properties, TheCorpusOfTheFuzzerBreaksNothing) {
  EXPECT_GE(for_each_file(PROPERTIES_CORPUS, look_at_any_properties), 20U);
}

TEST(WireSession, TheCorpusOfTheFuzzerBreaksNothing) {
  std::size_t files = 0;
  std::thread([&] { files = for_each_file(SESSION_CORPUS, wire::test::run_any_session); }).join();
  EXPECT_GE(files, 20U);
}

}  // namespace
}  // namespace triggerd::mqtt
