// What the recorder plugin wrote down, and configurations that use it.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/eventually.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {

struct Record {
  std::string what;  // "begin" or "end" of a call
  std::string topic;
  unsigned qos = 0;
  bool retain = false;
  bool dup = false;
  unsigned attempt = 0;
  std::size_t size = 0;
  std::string hash;
  std::string id;                       // of the message
  std::chrono::nanoseconds received{};  // since 1970
  std::chrono::nanoseconds wall{};      // of this line, since 1970
  std::chrono::nanoseconds monotonic{};
};

inline std::string fnv1a(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char byte : bytes) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 1099511628211ULL;
  return fmt::format("{:016x}", hash);
}

inline std::vector<Record> records(const std::filesystem::path& file,
                                   const std::string& what = "begin") {
  std::vector<Record> found;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    Record record;
    std::int64_t received = 0;
    std::int64_t wall = 0;
    std::int64_t monotonic = 0;
    std::istringstream(line) >> record.what >> record.topic >> record.qos >> record.retain >>
        record.dup >> record.attempt >> record.size >> record.hash >> record.id >> received >>
        wall >> monotonic;
    record.received = std::chrono::nanoseconds(received);
    record.wall = std::chrono::nanoseconds(wall);
    record.monotonic = std::chrono::nanoseconds(monotonic);
    if (!record.hash.empty() && record.what == what) found.push_back(std::move(record));
  }
  return found;
}

[[nodiscard]] inline bool wait_for_records(const std::filesystem::path& file, std::size_t count,
                                           Millis timeout = kPatience) {
  return eventually([&] { return records(file, "end").size() >= count; }, timeout);
}

// Calls that have begun, whether or not they end.
[[nodiscard]] inline bool wait_for_calls(const std::filesystem::path& file, std::size_t count,
                                         Millis timeout = kPatience) {
  return eventually([&] { return records(file).size() >= count; }, timeout);
}

// A [runtime] table with the plugins of this build and those of the tests.
inline std::string runtime_table(const std::string& more = {}) {
  return fmt::format("[runtime]\nname = \"test\"\nplugin_dirs = [\"{}\", \"{}\"]\n{}\n",
                     TriggerdProcess::plugin_dir().string(), TEST_PLUGIN_DIR, more);
}

// An alias that comes back soon; `more` may say `reconnect` itself.
inline std::string alias_table(const std::string& name, std::uint16_t port,
                               const std::string& more = {}) {
  const std::string reconnect = more.find("reconnect =") == std::string::npos
                                    ? "reconnect = { min = \"50ms\", max = \"500ms\" }\n"
                                    : "";
  return fmt::format(
      "[aliases.{0}]\nhost = \"tcp://127.0.0.1:{1}\"\nclient_id = \"client-{0}\"\n{2}{3}\n", name,
      port, reconnect, more);
}
// For an alias that comes back at once, however often.
inline constexpr const char* kRestless = "reconnect = { min = \"1ms\", max = \"1ms\" }\n";

// Settings with which the service handles a message whose payload begins with "wait" once the file
// `flag` is there, and any other at once.
inline std::string waiting_until(const std::filesystem::path& flag) {
  return fmt::format("mode = \"wait-until\"\nflag = \"{}\"", flag.string());
}
// The same, each of them until there is a file of its own: `flag` with its payload behind it.
inline std::string waiting_until_own(const std::filesystem::path& flag) {
  return fmt::format("mode = \"wait-until-own\"\nflag = \"{}\"", flag.string());
}

// A trigger whose service is "recorder:record" unless `more` names one; `more` stands before the
// settings. It writes to FILE.
inline std::string trigger_table(const std::string& name, const std::string& alias,
                                 const std::string& topics, const std::filesystem::path& file,
                                 const std::string& more = {}, const std::string& settings = {}) {
  const std::string service =
      more.find("service =") == std::string::npos ? "service = \"recorder:record\"\n" : "";
  return fmt::format(
      "[[triggers]]\nname = \"{}\"\nalias = \"{}\"\ntopics = [{}]\n{}{}\n[triggers.settings]\n"
      "file = \"{}\"\n{}\n",
      name, alias, topics, service, more, file.string(), settings);
}

}  // namespace triggerd::test
