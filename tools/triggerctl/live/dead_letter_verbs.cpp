#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/file.hpp"
#include "base/text.hpp"
#include "client/api.hpp"
#include "live/dead_letters.hpp"
#include "live/editor.hpp"
#include "live/live_verbs.hpp"
#include "live/message_options.hpp"
#include "private_file.hpp"

namespace triggerctl {
namespace {

using triggerd::Error;

struct ManyOptions {
  std::vector<std::uint64_t> numbers;
  DeadLetterFilter filter;
  bool yes = false;  // do not ask
};
struct ShowOptions {
  std::uint64_t number = 0;
  bool raw = false;
};
struct EditOptions {
  std::uint64_t number = 0;
  std::string topic;
  std::string payload;
  std::string file;
  Option payload_option;
};
struct ExportOptions {
  DeadLetterFilter filter;
  std::string output = "-";
};

std::string path_of(std::uint64_t number) {
  return fmt::format("/dead-letters/{}", number);
}

Result<int> list(const Api& api, const DeadLetterFilter& filter, std::uint64_t limit) {
  const auto page = api.get("/dead-letters" + query({{"trigger", filter.trigger},
                                                     {"since", filter.since},
                                                     {"until", filter.until},
                                                     {"limit", std::to_string(limit)},
                                                     {"payload_bytes", "64"}}));
  if (!page) return tl::make_unexpected(page.error());
  if (json_wanted()) {
    print_json(*page);
    return kDone;
  }
  Table table({">NUMBER", "DIED", "TRIGGER", "TOPIC", ">BYTES", ">ATTEMPTS", "REASON"});
  const Json& items = list_of(*page, "items");
  for (const Json& letter : items) {
    table.add({std::to_string(count_of(letter, "number")), date_and_time(text_of(letter, "died")),
               safe(text_of(letter, "trigger")), safe(text_of(letter, "topic")),
               std::to_string(count_of(letter, "bytes")),
               std::to_string(count_of(letter, "attempts")), safe(text_of(letter, "reason"))});
  }
  fmt::print("{}", items.empty() ? "there are no dead letters\n" : table.text());
  const auto total = count_of(*page, "total");
  if (total > items.size()) {
    fmt::print("the newest {} of {}; show more with --limit, or all with export\n", items.size(),
               total);
  }
  return kDone;
}

Result<int> show(const Api& api, const ShowOptions& options) {
  const auto letter = api.get(path_of(options.number));
  if (!letter) return tl::make_unexpected(letter.error());
  const std::string payload = payload_of(*letter);
  if (options.raw) {
    if (::isatty(STDOUT_FILENO) == 1) {
      return tl::make_unexpected(
          Error{"--raw does not write to a terminal, which would obey control characters in a "
                "payload; append \"> FILE\"",
                kUsage});
    }
    std::fwrite(payload.data(), 1, payload.size(), stdout);
    return kDone;
  }
  if (json_wanted()) {
    print_json(*letter);
    return kDone;
  }
  const auto line = [](const char* name, const std::string& text) {
    fmt::print("{:<11} {}\n", name, text);
  };
  line("number", std::to_string(count_of(*letter, "number")));
  line("message", safe(text_of(*letter, "message_id")));
  line("trigger", safe(text_of(*letter, "trigger")));
  line("topic", safe(text_of(*letter, "topic")));
  line("QoS", fmt::format("{}{}", count_of(*letter, "qos"),
                          flag_of(*letter, "retained") ? ", retained" : ""));
  line("received", safe(text_of(*letter, "received")));
  line("died", safe(text_of(*letter, "died")));
  line("reason", fmt::format("{} (after {})", safe(text_of(*letter, "reason")),
                             counted(count_of(*letter, "attempts"), "attempt")));
  for (const Json& property : list_of(*letter, "properties")) {
    line("property", safe(text_of(property, "name") + " = " + text_of(property, "value")));
  }
  line("payload", counted(payload.size(), "byte"));
  if (!payload.empty() && triggerd::is_utf8(payload)) {
    fmt::print("\n{}\n", safe_lines(payload));
  }
  fmt::print("{}{}", payload.empty() ? "" : "\n", hex_dump(payload));
  return kDone;
}

tl::unexpected<Error> which(const char* verb) {
  return tl::make_unexpected(Error{
      fmt::format("say which to {}: NUMBER..., or --trigger, --since or --until, or --all", verb),
      kUsage});
}

int print_done(const char* done_word, const Json& done) {
  const auto failed = count_of(done, "failed");
  const auto remaining = count_of(done, "remaining");
  if (json_wanted()) {
    print_json(done);
  } else {
    fmt::print("{} {}\n", done_word, counted(count_of(done, "done"), "dead letter"));
    std::fflush(stdout);
    if (failed > 0) {
      fail_with(fmt::format("{} not {}; the last error: {}", counted(failed, "dead letter"),
                            done_word, safe(text_of(done, "last_failure", "?"))));
    } else if (remaining > 0) {
      const std::string reason = safe(text_of(done, "last_failure", ""));
      fail_with(fmt::format("{} left{}{}", counted(remaining, "dead letter"),
                            reason.empty() ? "" : ": ", reason));
    }
  }
  return failed > 0 || remaining > 0 ? kFailed : kDone;
}

// Whether to drop everything that matches the filter, which cannot be undone. Without a terminal
// there is nobody to ask.
Result<bool> is_meant(const Api& api, const ManyOptions& options) {
  if (options.yes || ::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) return true;
  const auto page = api.get("/dead-letters" + query({{"trigger", options.filter.trigger},
                                                     {"since", options.filter.since},
                                                     {"until", options.filter.until},
                                                     {"limit", "1"},
                                                     {"payload_bytes", "0"}}));
  if (!page) return tl::make_unexpected(page.error());
  const auto total = count_of(*page, "total");
  if (total == 0) return true;  // triggerd reports that
  fmt::print(stderr, "drop {} permanently? [y/N] ", counted(total, "dead letter"));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// By number, one by one; or everything that matches a filter.
Result<int> do_with(const Api& api, const ManyOptions& options, const char* verb,
                    const char* done_word) {
  if (options.numbers.empty()) {
    if (options.filter.empty() && !options.filter.all) return which(verb);
    if (verb == std::string("drop")) {
      const auto meant = is_meant(api, options);
      if (!meant) return tl::make_unexpected(meant.error());
      if (!*meant) return fail_with("nothing was dropped");
    }
    const auto done = for_all(api, verb, options.filter);
    if (!done) return tl::make_unexpected(done.error());
    return print_done(done_word, *done);
  }
  if (!options.filter.empty() || options.filter.all) return which(verb);
  Json done = {{"done", 0U}, {"failed", 0U}, {"remaining", 0U}};
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
  for (const std::uint64_t number : options.numbers) {
    const auto answer = verb == std::string("drop") ? api.remove(path_of(number))
                                                    : api.post(path_of(number) + "/replay");
    if (answer) {
      ++good;
    } else if (answer.error().code == kUnreachable || options.numbers.size() == 1) {
      return tl::make_unexpected(answer.error());
    } else {
      ++bad;
      done["last_failure"] = answer.error().message;
    }
  }
  done["done"] = good;
  done["failed"] = bad;
  return print_done(done_word, done);
}

// nullopt: keep it as it is.
Result<std::optional<std::string>> wanted_payload(const EditOptions& options,
                                                  const std::string& before) {
  if (!options.file.empty()) {
    auto bytes = triggerd::read_file(options.file, 1 << 20);
    if (!bytes) return tl::make_unexpected(Error{"--file: " + bytes.error().message, kUsage});
    return *std::move(bytes);
  }
  if (options.payload_option.given()) return options.payload;
  if (!options.topic.empty()) return std::nullopt;
  auto file = EditedFile::make(before, ".payload");
  if (!file) return tl::make_unexpected(file.error());
  auto edited = file->edit();
  if (!edited) return tl::make_unexpected(edited.error());
  return *std::move(edited);
}

Result<int> edit(const Api& api, const EditOptions& options) {
  const auto letter = api.get(path_of(options.number));
  if (!letter) return tl::make_unexpected(letter.error());
  const std::string before = payload_of(*letter);
  const auto payload = wanted_payload(options, before);
  if (!payload) return tl::make_unexpected(payload.error());
  Json change = Json::object();
  if (!options.topic.empty() && options.topic != text_of(*letter, "topic")) {
    change["topic"] = options.topic;
  }
  if (*payload && **payload != before) add_payload(change, **payload);
  if (change.empty()) {
    if (json_wanted()) {
      print_json(*letter);
    } else {
      fmt::print("dead letter {} is unchanged\n", options.number);
    }
    return kDone;
  }
  const auto now = api.put(path_of(options.number), change);
  if (!now) return tl::make_unexpected(now.error());
  if (json_wanted()) {
    print_json(*now);
  } else {
    fmt::print(
        "dead letter {} was changed: {}, {}; \"triggerctl dead-letters replay {}\" delivers it to "
        "its trigger\n",
        options.number, safe(text_of(*now, "topic")), counted(count_of(*now, "bytes"), "byte"),
        options.number);
  }
  return kDone;
}

Result<int> export_all(const Api& api, const ExportOptions& options) {
  const bool to_file = options.output != "-";
  std::ofstream file;
  if (to_file) {
    // Payloads are for their owner only.
    if (auto made = make_private_file(options.output); !made) {
      return tl::make_unexpected(Error{made.error().message, kFailed});
    }
    file.open(options.output, std::ios::binary | std::ios::trunc);
    if (!file) {
      return tl::make_unexpected(
          Error{fmt::format("cannot write {}: {}", options.output, triggerd::errno_text(errno)),
                kFailed});
    }
  }
  std::ostream& out = to_file ? file : std::cout;
  std::uint64_t count = 0;
  Progress progress;
  const auto exported =
      each_of(api, options.filter, [&](const Json& letter, std::uint64_t total) -> Result<> {
        // Only ASCII, so that a terminal can show it safely.
        out << letter.dump(-1, ' ', true, Json::error_handler_t::replace) << '\n';
        if (!out) {
          return tl::make_unexpected(
              Error{fmt::format("cannot write {}: {}", options.output, triggerd::errno_text(errno)),
                    kFailed});
        }
        if (++count % 64 == 0) progress.show(fmt::format("exported {} of {}", count, total));
        return {};
      });
  out.flush();
  progress.show("");
  if (!exported) return tl::make_unexpected(exported.error());
  if (!out) {
    return tl::make_unexpected(Error{"cannot write all of " + options.output, kFailed});
  }
  if (to_file) fmt::print("{}: {}\n", options.output, counted(*exported, "dead letter"));
  return kDone;
}

void add_filter(Command verb, DeadLetterFilter& filter) {
  verb.option("--trigger", filter.trigger, "only those of this trigger");
  verb.option("--since", filter.since,
              "only those that died within this time (1h), or since this moment");
  verb.option("--until", filter.until,
              "only those that died longer ago than this, or before this moment");
}

void add_many(CommandLine& line, Command group, const char* verb, const char* done,
              const char* description) {
  const auto options = std::make_shared<ManyOptions>();
  Command made = line.live_verb(group, verb, description, [options, verb, done](const Api& api) {
    return do_with(api, *options, verb, done);
  });
  made.option("NUMBER", options->numbers, "its number, as list shows it; or:");
  add_filter(made, options->filter);
  made.flag("--all", options->filter.all, "all of them");
  if (verb == std::string_view("drop")) {
    made.flag("--yes", options->yes, "do not ask, even on a terminal");
  }
}

}  // namespace

void add_dead_letter_verbs(CommandLine& line) {
  Command group = line.group(
      "dead-letters", "messages that were rejected or ran out of attempts: see and replay them");

  struct ListOptions {
    DeadLetterFilter filter;
    std::uint64_t limit = 50;
  };
  const auto listed = std::make_shared<ListOptions>();
  Command listing =
      line.live_verb(group, "list", "list them, newest first",
                     [listed](const Api& api) { return list(api, listed->filter, listed->limit); });
  add_filter(listing, listed->filter);
  listing.option("--limit", listed->limit, "at most this many").range(1, 1000).show_default();

  const auto shown = std::make_shared<ShowOptions>();
  Command showing = line.live_verb(group, "show", "show one, with its payload in hex and as text",
                                   [shown](const Api& api) { return show(api, *shown); });
  showing.option("NUMBER", shown->number, "its number, as list shows it").required();
  showing.flag("--raw", shown->raw, "only its payload, as it is");

  add_many(line, group, "replay", "replayed", "deliver them to their triggers again, oldest first");

  const auto edited = std::make_shared<EditOptions>();
  Command editing = line.live_verb(
      group, "edit",
      "change the payload or topic of one; without options, edit its payload in $EDITOR",
      [edited](const Api& api) { return edit(api, *edited); });
  editing.option("NUMBER", edited->number, "its number, as list shows it").required();
  editing.option("--topic", edited->topic, "its new topic");
  edited->payload_option = editing.option("--payload", edited->payload, "its new payload");
  editing.option("--file", edited->file, "a file with its new payload")
      .excludes(edited->payload_option);

  add_many(line, group, "drop", "dropped", "delete them");

  const auto exported = std::make_shared<ExportOptions>();
  Command exporting =
      line.live_verb(group, "export", "write all with their payloads, one JSON object per line",
                     [exported](const Api& api) { return export_all(api, *exported); });
  add_filter(exporting, exported->filter);
  exporting.option("-o,--output", exported->output, "the file; - is standard output")
      .show_default();
}

}  // namespace triggerctl
