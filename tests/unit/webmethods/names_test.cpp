#include "webmethods/names.hpp"

#include <gtest/gtest.h>

#include "config/names.hpp"

namespace triggerd::webmethods {
namespace {

TEST(WebmethodsNamesTest, NamesAreWhatTriggerdTakes) {
  EXPECT_EQ(as_name("plant.services:onAlarm"), "plant.services.onAlarm");
  EXPECT_EQ(as_name(" _x y"), "x-y");
  EXPECT_EQ(as_name("::"), "unnamed");
  EXPECT_TRUE(config::is_name(as_name(std::string(500, 'x'))));
  EXPECT_TRUE(config::is_name(as_name("\xff\n/..")));
}

TEST(WebmethodsNamesTest, ServicesAreInLowerCase) {
  EXPECT_EQ(as_service("plant.services:onAlarm"), "plant-services:on-alarm");
  EXPECT_EQ(as_service("a:onHTTPAlarm2"), "a:on-http-alarm2");
  EXPECT_EQ(as_service("lonely"), "lonely");
  EXPECT_EQ(as_service(":"), "service:service");
}

TEST(WebmethodsNamesTest, EqualNamesAreTakenApart) {
  Names names;
  EXPECT_EQ(names.give("a:b"), "a.b");
  EXPECT_EQ(names.give("a.b"), "a.b-2");
  EXPECT_EQ(names.give("a b"), "a-b");
  EXPECT_EQ(names.give("a.b-2"), "a.b-2-2");
  EXPECT_EQ(names.find("a:b"), "a.b");
  EXPECT_EQ(names.find("a.b"), "a.b-2");
  EXPECT_EQ(names.find("b"), "");
}

TEST(WebmethodsNamesTest, OfTwoThatAreEqualTheFirstIsFound) {
  Names names;
  names.give("a");
  EXPECT_EQ(names.give("a"), "a-2");
  EXPECT_EQ(names.find("a"), "a");
}

}  // namespace
}  // namespace triggerd::webmethods
