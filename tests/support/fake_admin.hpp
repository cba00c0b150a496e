// FakeAdmin: the administrator's API on a Unix socket, with answers that a test wrote down: for
// what triggerctl does with them, errors above all. That the real one gives such answers is tested
// with docs/reference/openapi.yaml.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/http_server.hpp"

namespace triggerd::test {

// Threads: as ScriptedHttpServer.
class FakeAdmin {
 public:
  explicit FakeAdmin(const std::filesystem::path& socket) : server_(socket) {}

  // {"METHOD TARGET": ANSWER}, over those it has. ANSWER has "status" and "body" (JSON), "text", or
  // "events", after which the stream ends. A target is looked for with its query, then without it;
  // what is not found is 404 with a problem.
  void answer_as(std::string_view json);
  // "METHOD TARGET BODY" of each, in their order.
  std::vector<std::string> requests() const;
  ScriptedHttpServer& server() { return server_; }

 private:
  std::string answers_ = "{}";  // JSON, so that its headers stay out of here
  ScriptedHttpServer server_;
};

}  // namespace triggerd::test
