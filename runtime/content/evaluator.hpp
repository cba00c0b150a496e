// Evaluates the content of one message after another: whether the service is to see it, and what it
// gets. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "content/options.hpp"

namespace triggerd::content {

class Digits;
class Program;
class Schema;
class Value;
class Watchdog;

// What is evaluated. Properties are those of MQTT 5, by their ids.
struct Subject {
  struct Property {
    std::uint32_t id = 0;
    std::uint64_t number = 0;
    std::string_view name{};
    std::string_view value{};
  };
  std::string_view topic;
  std::string_view payload;
  unsigned qos = 0;
  bool retained = false;
  std::int64_t received_unix_ns = 0;
  std::span<const Property> properties{};
};

struct Evaluation {
  enum class Kind {
    handle,  // the service gets it
    filter,  // it is not for the service
    fail     // it cannot be evaluated, or violates the schema: `reason`
  };
  Kind kind = Kind::handle;
  // What the service gets, one message after another; nullopt: the payload as it came.
  std::optional<std::vector<std::string>> payloads{};
  std::string reason{};
};

class Evaluator {
 public:
  // Compiles the programs. They were checked before: an error is the system's.
  static Result<std::unique_ptr<Evaluator>> make(const Options& options);
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  Evaluation evaluate(const Subject& subject);

 private:
  explicit Evaluator(const Options& options);

  Result<bool> is_wanted(const Value& input, const Value& variables);
  Result<std::vector<std::string>> transform(const Value& input, const Value& variables);

  const Options options_;
  std::shared_ptr<Watchdog> watchdog_;
  std::unique_ptr<Program> when_;       // null: no program
  std::unique_ptr<Program> transform_;  // null: no program
  std::unique_ptr<Schema> schema_;      // null: no schema
  const std::unique_ptr<Digits> digits_;
};

}  // namespace triggerd::content
