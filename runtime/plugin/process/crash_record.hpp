// What is left of a crash in a plugin: lines of a file in the state folder, written by a signal
// handler of the run that ends and read by the next one.
//
//   triggerd-crashes 1 KEY             the first line; KEY is 32 digits, drawn with the file
//   crash WHEN SIGNAL PLUGIN SERVICE TRIGGER FUNCTION MESSAGE IDENTITY MESSAGES
//                                      one for each message of the call, or one without a message
//   death WHEN SIGNAL TRIGGER IDENTITY DEATHS
//                                      what earlier lines come to for a message
//
// A word that there is none for is "-". WHEN is in seconds of Unix time. MESSAGES is how many were
// in the call: of several nobody can say which one it was.
//
// IDENTITY is what a message has in common with itself when its server or the inbox gives it again:
// 16 digits made of KEY, the trigger, the topic and the payload (SipHash-2-4). The id of a message
// is not: one that was not stored yet gets another one when it is sent again.
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
  std::uint64_t identity = 0;  // 0: it is not given again
  std::uint32_t messages = 0;  // 0: there was none
};
struct DeathLine {
  std::int64_t when = 0;
  std::string signal;
  std::string trigger;
  std::uint64_t identity = 0;
  std::uint32_t deaths = 0;  // 0: it was one of several
};
std::string first_line(const IdentityKey& key);
std::string line_of(const DeathLine& death);
// nullopt: it is none.
std::optional<IdentityKey> read_first_line(std::string_view line);
std::optional<CrashLine> read_crash(std::string_view line);
std::optional<DeathLine> read_death(std::string_view line);

}  // namespace triggerd::plugin
