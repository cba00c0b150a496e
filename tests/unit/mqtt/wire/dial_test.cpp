#include "mqtt/wire/dial.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <string>
#include <thread>
#include <utility>

// NOLINTBEGIN(bugprone-reserved-identifier): the linker chose the prefix.
extern "C" int __wrap_getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                                  addrinfo** found);
// NOLINTEND(bugprone-reserved-identifier)

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

// As the library looks a name up: its address, or the code of the error.
std::string looked_up(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = __wrap_getaddrinfo(name.c_str(), "1883", &hints, &found); error != 0) {
    return ::gai_strerror(error);
  }
  char text[INET_ADDRSTRLEN] = "";
  const auto* const address = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
  ::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
  ::freeaddrinfo(found);
  return text;
}

TEST(WireDial, ANameIsLookedUpAsTheAddressOfItsDialAndNotAtAllOnceItWasGivenUp) {
  // The next connect of this thread would be the one that was dialled.
  std::thread([] {
    DialName name(std::make_shared<const Dial>(Dial{.host = "one", .address = "127.0.0.9"}));
    const std::string text = name.text();
    EXPECT_EQ(looked_up(text), "127.0.0.9");
    name = DialName();
    EXPECT_TRUE(is_dial_name(text));
    EXPECT_EQ(looked_up(text), ::gai_strerror(EAI_NONAME));
    EXPECT_FALSE(is_dial_name("one.example"));
    EXPECT_EQ(looked_up("127.0.0.8"), "127.0.0.8");
  }).join();
}

}  // namespace
}  // namespace triggerd::mqtt::wire
