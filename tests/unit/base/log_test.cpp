#include "base/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <regex>

#include "base/file.hpp"
#include "support/temp_dir.hpp"

namespace triggerd {
namespace {

// What is written to standard output while this object lives.
class CapturedOutput {
 public:
  CapturedOutput() : before_(::dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    std::FILE* file = std::fopen(path_.c_str(), "w");
    EXPECT_NE(file, nullptr);
    ::dup2(::fileno(file), STDOUT_FILENO);
    std::fclose(file);
  }
  ~CapturedOutput() {
    std::fflush(stdout);
    ::dup2(before_.get(), STDOUT_FILENO);
  }
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;

  // Without fflush(): whoever watches a pipe sees a line when it is written.
  std::string text() const { return read_file(path_, 1 << 20).value(); }

 private:
  const test::TempDir folder_;
  const std::filesystem::path path_ = folder_ / "output";
  const UniqueFd before_;
};

constexpr const char* kTime = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)";

// The one line of `text` without its time, which is checked.
std::string without_time(const std::string& text) {
  const std::regex time(kTime);
  EXPECT_TRUE(std::regex_search(text, time)) << text;
  return std::regex_replace(text, time, "TIME");
}

TEST(LogTest, WritesALineForPeople) {
  const CapturedOutput output;
  const auto log = make_log(LogLevel::info, LogFormat::text, "edge-1");
  log->info("connection.up", {{"alias", "plant"}, {"server", "tcp://h:1"}}, "connected in {} ms",
            5);
  EXPECT_EQ(
      without_time(output.text()),
      "TIME info  connection.up          connected in 5 ms  [alias=plant server=tcp://h:1]\n");
}

TEST(LogTest, WritesAnObjectForMachines) {
  const CapturedOutput output;
  const auto log = make_log(LogLevel::info, LogFormat::json, "edge \"1\"");
  log->warn("message.rejected", {{"topic", "a\\b"}}, "caf\xC3\xA9 \"{}\"", "x");
  EXPECT_EQ(without_time(output.text()),
            R"({"time":"TIME","level":"warn","runtime":"edge \"1\"","event":"message.rejected",)"
            R"("topic":"a\\b","text":")"
            "caf\xC3\xA9 "
            R"(\"x\""})"
            "\n");
}

// It was "message" twice, for the text and for the message's id, and readers keep one of them.
TEST(LogTest, AnObjectHasEachMemberOnce) {
  const CapturedOutput output;
  make_log(LogLevel::info, LogFormat::json, "edge-1")
      ->warn("message.retry", {{"trigger", "t"}, {"message", "id-1"}}, "again");
  EXPECT_EQ(without_time(output.text()),
            R"({"time":"TIME","level":"warn","runtime":"edge-1","event":"message.retry",)"
            R"("trigger":"t","message":"id-1","text":"again"})"
            "\n");
}

TEST(LogTest, NoValueCanForgeAField) {
  const CapturedOutput output;
  make_log(LogLevel::info, LogFormat::text, "edge-1")
      ->warn("message.retry", {{"trigger", "t"}, {"topic", "a] [trigger=x \"q\\"}, {"none", ""}},
             "again");
  EXPECT_EQ(without_time(output.text()),
            "TIME warn  message.retry          again  "
            "[trigger=t topic=\"a] [trigger=x \\\"q\\\\\" none=\"\"]\n");
}

TEST(LogTest, WhatRepeatsIsHeldBack) {
  const CapturedOutput output;
  {
    const auto log = make_log(LogLevel::info, LogFormat::text, "edge-1");
    for (int i = 0; i < 1000; ++i) {
      log->warn("message.retry", {{"trigger", "t"}, {"message", std::to_string(i)}}, "no {}", i);
    }
  }
  const std::string text = output.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 21);
  EXPECT_NE(text.find("980 more like this within 10s; the last one: no 999"), std::string::npos)
      << text;
}

TEST(LogTest, NothingCanForgeALine) {
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    const CapturedOutput output;
    const auto log = make_log(LogLevel::info, format, "edge-1");
    log->error("service.said", {{"topic", "a\nb"}}, "{}", std::string_view("x\ny\r\0z\xff", 7));
    const std::string text = output.text();
    EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
    EXPECT_EQ(text.find('\r'), std::string::npos);
    EXPECT_EQ(text.find('\0'), std::string::npos);
    EXPECT_EQ(text.find('\xff'), std::string::npos);
    EXPECT_NE(text.find("x0ay"), std::string::npos) << text;
  }
}

// U+202E shows what follows it backwards, in a terminal and in an editor.
TEST(LogTest, NothingCanTurnALineAround) {
  constexpr const char* turned = "a\xE2\x80\xAEgpj\xD8\x9C";
  {
    const CapturedOutput output;
    make_log(LogLevel::info, LogFormat::text, "edge-1")
        ->error("message.dead_letter", {{"topic", turned}}, "{}", turned);
    EXPECT_EQ(without_time(output.text()),
              "TIME error message.dead_letter    a\\xe2\\x80\\xaegpj\\xd8\\x9c  "
              "[topic=a\\xe2\\x80\\xaegpj\\xd8\\x9c]\n");
  }
  const CapturedOutput output;
  make_log(LogLevel::info, LogFormat::json, "edge-1")
      ->error("message.dead_letter", {{"topic", turned}}, "{}", turned);
  EXPECT_EQ(without_time(output.text()),
            R"({"time":"TIME","level":"error","runtime":"edge-1","event":"message.dead_letter",)"
            R"("topic":"a\u202egpj\u061c","text":"a\u202egpj\u061c"})"
            "\n");
}

TEST(LogTest, ALongTextIsCut) {
  const CapturedOutput output;
  make_log(LogLevel::info, LogFormat::text, "edge-1")
      ->info("service.said", {}, "{}", std::string(1 << 20, 'x'));
  EXPECT_LT(output.text().size(), 5000u);
}

TEST(LogTest, LeavesOutWhatIsBelowItsLevel) {
  const CapturedOutput output;
  const auto log = make_log(LogLevel::warn, LogFormat::text, "edge-1");
  EXPECT_FALSE(log->enabled(LogLevel::trace));
  EXPECT_FALSE(log->enabled(LogLevel::info));
  EXPECT_TRUE(log->enabled(LogLevel::warn));
  EXPECT_TRUE(log->enabled(LogLevel::error));
  log->debug("a", {}, "x");
  log->info("a", {}, "x");
  EXPECT_EQ(output.text(), "");
  log->warn("a", {}, "x");
  EXPECT_NE(output.text(), "");
}

TEST(LogTest, WhoAsksALevelOfItsOwnWritesBelowTheLogs) {
  const CapturedOutput output;
  make_log(LogLevel::warn, LogFormat::text, "edge-1")->write(LogLevel::debug, "a", {}, "x");
  EXPECT_NE(output.text().find(" debug a "), std::string::npos) << output.text();
}

TEST(LogLevelTest, HasAWordForEach) {
  for (const LogLevel level :
       {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
    EXPECT_EQ(parse_log_level(to_string(level)), level);
  }
  EXPECT_EQ(to_string(LogLevel::warn), "warn");
  EXPECT_EQ(parse_log_level("warning"), std::nullopt);
  EXPECT_EQ(parse_log_level("INFO"), std::nullopt);
  EXPECT_EQ(parse_log_level(""), std::nullopt);
}

}  // namespace
}  // namespace triggerd
