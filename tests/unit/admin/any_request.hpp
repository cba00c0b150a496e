// One request made of any bytes, answered over a fake runtime: what the fuzzer and the tests of its
// corpus do. "METHOD TARGET", a line with the content type, and behind that the body.
#pragma once

#include <cstdlib>
#include <string_view>

#include "admin/access.hpp"
#include "admin/api.hpp"
#include "unit/admin/fake_management.hpp"

namespace triggerd::test {

// The status; 0: it has no target that is one. Whatever the bytes are, nothing is thrown.
inline int answer_any_request(std::string_view bytes) {
  // Made once: a streamer has a thread.
  struct Everything {
    FakeManagement runtime;
    admin::EventStreamer streamer{runtime};
    admin::Router router;
    Everything() { admin::add_all_routes(router, runtime.management(), streamer); }
  };
  static Everything all;
  const auto take_to = [&bytes](char end) {
    const std::size_t at = bytes.find(end);
    const std::string_view part = bytes.substr(0, at);
    bytes.remove_prefix(at == std::string_view::npos ? bytes.size() : at + 1);
    return part;
  };
  admin::Request request;
  request.via = admin::Via::unix_socket;
  request.method = take_to(' ');
  if (!admin::parse_target(take_to('\n'), request)) return 0;
  request.headers["content-type"] = take_to('\n');
  request.body = bytes;
  (void)admin::host_of(request.target);
  const auto found = all.router.find(request);
  if (const auto* reply = std::get_if<admin::Reply>(&found)) return reply->status;
  const admin::Reply reply = std::get<const admin::Route*>(found)->handler(request);
  if (reply.stream) reply.stream->close();
  return reply.status;
}

}  // namespace triggerd::test
