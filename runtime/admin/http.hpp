// One request and one reply, as plain values: what handlers see of HTTP.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace triggerd::admin {

class EventStream;

// How a request reached this process.
enum class Via { unix_socket, loopback, elsewhere };

// What a caller may do; each value includes those before it.
enum class May { nothing, look, change };

struct Request {
  Via via = Via::elsewhere;
  std::string peer;  // "uid 1000", "127.0.0.1 uid 1000": for the log
  // On loopback: the other end's socket belongs to the user that this process runs as, or to root.
  bool is_own_user = false;
  std::string method;
  std::string target;              // as it was sent
  std::vector<std::string> path;   // its segments, decoded
  std::vector<std::string> names;  // what each {...} of the route matched
  std::map<std::string, std::string, std::less<>> query;
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;
  bool has_body = false;
  May may = May::nothing;

  std::string_view header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
  const std::string* parameter(std::string_view name) const {
    const auto found = query.find(name);
    return found == query.end() ? nullptr : &found->second;
  }
};

// Splits a target such as "/a/b%2Fc?d=e" into path and query. False: it is malformed, for example
// because it has a bad escape or a NUL character.
bool parse_target(std::string_view target, Request& request);

struct Reply {
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::shared_ptr<EventStream> stream = {};  // if set: follows the headers until a side closes
};

using Handler = std::function<Reply(const Request&)>;

}  // namespace triggerd::admin
