// A password that is in a file, which may change.
#include "support/temp_dir.hpp"
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

using State = ConnectionStatus::State;
using test::Asked;
using test::ConnectionTest;

class PasswordFileTest : public ConnectionTest {
 protected:
  PasswordFileTest() {
    options_.user_name = "edge";
    options_.password = config::Secret("one");
    options_.password_file = dir_.write("password", "one\n");
    options_.servers.resize(1);
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
    options_.reconnect.min = options_.reconnect.max = Millis(60'000);
  }
  const std::string& sent() const { return request().password.reveal(); }
  // As an editor, a renaming, or Kubernetes with its links does it.
  void replace(const std::string& content) {
    std::filesystem::rename(dir_.write("password.new", content), options_.password_file);
  }
  triggerd::test::TempDir dir_;
};

TEST_F(PasswordFileTest, EachConnectReadsItAnew) {
  open();
  EXPECT_EQ(sent(), "one");
  connected();
  subscribed({1, 2});
  replace("two\n");
  lost();
  advance(Millis(60'000));
  EXPECT_EQ(sent(), "two");
}

TEST_F(PasswordFileTest, ARefusedOneIsReplacedAsSoonAsItsFileIs) {
  options_.reconnect.min = Millis(1'000);
  open();
  for (int i = 0; i < 10; ++i) {
    connect_failed(5);
    advance(options_.reconnect.max);
  }
  connect_failed(5);
  advance(Millis(10'000));
  const std::size_t before = asked_.connects.size();
  replace("two");
  advance(Millis(2'000));
  advance(Millis(1'000));
  ASSERT_EQ(asked_.connects.size(), before + 1) << "it had 50 s to wait";
  EXPECT_EQ(sent(), "two");
  EXPECT_EQ(log_.lines("password.changed").size(), 1U);
}

TEST_F(PasswordFileTest, OneThatWasReplacedBeforeTheRefusalCameIsUsedNext) {
  options_.reconnect.min = Millis(1'000);
  options_.reconnect.max = Millis(7 * 24 * 3'600'000LL);
  open();
  for (int i = 0; i < 10; ++i) {
    connect_failed(5);
    advance(options_.reconnect.max);
  }
  replace("two");
  connect_failed(5);
  advance(Millis(1'000));
  EXPECT_EQ(sent(), "two");
}

TEST_F(PasswordFileTest, AChangeIsNewsOnceThoughThereIsNothingToConnectTo) {
  resolver_.addresses.clear();
  open();
  advance(Millis(10'000));
  EXPECT_TRUE(log_.lines("password.changed").empty());
  replace("two");
  for (int i = 0; i < 100; ++i) advance(Millis(2'000));
  EXPECT_EQ(log_.lines("password.changed").size(), 1U);
  EXPECT_LE(log_.lines("connection.failed").size(), 5U);
}

TEST_F(PasswordFileTest, OneThatIsGoneOrEmptyForAMomentChangesNothing) {
  open();
  for (const bool empty : {true, false}) {
    if (empty) replace("");
    if (!empty) std::filesystem::remove(options_.password_file);
    connect_failed(5);
    advance(Millis(60'000));
    EXPECT_EQ(sent(), "one");
  }
  EXPECT_EQ(log_.lines("password.unreadable").size(), 2U);
  connect_failed(5);
  advance(Millis(60'000));
  EXPECT_EQ(log_.lines("password.unreadable").size(), 2U) << "the same is news once";
  EXPECT_EQ(log_.last("password.unreadable").find("one"), std::string::npos);
}

}  // namespace
}  // namespace triggerd::mqtt
