// Storm: all faults at once, each at random moments of its own.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "soak/sandbox.hpp"
#include "support/mosquitto.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::soak {

// How often each fault comes: the mean time from the end of one to the next.
struct StormOptions {
  std::uint64_t seed = 0;
  Millis between_kills{8'000};
  Millis between_restarts{20'000};
  Millis between_cuts{8'000};
  Millis between_disk_fulls{15'000};
  // The runtime was killed, and is not started again yet.
  std::function<void()> after_kill = [] {};
};

struct StormCounts {
  unsigned kills = 0;           // of a runtime that was running then
  unsigned kills_starting = 0;  // those of them before it was ready
  unsigned restarts = 0;        // of the MQTT server
  unsigned cuts = 0;
  unsigned disk_fulls = 0;
  unsigned refused_starts = 0;             // the runtime ended by itself while the disk was full
  std::map<std::string, unsigned> events;  // of the runtime's log, by name
};

// Threads: the test's own, as the processes want it.
class Storm {
 public:
  // All of them run, and outlive it.
  Storm(const StormOptions& options, test::TriggerdProcess& runtime, test::MosquittoServer& server,
        CutNetwork& network, SmallDisk& disk);

  // Does what is due. Call it again and again.
  void step();
  // Ends every fault that is on, and starts what is down.
  void heal();
  // Adds the log of the runtime since its last start to counts().events; once, at its end.
  void take_log();

  const StormCounts& counts() const { return counts_; }
  // How the runtime ended where nobody killed it and there was room on its disk.
  const std::vector<std::string>& crashes() const { return crashes_; }
  // The end of the runtime's log, without what it says of single messages.
  std::string last_words() const;

 private:
  // A fault is on or off, and changes when its time has come.
  struct Fault {
    bool on = false;
    Monotonic next{};
    Millis between{};          // mean
    Millis shortest, longest;  // how long it is on
    std::function<void()> begin, end;
  };

  void change(Fault& fault);
  void kill();
  void look_after_runtime();
  Millis between(Millis least, Millis most);

  test::TriggerdProcess& runtime_;
  const std::function<void()> after_kill_;
  std::mt19937_64 random_;
  Fault killed_, stopped_, cut_, full_;
  bool was_full_ = false;  // since the runtime's last start
  StormCounts counts_;
  std::vector<std::string> crashes_;
};

}  // namespace triggerd::soak
