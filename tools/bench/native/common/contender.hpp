// What all contenders here have in common: their command line, what they count, and their end.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/histogram.hpp"

namespace bench {

struct ContenderOptions {
  std::string url;
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string ca;
  int qos = 0;
  bool latency = false;
  unsigned work_us = 0;
  std::string client_id;
  bool persistent = false;

  // Reads the command line; ends the program where it is wrong, or only asks for help.
  static ContenderOptions parse(int argc, char** argv, const std::string& about);
};

// Counts what comes in. One thread calls add().
class Arrivals {
 public:
  explicit Arrivals(const ContenderOptions& options) : options_(options) {}
  // The empty callback, but for what was asked for.
  void add(std::string_view payload);
  std::string line() const;

 private:
  const ContenderOptions& options_;
  std::atomic<std::uint64_t> received_{0};
  Histogram latency_;
};

// SIGTERM and SIGINT wait for run_until_told(). Call it before there are other threads.
void hold_signals();
// Waits for one of them, prints what arrived and ends the program, whatever its threads do.
[[noreturn]] void run_until_told(const Arrivals& arrivals);

// Says why and ends the program with exit code 1.
[[noreturn]] void give_up(const std::string& why);

}  // namespace bench
