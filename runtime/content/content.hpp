// content/: which messages a service is woken for, and what it gets of them, by programs in jq and
// by JSON Schema. It knows base/, and neither triggers nor the plugin ABI.
//
//   options.hpp    what a trigger asks for
//   evaluator.hpp  evaluates one message after another
//   schema.hpp     a JSON Schema
//   program.hpp    a program in jq
//   watchdog.hpp   stops programs that take too long
//   json_text.hpp  JSON to and from jq's values (value.hpp, digits.hpp)
//
// jq is libjq. Its values are counted without atomics, so all that belongs to one evaluator is used
// by one thread at a time. A program can neither read files nor the environment, and cannot end the
// process; but libjq itself may end it, or never return from a step, over a payload. So a trigger
// that has one is isolated unless it says otherwise (config/trigger_section.cpp), and its programs
// run in the worker process (plugin/instance/content_stage.hpp).
#pragma once

#include <string>

#include "base/result.hpp"
#include "content/options.hpp"

namespace triggerd::content {

// Whether `text` is a program that can be run. The error says what is wrong with it in which of its
// lines. Takes some 30 ms, but only once for each text. [any]
Result<> check_program(const std::string& text);

// Whether `json` is a schema. [any]
Result<> check_schema(const std::string& json);

}  // namespace triggerd::content
