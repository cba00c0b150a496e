#include "soak/sandbox.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

#include "support/process.hpp"
#include "support/small_disk.hpp"

namespace triggerd::soak {
namespace {

constexpr const char* kNamespaces = "/run/netns";  // where ip(8) keeps them

bool succeeds(std::vector<std::string> command, std::string& output) {
  test::Process process(std::move(command));
  const bool done = process.wait() == test::Exit{};
  output = process.output();
  return done;
}

void must_ip(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), IP_PROGRAM);
  std::string output;
  if (succeeds(arguments, output)) return;
  throw std::runtime_error(fmt::format("{}: {}", fmt::join(arguments, " "), output));
}

}  // namespace

void enter_private_mounts() {
  test::enter_private_mounts();
  std::filesystem::create_directories(kNamespaces);
  test::mount_tmpfs(kNamespaces, "size=1m,mode=755");
}

// ---- CutNetwork ----

// The pid makes names and addresses unique. 198.18.0.0/15 is set aside for tests of networks (RFC
// 2544), and has room for a /30 for each of 32768 processes.
CutNetwork::CutNetwork()
    : name_(fmt::format("soak-{}", ::getpid())),
      outside_(fmt::format("soako{}", ::getpid())),
      inside_(fmt::format("soaki{}", ::getpid())) {
  const unsigned base = (198U << 24) + (18U << 16) + static_cast<unsigned>(::getpid()) % 32768 * 4;
  const auto written = [](unsigned a) {
    return fmt::format("{}.{}.{}.{}", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
  };
  address_ = written(base + 1);
  try {
    must_ip({"netns", "add", name_});
    must_ip({"link", "add", outside_, "type", "veth", "peer", "name", inside_, "netns", name_});
    must_ip({"address", "add", address_ + "/30", "dev", outside_});
    must_ip({"link", "set", outside_, "up"});
    must_ip({"-n", name_, "address", "add", written(base + 2) + "/30", "dev", inside_});
    must_ip({"-n", name_, "link", "set", "lo", "up"});
    heal();
    std::string ignored;
    slow_ = succeeds({TC_PROGRAM, "qdisc", "add", "dev", outside_, "root", "tbf", "rate", "1mbit",
                      "burst", "4kb", "latency", "400ms"},
                     ignored);
  } catch (...) {
    remove();
    throw;
  }
}

CutNetwork::~CutNetwork() {
  remove();
}

void CutNetwork::remove() {
  std::string ignored;  // what is left ends with the mounts
  succeeds({IP_PROGRAM, "link", "delete", outside_}, ignored);
  succeeds({IP_PROGRAM, "netns", "delete", name_}, ignored);
}

std::vector<std::string> CutNetwork::launcher() const {
  return {IP_PROGRAM, "netns", "exec", name_};
}

// The inner end, so that the server's address stays there for it to be bound to.
void CutNetwork::cut() {
  must_ip({"-n", name_, "link", "set", inside_, "down"});
}

void CutNetwork::heal() {
  must_ip({"-n", name_, "link", "set", inside_, "up"});
}

}  // namespace triggerd::soak
