// Sends all requests of an instance on one thread, over libcurl's multi interface: connections are
// kept and reused, and with HTTP/2 shared by concurrent requests.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <trigger/plugin.hpp>
#include <utility>
#include <vector>

#include "outcome.hpp"
#include "request.hpp"
#include "settings.hpp"

namespace http_forward {

// A request, and whoever waits for its outcome.
class Exchange {
 public:
  enum class Kind { forward, probe };

  Exchange(Kind exchange_kind, Content what, std::chrono::steady_clock::time_point until)
      : kind(exchange_kind), content(std::move(what)), deadline(until) {}
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The last call for the exchange, which is destroyed afterwards. May submit others. [client's
  // thread]
  virtual void finished(const Outcome& outcome) = 0;

  const Kind kind;
  const Content content;
  const std::chrono::steady_clock::time_point deadline;
};

// Threads: start and stop one at a time; submit any, between them.
class Client {
 public:
  Client(const Settings& settings, const trigger::Context& context);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Throws std::runtime_error if libcurl runs out of resources.
  void start();
  // Aborts requests in flight, joins the thread, and closes all connections. Returns the exchanges
  // that will never get an outcome.
  std::vector<std::unique_ptr<Exchange>> stop();

  void submit(std::unique_ptr<Exchange> exchange);

 private:
  class LibraryUse;
  class Loop;

  // Constant after construction.
  const Settings& settings_;
  const trigger::Context context_;
  const trigger::Metric requests_;
  const trigger::Metric unanswered_;
  const trigger::Metric connections_;

  // From start to stop.
  std::unique_ptr<LibraryUse> library_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace http_forward
