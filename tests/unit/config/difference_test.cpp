#include "config/difference.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "config/load.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::config {
namespace {

constexpr const char* kBase = R"(
[aliases.a]
host = "tcp://localhost:1883"
[aliases.b]
host = "tcp://localhost:1884"
[[triggers]]
name = "one"
alias = "a"
topics = ["x"]
service = "log"
[[triggers]]
name = "two"
alias = "b"
topics = ["y"]
service = "log"
)";

using Names = std::vector<std::string>;

class DifferenceTest : public testing::Test {
 protected:
  Config load_text(const std::string& text) {
    std::ofstream(dir_ / "triggers.toml") << text;
    auto loaded = load(dir_ / "triggers.toml", process_environment());
    EXPECT_TRUE(loaded) << (loaded ? "" : to_string(loaded.error().front()));
    return loaded ? *std::move(loaded) : Config();
  }
  // Of kBase with `what` replaced by `by`.
  Difference after(const std::string& what, const std::string& by) {
    std::string text = kBase;
    text.replace(text.find(what), what.size(), by);
    return difference(load_text(kBase), load_text(text));
  }

  test::TempDir dir_;
};

TEST_F(DifferenceTest, NothingIsDifferentFromItself) {
  const Difference found = difference(load_text(kBase), load_text(kBase));
  EXPECT_TRUE(found.aliases.changed.empty() && found.aliases.added.empty() &&
              found.aliases.removed.empty());
  EXPECT_TRUE(found.triggers.changed.empty() && found.triggers.added.empty() &&
              found.triggers.removed.empty());
  EXPECT_TRUE(found.needs_restart.empty());
  EXPECT_FALSE(found.other);
}

TEST_F(DifferenceTest, LinesThatMoveAndDescriptionsMakeNone) {
  const Difference found =
      after("[aliases.a]", "# a comment\n\n\n[aliases.a]\ndescription = \"the plant\"");
  EXPECT_TRUE(found.aliases.changed.empty());
  EXPECT_TRUE(found.triggers.changed.empty());
}

TEST_F(DifferenceTest, EachKeyOfATriggerCounts) {
  for (const char* key : {"shared_group = \"g\"",
                          "order = \"none\"",
                          "queue_capacity = 7",
                          "max_rate = \"100/s\"",
                          "max_rate = \"100/min\"",
                          "delay = \"5s\"",
                          "deduplicate = { key = \"payload\" }",
                          "acknowledge = \"finished\"",
                          "timeout = \"1s\"",
                          "retained = \"skip\"",
                          "retry = { max_attempts = 2 }",
                          "retry = { interval = \"3s\" }",
                          "on_exhausted = \"discard\"",
                          "dead_letter_topic = \"d\"",
                          "monitor = \"m\"",
                          "monitor_interval = \"1s\"",
                          "enabled = false",
                          "settings = { a = 1 }",
                          "brief = true",
                          "brief = false",
                          "isolation = \"process\"",
                          "log_level = \"debug\"",
                          "isolation = \"process\"\nisolation_memory = \"1GiB\""}) {
    const Difference found = after("name = \"one\"", std::string("name = \"one\"\n") + key);
    EXPECT_EQ(found.triggers.changed, Names{"one"}) << key;
    EXPECT_TRUE(found.aliases.changed.empty()) << key;
  }
  EXPECT_EQ(after("[\"x\"]", "[{ filter = \"x\", qos = 2 }]").triggers.changed, Names{"one"});
  EXPECT_EQ(after("[\"x\"]", "[\"x\", \"z\"]").triggers.changed, Names{"one"});
  EXPECT_EQ(after("alias = \"a\"", "alias = \"b\"").triggers.changed, Names{"one"});
}

