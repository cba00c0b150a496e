// What answers say of times, and how long a request goes on, by a clock that the test turns.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "admin/api.hpp"
#include "support/fake_clock.hpp"
#include "unit/admin/fake_management.hpp"

namespace triggerd::admin {
namespace {

using nlohmann::json;

class TimesTest : public testing::Test {
 protected:
  TimesTest() { add_all_routes(router_, runtime_.management(), streamer_, clock_); }

  json ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    Request request;
    request.via = Via::unix_socket;
    request.may = May::change;
    request.method = method;
    EXPECT_TRUE(parse_target(target, request)) << target;
    request.body = body;
    if (!body.empty()) request.headers["content-type"] = "application/json";
    const auto found = router_.find(request);
    const auto* const* route = std::get_if<const Route*>(&found);
    EXPECT_NE(route, nullptr) << target;
    if (route == nullptr) return {};
    const Reply reply = (*route)->handler(request);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body);
  }

  test::FakeClock clock_;
  test::FakeManagement runtime_;
  EventStreamer streamer_{runtime_};
  Router router_;
};

TEST_F(TimesTest, TheStatusCountsTheTimeSinceTheStart) {
  const double before = ask("GET", "/api/v1/status")["uptime_seconds"];
  clock_.advance(Millis(90'000));
  EXPECT_DOUBLE_EQ(ask("GET", "/api/v1/status")["uptime_seconds"].get<double>(), before + 90);
}

TEST_F(TimesTest, ManyDeadLettersAreReplayedInPortions) {
  constexpr std::uint64_t kAll = 10;
  runtime_.while_replaying = [this](const management::DeadLetterControl::Progress& progress) {
    std::uint64_t done = 0;
    do {
      clock_.advance(Millis(600));
      ++done;
    } while (progress(done, kAll) && done < kAll);
    return management::DeadLettersDone{.done = done, .failed = 0, .last_failure = {}, .up_to = 41};
  };
  for (const char* verb : {"replay", "drop"}) {
    const json answer = ask("POST", std::string("/api/v1/dead-letters/") + verb, "{}");
    EXPECT_EQ(answer["done"], 4) << "two seconds are over";
    EXPECT_EQ(answer["remaining"], kAll - 4);
    EXPECT_EQ(answer["up_to"], 41) << "where the next request goes on";
  }
}

}  // namespace
}  // namespace triggerd::admin
