#include "control/services/test_runs.hpp"

#include <gtest/gtest.h>

#include "unit/control/services/services_fixture.hpp"

namespace triggerd::control::test {
namespace {

using Kind = management::AdminError::Kind;
using triggerd::test::kPatience;

constexpr const char* kTried = R"(
[admin]
manage = true
[aliases.a]
host = "tcp://one:1883"
[aliases.five]
host = "tcp://one:1883"
protocol = "5"
[aliases.off]
host = "tcp://two:1883"
enabled = false
[[triggers]]
name = "t"
alias = "a"
topics = ["x"]
service = "nothing"
)";

constexpr const char* kOnTls = R"(
[truststores.own]
file = "nowhere.pem"
[aliases.carried]
host = "ssl://one:8883"
truststore = "own"
)";

class TestRunsTest : public ManagedRuntime {
 protected:
  management::Outcome<> publish(const management::PublishMessage& message,
                                Millis timeout = kPatience) {
    return test_runs().publish(message, timeout);
  }
  auto try_definition(const std::string& toml) {
    return test_runs().test_alias("new", {management::DefinitionText::Format::toml, toml},
                                  kPatience);
  }
};

// ---- An alias ----

TEST_F(TestRunsTest, AnAliasIsTriedWithAConnectionOfItsOwn) {
  start(kTried);
  turn_loops();
  const std::size_t made = made_.size();
  const auto tried = test_runs().test_alias("a", kPatience);
  ASSERT_TRUE(tried);
  EXPECT_TRUE(tried->ok) << tried->reason;
  EXPECT_EQ(tried->server, "tcp://one:1883");
  ASSERT_EQ(made_.size(), made + 1);
  EXPECT_TRUE(made_.back().clean_session);
  EXPECT_TRUE(made_.back().client_id.starts_with("triggerd-test-"));
}

TEST_F(TestRunsTest, OneThatIsDisabledCanBeTried) {
  start(kTried);
  turn_loops();
  const auto tried = test_runs().test_alias("off", kPatience);
  ASSERT_TRUE(tried);
  EXPECT_TRUE(tried->ok) << tried->reason;
  EXPECT_EQ(tried->server, "tcp://two:1883");
}

TEST_F(TestRunsTest, AServerThatRefusesIsSaidToHaveRefused) {
  start(kTried);
  turn_loops();
  server_.takes_connections = false;
  const auto tried = test_runs().test_alias("a", kPatience);
  ASSERT_TRUE(tried);
  EXPECT_FALSE(tried->ok);
  EXPECT_FALSE(tried->reason.empty());
  EXPECT_EQ(tried->server, "");
}

TEST_F(TestRunsTest, AServerThatSaysNothingIsGivenUp) {
  start(kTried);
  turn_loops();
  server_.is_silent = true;
  const auto tried = test_runs().test_alias("a", Millis(1));
  ASSERT_TRUE(tried);
  EXPECT_FALSE(tried->ok);
  EXPECT_EQ(tried->reason, "no answer within 1 ms");
}

TEST_F(TestRunsTest, AnAliasThatIsNotThereIsNotFound) {
  start(kTried);
  const auto tried = test_runs().test_alias("nobody", kPatience);
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().kind, Kind::not_found);
}

TEST_F(TestRunsTest, OneOfADisabledPackageHasNoCertificatesToTryItWith) {
  add_package("p", kOnTls, false);
  start(kTried);
  const auto tried = test_runs().test_alias("carried", kPatience);
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().kind, Kind::conflict);
  EXPECT_EQ(tried.error().message,
            "package \"p\" is disabled, so its certificates are not loaded; enable it");
}

TEST_F(TestRunsTest, OneOfAPackageWhoseCertificatesAreBrokenSaysWhatIsWrongWithThem) {
  start(kTried);
  add_package("p", kOnTls);
  auto loaded = load({});
  ASSERT_TRUE(loaded);
  run(shared(*std::move(loaded)));
  const auto tried = test_runs().test_alias("carried", kPatience);
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().kind, Kind::invalid);
  ASSERT_FALSE(tried.error().problems.empty());
  EXPECT_NE(tried.error().problems[0].message.find("nowhere.pem"), std::string::npos)
      << tried.error().problems[0].message;
}

TEST_F(TestRunsTest, ADefinitionIsTriedAndNotKept) {
  start(kTried);
  turn_loops();
  const auto tried = try_definition("host = \"tcp://two:1883\"\n");
  ASSERT_TRUE(tried) << tried.error().message;
  EXPECT_TRUE(tried->ok) << tried->reason;
  EXPECT_EQ(tried->server, "tcp://two:1883");
  EXPECT_EQ(registry_.config()->find_alias("new"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(managed_file()));
}

TEST_F(TestRunsTest, ADefinitionThatIsWrongIsNotTried) {
  start(kTried);
  const std::size_t made = made_.size();
  const auto no_toml = try_definition("host = \n");
  ASSERT_FALSE(no_toml);
  EXPECT_EQ(no_toml.error().kind, Kind::invalid);
  const auto no_host = try_definition("host = \"nonsense\"\n");
  ASSERT_FALSE(no_host);
  EXPECT_EQ(no_host.error().kind, Kind::invalid);
  EXPECT_EQ(no_host.error().message, "alias \"new\" is not valid");
  EXPECT_EQ(no_host.error().problems.at(0).key, "host");
  dir_.write("state/managed.toml", "[aliases.m\n");
  const auto unreadable = try_definition("host = \"tcp://two:1883\"\n");
  ASSERT_FALSE(unreadable);
  EXPECT_EQ(unreadable.error().kind, Kind::failed);
  EXPECT_EQ(made_.size(), made);
}

TEST_F(TestRunsTest, WithoutManageNoDefinitionIsTried) {
  start("[aliases.a]\nhost = \"tcp://one:1883\"\n");
  const auto tried = try_definition("host = \"tcp://two:1883\"\n");
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().kind, Kind::refused);
}

