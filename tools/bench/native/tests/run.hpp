// Runs the fake server, and what connects to it, as programs.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace bench {

using triggerd::test::kPatience;
using triggerd::test::Process;

inline std::string program(const std::string& name) {
  return BENCH_DIR "/bench-" + name;
}

inline std::vector<std::string> words(std::vector<std::string> first,
                                      const std::vector<std::string>& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

// The last line of what a program said, as JSON; an empty object where it is none.
inline nlohmann::json last_line(const Process& process) {
  const auto lines = process.lines();
  const auto parsed = lines.empty() ? nlohmann::json::object()
                                    : nlohmann::json::parse(lines.back().text, nullptr, false);
  EXPECT_TRUE(parsed.is_object()) << process.output();
  return parsed.is_object() ? parsed : nlohmann::json::object();
}

class Broker {
 public:
  explicit Broker(const std::vector<std::string>& arguments)
      : process_(words({program("broker")}, arguments)) {
    const auto line = process_.wait_for_line("port ");
    EXPECT_TRUE(line) << process_.output();
    if (line) port_ = static_cast<std::uint16_t>(std::stoi(line->text.substr(5)));
  }
  std::uint16_t port() const { return port_; }
  std::string url(const std::string& scheme = "tcp") const {
    return fmt::format("{}://127.0.0.1:{}", scheme, port_);
  }
  Process& process() { return process_; }
  // Its exit code; 128 and more where a signal ended it, or -1 where it still runs.
  int wait() {
    const auto exit = process_.wait();
    if (!exit) return -1;
    return exit->signal == 0 ? exit->code : 128 + exit->signal;
  }
  nlohmann::json result() const { return last_line(process_); }

 private:
  Process process_;
  std::uint16_t port_ = 0;
};

// What a contender says when it is told to end.
inline nlohmann::json end_of(Process& contender) {
  contender.signal(SIGTERM);
  const auto exit = contender.wait();
  EXPECT_TRUE(exit && exit->code == 0 && exit->signal == 0) << contender.output();
  return last_line(contender);
}

// What must hold of every run, whatever the machine.
inline void expect_plausible(const nlohmann::json& result, int qos, std::size_t window) {
  EXPECT_GT(result.value("messages", 0.0), 0) << result;
  EXPECT_GT(result.value("seconds", 0.0), 0) << result;
  EXPECT_GT(result.value("cpu_seconds", -1.0), 0) << result;
  EXPECT_NEAR(result.value("rate", 0.0) * result.value("seconds", 0.0),
              result.value("messages", 0.0), 1 + 0.001 * result.value("messages", 0.0))
      << result;
  const auto in_flight = result.value("in_flight_max", std::size_t{1} << 20);
  EXPECT_LE(in_flight, qos == 0 ? 0 : window) << result;
  EXPECT_TRUE(qos == 0 || in_flight > 0) << result;
}

}  // namespace bench
