// Text for people: what crosses the ABI is UTF-8, whatever a service throws.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <trigger/cpp/text.hpp>

namespace {

std::string reason_of(std::string_view text) {
  trigger_result result{};
  trigger::detail::write_reason(result, text);
  return result.reason;
}

TEST(SdkText, PrintsOnOneLine) {
  EXPECT_EQ(trigger::printable("plain"), "plain");
  EXPECT_EQ(trigger::printable("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(trigger::printable(std::string_view("a\0\n\x7f\xff", 5)), "a\\x00\\x0a\\x7f\\xff");
  EXPECT_EQ(trigger::printable("\xc2\x85"), "\\xc2\\x85");  // a control character of two bytes
  EXPECT_EQ(trigger::printable(""), "");
}

TEST(SdkText, EscapesWhatIsNoUtf8) {
  EXPECT_EQ(trigger::printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(trigger::printable("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");           // overlong
  EXPECT_EQ(trigger::printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(trigger::printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // over U+10FFFF
  EXPECT_EQ(trigger::printable("\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf");  // overlong
  EXPECT_EQ(trigger::printable("\xe2\x82"), "\\xe2\\x82");                    // cut off
  EXPECT_EQ(trigger::printable("\x80"), "\\x80");                             // a tail alone
  EXPECT_EQ(trigger::printable("\xe2\x28\xa1"), "\\xe2(\\xa1");
}

TEST(SdkText, CutsBetweenCharacters) {
  EXPECT_EQ(trigger::printable("abcdef", 3), "abc...");
  EXPECT_EQ(trigger::printable("abc", 3), "abc");
  EXPECT_EQ(trigger::printable("ab\xc3\xa9", 3), "ab...");
  EXPECT_EQ(trigger::printable("a", 0), "...");
}

TEST(SdkText, FitsAReason) {
  EXPECT_EQ(reason_of("short"), "short");
  EXPECT_EQ(reason_of(std::string(255, 'x')), std::string(255, 'x'));
  EXPECT_EQ(reason_of(std::string(256, 'x')), std::string(255, 'x'));
  // 127 characters of two bytes: 254. The next does not fit.
  std::string accents;
  for (int i = 0; i < 200; ++i) accents += "\xc3\xa9";
  EXPECT_EQ(reason_of(accents), accents.substr(0, 254));
  EXPECT_EQ(reason_of(std::string_view("a\0b\xff", 4)), "a?b?");
}

}  // namespace
