// What host and worker send each other, and its encoding. Both are the same program, so it has no
// versions; but the host believes nothing that it reads.
//
// The rings carry messages, verdicts and short calls. The socket carries everything else: orders
// and their replies, log lines, results of publishes, and whatever is too long for a ring.
//
// Pure functions. [any]
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/trigger.hpp"
#include "plugin/metrics.hpp"
#include "plugin/plugin.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

enum class ToWorker : std::uint32_t {
  // on the ring; a long message goes on the socket, and `elsewhere` takes its place in the ring
  message = 1,
  elsewhere,
  probe,
  // on the socket: orders, each answered by a reply
  setup,
  start,
  run,
  join,
  stop,
  save,
  restore,
  destroy,
  // on the socket: anything else
  metrics,    // answered by ToHost::metrics
  published,  // the result of a publish
};

enum class ToHost : std::uint32_t {
  // on the ring
  verdict = 1,
  probed,
  // on the ring, or on the socket if it is long; answered in a call place
  complete,
  extend,
  publish,
  // on the socket
  reply,
  metrics,
  log,
  // on the socket, before there is a plugin: the worker has confined itself. Comes with the
  // descriptor of the system calls that the host judges, if there is one (system_call_judge.hpp).
  confined,
};

// The most bytes that a frame of this type may have; 0: this type is not sent on the socket. A
// saved state (`state_is_due`) and a publish may be as long as their own limits allow; everything
// else is short.
std::size_t longest_frame(std::uint32_t type, bool state_is_due);

// ---- Orders ----

struct Setup {
  std::string plugin;
  std::string file;
  unsigned generation = 1;
  std::uint64_t done_timeout_ms = 5'000;
  std::uint64_t memory = 0;  // bytes; 0: no limit
  std::uint32_t log_level = 0;
  // The trigger of the instance. With an empty name no instance is made.
  config::Trigger trigger;
};
std::string encode(const Setup& setup);
std::optional<Setup> decode_setup(std::string_view bytes);

// The plugin that the worker has loaded, and the service of which it has made an instance.
struct Loaded : Description {
  std::uint32_t chosen = 0;  // its index in `services`
};
std::string encode(const Loaded& loaded);
std::optional<Loaded> decode_loaded(std::string_view bytes);

struct Reply {
  bool ok = false;
  bool may_pass = false;  // of an error: see base/passing.hpp
  std::string bytes;      // the result, or the text of the error
};
std::string encode(const Reply& reply);
std::optional<Reply> decode_reply(std::string_view bytes);

std::string encode(const SavedState& state);
std::optional<SavedState> decode_state(std::string_view bytes);

std::string encode(const std::vector<Metric>& metrics);
// Only the valid ones; at most Metrics::kMax. nullopt: it is not an encoding of metrics.
std::optional<std::vector<Metric>> decode_metrics(std::string_view bytes);

// ---- Messages ----

// `follows`: it is handled only if the message before it was answered with TRIGGER_OK.
void encode(const trigger_message& message, bool follows, std::string& into);

// A message together with what it points to.
struct OwnedMessage : trigger_message {
  OwnedMessage() : trigger_message() {}

  std::string bytes;
  std::vector<trigger_property> owned_properties;
  bool follows = false;
  std::uint64_t begun_ns = 0;
};
// Takes `bytes` over, and leaves the bytes of an earlier message in them, to reuse their memory.
bool decode_message(std::string& bytes, OwnedMessage& into);

struct Verdict {
  std::uint64_t token = 0;
  Answer answer;
  std::uint32_t busy_ns = 0;
};
void encode(const Verdict& verdict, std::string& into);
std::optional<Verdict> decode_verdict(std::string_view bytes);

// ---- Calls of host functions. `place` is the call place in which the worker waits for the code.
// ----

struct Complete {
  std::uint32_t place = 0;
  std::uint64_t token = 0;
  Answer answer;
};
std::string encode(const Complete& call);
std::optional<Complete> decode_complete(std::string_view bytes);

struct Extend {
  std::uint32_t place = 0;
  std::uint64_t token = 0;
  std::uint32_t ms = 0;
};
std::string encode(const Extend& call);
std::optional<Extend> decode_extend(std::string_view bytes);

// `id` is 0 if nobody waits for the result.
std::string encode(std::uint32_t place, std::uint64_t id, const trigger_publish& request);
struct Publish {
  std::uint32_t place = 0;
  std::uint64_t id = 0;
  std::vector<trigger_property> properties;
  trigger_publish request{};
};
// `into` points into `bytes`.
bool decode_publish(std::string_view bytes, Publish& into);

struct Published {
  std::uint64_t id = 0;
  std::int32_t code = 0;
  std::string reason;
};
std::string encode(const Published& published);
std::optional<Published> decode_published(std::string_view bytes);

struct LogLine {
  std::uint32_t level = 0;
  std::string event;
  std::string text;
};
std::string encode(const LogLine& line);
std::optional<LogLine> decode_log_line(std::string_view bytes);

}  // namespace triggerd::plugin::isolation
