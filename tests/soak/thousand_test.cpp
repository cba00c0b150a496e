// A thousand triggers, each with its connection, and a server that is restarted several times in a
// row: each time all of them are back soon, and nobody is blamed for a stolen client id.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

constexpr int kTriggers = 1'000;
constexpr int kRestarts = 4;

TEST(Thousand, ConnectionsAreBackSoonAfterEachOfSeveralRestarts) {
  const TempDir dir;
  MosquittoServer server({.persistence = true, .extra_config = "log_type none\n"});
  std::string toml = runtime_table() + fmt::format(
                                           "[aliases.a]\nhost = \"tcp://127.0.0.1:{}\"\n"
                                           "client_id = \"client-a\"\n",
                                           server.port());
  for (int i = 0; i < kTriggers; ++i) {
    toml += trigger_table(fmt::format("t{}", i), "a", fmt::format("\"topic/{}\"", i), dir / "file");
  }
  TriggerdProcess triggerd(toml);
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("runtime.ready")) << triggerd.output().substr(0, 4'000);
  for (int i = 0; i < kRestarts; ++i) {
    const std::size_t from = triggerd.process().line_count();
    server.stop();
    ASSERT_TRUE(triggerd.wait_for_event("runtime.not_ready", {}, from));
    server.start();
    const auto began = std::chrono::steady_clock::now();
    ASSERT_TRUE(triggerd.wait_for_event("runtime.ready", {}, from)) << "restart " << i;
    std::cout << "restart " << i << ": ready after "
              << std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count()
              << " s\n";
  }
  EXPECT_EQ(triggerd.output().find("connection.client_id_taken"), std::string::npos);
  EXPECT_EQ(triggerd.stop(), Exit{});
}

}  // namespace
}  // namespace triggerd::test
