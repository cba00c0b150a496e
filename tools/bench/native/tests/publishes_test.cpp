#include "broker/publishes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <random>

#include "common/mqtt.hpp"

namespace bench {
namespace {

// The first `size` bytes of them.
std::string front_of(const Parts& parts, std::size_t size) {
  std::string front;
  for (std::size_t i = 0; i < parts.count && front.size() < size; ++i) {
    const std::size_t some = std::min(parts.parts[i].iov_len, size - front.size());
    front.append(static_cast<const char*>(parts.parts[i].iov_base), some);
  }
  EXPECT_EQ(front.size(), size);
  return front;
}

// Sends messages up to `until` through a socket that takes what it likes.
std::string sent(const Publishes& publishes, std::uint64_t until, std::size_t most_at_once) {
  std::mt19937 random(3);
  std::string stream;
  Position at;
  while (at.message < until) {
    Parts parts;
    if (at.offset > 0) {
      publishes.gather(at, at.message + 1, parts);
    } else {
      publishes.gather(at, until, parts);
    }
    const std::size_t taken = std::min<std::size_t>(parts.bytes, 1 + random() % most_at_once);
    stream += front_of(parts, taken);
    at = publishes.after(at, taken);
  }
  EXPECT_EQ(at.message, until);
  EXPECT_EQ(at.offset, 0U);
  return stream;
}

std::string wanted(const Options& options, const Publishes& publishes, std::uint64_t until) {
  std::string stream;
  for (std::uint64_t i = 0; i < until; ++i) {
    const std::size_t slot = publishes.slot(i);
    mqtt::append_publish_head(stream, options.qos,
                              "bench/" + std::to_string(slot % options.filters),
                              static_cast<std::uint16_t>(slot + 1), options.payload);
    stream.append(options.payload, 'x');
  }
  return stream;
}

struct Case {
  int qos;
  std::size_t payload;
  std::size_t filters;
  std::size_t window;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << "QoS " << c.qos << ", " << c.payload << " bytes, " << c.filters << " topics, window "
       << c.window;
}
class PublishesOf : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Broker, PublishesOf,
                         testing::Values(Case{0, 0, 1, 1}, Case{0, 64, 12, 1}, Case{1, 64, 1, 20},
                                         Case{1, 64, 1200, 100}, Case{2, 1024, 3, 1000},
                                         Case{0, 65536, 1, 1}, Case{1, 65536, 12, 20}));

TEST_P(PublishesOf, AreTheSameStreamHoweverTheSocketCutsIt) {
  Options options;
  options.qos = GetParam().qos;
  options.payload = GetParam().payload;
  options.filters = GetParam().filters;
  options.window = GetParam().window;
  const Publishes publishes(options);
  EXPECT_TRUE(options.qos == 0 || publishes.size() >= options.window);
  EXPECT_LE(publishes.size(), 65'535U);
  // Beyond the end of a round, so that it begins again.
  const std::uint64_t until = publishes.size() + publishes.size() / 3 + 5;
  const std::string expected = wanted(options, publishes, until);
  for (const std::size_t most :
       {options.payload / 3 + 20, options.payload * 5 + 60, std::size_t{1} << 20}) {
    ASSERT_TRUE(sent(publishes, until, most) == expected) << "at most " << most << " at once";
  }
}

TEST(Publishes, NeverOffersMoreThanARoundOrWhatIsAsked) {
  Options options;
  options.payload = 64;
  const Publishes publishes(options);
  Parts round;
  publishes.gather({}, publishes.size() * 5, round);
  const std::size_t one = round.bytes / publishes.size();
  EXPECT_EQ(round.bytes, publishes.size() * one);
  Parts three;
  publishes.gather({.message = publishes.size() - 1, .offset = 10}, publishes.size() + 2, three);
  EXPECT_EQ(three.bytes, 3 * one - 10);
}

}  // namespace
}  // namespace bench
