#include "common/contender.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "command_line/command.hpp"
#include "common/stamp.hpp"

namespace bench {
namespace {

bool split_url(ContenderOptions& options) {
  std::string_view rest = options.url;
  options.tls = rest.starts_with("ssl://");
  if (!options.tls && !rest.starts_with("tcp://")) return false;
  rest.remove_prefix(6);
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  options.host = rest.substr(0, colon);
  const char* const end = rest.data() + rest.size();
  const auto [stopped, error] = std::from_chars(rest.data() + colon + 1, end, options.port);
  return error == std::errc() && stopped == end;
}

}  // namespace

ContenderOptions ContenderOptions::parse(int argc, char** argv, const std::string& about) {
  ContenderOptions options;
  command_line::Program program(
      about +
      "\nSubscribes to bench/#, counts, and prints what it counted as one line of JSON "
      "when it gets SIGTERM.");
  command_line::Command root = program.root();
  root.option("--url", options.url, "tcp://HOST:PORT or ssl://HOST:PORT").required();
  root.option("--ca", options.ca, "file with the certificate to trust, PEM");
  root.option("--qos", options.qos, "of the subscription").range(0, 2);
  root.flag("--latency", options.latency, "reads the time at the front of each message");
  root.option("--work-us", options.work_us, "sleeps so many microseconds for each message");
  root.option("--client-id", options.client_id, "default: made up");
  root.flag("--persistent", options.persistent, "the server keeps the session");
  if (const auto exit = program.parse(argc, argv)) {
    std::exit(exit->print());  // NOLINT(concurrency-mt-unsafe): there are no threads yet
  }
  if (!split_url(options)) {
    give_up("--url " + options.url + ": must be tcp://HOST:PORT or ssl://HOST:PORT");
  }
  if (options.client_id.empty()) options.client_id = "bench-" + std::to_string(::getpid());
  return options;
}

void Arrivals::add(std::string_view payload) {
  if (options_.latency) {
    if (const auto sent = stamp_of(payload)) {
      const std::uint64_t now = monotonic_ns();
      latency_.add(now > *sent ? now - *sent : 0);
    }
  }
  if (options_.work_us > 0) {
    const timespec work{.tv_sec = options_.work_us / 1'000'000,
                        .tv_nsec = static_cast<long>(options_.work_us % 1'000'000) * 1000};
    ::nanosleep(&work, nullptr);
  }
  received_.store(received_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

std::string Arrivals::line() const {
  return report_line(received_.load(), options_.latency ? &latency_ : nullptr);
}

namespace {
sigset_t the_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}
}  // namespace

void hold_signals() {
  const sigset_t signals = the_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void run_until_told(const Arrivals& arrivals) {
  const sigset_t signals = the_signals();
  int number = 0;
  sigwait(&signals, &number);
  fmt::print("{}\n", arrivals.line());
  std::fflush(stdout);
  ::_exit(0);
}

void give_up(const std::string& why) {
  fmt::print(stderr, "{}: {}\n", program_invocation_short_name, why);
  std::fflush(stderr);
  ::_exit(1);
}

}  // namespace bench
