#include "control/services/definition_text.hpp"

#include <gtest/gtest.h>

#include "config/tree.hpp"
#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

using management::DefinitionChange;
using management::DefinitionKind;
using management::DefinitionText;

DefinitionChange replace_trigger(const std::string& toml) {
  return {.verb = DefinitionChange::Verb::replace,
          .kind = DefinitionKind::trigger,
          .name = "t",
          .text = {DefinitionText::Format::toml, toml}};
}

TEST(DefinitionTextTest, ADefinitionCannotBeRenamed) {
  const auto table = table_to_keep(replace_trigger("name = \"u\"\n"), {}, nullptr);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().kind, management::AdminError::Kind::invalid);
  ASSERT_EQ(table.error().problems.size(), 1U);
  EXPECT_EQ(table.error().problems[0].key, "name");
  EXPECT_EQ(table.error().problems[0].message, "must be \"t\"");
}

TEST(DefinitionTextTest, WhatIsNoTomlIsSaidWithItsPlace) {
  const auto table = table_to_keep(replace_trigger("a = \nb = 1"), {}, nullptr);
  ASSERT_FALSE(table);
  ASSERT_EQ(table.error().problems.size(), 1U);
  EXPECT_EQ(table.error().problems[0].line, 1U);
  EXPECT_EQ(table.error().problems[0].file, "");
}

class ErrorOfDefinitionTest : public testing::Test {
 protected:
  // The managed file with a trigger in it, as it would be written.
  config::ManagedFile managed(const std::string& toml) const {
    auto file = config::ManagedFile::read(dir_ / "managed.toml").value();
    file.put(config::Defined::trigger, "t",
             table_to_keep(replace_trigger(toml), {}, nullptr).value());
    return file;
  }
  management::AdminProblem problem_at(std::uint32_t line, std::uint32_t column,
                                      const std::string& message) const {
    return {.file = (dir_ / "managed.toml").string(),
            .line = line,
            .column = column,
            .key = {},
            .message = message};
  }

  TempDir dir_;
};

TEST_F(ErrorOfDefinitionTest, WhatIsWrongElsewhereKeepsItsPlace) {
  const auto file = managed("alias = \"a\"\n");
  const management::AdminError found{management::AdminError::Kind::invalid,
                                     "the configuration has 1 error",
                                     {{"triggers.toml", 7, 1, {}, "there is no alias \"a\""}}};
  const auto reported = error_of_definition(found, file, replace_trigger(""));
  EXPECT_EQ(reported.message, "trigger \"t\" cannot be accepted: there is no alias \"a\"");
  ASSERT_EQ(reported.problems.size(), 1U);
  EXPECT_EQ(reported.problems[0].file, "triggers.toml");
}

TEST_F(ErrorOfDefinitionTest, WhatIsMissingIsSaidByItsKey) {
  const auto file = managed("alias = \"a\"\n");
  const std::string text = file.text();
  std::uint32_t line = 1;
  for (std::size_t at = 0; at < text.find("[[triggers]]"); ++at) line += text[at] == '\n';
  const management::AdminError found{
      management::AdminError::Kind::invalid,
      "the configuration has 1 error",
      {problem_at(line, 1, "[[triggers]] has no topics; write one")}};
  const auto reported = error_of_definition(found, file, replace_trigger(""));
  EXPECT_EQ(reported.message, "trigger \"t\" is not valid");
  ASSERT_EQ(reported.problems.size(), 1U);
  EXPECT_EQ(reported.problems[0].key, "topics");
  EXPECT_EQ(reported.problems[0].file, "");
}

TEST_F(ErrorOfDefinitionTest, WhatCannotBeDeletedIsInUse) {
  const auto file = managed("alias = \"a\"\n");
  DefinitionChange change = replace_trigger("");
  change.verb = DefinitionChange::Verb::remove;
  const auto reported =
      error_of_definition({management::AdminError::Kind::invalid, "because", {}}, file, change);
  EXPECT_EQ(reported.kind, management::AdminError::Kind::conflict);
  EXPECT_EQ(reported.message, "trigger \"t\" cannot be deleted: because");
}

TEST(DefinitionTextTest, WhatIsNoJsonIsNoDefinition) {
  DefinitionChange change = replace_trigger("{");
  change.text.format = DefinitionText::Format::json;
  const auto table = table_to_keep(change, {}, nullptr);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().kind, management::AdminError::Kind::invalid);
  EXPECT_TRUE(table.error().message.starts_with("the definition: ")) << table.error().message;
}

}  // namespace
}  // namespace triggerd::control::test
