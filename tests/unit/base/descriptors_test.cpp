#include "base/descriptors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace triggerd {
namespace {

std::size_t table_size() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t size = 0;
    if (word == "FDSize:" && status >> size) return size;
  }
  return 0;
}

long open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

// Each in a process of its own, whose table is as the system has made it.
void in_a_child(void (*what)()) {
  EXPECT_EXIT(
      {
        what();
        std::exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Descriptors, TheTableHasRoomAndNothingIsLeftOpen) {
  in_a_child([] {
    const long before = open_descriptors();
    ASSERT_LT(table_size(), 3'000U);
    make_room_for_descriptors(3'000);
    EXPECT_GE(table_size(), 3'000U);
    EXPECT_EQ(open_descriptors(), before);
  });
}

TEST(Descriptors, NoMoreThanTheLimitOfTheProcess) {
  in_a_child([] {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 1'000;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    make_room_for_descriptors(30'000);
    EXPECT_GE(table_size(), 1'000U);
    EXPECT_LT(table_size(), 30'000U);
    make_room_for_descriptors(0);
  });
}

}  // namespace
}  // namespace triggerd
