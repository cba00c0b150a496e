#include "plugin/loader/child_probe.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_dir.hpp"

namespace triggerd::plugin {
namespace {

class ChildProbeTest : public testing::Test {
 protected:
  // A program that gets "--probe FILE".
  Result<> probe(const std::string& script, Millis timeout = Millis(20'000)) {
    const auto program = dir_ / "program";
    std::ofstream(program) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return probe_in_child(program, "/plugins/a.so", timeout);
  }
  std::string reason(const std::string& script, Millis timeout = Millis(20'000)) {
    const auto probed = probe(script, timeout);
    return probed ? "ok" : probed.error().message;
  }

  test::TempDir dir_;
};

TEST_F(ChildProbeTest, OneThatEndsWellIsWell) {
  EXPECT_EQ(reason(R"([ "$1 $2" = "--probe /plugins/a.so" ] && echo "$2: ok: version 1")"), "ok");
  EXPECT_EQ(reason("head -c 1000000 /dev/zero; echo; echo a: ok: version 1"), "ok")
      << "however much it says";
}

TEST_F(ChildProbeTest, WhatItSaysIsTheReason) {
  EXPECT_EQ(reason("echo 'triggerd: error: plugin \"a\": /plugins/a.so is empty' >&2; exit 1"),
            "is empty");
  EXPECT_EQ(reason("echo 'something else' >&2; exit 1"), "something else");
  EXPECT_EQ(reason("exit 1"), "cannot be loaded; the process that tried said nothing");
}

TEST_F(ChildProbeTest, WhatThePluginSaidBeforeIsSaidToo) {
  EXPECT_EQ(reason("echo 'the licence is missing'; echo 'triggerd: error: plugin \"a\": "
                   "/plugins/a.so cannot work' >&2; exit 1"),
            "cannot work; it said: the licence is missing");
}

TEST_F(ChildProbeTest, OneThatExitsIsNotWell) {
  EXPECT_EQ(reason("exit 0"),
            "ended the process that loaded it as a trial: by exit, in a constructor, "
            "its entry function or a destructor");
}

TEST_F(ChildProbeTest, ASignalIsNamed) {
  EXPECT_EQ(reason("kill -SEGV $$"),
            "ended the process that loaded it as a trial: SIGSEGV, in a constructor, "
            "its entry function or a destructor");
}

TEST_F(ChildProbeTest, OneThatDoesNotEndIsKilled) {
  EXPECT_EQ(reason("exec sleep 1000", Millis(100)),
            "did not load within 100 ms in a process of its own; a constructor or its entry "
            "function does not return");
}

TEST_F(ChildProbeTest, WithoutTheProgramThereIsNoProbe) {
  const auto probed = probe_in_child(dir_ / "none", "/plugins/a.so", Millis(1'000));
  ASSERT_FALSE(probed);
  EXPECT_NE(probed.error().message.find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace triggerd::plugin
