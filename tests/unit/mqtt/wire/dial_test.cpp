#include "mqtt/wire/dial.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace triggerd::mqtt::wire {
namespace {

std::shared_ptr<const Dial> dial_to(const char* host) {
  return std::make_shared<const Dial>(Dial{.host = host});
}

TEST(WireDial, ANameIsOfOneDialForAsLongAsItLives) {
  std::string name;
  {
    const auto dial = dial_to("one");
    const DialName first(dial);
    const DialName second(dial_to("two"));
    name = first.text();
    EXPECT_NE(name, second.text());
    EXPECT_EQ(find_dial(name), dial);
    EXPECT_EQ(find_dial(second.text())->host, "two");
  }
  EXPECT_EQ(find_dial(name), nullptr);
  EXPECT_NE(DialName(dial_to("one")).text(), name) << "none is given twice";
}

TEST(WireDial, ANameMovesWithWhatItNames) {
  DialName name(dial_to("one"));
  const std::string text = name.text();
  DialName moved(std::move(name));
  EXPECT_EQ(find_dial(text)->host, "one");
  DialName other(dial_to("two"));
  const std::string gone = other.text();
  other = std::move(moved);
  moved = DialName();
  EXPECT_EQ(find_dial(gone), nullptr);
  EXPECT_EQ(find_dial(text)->host, "one");
  EXPECT_EQ(other.text(), text);
}

TEST(WireDial, ItsHostIsWhatACertificateHasToName) {
  const DialName name(dial_to("broker.example"));
  EXPECT_EQ(dialled_host(name.text()), "broker.example");
  EXPECT_EQ(dialled_host("elsewhere.example"), "elsewhere.example");
  EXPECT_EQ(find_dial(""), nullptr);
}

// Nobody may own such a name: it would be looked up.
TEST(WireDial, ANameIsNobodysHost) {
  const DialName name(dial_to("one"));
  EXPECT_TRUE(name.text().ends_with(".invalid"));
  EXPECT_NE(name.text().find('_'), std::string::npos);
}

}  // namespace
}  // namespace triggerd::mqtt::wire