TEST_F(TestRunsTest, NothingIsTriedOnceTheRuntimeStops) {
  start(kTried);
  control_.begin_stop();
  EXPECT_EQ(test_runs().test_alias("a", kPatience).error().kind, Kind::unavailable);
  EXPECT_EQ(try_definition("host = \"tcp://two:1883\"\n").error().kind, Kind::unavailable);
  EXPECT_EQ(test_runs().test_trigger("t", {.topic = "x", .payload = ""}, kPatience).error().kind,
            Kind::unavailable);
}

// ---- A trigger ----

TEST_F(TestRunsTest, ATriggerThatIsNotThereIsNotFound) {
  start(kTried);
  const auto tried = test_runs().test_trigger("nobody", {.topic = "x", .payload = ""}, kPatience);
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().kind, Kind::not_found);
  EXPECT_EQ(tried.error().message, "there is no trigger \"nobody\"; defined: t");
}

TEST_F(TestRunsTest, OneWhosePluginDoesNotLoadCannotBeTried) {
  start(kTried);
  const auto tried =
      ask([this] { return test_runs().test_trigger("t", {.topic = "x"}, kPatience); });
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().kind, Kind::failed);
  EXPECT_NE(tried.error().message.find("no plugin \"nothing\""), std::string::npos);
}

// ---- A message ----

TEST_F(TestRunsTest, AMessageIsPublishedOnceTheServerHasIt) {
  start(kTried);
  ASSERT_TRUE(publish({.alias = "a", .topic = "x", .payload = "hello"}));
  EXPECT_EQ(server_.taken, 1);
  EXPECT_TRUE(publish(
      {.alias = "five", .topic = "x", .payload = "hello", .user_properties = {{"unit", "C"}}}));
}

TEST_F(TestRunsTest, AMessageThatTheServerDoesNotTakeHasFailed) {
  start(kTried);
  server_.publish_failure = "not authorised";
  const auto published = publish({.alias = "a", .topic = "x", .payload = "hello"});
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().kind, Kind::failed);
  EXPECT_NE(published.error().message.find("not authorised"), std::string::npos);
}

TEST_F(TestRunsTest, OneThatIsNotConfirmedInTimeMayBeThereAllTheSame) {
  start(kTried);
  server_.is_silent = true;
  const auto published = publish({.alias = "a", .topic = "x", .payload = "hello"}, Millis(1));
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().kind, Kind::unavailable);
  EXPECT_EQ(published.error().message,
            "the server of alias \"a\" did not confirm the message in time; it may have received "
            "it all the same");
}

TEST_F(TestRunsTest, WhatCannotBePublishedIsRefusedWithTheReason) {
  start(kTried);
  const auto refusal = [this](const management::PublishMessage& message) {
    const auto published = publish(message);
    return published ? management::AdminError{} : published.error();
  };
  const auto missing = refusal({.alias = "nobody", .topic = "x", .payload = ""});
  EXPECT_EQ(missing.kind, Kind::not_found);
  EXPECT_EQ(missing.message, "there is no alias \"nobody\"; defined: a, five, off");
  const auto disabled = refusal({.alias = "off", .topic = "x", .payload = ""});
  EXPECT_EQ(disabled.kind, Kind::conflict);
  EXPECT_EQ(disabled.message, "alias \"off\" is disabled");
  const auto older =
      refusal({.alias = "a", .topic = "x", .payload = "", .user_properties = {{"unit", "C"}}});
  EXPECT_EQ(older.kind, Kind::invalid);
  EXPECT_EQ(older.message, "alias \"a\" uses MQTT 3.1.1, which has no properties");
  const auto filter = refusal({.alias = "a", .topic = "x/#", .payload = ""});
  EXPECT_EQ(filter.kind, Kind::invalid);
  EXPECT_EQ(filter.message,
            "cannot publish to \"x/#\" with QoS 1: the topic must have no wildcards, and QoS must "
            "be 0, 1 or 2");
  EXPECT_EQ(server_.taken, 0);
}

TEST_F(TestRunsTest, AnAliasThatIsNotConnectedPublishesNothing) {
  server_.takes_connections = false;
  start(kTried);
  const auto published = publish({.alias = "a", .topic = "x", .payload = ""});
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().kind, Kind::unavailable);
  EXPECT_EQ(published.error().message, "alias \"a\" is not connected");
}

}  // namespace
}  // namespace triggerd::control::test
