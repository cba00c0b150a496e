#include "package/values.hpp"

#include <gtest/gtest.h>

#include "unit/package/scene.hpp"

namespace triggerd::package {
namespace {

class ValuesTest : public Scene {};

std::string of(const config::LocalValues& values, const std::string& alias,
               const std::string& key) {
  return values.at(alias).values.at(key);
}

TEST_F(ValuesTest, WhatIsWrittenIsReadAgain) {
  config::LocalValues values;
  const std::string odd = "a \"quoted\" \\ back\nline\ttab \x01 \x7f ü ${VARIABLE}";
  ASSERT_TRUE(add_value("plant.one.host=tcp://localhost", values));
  ASSERT_TRUE(add_value("boiler.client_id=" + odd, values));
  const auto file = dir_.write("values.toml", values_text(values));
  const auto variable = [](const std::string&) -> std::optional<std::string> { return "x"; };
  const auto read = read_values(file, variable);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(of(*read, "plant.one", "host"), "tcp://localhost");
  EXPECT_EQ(of(*read, "boiler", "client_id"), odd) << "variables are not expanded yet";
}

TEST_F(ValuesTest, AssignmentsThatCannotBeAreRefusedAndNotQuoted) {
  config::LocalValues values;
  for (const char* wrong :
       {"hunter2", "plant=hunter2", ".host=hunter2", "plant.hots=hunter2",
        "plant.keep_alive=hunter2", "plant.host", "plant.password=hunter2\xff"}) {
    const auto added = add_value(wrong, values);
    ASSERT_FALSE(added) << wrong;
    EXPECT_EQ(added.error().message.find("=hunter2"), std::string::npos) << added.error().message;
  }
  EXPECT_TRUE(values.empty());
}

TEST_F(ValuesTest, NewerOnesReplaceWhatTheyExclude) {
  config::LocalValues values;
  config::LocalValues newer;
  ASSERT_TRUE(add_value("a.password=old", values));
  ASSERT_TRUE(add_value("a.user_name=me", values));
  ASSERT_TRUE(add_value("a.password_file=/run/secret", newer));
  merge_values(newer, values);
  EXPECT_EQ(values.at("a").values.size(), 2U);
  EXPECT_EQ(of(values, "a", "password_file"), "/run/secret");
  ASSERT_TRUE(add_value("b.proxy=http://u@old", values));
  ASSERT_TRUE(add_value("b.proxy_password_file=/run/old", values));
  config::LocalValues proxy;
  ASSERT_TRUE(add_value("b.proxy=http://new", proxy));
  merge_values(proxy, values);
  EXPECT_EQ(values.at("b").values.size(), 1U) << "the file was the old proxy's";
  ASSERT_TRUE(add_value("b.proxy_password_file=/run/new", proxy));
  merge_values(proxy, values);
  EXPECT_EQ(of(values, "b", "proxy_password_file"), "/run/new");
  EXPECT_EQ(of(values, "b", "proxy"), "http://new");
}

TEST_F(ValuesTest, ARelativePasswordFileIsTheValuesFiles) {
  const auto file =
      dir_.write("deploy/values.toml",
                 "[aliases.a]\npassword_file = \"../secret\"\nproxy_password_file = \"p\"\n");
  const auto values = read_values(file, no_variable).value();
  EXPECT_EQ(of(values, "a", "password_file"), dir_ / "secret");
  EXPECT_EQ(of(values, "a", "proxy_password_file"), dir_ / "deploy/p");
}

TEST_F(ValuesTest, AFileThatIsWrongIsToldWithItsPlaces) {
  const auto file = dir_.write("values.toml", "[aliases.a]\nhots = \"x\"\nhost = 1\n");
  EXPECT_EQ(error_of(read_values(file, no_variable)),
            "the values cannot be used:\n"
            "values.toml:2:1: error: unknown key \"hots\" in [aliases.a]\n"
            "values.toml:3:8: error: host must be a string, not an integer");
}

}  // namespace
}  // namespace triggerd::package
