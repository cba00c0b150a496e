#include "config/expand.hpp"

#include <gtest/gtest.h>

#include <map>

namespace triggerd::config {
namespace {

Result<std::string> expanded(std::string_view text) {
  const std::map<std::string, std::string> variables{
      {"NAME", "edge"},       {"EMPTY", ""},     {"_x9", "under"},
      {"NESTED", "${NAME}$"}, {"LATIN", "\xE9"}, {"LONG", std::string(64 << 10, 'x')}};
  return expand(text, [&variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(ExpandTest, ReplacesVariables) {
  EXPECT_EQ(expanded("").value(), "");
  EXPECT_EQ(expanded("plain").value(), "plain");
  EXPECT_EQ(expanded("${NAME}").value(), "edge");
  EXPECT_EQ(expanded("a-${NAME}-${_x9}-b").value(), "a-edge-under-b");
  EXPECT_EQ(expanded("${NAME}${NAME}").value(), "edgeedge");
  EXPECT_EQ(expanded("[${EMPTY}]").value(), "[]");
}

TEST(ExpandTest, TakesTheDefaultWhereAVariableIsUnsetOrEmpty) {
  EXPECT_EQ(expanded("${NAME:-other}").value(), "edge");
  EXPECT_EQ(expanded("${UNSET:-other}").value(), "other");
  EXPECT_EQ(expanded("${EMPTY:-other}").value(), "other");
  EXPECT_EQ(expanded("[${UNSET:-}]").value(), "[]");
  EXPECT_EQ(expanded("${UNSET:-a:-b}").value(), "a:-b");
}

TEST(ExpandTest, LeavesOtherDollarsAlone) {
  EXPECT_EQ(expanded("$NAME $ $$ {NAME} a$").value(), "$NAME $ $$ {NAME} a$");
  EXPECT_EQ(expanded("$${NAME}").value(), "${NAME}");
  EXPECT_EQ(expanded("${NAME}$${NAME}${NAME}").value(), "edge${NAME}edge");
}

TEST(ExpandTest, DoesNotExpandWhatAVariableHolds) {
  EXPECT_EQ(expanded("${NESTED}").value(), "${NAME}$");
  EXPECT_EQ(expanded("${NESTED}{NAME}").value(), "${NAME}${NAME}");
}

TEST(ExpandTest, NamesAVariableThatIsNotSet) {
  const auto text = expanded("a${UNSET}b");
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find("variable UNSET is not set"), std::string::npos);
}

TEST(ExpandTest, QuotesNothingOfAMalformedText) {
  for (const char* bad : {"secret${", "${secret", "${}", "${9}", "${se cret}", "${secret-x}",
                          "${:-secret}", "${secret:x}"}) {
    const auto text = expanded(bad);
    ASSERT_FALSE(text) << bad;
    EXPECT_EQ(text.error().message.find("secret"), std::string::npos) << text.error().message;
  }
}

TEST(ExpandTest, RefusesTextThatIsNotUtf8) {
  const auto text = expanded("${LATIN}");
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find("LATIN"), std::string::npos);
}

TEST(ExpandTest, HasALimit) {
  std::string many;
  for (int i = 0; i < 16; ++i) many += "${LONG}";
  EXPECT_EQ(expanded(many).value().size(), 1u << 20);
  EXPECT_FALSE(expanded(many + "${NAME}"));
}

}  // namespace
}  // namespace triggerd::config
