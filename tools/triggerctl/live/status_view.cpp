#include "live/status_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.hpp"
#include "client/api.hpp"

namespace triggerctl {
namespace {

constexpr std::size_t kPictureColumns = 20;
// A number from a socket may have any value.
constexpr double kLongestUptimeSeconds = 1e10;

Colour colour_of(const std::string& state) {
  if (state == "up" || state == "running" || state == "enabled") return Colour::green;
  if (state == "disabled" || state == "off") return Colour::dim;
  if (state == "suspended" || state == "broken") return Colour::red;
  return Colour::yellow;
}

Cell state_cell(const Json& object) {
  const std::string state = text_of(object, "state", "?");
  return {safe(state), colour_of(state)};
}

Cell worry_cell(std::uint64_t count) {
  return {std::to_string(count), count != 0 ? Colour::red : Colour::none};
}

std::optional<double> unix_seconds(const std::string& time) {
  std::tm parts{};
  double seconds = 0;
  if (std::sscanf(time.c_str(), "%4d-%2d-%2dT%2d:%2d:%6lf", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &seconds) != 6) {
    return std::nullopt;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return std::chrono::duration<double>(triggerd::wall_of(parts).time_since_epoch()).count() +
         seconds;
}

// `now` is triggerd's own clock: this machine's may differ.
std::string since_text(const Json& object, const char* key, const std::string& now) {
  const std::string time = text_of(object, key);
  if (time.empty()) return "-";
  const auto then = unix_seconds(time);
  const auto at = now.empty() ? std::nullopt : unix_seconds(now);
  if (!then || !at) return date_and_time(time);
  return about_seconds(std::max(0.0, *at - *then));
}

std::string joined(const Json& list) {
  std::string text;
  for (const Json& each : list) {
    if (!each.is_string()) continue;
    text += (text.empty() ? "" : ", ") + safe(each.get<std::string>());
  }
  return text.empty() ? "-" : text;
}

std::string now_of(const Json& status) {
  const auto started = unix_seconds(text_of(status, "started"));
  if (!started) return "";
  const double now =
      *started + std::clamp(number_of(status, "uptime_seconds"), 0.0, kLongestUptimeSeconds);
  const auto whole = static_cast<std::time_t>(now);
  const std::tm parts = triggerd::utc_of(triggerd::Wall(std::chrono::seconds(whole)));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:06.3f}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                     parts.tm_sec + (now - static_cast<double>(whole)));
}

std::string head_text(const Json& status, const Causes& causes) {
  const bool ready = flag_of(status, "ready");
  const bool healthy = flag_of(status, "healthy");
  std::string text =
      fmt::format("{}  triggerd {}  pid {}  up {}  {}\n", safe(text_of(status, "name")),
                  safe(text_of(status, "version")), count_of(status, "pid"),
                  about_seconds(number_of(status, "uptime_seconds")),
                  !healthy ? coloured(Colour::red, "failing")
                  : ready  ? coloured(Colour::green, "ready")
                           : coloured(Colour::yellow, "not ready"));
  text += causes.text();
  if (const std::string failure = text_of(status, "last_reload_failure"); !failure.empty()) {
    text += coloured(Colour::red, "the last reload was not applied: ") + safe_lines(failure) + '\n';
  }
  if (const Json& waiting = list_of(status, "needs_restart"); !waiting.empty()) {
    text += "takes effect at the next start: " + joined(waiting) + '\n';
  }
  return text;
}

std::string inbox_text(const Json& status, const Causes& told) {
  const auto at = status.find("inbox");
  if (at == status.end() || !at->is_object()) return "";
  const Json& inbox = *at;
  std::string text =
      fmt::format("inbox  {}, {} of {}", counted(count_of(inbox, "messages"), "message"),
                  about_bytes(count_of(inbox, "bytes")), about_bytes(count_of(inbox, "max_bytes")));
  if (inbox.contains("oldest_seconds")) {
    text += ", the oldest " + about_seconds(number_of(inbox, "oldest_seconds"));
  }
  const auto dead = count_of(inbox, "dead_letters");
  text += ", " + coloured(dead != 0 ? Colour::red : Colour::none, counted(dead, "dead letter"));
  if (const auto held = count_of(inbox, "acks_held"); held != 0) {
    text += ", " + counted(held, "acknowledgement") + " held";
  }
  if (const auto leaked = count_of(inbox, "leaked_generations"); leaked != 0) {
    text += ", " + coloured(Colour::red, counted(leaked, "generation") + " not unloaded");
  }
  text += '\n';
  if (const std::string trouble = text_of(inbox, "trouble");
      !trouble.empty() && !told.tell(trouble)) {
    text += "  " + coloured(Colour::red, safe(trouble)) + '\n';
  }
  return text;
}

// Reasons are long, so they go below the row.
void note_reason(Table& table, const Json& object, const Causes& told) {
  std::string reason = text_of(object, "reason");
  if (told.tell(reason)) reason.clear();
  const std::string by = text_of(object, "changed_by", text_of(object, "disabled_by"));
  if (reason.empty() && by.empty()) return;
  table.note(by.empty()       ? safe(reason)
             : reason.empty() ? "by " + safe(by)
                              : safe(reason) + " (by " + safe(by) + ")");
}

}  // namespace

