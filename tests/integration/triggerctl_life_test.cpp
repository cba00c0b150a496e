// A whole life on the command line, with the real runtime and a real server: an alias and a trigger
// are created, messages published, watched, rejected, replayed, and the trigger disabled.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "support/eventually.hpp"
#include "support/mosquitto.hpp"
#include "support/process.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

struct Said {
  int code = -1;
  std::string text;
};

Said triggerctl(const TriggerdProcess& triggerd, const std::string& arguments) {
  Process process({"/bin/sh", "-c", fmt::format("{} {}", TRIGGERCTL_BINARY, arguments)},
                  {.cwd = triggerd.dir().path()});
  const auto exit = process.wait();
  return {exit ? exit->code : -1, process.output()};
}

bool says(const Said& said, const std::string& part) {
  return said.text.find(part) != std::string::npos;
}

TEST(TriggerctlLifeTest, FromAnEmptyRuntimeToAReplayedDeadLetter) {
  MosquittoServer server;
  TriggerdProcess triggerd(
      fmt::format("[admin]\nlisten = \"\"\nmanage = true\n\n[runtime]\nstate_dir = \"var\"\n"
                  "plugin_dirs = [\"{}\", \"{}\"]\n",
                  TriggerdProcess::plugin_dir().string(), TEST_PLUGIN_DIR));
  EXPECT_EQ(triggerctl(triggerd, "status").code, 3) << "it does not run yet";
  triggerd.start();
  const auto socket = triggerd.dir() / "var/admin.sock";
  ASSERT_TRUE(triggerd.wait_for_event("runtime.started")) << triggerd.output();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(socket); })) << triggerd.output();

  Said said = triggerctl(
      triggerd, fmt::format("alias create plant --set host=tcp://127.0.0.1:{}", server.port()));
  ASSERT_EQ(said.code, 0) << said.text;
  said = triggerctl(triggerd,
                    "trigger create calls --set alias=plant --set topics=plant/boiler "
                    "--set service=log");
  ASSERT_EQ(said.code, 0) << said.text;
  said = triggerctl(triggerd,
                    "trigger create rejects --set alias=plant --set topics=plant/bad "
                    "--set service=recorder:misbehave --set settings.mode=reject "
                    "--set settings.file=record");
  ASSERT_EQ(said.code, 0) << said.text;
  said = triggerctl(triggerd,
                    "trigger create other --set alias=plnt --set topics=a "
                    "--set service=log");
  EXPECT_EQ(said.code, 2) << said.text;
  ASSERT_TRUE(eventually([&] {
    const Said status = triggerctl(triggerd, "status");
    return status.code == 0 && !says(status, "not ready");
  })) << triggerctl(triggerd, "status").text;
  said = triggerctl(triggerd, "match plant/boiler");
  EXPECT_TRUE(says(said, "yes")) << said.text;
  EXPECT_EQ(triggerctl(triggerd, "alias test plant").code, 0);

  Process tail({TRIGGERCTL_BINARY, "tail", "--kind", "message", "--count", "1"},
               {.cwd = triggerd.dir().path()});
  // The stream has no past, so publish until it has seen one.
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(triggerctl(triggerd, "publish --alias plant --topic plant/boiler --payload 80").code,
              0);
    return !tail.running();
  }));
  EXPECT_TRUE(tail.wait_for_line("plant/boiler")) << tail.output();

  said = triggerctl(triggerd, "publish --alias plant --topic plant/bad --payload reject");
  EXPECT_EQ(said.code, 0) << said.text;
  ASSERT_TRUE(eventually([&] {
    return says(triggerctl(triggerd, "dead-letters list --trigger rejects"), "plant/bad");
  })) << triggerctl(triggerd, "dead-letters list").text;
  said = triggerctl(triggerd, "dead-letters replay --trigger rejects");
  EXPECT_TRUE(says(said, "replayed 1 dead letter")) << said.text;

  EXPECT_EQ(triggerctl(triggerd, "trigger disable calls --reason 'at rest'").code, 0);
  said = triggerctl(triggerd, "status");
  EXPECT_TRUE(says(said, "at rest")) << said.text;
  EXPECT_EQ(triggerctl(triggerd, "trigger delete calls").code, 0);
  EXPECT_EQ(triggerctl(triggerd, "trigger delete rejects").code, 0);
  EXPECT_EQ(triggerctl(triggerd, "alias delete plant").code, 0);
  EXPECT_EQ(triggerd.stop(), (Exit{}));
}

}  // namespace
}  // namespace triggerd::test
