#include "base/service_manager.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "support/notify_socket.hpp"
#include "support/temp_dir.hpp"

namespace triggerd {
namespace {

TEST(ServiceManagerTest, SaysWhatSystemdUnderstands) {
  const test::TempDir dir;
  test::NotifySocket socket((dir / "notify").string());
  const ServiceManager manager(socket.name().c_str(), nullptr, nullptr);
  manager.ready();
  EXPECT_EQ(socket.next(), "READY=1");
  manager.alive();
  EXPECT_EQ(socket.next(), "WATCHDOG=1");
  manager.reloading();
  const std::string reloading = socket.next().value_or("");
  EXPECT_TRUE(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC=")) << reloading;
  manager.stopping(Millis(10'000));
  EXPECT_EQ(socket.next(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000");
}

TEST(ServiceManagerTest, KnowsTheAbstractNamespace) {
  test::NotifySocket socket("@triggerd-test-" + std::to_string(::getpid()));
  ServiceManager(socket.name().c_str(), nullptr, nullptr).ready();
  EXPECT_EQ(socket.next(), "READY=1");
}

TEST(ServiceManagerTest, WithoutOneNothingHappens) {
  const std::string endless(200, 'x');
  for (const char* name : {static_cast<const char*>(nullptr), "", "/", "@", "relative",
                           "/nowhere/notify", endless.c_str()}) {
    const ServiceManager manager(name, "1000000", nullptr);
    manager.ready();
    manager.stopping(Millis(1));
  }
}

TEST(ServiceManagerTest, WantsToHearTwiceInEachPeriod) {
  const std::string own = std::to_string(::getpid());
  const auto watchdog = [](const char* socket, const char* period, const char* pid) {
    return ServiceManager(socket, period, pid).watchdog();
  };
  EXPECT_EQ(watchdog("/x", "30000000", nullptr), Millis(15'000));
  EXPECT_EQ(watchdog("/x", "30000000", own.c_str()), Millis(15'000));
  EXPECT_EQ(watchdog("/x", "30000000", "1"), std::nullopt) << "another process is meant";
  EXPECT_EQ(watchdog("/x", nullptr, nullptr), std::nullopt);
  EXPECT_EQ(watchdog("/x", "often", nullptr), std::nullopt);
  EXPECT_EQ(watchdog("/x", "0", nullptr), std::nullopt);
  EXPECT_EQ(watchdog(nullptr, "30000000", nullptr), std::nullopt);
}

}  // namespace
}  // namespace triggerd
