#include "config/secret.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <concepts>
#include <ostream>

namespace triggerd::config {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(!fmt::is_formattable<Secret>::value);
static_assert(!Streamable<Secret>);
static_assert(!std::equality_comparable<Secret>);
static_assert(!std::convertible_to<Secret, std::string>);
static_assert(!std::convertible_to<std::string, Secret>);

TEST(SecretTest, IsSeenOnlyByWhoAsks) {
  EXPECT_TRUE(Secret().empty());
  const Secret secret("hunter2");
  EXPECT_FALSE(secret.empty());
  EXPECT_EQ(secret.reveal(), "hunter2");
}

}  // namespace
}  // namespace triggerd::config
