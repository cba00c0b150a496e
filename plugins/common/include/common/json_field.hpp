// Values in a payload that is JSON, as text for templates.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace plugin_common {

// Where in a payload a value is (RFC 6901): "/sensor/0/name". Constant after construction; any
// thread.
class JsonPointer {
 public:
  // Throws trigger::SettingError about `key` unless `text` is a pointer to something within the
  // payload. {json:} would be all of it, which no topic and no header could take.
  JsonPointer(std::string_view key, std::string_view text);

 private:
  friend class JsonPayload;
  struct Parsed;
  std::string text_;
  std::shared_ptr<const Parsed> parsed_;
};

// A payload, parsed when something in it is first asked for, and not again.
class JsonPayload {
 public:
  // Refers to `payload`.
  explicit JsonPayload(std::string_view payload);
  ~JsonPayload();
  JsonPayload(const JsonPayload&) = delete;
  JsonPayload& operator=(const JsonPayload&) = delete;

  // A text as it is; a number or boolean as in JSON, integers of up to 64 bits exactly. Otherwise
  // why there is none, for people.
  struct Found {
    std::optional<std::string> text;
    std::string problem;
  };
  Found find(const JsonPointer& pointer);

 private:
  struct Document;
  std::string_view payload_;
  std::unique_ptr<const Document> document_;
};

}  // namespace plugin_common
