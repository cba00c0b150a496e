#include "content/program.hpp"

#include <algorithm>
#include <cctype>

#include "base/text.hpp"
#include "base/units.hpp"
#include "content/watchdog.hpp"

namespace triggerd::content {
namespace {

// What comes before the text, on its first line, so that its lines keep their numbers. Programs may
// come from elsewhere, and payloads from anywhere: what reads files, the environment or other
// input, writes to the console, or ends the process is not there. Some functions of jq 1.6 end the
// process over arguments that they do not expect, or never return, and these get none of them; and
// an error without a message would be taken for the end of the program.
constexpr std::string_view kBefore =
    "{} as $ENV | def env: $ENV; "
    "def _error: error; def error: if . == null then \"null\" | _error else _error end; "
    "def error(m): m | error; "
    "def _no(n): error(n + \" is not available here\"); "
    "def input: _no(\"input\"); def inputs: _no(\"inputs\"); "
    "def halt: _no(\"halt\"); def halt_error: _no(\"halt_error\"); "
    "def halt_error(c): _no(\"halt_error\"); def modulemeta: _no(\"modulemeta\"); "
    "def get_search_list: _no(\"get_search_list\"); "
    "def input_filename: null; def input_line_number: 0; "
    "def debug: .; def stderr: .; "
    "def _implode: implode; "
    "def implode: if type == \"array\" and all(.[]; type == \"number\" and . >= 0 and "
    ". < 1114112 and (. < 55296 or . > 57343)) then _implode "
    "else error(\"implode needs an array of code points\") end; "
    "def _tonumber: tonumber; "
    "def tonumber: _tonumber | if isnan then error(\"no number\") else . end; "
    "def _fromjson: fromjson; "
    "def fromjson: _fromjson | if type == \"number\" and isnan then error(\"no number\") else . "
    "end; "
    "def _seconds: if type != \"number\" or (. > -6e16 and . < 6e16) then . "
    "else error(\"no time: seconds since 1970 are needed\") end; "
    "def _strftime(f): strftime(f); def strftime(f): f as $f | _seconds | "
    "if $f | type == \"string\" then _strftime($f) else error(\"strftime needs a format\") end; "
    "def _strflocaltime(f): strflocaltime(f); def strflocaltime(f): f as $f | _seconds | "
    "if $f | type == \"string\" then _strflocaltime($f) "
    "else error(\"strflocaltime needs a format\") end; "
    "def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\"); def todate: todateiso8601; "
    "def date: todate; "
    "def dateadd(u; n): . + n; def datesub(u; n): . - n; "
    "def _indices(i): indices(i); def indices(i): i as $i | "
    "if $i == \"\" then null else _indices($i) end; "
    "def index(i): indices(i) | .[0]; def rindex(i): indices(i) | .[-1:][0]; "
    ".[1] as [";

std::string wrapped(std::string_view text) {
  return fmt::format("{}{}] | .[0] | ({}\n)", kBefore, Program::kNames, text);
}

// What jq says of a program that it cannot compile, first line only: "jq: error: foo/0 is not
// defined at <top-level>, line 2:" becomes "line 2: foo/0 is not defined".
std::string compile_reason(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  for (const std::string_view prefix : {"jq: error: ", "error: "}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  constexpr std::string_view kPlace = " at <top-level>, ";
  const std::size_t place = text.rfind(kPlace);
  std::string_view what = text.substr(0, place);
  what = what.substr(0, what.find(" (Unix shell quoting"));
  std::string said(what);
  for (const std::string_view end : {"$end", "end of file"}) {  // as versions of jq call it
    if (what.ends_with(fmt::format(", unexpected {}", end))) {
      said.replace(said.size() - end.size(), end.size(), "end of the program");
    }
  }
  if (place == std::string_view::npos) return printable(said);
  std::string_view line = text.substr(place + kPlace.size());
  line = line.substr(0, line.find_first_of(":,"));  // newer ones have the column, too
  return printable(fmt::format("{}: {}", line, said));
}

// [as jq's callback] The first error is the one that counts; `into` is a std::string.
void note_error(void* into, jv message) {
  const Value whole(message);
  auto& reason = *static_cast<std::string*>(into);
  if (reason.empty() && whole.kind() == JV_KIND_STRING) reason = compile_reason(whole.text());
}

void ignore_error(void*, jv message) {
  jv_free(message);
}

// Directives that have jq read files come first of all.
bool begins_with_directive(std::string_view text) {
  for (;;) {
    const std::size_t word = text.find_first_not_of(" \t\r\n");
    if (word == std::string_view::npos) return false;
    text.remove_prefix(word);
    if (text.front() != '#') break;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  }
  for (const std::string_view directive : {"import", "include", "module"}) {
    if (!text.starts_with(directive)) continue;
    const char next = text.size() == directive.size() ? ' ' : text[directive.size()];
    if (next != '_' && next != ':' && std::isalnum(static_cast<unsigned char>(next)) == 0)
      return true;
  }
  return false;
}

// What a program has ended with, in words.
std::string reason_of(Value ended) {
  const Value message(jv_invalid_get_msg(ended.take()));
  std::string text;
  if (message.kind() == JV_KIND_STRING) {
    text = message.text();
  } else {
    const Value dumped(jv_dump_string(message.copy(), 0));
    text = dumped.text();
  }
  return printable(text);
}

}  // namespace

Result<Program> Program::compile_text(const std::string& text, jv arguments) {
  const Value owned(arguments);
  if (text.find('\0') != std::string::npos) return fail("U+0000 is in it");
  State state(jq_init());
  if (!state) return fail("out of memory");
  std::string reason;
  jq_set_error_cb(state.get(), &note_error, &reason);
  const bool compiled = jq_compile_args(state.get(), text.c_str(), owned.copy()) != 0;
  jq_set_error_cb(state.get(), &ignore_error, nullptr);
  if (!compiled) return fail("{}", reason.empty() ? "it cannot be compiled" : reason);
  return Program(std::move(state));
}

Result<Program> Program::compile(const std::string& text) {
  return compile_text(wrapped(text), jv_object());
}

Result<> Program::check(const std::string& text) {
  if (begins_with_directive(text)) return fail("modules are not available here");
  jv names = jv_object();
  for (const char* const name : {"topic", "levels", "properties", "qos", "retain", "received"}) {
    names = jv_object_set(names, jv_string(name), jv_null());
  }
  const auto nothing = [](const Program&) {};
  if (auto alone = compile_text(text, names); !alone) return alone.map(nothing);
  return compile(text).map(nothing);
}

Result<> Program::run(const Value& input, const Value& variables, Watchdog& watchdog, Millis limit,
                      const std::function<bool(Value)>& take) {
  jq_start(state_.get(),
           jv_array_append(jv_array_append(jv_array(), input.copy()), variables.copy()), 0);
  const Watchdog::Run watched(watchdog, *state_, limit);
  for (;;) {
    Value next(jq_next(state_.get()));
    if (watched.stopped()) {
      return fail("it took longer than {} of processor time", format_duration(limit));
    }
    if (!next.valid()) {
      if (jv_invalid_has_msg(next.copy()) == 0) return {};
      return fail("{}", reason_of(std::move(next)));
    }
    if (!take(std::move(next))) return {};
  }
}

}  // namespace triggerd::content
