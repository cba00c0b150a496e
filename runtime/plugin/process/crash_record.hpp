// The crash record: lines of a file in the state folder that a signal handler writes when a plugin
// crashes, and that the next run reads.
//
//   triggerd-crashes 1 KEY             the first line; KEY is 32 digits, drawn with the file
//   crash WHEN SIGNAL PLUGIN SERVICE TRIGGER FUNCTION MESSAGE IDENTITY MESSAGES
//                                      one for each message of the call, or one without a message
//   death WHEN SIGNAL TRIGGER IDENTITY DEATHS
//                                      the sum of earlier lines for a message
//
// A missing word is "-". WHEN is in seconds of Unix time. MESSAGES is how many messages were in the
// call; if there were several, it is not known which one was to blame.
//
// IDENTITY recognises a message when its server or the inbox delivers it again: 16 digits made of
// KEY, the trigger, the topic and the payload (SipHash-2-4). The message's id would not do, because
// a message that was not stored yet gets another one when it is sent again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::plugin {

using IdentityKey = std::array<std::uint64_t, 2>;

// Never 0. Safe in signal handlers.
std::uint64_t identity_of(const IdentityKey& key, std::string_view trigger, std::string_view topic,
                          std::string_view payload);

struct CrashLine {
  std::int64_t when = 0;
  std::string signal;
  std::string plugin;
  std::string service;
  std::string trigger;
  std::string function;
  std::string message;
  std::uint64_t identity = 0;  // 0: the message is not delivered again
  std::uint32_t messages = 0;  // in the call; 0: it was a call without messages
};
struct DeathLine {
  std::int64_t when = 0;
  std::string signal;
  std::string trigger;
  std::uint64_t identity = 0;
  std::uint32_t deaths = 0;  // crashes with it alone; 0: it was one of several
};
std::string first_line(const IdentityKey& key);
std::string line_of(const DeathLine& death);
// nullopt: the line is not one of these.
std::optional<IdentityKey> read_first_line(std::string_view line);
std::optional<CrashLine> read_crash(std::string_view line);
std::optional<DeathLine> read_death(std::string_view line);

}  // namespace triggerd::plugin
