// A JSON Schema (draft 7), on valijson. It reads no other document: "$ref" leads to places in the
// same one.
//
// What a schema costs depends on the payload. Payloads are limited where a schema has keywords for
// which valijson takes the square of a size, or a stack as deep as a text is long: strings are,
// with "pattern" and "format", and arrays are, with "uniqueItems". A regular expression that goes
// back and forth, and schemas that contain themselves under "oneOf", take as long as they like.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace triggerd::content {

// Constant once it is made, but valijson keeps the regular expressions that it has met: one thread
// at a time.
class Schema {
 public:
  // With "pattern" or "format", bytes of the longest string, and with "uniqueItems", the most
  // elements of an array.
  static constexpr std::size_t kLongestString = 4096;
  static constexpr std::size_t kMostElements = 1000;

  // The error says what is wrong with the schema.
  static Result<Schema> parse(std::string_view json);
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;
  ~Schema();

  // The error says where `payload` violates it, and how: "/temperature: expected ...".
  Result<> validate(std::string_view payload) const;

 private:
  struct Parts;
  explicit Schema(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace triggerd::content
