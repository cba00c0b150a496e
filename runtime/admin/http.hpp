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

// How somebody got here.
enum class Via { unix_socket, loopback, elsewhere };

// What somebody may do; each includes those before it.
enum class May { nothing, look, change };

struct Request {
  Via via = Via::elsewhere;
  std::string peer;  // "uid 1000", "127.0.0.1 uid 1000": for the record
  // The other end's socket is of the user whom this process runs as, or of root. On loopback.
  bool is_own_user = false;
  std::string method;
  std::string target;              // as it was sent
  std::vector<std::string> path;   // its segments, decoded
  std::vector<std::string> names;  // what {...} of the route stands for
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

// Takes "/a/b%2Fc?d=e" apart. False: it is none, such as one with a bad escape or a zero character.
bool parse_target(std::string_view target, Request& request);

struct Reply {
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::shared_ptr<EventStream> stream = {};  // then it follows the headers until either side closes
};

using Handler = std::function<Reply(const Request&)>;

}  // namespace triggerd::admin
