// Reads the fields of one object. Collects errors, and fields that nobody asked for.
#pragma once

#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "webmethods/json.hpp"

namespace triggerd::webmethods {

// What reading finds besides the values.
struct Findings {
  std::vector<Remark> errors;
  std::vector<Remark> ignored;  // fields without a counterpart in triggers.toml
};

// A value that was read, and its line; for a missing one, the line of its object.
template <class T>
struct Read {
  T value{};
  unsigned line = 0;
  bool given = false;
};

// Integration Server writes numbers and flags as text in many places, so both are taken. Fields and
// words may also be written as Administrator and Designer label them: "Max retry attempts", "Throw
// exception", "Yes". A null counts as a missing field.
class FieldReader {
 public:
  // `what` is how errors name the object: `alias "plant"`.
  FieldReader(const Value& object, std::string what, Findings& findings)
      : object_(object), what_(std::move(what)), findings_(findings) {}

  void rename(std::string what) { what_ = std::move(what); }
  const std::string& what() const { return what_; }
  unsigned line() const { return object_.line; }

  Read<std::string> text(std::string_view field, std::string value = {});
  Read<std::string> needed_text(std::string_view field);
  Read<bool> flag(std::string_view field, bool value);
  Read<long long> integer(std::string_view field, long long value, long long min, long long max);
  // 0 to 2, or "At least once (1)".
  Read<long long> qos();
  Read<std::size_t> choice(std::string_view field, std::initializer_list<std::string_view> words);
  // The object or list in the field; null if it is missing or something else.
  const Value* object(std::string_view field);
  const std::vector<Value>* list(std::string_view field);
  bool has(std::string_view field) const { return find(field) != nullptr; }
  // Marks it as known without reading it.
  void skip(std::string_view field) { (void)take(field); }
  // Reports what was not asked for.
  void finish();

  void error(unsigned line, std::string text) {
    findings_.errors.push_back({line, what_ + ": " + std::move(text)});
  }

 private:
  const Member* member(std::string_view field) const;
  const Value* find(std::string_view field) const;
  const Value* take(std::string_view field);
  void wrong(const Value& value, std::string_view field, std::string_view wanted);

  const Value& object_;
  std::string what_;
  Findings& findings_;
  std::set<std::string, std::less<>> asked_;
  std::set<const Member*> used_;
};

}  // namespace triggerd::webmethods
