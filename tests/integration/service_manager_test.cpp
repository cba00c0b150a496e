// What the runtime tells systemd, with a socket of our own in its place.
#include <gtest/gtest.h>
#include <signal.h>

#include "support/notify_socket.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

TEST(ServiceManagerIntegrationTest, HearsOfReadinessLifeReloadAndEnd) {
  const TempDir dir;
  NotifySocket socket((dir / "notify").string());
  TriggerdProcess triggerd("", {{"NOTIFY_SOCKET", socket.name()}, {"WATCHDOG_USEC", "100000"}});
  triggerd.start();
  EXPECT_TRUE(socket.comes("READY=1")) << triggerd.output();
  EXPECT_TRUE(socket.comes("WATCHDOG=1"));
  EXPECT_TRUE(socket.comes("WATCHDOG=1")) << "it goes on";
  triggerd.process().signal(SIGHUP);
  EXPECT_TRUE(socket.comes("RELOADING=1"));
  EXPECT_TRUE(socket.comes("READY=1")) << "and is over";
  EXPECT_EQ(triggerd.stop(), Exit{0});
  EXPECT_TRUE(socket.comes("STOPPING=1\nEXTEND_TIMEOUT_USEC="));
}

TEST(ServiceManagerIntegrationTest, IsNotTakenInWhereTheConfigurationIsWrong) {
  const TempDir dir;
  NotifySocket socket((dir / "notify").string());
  TriggerdProcess triggerd("[nonsense]\n", {{"NOTIFY_SOCKET", socket.name()}});
  triggerd.start();
  EXPECT_EQ(triggerd.process().wait(kPatience), Exit{2});
  EXPECT_EQ(socket.next(Millis(0)), std::nullopt);
}

}  // namespace
}  // namespace triggerd::test
