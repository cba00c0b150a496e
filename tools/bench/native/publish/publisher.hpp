// One paced publisher: a connection that its thread reads, writes and waits for by itself.
#pragma once

#include <mosquitto.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "common/gaps.hpp"

namespace bench {

struct PublishOptions {
  std::string host = "127.0.0.1";
  int port = 0;
  double rate = 1000;  // of all publishers
  unsigned publishers = 1;
  double seconds = 3;
  int qos = 1;
  int payload = 64;
  std::optional<Gaps> sparse;
  std::string tls_ca;
};

class Publisher {
 public:
  // Connects; ends the program where it cannot.
  Publisher(const PublishOptions& options, unsigned number);

  // Publishes from `begin` on, by the monotonic clock, and waits for the last acknowledgements.
  void run(std::uint64_t begin);
  std::uint64_t sent() const { return sent_; }
  // Messages that left more than a millisecond after they were due.
  std::uint64_t behind() const { return behind_; }

 private:
  struct Free {
    void operator()(mosquitto* client) const { mosquitto_destroy(client); }
  };
  static void on_connect(mosquitto*, void* self, int code);
  static void on_publish(mosquitto*, void* self, int id);
  void check(int code, const char* what) const;
  // Serves the connection until `until`.
  void serve(std::uint64_t until);
  double next_gap();
  void publish();

  const PublishOptions& options_;
  const std::string topic_;
  std::unique_ptr<mosquitto, Free> client_;
  std::mt19937 random_;
  bool connected_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t behind_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t looked_after_ = 0;  // when the library last did what is not reading or writing
  std::string payload_;
};

}  // namespace bench