TEST_F(DifferenceTest, EachKeyOfAnAliasCounts) {
  for (const char* key :
       {"client_id = \"c\"", "protocol = \"5\"", "clean_session = true",
        "connection_timeout = \"1s\"", "keep_alive = \"7s\"", "reconnect = { min = \"2s\" }",
        "max_packet_size = 1000", "user_name = \"u\"", "user_name = \"u\"\npassword = \"p\"",
        "last_will = { topic = \"w\" }", "last_will = { topic = \"w\", enabled = false }",
        "max_inflight = 5", "filters_per_packet = 8", "enabled = false", "proxy = \"http://p\""}) {
    const Difference found = after("[aliases.a]", std::string("[aliases.a]\n") + key);
    EXPECT_EQ(found.aliases.changed, Names{"a"}) << key;
    EXPECT_TRUE(found.triggers.changed.empty()) << key;
  }
}

TEST_F(DifferenceTest, EachPartOfAProxyCounts) {
  const auto with = [this](const std::string& proxy) {
    return load_text("[aliases.a]\nhost = \"tcp://h\"\nproxy = \"" + proxy + "\"\n");
  };
  const Config before = with("http://u:p@h:8080");
  EXPECT_TRUE(difference(before, with("http://u:%70@h")).aliases.changed.empty());
  for (const char* other : {"", "socks5://u:p@h:8080", "http://v:p@h", "http://u:q@h", "http://u@h",
                            "http://u:p@i", "http://u:p@h:1"}) {
    EXPECT_EQ(difference(before, with(other)).aliases.changed, Names{"a"}) << other;
    EXPECT_EQ(difference(with(other), before).aliases.changed, Names{"a"}) << other;
  }
}

// Whoever uses it reads it when it is used.
TEST_F(DifferenceTest, WhatIsInAPasswordFileIsNoDifference) {
  Config before = load_text(kBase);
  Config other = before;
  for (Alias* alias : {&before.aliases[0], &other.aliases[0]}) alias->password_file = "password";
  before.aliases[0].password = Secret("one");
  other.aliases[0].password = Secret("two");
  EXPECT_TRUE(difference(before, other).aliases.changed.empty());
  other.aliases[0].password_file = "another";
  EXPECT_EQ(difference(before, other).aliases.changed.size(), 1U);
  other = before;
  for (Config* config : {&before, &other}) {
    config->aliases[0].proxy = Proxy{.host = "p", .user_name = "u", .password_file = "password"};
  }
  other.aliases[0].proxy->password = Secret("two");
  EXPECT_TRUE(difference(before, other).aliases.changed.empty());
  other.aliases[0].proxy->password_file = "another";
  EXPECT_EQ(difference(before, other).aliases.changed.size(), 1U);
}

TEST_F(DifferenceTest, ARenameIsARemovalAndAnAddition) {
  const Difference found = after("name = \"two\"", "name = \"three\"");
  EXPECT_EQ(found.triggers.removed, Names{"two"});
  EXPECT_EQ(found.triggers.added, Names{"three"});
  EXPECT_TRUE(found.triggers.changed.empty());
}

TEST_F(DifferenceTest, WhatHoldsFromStartToEndNeedsARestart) {
  const Difference found = difference(
      load_text(kBase),
      load_text(std::string(kBase) +
                "[runtime]\nname = \"n\"\nstate_dir = \"s\"\nhot_reload = true\n"
                "drain_timeout = \"1s\"\n[log]\nlevel = \"debug\"\nformat = \"json\"\n[inbox]\n"
                "sync = \"process\"\nmax_size = \"2GiB\"\n[admin]\nlisten = \"\"\n"
                "socket = \"s.sock\"\nmanage = true\n"));
  EXPECT_EQ(found.needs_restart,
            (Names{"[runtime] name", "[runtime] state_dir", "[runtime] hot_reload", "[log] level",
                   "[log] format", "[inbox] sync", "[inbox] max_size", "[admin] listen",
                   "[admin] socket"}));
  EXPECT_TRUE(found.other);
}

}  // namespace
}  // namespace triggerd::config
