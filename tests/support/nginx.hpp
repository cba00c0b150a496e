// NginxServer: a real HTTP server of the test's own, on loopback, in a folder of its own. It takes
// every request, answers 200, and writes down what it was sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/port.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {

struct NginxOptions {
  bool http2 = false;  // without TLS a client must know it beforehand
  // PEM; with both it speaks TLS.
  std::string certificate = {};
  std::string key = {};
  std::string client_authority = {};  // PEM; clients need a certificate that it signed
  std::string extra_config = {};      // lines for the server
};

struct NginxRequest {
  std::string protocol;  // "HTTP/1.1"
  std::string connection;
  std::string method;
  std::string subject;  // the header ce-subject
  std::string content_type;
  std::string target;  // path and query as they were sent
  std::string body;
};

// Threads: the test's own (see Process).
class NginxServer {
 public:
  // Starts it. Here as in start(): on return it answers; otherwise this throws, with what it said.
  explicit NginxServer(const NginxOptions& options = {});

  // The same after every restart.
  std::uint16_t port() const { return port_.number(); }
  void start();
  void kill();  // SIGKILL

  // All that were answered, over all restarts. A request is written down after its answer was sent.
  std::vector<NginxRequest> requests() const;
  // The same, once there are `count` of them or the patience is at an end.
  std::vector<NginxRequest> wait_for_requests(std::size_t count) const;

 private:
  void write_config(const NginxOptions& options);

  TempDir dir_;
  ReservedPort port_;
  std::unique_ptr<Process> process_;
};

}  // namespace triggerd::test
