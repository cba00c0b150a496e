// A program in jq, compiled. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "content/libjq.hpp"
#include "content/value.hpp"

namespace triggerd::content {

class Watchdog;

class Program {
 public:
  // Compiles it, which takes some 30 ms: much of jq is written in jq. The text was checked before.
  static Result<Program> compile(const std::string& text);
  // Whether `text` is a program. The error begins with the line. It is compiled twice: by itself,
  // so that jq counts its lines and nothing around it closes what it leaves open, and as it is run.
  static Result<> check(const std::string& text);

  // What a program sees: `.`, and an array of the values of kNames.
  static constexpr std::string_view kNames =
      "$topic, $levels, $properties, $qos, $retain, $received";

  // Runs it and calls `take` with each result, until that returns false. An error is one of the
  // program, or says that it took longer than `limit` of the processor's time. `variables` are an
  // array in the order of kNames.
  Result<> run(const Value& input, const Value& variables, Watchdog& watchdog, Millis limit,
               const std::function<bool(Value)>& take);

 private:
  struct TearDown {
    void operator()(jq_state* state) const { jq_teardown(&state); }
  };
  using State = std::unique_ptr<jq_state, TearDown>;

  static Result<Program> compile_text(const std::string& text, jv arguments);
  explicit Program(State state) : state_(std::move(state)) {}

  State state_;
};

}  // namespace triggerd::content
