#include "live/dead_letters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace triggerctl {
namespace {

// The payloads of a page are at most 4 MiB together; larger ones are fetched one by one.
constexpr std::uint64_t kPage = 100;
constexpr std::uint64_t kPayloadBytes = 40'000;

}  // namespace

Result<Json> for_all(const Api& api, const std::string& verb, const DeadLetterFilter& filter) {
  Json body = Json::object();
  if (!filter.trigger.empty()) body["trigger"] = filter.trigger;
  if (!filter.since.empty()) body["since"] = filter.since;
  if (!filter.until.empty()) body["until"] = filter.until;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::string last_failure;
  std::uint64_t remaining = 0;
  Progress progress;
  for (;;) {
    auto part = api.post("/dead-letters/" + verb, body);
    if (!part) return part;
    done += count_of(*part, "done");
    // A letter that comes back during the replay is not replayed again.
    if (const auto up_to = count_of(*part, "up_to"); up_to > 0) body["up_to"] = up_to;
    // Those that fail stay, and every answer counts them again.
    failed = count_of(*part, "failed");
    last_failure = text_of(*part, "last_failure", last_failure);
    remaining = count_of(*part, "remaining");
    if (remaining == 0 || count_of(*part, "done") == 0) break;
    progress.show(
        fmt::format("{} {}, {} to go", verb == "drop" ? "dropped" : "replayed", done, remaining));
  }
  Json all = {{"done", done}, {"failed", failed}};
  if (!last_failure.empty()) all["last_failure"] = last_failure;
  all["remaining"] = remaining;
  return all;
}

Result<std::uint64_t> each_of(
    const Api& api, const DeadLetterFilter& filter,
    const std::function<Result<>(const Json& letter, std::uint64_t total)>& take) {
  std::uint64_t count = 0;
  std::string before;
  for (;;) {
    const auto page =
        api.get("/dead-letters" + query({{"trigger", filter.trigger},
                                         {"since", filter.since},
                                         {"until", filter.until},
                                         {"before", before},
                                         {"limit", std::to_string(kPage)},
                                         {"payload_bytes", std::to_string(kPayloadBytes)}}));
    if (!page) return tl::make_unexpected(page.error());
    for (const Json& letter : list_of(*page, "items")) {
      Result<Json> whole = letter;
      if (count_of(letter, "bytes") > payload_of(letter).size()) {
        whole = api.get(fmt::format("/dead-letters/{}", count_of(letter, "number")));
        if (!whole) return tl::make_unexpected(whole.error());
      }
      if (auto taken = take(*whole, count_of(*page, "total")); !taken) {
        return tl::make_unexpected(taken.error());
      }
      ++count;
    }
    if (!page->contains("next")) return count;
    before = std::to_string(count_of(*page, "next"));
  }
}

std::string hex_dump(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    const std::string_view line = bytes.substr(at, 16);
    std::string hex;
    std::string text;
    for (std::size_t i = 0; i < 16; ++i) {
      if (i == 8) hex += ' ';
      if (i >= line.size()) {
        hex += "   ";
        continue;
      }
      hex += fmt::format("{:02x} ", static_cast<unsigned char>(line[i]));
      text += line[i] >= ' ' && line[i] < '\x7f' ? line[i] : '.';
    }
    out += fmt::format("{:08x}  {} |{}|\n", at, hex, text);
  }
  return out;
}

}  // namespace triggerctl