void Rates::add(const Json& status) {
  const double uptime = number_of(status, "uptime_seconds");
  const double passed = uptime - uptime_;
  const bool comparable = uptime_ >= 0 && passed > 0;
  if (!comparable) triggers_.clear();  // triggerd was restarted
  for (const Json& trigger : list_of(status, "triggers")) {
    const double received = number_of(trigger, "received");
    const auto [at, is_new] = triggers_.try_emplace(text_of(trigger, "name"));
    Seen& seen = at->second;
    if (!is_new) {
      seen.rates.push_back(std::max(0.0, received - seen.received) / passed);
      if (seen.rates.size() > kPictureColumns) seen.rates.pop_front();
    }
    seen.received = received;
  }
  uptime_ = uptime;
}

double Rates::of(const std::string& trigger) const {
  const auto at = triggers_.find(trigger);
  return at != triggers_.end() && !at->second.rates.empty() ? at->second.rates.back() : -1;
}

std::string Rates::picture(const std::string& trigger) const {
  static constexpr std::array steps{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto at = triggers_.find(trigger);
  if (at == triggers_.end()) return "";
  double highest = 0;
  for (const double rate : at->second.rates) highest = std::max(highest, rate);
  std::string text;
  for (const double rate : at->second.rates) {
    const double part = highest > 0 ? rate / highest : 0;
    text += steps.at(rate > 0 ? 1 + static_cast<std::size_t>(part * 7) : 0);
  }
  return text;
}

std::string pacing_text(const Json& object) {
  std::string text;
  if (object.contains("max_rate")) text = "at most " + text_of(object, "max_rate");
  if (object.contains("delay")) {
    text += fmt::format("{}{} after receipt", text.empty() ? "" : ", ", text_of(object, "delay"));
  }
  return text;
}

std::string origin_text(const Json& object) {
  const auto at = object.find("origin");
  if (at == object.end() || !at->is_object()) return "-";
  const std::string kind = text_of(*at, "kind");
  if (kind == "package") return "package " + safe(text_of(*at, "package"));
  if (kind != "file") return safe(kind);
  const auto line = count_of(*at, "line");
  return safe(text_of(*at, "file")) + (line != 0 ? fmt::format(":{}", line) : "");
}

std::string aliases_text(const Json& aliases, const std::string& now, const Causes& told) {
  Table table(
      {"ALIAS", "STATE", "SERVER", "CLIENT ID", "SINCE", ">PUBLISHED", ">FAILED", "DEFINED IN"});
  for (const Json& alias : aliases) {
    const Json& servers = list_of(alias, "servers");
    table.add({safe(text_of(alias, "name")), state_cell(alias), joined(servers),
               safe(text_of(alias, "client_id")), since_text(alias, "since", now),
               std::to_string(count_of(alias, "published_ok")),
               worry_cell(count_of(alias, "published_failed")), origin_text(alias)});
    note_reason(table, alias, told);
    if (const auto outbox = alias.find("outbox");
        outbox != alias.end() && count_of(*outbox, "messages") > 0) {
      table.note(fmt::format(
          "outbox: {} kept, {} of {}", counted(count_of(*outbox, "messages"), "message"),
          about_bytes(count_of(*outbox, "bytes")), about_bytes(count_of(*outbox, "max_bytes"))));
    }
    for (const Json& connection : list_of(alias, "connections")) {
      if (flag_of(connection, "up") || !connection.contains("trigger")) continue;
      const std::string why = text_of(connection, "reason");
      if (told.tell(why) || (!why.empty() && why == text_of(alias, "reason"))) continue;
      table.note(fmt::format(
          "trigger {}: {}{}", safe(text_of(connection, "trigger")),
          safe(text_of(connection, "state")),
          connection.contains("reason") ? ": " + safe(text_of(connection, "reason")) : ""));
    }
    if (alias.contains("certificate_ends") && !now.empty()) {
      const auto ends = unix_seconds(text_of(alias, "certificate_ends"));
      const auto at = unix_seconds(now);
      if (ends && at && *ends - *at < 14 * 86400.0) {
        table.note("its certificate expires on " +
                   date_and_time(text_of(alias, "certificate_ends")));
      }
    }
  }
  return table.text();
}

std::string outbox_text(const Json& outbox, const Json& oldest) {
  std::string text = fmt::format(
      "{} kept, {} of them sent and not confirmed; {} of {}\n",
      counted(count_of(outbox, "messages"), "message"), count_of(outbox, "in_flight"),
      about_bytes(count_of(outbox, "bytes")), about_bytes(count_of(outbox, "max_bytes")));
  text += fmt::format("since the start: {} sent, {} refused, {} dropped, {} expired, {} cleared\n",
                      count_of(outbox, "sent"), count_of(outbox, "refused"),
                      count_of(outbox, "dropped"), count_of(outbox, "expired"),
                      count_of(outbox, "cleared"));
  if (oldest.empty()) return text;
  Table table({"PUBLISHED", "QOS", ">BYTES", "TOPIC"});
  for (const Json& message : oldest) {
    table.add({date_and_time(text_of(message, "published")),
               std::to_string(count_of(message, "qos")), std::to_string(count_of(message, "bytes")),
               safe(text_of(message, "topic"))});
  }
  return text + table.text();
}

// A screen is cut off at the right, so the columns that one watches go to the left there.
std::string triggers_text(const Json& triggers, const Rates* rates, const Causes& told) {
  std::vector<std::string> head{"TRIGGER", "STATE"};
  if (rates != nullptr) {
    head.insert(head.end(), {">PER S", "LATELY", ">QUEUED", ">INBOX", ">DEAD", ">P99", ">BUSY",
                             ">RECEIVED", ">OK", ">RETRY", ">REJECT", "ALIAS", "SERVICE"});
  } else {
    head.insert(head.end(), {"ALIAS", "SERVICE", ">RECEIVED", ">OK", ">RETRY", ">REJECT", ">BUSY",
                             ">QUEUED", ">INBOX", ">DEAD", ">P99"});
  }
  Table table(std::move(head));
  for (const Json& trigger : triggers) {
    static const Json none = Json::object();
    const std::string name = text_of(trigger, "name");
    const auto handled = trigger.find("handled");
    const Json& verdicts = handled != trigger.end() ? *handled : none;
    const auto latency = trigger.find("handle_seconds");
    const double p99 = latency != trigger.end() ? number_of(*latency, "p99", -1) : -1;
    const std::vector<Cell> of{safe(text_of(trigger, "alias")), safe(text_of(trigger, "service"))};
    const std::vector<Cell> verdict_counts{
        std::to_string(count_of(trigger, "received")), std::to_string(count_of(verdicts, "ok")),
        std::to_string(count_of(verdicts, "retry") + count_of(verdicts, "timeout")),
        std::to_string(count_of(verdicts, "reject") + count_of(verdicts, "invalid"))};
    const Cell busy = std::to_string(count_of(trigger, "in_flight"));
    const std::vector<Cell> waiting{
        std::to_string(count_of(trigger, "queued") + count_of(trigger, "delayed") +
                       count_of(trigger, "waiting_for_delay")),
        std::to_string(count_of(trigger, "inbox_messages")),
        worry_cell(count_of(trigger, "dead_letters")), p99 >= 0 ? about_latency(p99) : "-"};
    std::vector<Cell> row{safe(name), state_cell(trigger)};
    const auto append = [&row](const std::vector<Cell>& cells) {
      row.insert(row.end(), cells.begin(), cells.end());
    };
    if (rates != nullptr) {
      const double rate = rates->of(name);
      row.emplace_back(rate < 0 ? "-" : fmt::format("{:.{}f}", rate, rate < 10 ? 1 : 0));
      row.emplace_back(rates->picture(name), Colour::green);
      append(waiting);
      row.push_back(busy);
      append(verdict_counts);
      append(of);
    } else {
      append(of);
      append(verdict_counts);
      row.push_back(busy);
      append(waiting);
    }
    table.add(std::move(row));
    note_reason(table, trigger, told);
    for (const Json& filter : list_of(trigger, "filters")) {
      if (!filter.contains("refusal")) continue;
      table.note(fmt::format("filter {}: {}", safe(text_of(filter, "filter")),
                             safe(text_of(filter, "refusal"))));
    }
    if (const auto late = count_of(trigger, "late"); late != 0) {
      table.note(counted(late, "call") + " past the deadline still running");
    }
  }
  return table.text();
}

std::string plugins_text(const Json& plugins, const std::string& now) {
  Table table({"PLUGIN", "VERSION", ">GENERATION", "SERVICES", "TRIGGERS", ">RELOADS", ">FAILED",
               "IN SERVICE SINCE"});
  for (const Json& plugin : plugins) {
    table.add({safe(text_of(plugin, "name")), safe(text_of(plugin, "version", "-")),
               std::to_string(count_of(plugin, "generation")), joined(list_of(plugin, "services")),
               joined(list_of(plugin, "triggers")), std::to_string(count_of(plugin, "reloads")),
               worry_cell(count_of(plugin, "reloads_failed") + count_of(plugin, "rolled_back")),
               since_text(plugin, "in_service_since", now)});
    if (flag_of(plugin, "on_probation")) {
      table.note("just reloaded: if it fails now, the previous generation comes back");
    }
  }
  return table.text();
}

std::string packages_text(const Json& packages) {
  Table table({"PACKAGE", "VERSION", "STATE", "ALIASES", "TRIGGERS", "DESCRIPTION"});
  for (const Json& package : packages) {
    table.add({safe(text_of(package, "name")), safe(text_of(package, "version", "?")),
               state_cell(package), joined(list_of(package, "aliases")),
               joined(list_of(package, "triggers")), safe(text_of(package, "description"))});
    if (!flag_of(package, "enabled")) continue;
    for (const Json& problem : list_of(package, "problems")) {
      if (problem.is_string()) table.note(safe(problem.get<std::string>()));
    }
  }
  return table.text();
}

std::string status_text(const Json& status, const Rates* rates) {
  const std::string now = now_of(status);
  const Causes causes(status);
  std::string text = head_text(status, causes) + inbox_text(status, causes);
  for (const std::string& part : {aliases_text(list_of(status, "aliases"), now, causes),
                                  triggers_text(list_of(status, "triggers"), rates, causes),
                                  plugins_text(list_of(status, "plugins"), now),
                                  packages_text(list_of(status, "packages"))}) {
    if (!part.empty()) text += '\n' + part;
  }
  return text;
}

}  // namespace triggerctl
