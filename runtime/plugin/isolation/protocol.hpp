// What host and worker say to each other, and how it looks as bytes. Both are the same program, so
// there are no versions here; but the host believes nothing that it reads.
//
// In the rings go messages and verdicts, and calls that are short. On the socket goes everything
// else: orders and their replies, the log, results of publishes, and what is too long for a ring.
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "plugin/metrics.hpp"
#include "plugin/plugin.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

enum class ToWorker : std::uint32_t {
  // ring; a long message goes on the socket, and its place in the ring is kept by `elsewhere`
  message = 1,
  elsewhere,
  probe,
  // socket: orders, each answered by a reply
  setup,
  start,
  run,
  join,
  stop,
  save,
  restore,
  destroy,
  // socket: anything else
  metrics,    // answered by ToHost::metrics
  published,  // what became of a publish
};

enum class ToHost : std::uint32_t {
  // ring
  verdict = 1,
  probed,
  // ring, or the socket where it is long; answered in a call place
  complete,
  extend,
  publish,
  // socket
  reply,
  metrics,
  log,
  // socket, before there is a plugin: what it is confined by. With the descriptor of the calls that
  // its host judges, where there is one (system_call_judge.hpp).
  confined,
};

// The most bytes that a frame of this type may have; 0: there is none of this type on the socket.
// What a service saves may be as long as its state may (`state_is_due`), what it publishes as long
// as MQTT lets it be, and everything else is short.
std::size_t longest_frame(std::uint32_t type, bool state_is_due);

// ---- Orders ----

struct Setup {
  std::string plugin;
  std::string file;
  unsigned generation = 1;
  std::uint64_t done_timeout_ms = 5'000;
  std::uint64_t memory = 0;  // bytes; 0: no limit
  std::uint32_t log_level = 0;
  // Of the instance; with an empty name none is made.
  config::Trigger trigger;
};
std::string encode(const Setup& setup);
std::optional<Setup> decode_setup(std::string_view bytes);

// What the worker says of a plugin that it has loaded, and of the service it has made.
struct Loaded : Description {
  std::uint32_t chosen = 0;  // of the services
};
std::string encode(const Loaded& loaded);
std::optional<Loaded> decode_loaded(std::string_view bytes);

struct Reply {
  bool ok = false;
  bool may_pass = false;  // where it is not: see base/passing.hpp
  std::string bytes;      // what was asked for; or the error
};
std::string encode(const Reply& reply);
std::optional<Reply> decode_reply(std::string_view bytes);

std::string encode(const SavedState& state);
std::optional<SavedState> decode_state(std::string_view bytes);

std::string encode(const std::vector<Metric>& metrics);
// Those that make sense; at most Metrics::kMax.
std::optional<std::vector<Metric>> decode_metrics(std::string_view bytes);

// ---- Messages ----

// `follows`: to be handled only where the message before it came to TRIGGER_OK.
void encode(const trigger_message& message, bool follows, std::string& into);

// A message with all it points to.
struct OwnedMessage : trigger_message {
  OwnedMessage() : trigger_message() {}

  std::string bytes;
  std::vector<trigger_property> owned_properties;
  bool follows = false;
  std::uint64_t begun_ns = 0;
};
// Takes the bytes, and leaves those of an earlier message, whose memory is used again.
bool decode_message(std::string& bytes, OwnedMessage& into);

struct Verdict {
  std::uint64_t token = 0;
  Answer answer;
  std::uint32_t busy_ns = 0;
};
void encode(const Verdict& verdict, std::string& into);
std::optional<Verdict> decode_verdict(std::string_view bytes);

// ---- Calls. `place` is the one of the calls' places that waits for the code. ----

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

// `id` is 0 where nobody wants to know what becomes of it.
std::string encode(std::uint32_t place, std::uint64_t id, const trigger_publish& request);
struct Publish {
  std::uint32_t place = 0;
  std::uint64_t id = 0;
  std::vector<trigger_property> properties;
  trigger_publish request{};
};
// Points into `bytes`.
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
