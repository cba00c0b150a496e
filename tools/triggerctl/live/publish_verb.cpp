#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/api.hpp"
#include "live/live_verbs.hpp"
#include "live/message_options.hpp"

namespace triggerctl {
namespace {

struct PublishOptions {
  std::string alias;
  MessageOptions message;
};

Result<int> publish_one(const Api& api, const Json& message) {
  const auto published = api.post("/publish", message);
  if (!published) return tl::make_unexpected(published.error());
  if (json_wanted()) {
    print_json(*published);
  } else {
    const bool kept = flag_of(*published, "kept");
    fmt::print("{} {} to {} on {}, QoS {}{}\n", kept ? "kept" : "published",
               counted(count_of(*published, "bytes"), "byte"), safe(text_of(*published, "topic")),
               safe(text_of(*published, "alias")), count_of(*published, "qos"),
               kept ? ": its server is away" : "");
  }
  return kDone;
}

// Each line of standard input is one message. Stops at the first one that is not published, and
// says which, so that the user can continue from there.
Result<int> publish_lines(const Api& api, Json message) {
  if (::isatty(STDIN_FILENO) == 1) {
    fmt::print(stderr, "each line that you type is one message; Ctrl-D ends\n");
  }
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  Progress progress;
  for (std::string line; std::getline(std::cin, line);) {
    message.erase("payload");
    message.erase("payload_base64");
    add_payload(message, line);
    const auto published = api.post("/publish", message);
    if (!published) {
      return tl::make_unexpected(
          triggerd::Error{fmt::format("line {} was not published: {}\n  the {} before it were",
                                      count + 1, published.error().message, count),
                          published.error().code});
    }
    ++count;
    bytes += line.size();
    if (count % 16 == 0) progress.show(fmt::format("published {}", counted(count, "message")));
  }
  progress.show("");
  if (json_wanted()) {
    print_json({{"messages", count}, {"bytes", bytes}});
  } else {
    fmt::print("published {}, {}\n", counted(count, "message"), counted(bytes, "byte"));
  }
  return kDone;
}

Result<int> publish(const Api& api, const PublishOptions& options) {
  auto message = message_from(options.message);
  if (!message) return tl::make_unexpected(message.error());
  (*message)["alias"] = options.alias;
  return names_payload(options.message) ? publish_one(api, *message)
                                        : publish_lines(api, *std::move(message));
}

}  // namespace

void add_publish_verb(CommandLine& line) {
  const auto options = std::make_shared<PublishOptions>();
  Command verb = line.live_verb(
      line.root(), "publish",
      "publish a message on an alias; without a payload, each line of standard input is a message",
      [options](const Api& api) { return publish(api, *options); });
  verb.option("--alias", options->alias, "the alias").required();
  add_message_options(verb, options->message);
}

}  // namespace triggerctl
