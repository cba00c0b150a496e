// What is promised, over kills of the process, cuts of the connection and answers that are lost, in
// any order: each seed is another history.
#include <map>
#include <random>

#include "unit/outbox/outbox_fixture.hpp"

namespace triggerd::outbox {
namespace {

constexpr int kHistories = 60;
constexpr int kSteps = 120;

class History : public OutboxStage {
 public:
  void play(unsigned seed) {
    std::mt19937 random(seed);
    const auto one_of = [&](unsigned n) { return random() % n; };
    server_.v5 = one_of(2) == 0;
    server_.window = 1 + one_of(8);
    int next = 0;
    bool on_line = false;
    for (int step = 0; step < kSteps; ++step) {
      switch (one_of(10)) {
        case 0:
        case 1:
        case 2: {
          const std::string payload = std::to_string(next++);
          const int qos = 1 + static_cast<int>(one_of(2));
          qos_[payload] = qos;
          ASSERT_TRUE(publish(payload, qos));
          break;
        }
        case 3:
          process_->write();
          break;
        case 4:
        case 5:
          if (on_line) (void)server_.take_one();
          break;
        case 6:
          if (on_line) outbox().on_answers(server_.take_answers());
          break;
        case 7:
          process_->run();
          break;
        case 8:
          if (!std::exchange(on_line, true)) {
            connect();
          } else if (one_of(2) == 0) {
            cut();
            on_line = false;
          }
          break;
        default:
          if (one_of(4) != 0) break;
          kill();
          on_line = false;
      }
    }
    if (!on_line) connect();
    settle();
  }

  void check() {
    std::map<std::string, int> times;
    for (const auto& one : server_.delivered) ++times[one.payload];
    for (const std::string& payload : safe()) {
      EXPECT_GE(times[payload], 1) << "message " << payload << " was lost";
    }
    for (const auto& [payload, count] : times) {
      if (qos_[payload] == 2) {
        EXPECT_EQ(count, 1) << "message " << payload;
      }
    }
    int newest = -1;  // a message that comes again does so in its place
    std::map<std::string, bool> seen;
    for (const auto& one : server_.delivered) {
      if (std::exchange(seen[one.payload], true)) continue;
      EXPECT_GT(std::stoi(one.payload), newest) << "message " << one.payload << " is late";
      newest = std::stoi(one.payload);
    }
    EXPECT_EQ(outbox().stats().messages, 0U);
    EXPECT_EQ(outbox().stats().bytes, 0U);
    EXPECT_EQ(rows(), 0U);
    EXPECT_EQ(process_->inbox().outgoing().awaiting_pubcomp("edge")->size(), 0U);
  }

 private:
  std::map<std::string, int> qos_;
};

TEST(OutboxPromises, HoldInAnyHistory) {
  for (unsigned seed = 1; seed <= kHistories && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history;
    history.play(seed);
    history.check();
  }
}

}  // namespace
}  // namespace triggerd::outbox
