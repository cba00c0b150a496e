// bench-publish: publishers that keep a pace against a real server, each message with the time at
// its front. Each publisher is one connection and one thread, which writes its message itself the
// moment it is due: no second thread has to wake for it.
#include <fmt/core.h>
#include <mosquitto.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "command_line/command.hpp"
#include "common/contender.hpp"
#include "common/gaps.hpp"
#include "common/stamp.hpp"
#include "publish/publisher.hpp"

namespace bench {
namespace {

struct Sum {
  std::uint64_t sent = 0;
  std::uint64_t behind = 0;
};

Sum run_all(const PublishOptions& options) {
  std::vector<std::unique_ptr<Publisher>> publishers;
  for (unsigned i = 0; i < options.publishers; ++i) {
    publishers.push_back(std::make_unique<Publisher>(options, i));
  }
  const std::uint64_t begin = monotonic_ns();
  std::vector<std::thread> threads;
  threads.reserve(publishers.size());
  for (auto& publisher : publishers) {
    threads.emplace_back([&publisher, begin] { publisher->run(begin); });
  }
  Sum sum;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i].join();
    sum.sent += publishers[i]->sent();
    sum.behind += publishers[i]->behind();
  }
  return sum;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::PublishOptions options;
  std::string sparse;
  command_line::Program program(
      "Publishes to bench/0, bench/1 and so on, one topic for each publisher, at a steady pace.\n"
      "Each message carries the time at which it was sent. The last line is one object of JSON.");
  command_line::Command root = program.root();
  root.option("--host", options.host, "of the server; default 127.0.0.1");
  root.option("--port", options.port, "of the server").required();
  const command_line::Option rate =
      root.option("--rate", options.rate, "messages a second, of all publishers").positive();
  root.option("--publishers", options.publishers, "connections").range(1, 1000);
  root.option("--seconds", options.seconds, "to publish for").positive();
  root.option("--qos", options.qos, "of all messages").range(0, 2);
  root.option("--payload", options.payload, "bytes")
      .range(static_cast<int>(bench::kStampSize), 64 << 20);
  root.option("--sparse", sparse, "MIN_MS:MAX_MS, random gaps of each publisher, not a rate")
      .excludes(rate);
  root.option("--tls-ca", options.tls_ca, "file with the certificate to trust, PEM");
  if (const auto exit = program.parse(argc, argv)) return exit->print();
  if (!sparse.empty()) {
    options.sparse = bench::read_gaps(sparse);
    if (!options.sparse) {
      bench::give_up("--sparse " + sparse + ": must be MIN_MS:MAX_MS, such as 20:1500");
    }
  }

  std::signal(SIGPIPE, SIG_IGN);
  mosquitto_lib_init();
  const bench::Sum sum = bench::run_all(options);
  fmt::print(R"({{"sent":{},"seconds":{:.6f},"behind":{}}})"
             "\n",
             sum.sent, options.seconds, sum.behind);
  return 0;
}
