#include "base/text.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace triggerd {
namespace {

TEST(ClosestTest, FindsWhatWasMeant) {
  const std::vector<std::string_view> keys{"enabled", "password", "password_file", "host", "hosts"};
  EXPECT_EQ(closest("pasword", keys), "password");
  EXPECT_EQ(closest("enable", keys), "enabled");
  EXPECT_EQ(closest("Enabled", keys), "enabled");
  EXPECT_EQ(closest("passwordfile", keys), "password_file");
  EXPECT_EQ(closest("hostz", keys), "host");
}

TEST(ClosestTest, FindsNothingWhereNothingIsClose) {
  const std::vector<std::string_view> keys{"enabled", "password", "host"};
  EXPECT_EQ(closest("frequency", keys), "");
  EXPECT_EQ(closest("", keys), "");
  EXPECT_EQ(closest("xyz", keys), "");
  EXPECT_EQ(closest("enabled", {}), "");
  EXPECT_EQ(closest(std::string(65, 'x'), std::vector<std::string_view>{"x"}), "");
}

TEST(PrintableTest, LeavesPrintableTextAlone) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("plant/1 \"x\""), "plant/1 \"x\"");
  EXPECT_EQ(printable("Stra\xC3\x9F"
                      "e \xE2\x82\xAC \xF0\x9F\x94\xA5"),
            "Stra\xC3\x9F"
            "e \xE2\x82\xAC \xF0\x9F\x94\xA5");
}

TEST(PrintableTest, ShowsEverythingElseAsHex) {
  EXPECT_EQ(printable(std::string_view("a\n\r\t\x1b\x7f\0b", 8)),
            "a\\x0a\\x0d\\x09\\x1b\\x7f\\x00b");
  EXPECT_EQ(printable("\xff\xC3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b");  // a control character of eight bits
  EXPECT_EQ(printable("\xC2\xA0"), "\xC2\xA0");    // its neighbour is none
  for (const char* bidi :
       {"\xD8\x9C", "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAA",
        "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x81\xA9"}) {
    EXPECT_EQ(printable(bidi).substr(0, 2), "\\x");
  }
  EXPECT_EQ(printable("a\xE2\x80\xAE"
                      "b"),
            "a\\xe2\\x80\\xaeb");
  // Their neighbours, and the joiner of emoji.
  for (const char* none : {"\xD8\x9B", "\xD8\x9D", "\xE2\x80\x8D", "\xE2\x80\x90", "\xE2\x80\xA7",
                           "\xE2\x80\xAF", "\xE2\x81\xA5", "\xE2\x81\xAA"}) {
    EXPECT_EQ(printable(none), none);
  }
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");  // half of a surrogate pair
}

TEST(PrintableTest, CutsWhatIsLong) {
  EXPECT_EQ(printable(std::string(300, 'a')).substr(190), "aaaaaaa...");
  EXPECT_EQ(printable("abcdefgh", 6), "abc...");
  // Never in the middle of a character.
  EXPECT_EQ(printable("\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC", 8), "\xE2\x82\xAC\xE2\x82\xAC...");
}

TEST(InQuotesTest, LeavesPrintableTextAlone) {
  EXPECT_EQ(in_quotes(""), R"("")");
  EXPECT_EQ(in_quotes("plant/1 [x=y]"), R"("plant/1 [x=y]")");
  EXPECT_EQ(in_quotes("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x94\xA5"),
            "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x94\xA5\"");
}

TEST(InQuotesTest, EscapesWhatNeitherJsonNorTomlTakes) {
  EXPECT_EQ(in_quotes(R"(a"b\c)"), R"("a\"b\\c")");
  EXPECT_EQ(in_quotes("\n\t\r"), R"("\n\t\r")");
  EXPECT_EQ(in_quotes(std::string_view("\0\x01\x1f\x20\x7e\x7f", 6)),
            R"("\u0000\u0001\u001f ~\u007f")");
}

TEST(InQuotesTest, EscapesWhatMovesItsNeighbours) {
  EXPECT_EQ(in_quotes("a\xE2\x80\xAE"
                      "b\xD8\x9C"),
            R"("a\u202eb\u061c")");
  EXPECT_EQ(in_quotes("\xE2\x80\x8E\xE2\x81\xA9"), R"("\u200e\u2069")");
  for (const std::string none : {"\xD8\x9D", "\xE2\x80\x8D", "\xE2\x80\xAF"}) {
    EXPECT_EQ(in_quotes(none), '"' + none + '"');
  }
}

TEST(InQuotesTest, AFormatControlSaysHowLongItIs) {
  std::string out = "x";
  EXPECT_EQ(append_format_control(out, "\xD8\x9C tail"), 2U);
  EXPECT_EQ(append_format_control(out, "\xE2\x81\xA6 tail"), 3U);
  EXPECT_EQ(append_format_control(out, "a\xE2\x81\xA6"), 0U);
  EXPECT_EQ(append_format_control(out, "\xE2\x81"), 0U);
  EXPECT_EQ(append_format_control(out, ""), 0U);
  EXPECT_EQ(out, R"(x\u061c\u2066)");
}

TEST(Utf8Test, AcceptsEveryLength) {
  for (const char* good :
       {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << printable(good);
  }
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
}

TEST(Utf8Test, RefusesWhatIsMalformed) {
  for (const char* bad : {
           "\x80",              // a continuation without its start
           "\xC0\x80",          // overlong
           "\xC1\xBF",          // overlong
           "\xE0\x9F\xBF",      // overlong
           "\xF0\x8F\xBF\xBF",  // overlong
           "\xED\xA0\x80",      // a surrogate
           "\xF4\x90\x80\x80",  // past U+10FFFF
           "\xF5\x80\x80\x80",  // never a start
           "\xFF",              // never anything
           "\xC3",              // cut off
           "\xE2\x82",          // cut off
           "\xF0\x9F\x94",      // cut off
           "\xE2\x82"
           "a",  // cut off by a letter
           "\xF0\x9F\x94"
           "a",  // cut off by a letter
           "good \xC3\xA9 then bad \xC3",
       }) {
    EXPECT_FALSE(is_utf8(bad)) << printable(bad);
  }
}

TEST(PercentEncodedTest, LeavesWhatIsUnreserved) {
  constexpr std::string_view unreserved =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  EXPECT_EQ(percent_encoded(unreserved), unreserved);
  EXPECT_EQ(percent_encoded(""), "");
}

TEST(PercentEncodedTest, EncodesEveryOtherByte) {
  EXPECT_EQ(percent_encoded("a/b?c#d&e=f%g h+i"), "a%2Fb%3Fc%23d%26e%3Df%25g%20h%2Bi");
  EXPECT_EQ(percent_encoded("\xC3\xA9\xFF"), "%C3%A9%FF");
  EXPECT_EQ(percent_encoded(std::string_view("\0\n\x7f", 3)), "%00%0A%7F");
}

}  // namespace
}  // namespace triggerd
