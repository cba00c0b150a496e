// bench-broker: a fake MQTT server that is never what a measurement waits for.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "broker/server.hpp"
#include "command_line/command.hpp"
#include "common/gaps.hpp"
#include "common/stamp.hpp"

int main(int argc, char** argv) {
  bench::Options options;
  double pace = 0;
  std::string sparse;
  command_line::Program program(
      "A fake MQTT 3.1.1 server. It sends each client that has subscribed publishes as fast as "
      "the\n"
      "client takes them, measures the rate between the warm-up and the end, and prints it as one\n"
      "line of JSON. The first line of its output is \"port PORT\", on 127.0.0.1.");
  command_line::Command root = program.root();
  root.option("--qos", options.qos, "of all messages").range(0, 2);
  root.option("--window", options.window, "QoS 1 and 2: messages not yet acknowledged, at most")
      .range(1, 32'000);
  root.option("--payload", options.payload, "bytes").range(0, 64 << 20);
  root.option("--content", options.content,
              "what each payload begins with; blanks follow, up to --payload bytes");
  root.option("--warmup", options.warmup, "seconds before it counts").non_negative();
  root.option("--seconds", options.seconds, "to count for").non_negative();
  root.option("--connections", options.connections,
              "connections that must have subscribed before it begins")
      .range(1, 100'000);
  root.option("--patience", options.patience, "seconds for them to subscribe").positive();
  root.option("--filters", options.filters, "distinct topics: bench/0, bench/1 and so on")
      .range(1, 65'535);
  root.option("--backlog-first", options.backlog,
              "sends each subscriber so many messages flat out, before the warm-up; how long "
              "that took is backlog_seconds");
  const command_line::Option pace_option =
      root.option("--pace", pace,
                  "messages a second, over all connections, each with the time at its front")
          .positive();
  root.option("--sparse", sparse, "MIN_MS:MAX_MS, random gaps instead of a pace")
      .excludes(pace_option);
  command_line::Option certificate =
      root.option("--tls-certificate", options.tls_certificate, "file, PEM");
  command_line::Option key = root.option("--tls-key", options.tls_key, "file, PEM");
  certificate.needs(key);
  key.needs(certificate);
  if (const auto exit = program.parse(argc, argv)) return exit->print();
  if (pace > 0) options.pace = pace;
  if (!sparse.empty()) {
    options.sparse = bench::read_gaps(sparse);
    if (!options.sparse) {
      fmt::print(stderr, "bench-broker: --sparse {}: must be MIN_MS:MAX_MS, such as 20:1500\n",
                 sparse);
      return 2;
    }
  }
  if (options.paced() && options.payload < bench::kStampSize) {
    fmt::print(stderr, "bench-broker: --payload {}: a paced message has at least {} bytes\n",
               options.payload, bench::kStampSize);
    return 2;
  }

  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  try {
    bench::Server server(options);
    fmt::print("port {}\n", server.port());
    std::fflush(stdout);
    fmt::print("{}\n", server.run());
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "bench-broker: {}\n", error.what());
    return 1;
  }
  return 0;
}
