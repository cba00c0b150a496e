// How many messages are in memory at most, for small payloads and for large ones.
#include <gtest/gtest.h>

#include <cmath>

#include "integration/acknowledge_fixture.hpp"
#include "unit/admin/http_client.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kCapacity = 100;
constexpr std::size_t kReadAhead = 65'536;  // bytes of one read

class QueueCapacityTest : public AcknowledgeFixture,
                          public testing::WithParamInterface<std::size_t> {
 protected:
  double sample(const std::string& text, const std::string& name) {
    const std::string label = "\n" + name + "{trigger=\"t\"} ";
    const std::size_t at = text.find(label);
    return at == std::string::npos ? NAN : std::stod(text.substr(at + label.size()));
  }
  // Those that wait and those that the service has.
  double in_memory() {
    const auto port = triggerd_->admin_port();
    if (!port) return NAN;
    const std::string text = "\n" + HttpClient(*port).ask("GET", "/metrics").body;
    return sample(text, "triggerd_queue_messages") + sample(text, "triggerd_in_flight");
  }
};

TEST_P(QueueCapacityTest, IsExceededByWhatOneReadBringsAtMost) {
  const std::size_t payload = GetParam();
  start(kHangs + fmt::format("queue_capacity = {}", kCapacity), "mode = \"hang\"");
  // The server does not wait: QoS 0, three times as many as may be here.
  const std::string packet = packet::encode(publish(0, 0, std::string(payload, 'x')));
  std::string flood;
  for (std::size_t i = 0; i < 3 * kCapacity + 3 * kReadAhead / packet.size(); ++i) flood += packet;
  broker_.send(connection_, Reply().send(flood));
  ASSERT_TRUE(eventually([&] { return in_memory() >= kCapacity; })) << in_memory();
  // It stays there, however long the server goes on.
  const double most =
      kCapacity + std::ceil(double{kReadAhead} / static_cast<double>(packet.size())) + 1;
  for (int look = 0; look < 20; ++look) {
    ASSERT_LE(in_memory(), most);
    std::this_thread::sleep_for(20ms);
  }
}

INSTANTIATE_TEST_SUITE_P(, QueueCapacityTest, testing::Values(60, 1'000, 15'000, 17'000, 100'000),
                         [](const auto& size) { return fmt::format("Of{}Bytes", size.param); });

}  // namespace
}  // namespace triggerd::test
