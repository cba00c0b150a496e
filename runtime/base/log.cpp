#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>
#include <ctime>

#include "base/clock.hpp"
#include "base/limited_log.hpp"
#include "base/text.hpp"

namespace triggerd {
namespace {

constexpr std::size_t kMaxTextBytes = 4096;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string timestamp() {
  const Wall now = system_clock().wall();
  const auto millis = std::chrono::floor<Millis>(now.time_since_epoch()).count() % 1000;
  const std::tm utc = utc_of(now);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:03}Z", std::string_view(text, length), millis);
}

void append_json_member(std::string& out, std::string_view key, std::string_view value) {
  out += ',' + in_quotes(key) + ':' + in_quotes(value);
}

// A value that would be taken for more than itself, or for none, stands in quotes.
std::string plain_or_quoted(std::string value) {
  if (!value.empty() && value.find_first_of("\"=[]") == std::string::npos) return value;
  return in_quotes(value);
}

class SpdLog final : public Log {
 public:
  SpdLog(LogLevel level, LogFormat format, std::string name)
      : level_(level),
        format_(format),
        name_(std::move(name)),
        logger_("triggerd", std::make_shared<spdlog::sinks::stdout_sink_mt>()) {
    logger_.set_level(spdlog::level::trace);
    logger_.set_pattern("%v");
    // Somebody is watching a terminal or a pipe: a line that waits in a buffer helps nobody.
    logger_.flush_on(spdlog::level::trace);
  }

  bool enabled(LogLevel level) const override { return level >= level_; }

  void write(LogLevel level, std::string_view event, LogFields fields,
             std::string_view text) override {
    // What a service or a server said may be anything: it must not forge a second line.
    const bool json = format_ == LogFormat::json;
    const std::string safe =
        printable(text, kMaxTextBytes, json ? FormatControls::keep : FormatControls::escape);
    logger_.log(to_spdlog(level),
                json ? as_json(level, event, fields, safe) : as_text(level, event, fields, safe));
  }

 private:
  std::string as_text(LogLevel level, std::string_view event, LogFields fields,
                      std::string_view text) const {
    std::string line =
        fmt::format("{} {:<5} {:<22} {}", timestamp(), to_string(level), event, text);
    const char* separator = "  [";
    for (const LogField& field : fields) {
      line += fmt::format("{}{}={}", separator, field.key, plain_or_quoted(printable(field.value)));
      separator = " ";
    }
    if (fields.size() > 0) line += ']';
    return line;
  }

  std::string as_json(LogLevel level, std::string_view event, LogFields fields,
                      std::string_view text) const {
    std::string line = fmt::format(R"({{"time":"{}")", timestamp());
    append_json_member(line, "level", to_string(level));
    append_json_member(line, "runtime", name_);
    append_json_member(line, "event", event);
    for (const LogField& field : fields) {
      append_json_member(line, field.key, printable(field.value, 200, FormatControls::keep));
    }
    append_json_member(line, "text", text);
    line += '}';
    return line;
  }

  const LogLevel level_;
  const LogFormat format_;
  const std::string name_;
  spdlog::logger logger_;
};

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view text) {
  for (const LogLevel level :
       {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
    if (text == to_string(level)) return level;
  }
  return std::nullopt;
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

std::unique_ptr<Log> make_log(LogLevel level, LogFormat format, std::string name) {
  auto log = std::make_unique<LimitedLog>(std::make_unique<SpdLog>(level, format, std::move(name)),
                                          system_clock());
  log->say_in_time();
  return log;
}

}  // namespace triggerd
