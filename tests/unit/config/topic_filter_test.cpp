#include "config/topic_filter.hpp"

#include <gtest/gtest.h>

#include <string>

namespace triggerd::config {
namespace {

TEST(TopicFilterTest, AcceptsWhatAServerAccepts) {
  for (const char* filter : {"a", "/", "a/b", "/a", "a/", "a//b", "#", "/#", "a/#", "+", "+/+",
                             "/+", "+/a/#", "$SYS/#", "$share", "a b", "\xC3\xA9/#", "a\tb"}) {
    const auto checked = check_topic_filter(filter);
    EXPECT_TRUE(checked) << filter << ": " << checked.error().message;
  }
  EXPECT_TRUE(check_topic_filter(std::string(65'535, 'a')));
}

TEST(TopicFilterTest, RefusesWhatAServerRefuses) {
  for (const char* filter : {"", "a#", "#a", "#/a", "a/#/b", "##", "a/##", "a+", "+a", "++",
                             "a/b+/c", "\xff", "a/\xED\xA0\x80", "$share/group/a"}) {
    EXPECT_FALSE(check_topic_filter(filter)) << filter;
  }
  EXPECT_FALSE(check_topic_filter(std::string_view("a\0b", 3)));
  EXPECT_FALSE(check_topic_filter(std::string(65'536, 'a')));
}

TEST(TopicFilterTest, SaysWhereTheGroupOfASharedSubscriptionStands) {
  const auto checked = check_topic_filter("$share/group/a");
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message.find("shared_group"), std::string::npos);
}

TEST(TopicFilterTest, AGroupHasOneLevelAndNoWildcard) {
  for (const char* group : {"a", "group-1", "\xC3\xA9", "$a", " "}) {
    EXPECT_TRUE(check_shared_group(group)) << group;
  }
  for (const char* group : {"", "a/b", "/", "+", "a#", "\xff"}) {
    EXPECT_FALSE(check_shared_group(group)) << group;
  }
  EXPECT_FALSE(check_shared_group(std::string_view("a\0b", 3)));
  EXPECT_EQ(shared_filter("g", "a/#"), "$share/g/a/#");
  EXPECT_EQ(shared_filter("", "a/#"), "a/#");
}

TEST(TopicNameTest, HasNoWildcards) {
  for (const char* topic : {"a", "/", "a/b", "$SYS/broker", "a b"}) {
    EXPECT_TRUE(check_topic_name(topic)) << topic;
  }
  for (const char* topic : {"", "+", "#", "a/#", "a+b", "\xff"}) {
    EXPECT_FALSE(check_topic_name(topic)) << topic;
  }
  EXPECT_FALSE(check_topic_name(std::string_view("\0", 1)));
  EXPECT_FALSE(check_topic_name(std::string(65'536, 'a')));
}

struct Match {
  const char* filter;
  const char* topic;
  bool expected;
};

TEST(MatchesTest, FollowsTheSpecification) {
  // MQTT 3.1.1, sections 4.7.1 and 4.7.2, and their non-normative examples.
  const Match cases[] = {
      {"a/b", "a/b", true},
      {"a/b", "a/B", false},
      {"a/b", "a", false},
      {"a", "a/b", false},
      {"a", "/a", false},
      {"sport/tennis/player1/#", "sport/tennis/player1", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
      {"sport/tennis/player1/#", "sport/tennis/player12", false},
      {"sport/#", "sport", true},
      {"#", "a/b/c", true},
      {"#", "/", true},
      {"sport/tennis/+", "sport/tennis/player1", true},
      {"sport/tennis/+", "sport/tennis/player1/ranking", false},
      {"sport/+", "sport", false},
      {"sport/+", "sport/", true},
      {"+/+", "/finance", true},
      {"/+", "/finance", true},
      {"+", "/finance", false},
      {"+/b/#", "a/b", true},
      {"+/b/#", "a/c", false},
      {"a//b", "a//b", true},
      {"a/+/b", "a//b", true},
  };
  for (const Match& c : cases) {
    EXPECT_EQ(matches(c.filter, c.topic), c.expected) << c.filter << " and " << c.topic;
  }
}

TEST(MatchesTest, AWildcardDoesNotMatchADollarInFront) {
  EXPECT_FALSE(matches("#", "$SYS/broker/uptime"));
  EXPECT_FALSE(matches("+/broker/uptime", "$SYS/broker/uptime"));
  EXPECT_TRUE(matches("$SYS/#", "$SYS/broker/uptime"));
  EXPECT_TRUE(matches("$SYS/+/uptime", "$SYS/broker/uptime"));
  EXPECT_TRUE(matches("a/#", "a/$b"));
  EXPECT_TRUE(matches("a/+", "a/$b"));
}

TEST(TopicLevelTest, IsCountedFromOne) {
  EXPECT_EQ(topic_level("plant/north/temperature", 1), "plant");
  EXPECT_EQ(topic_level("plant/north/temperature", 2), "north");
  EXPECT_EQ(topic_level("plant/north/temperature", 3), "temperature");
  EXPECT_EQ(topic_level("plant/north/temperature", 4), "");
  EXPECT_EQ(topic_level("plant/north/temperature", 4'000'000'000), "");
  EXPECT_EQ(topic_level("plant", 0), "");
  EXPECT_EQ(topic_level("/plant", 1), "");
  EXPECT_EQ(topic_level("/plant", 2), "plant");
}

}  // namespace
}  // namespace triggerd::config
