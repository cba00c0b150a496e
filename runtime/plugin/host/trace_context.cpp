#include "plugin/host/trace_context.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "plugin/abi_text.hpp"

namespace triggerd::plugin {
namespace {

constexpr std::uint32_t kUserProperty = 0x26;
constexpr std::string_view kParent = "traceparent";
constexpr std::string_view kState = "tracestate";

bool is_user_property(const trigger_property& property, std::string_view name) {
  return property.id == kUserProperty && view(property.name) == name;
}

const trigger_property* find(std::span<const trigger_property> properties, std::string_view name) {
  for (const trigger_property& property : properties) {
    if (is_user_property(property, name)) return &property;
  }
  return nullptr;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

// VERSION-TRACE-PARENT-FLAGS; a later version than 00 may have more behind it.
constexpr std::size_t kVersion = 2;
constexpr std::size_t kTrace = 32;
constexpr std::size_t kParentId = 16;
constexpr std::size_t kFlags = 2;
constexpr std::size_t kLength = kVersion + 1 + kTrace + 1 + kParentId + 1 + kFlags;

std::string_view trace_id_in(std::string_view parent) {
  if (parent.size() < kLength) return {};
  const std::string_view version = parent.substr(0, kVersion);
  const std::string_view trace = parent.substr(kVersion + 1, kTrace);
  const std::string_view span = parent.substr(kVersion + 1 + kTrace + 1, kParentId);
  const std::string_view flags = parent.substr(kLength - kFlags, kFlags);
  const bool hyphens = parent[kVersion] == '-' && parent[kVersion + 1 + kTrace] == '-' &&
                       parent[kLength - kFlags - 1] == '-';
  if (!hyphens || !is_hex(version) || !is_hex(trace) || !is_hex(span) || !is_hex(flags)) return {};
  if (version == "ff" || is_zero(trace) || is_zero(span)) return {};
  if (parent.size() > kLength && (version == "00" || parent[kLength] != '-')) return {};
  return trace;
}

}  // namespace

thread_local const trigger_message* CurrentMessage::current_ = nullptr;

std::string_view trace_id(std::span<const trigger_property> properties) {
  const trigger_property* parent = find(properties, kParent);
  return parent == nullptr ? std::string_view() : trace_id_in(view(parent->value));
}

std::vector<trigger_property> inherited_trace(const trigger_message& message,
                                              std::span<const trigger_property> own) {
  const auto properties = properties_of(message);
  if (trace_id(properties).empty() || find(own, kParent) != nullptr) return {};
  std::vector<trigger_property> inherited{*find(properties, kParent)};
  // It may come in several, whose order means something.
  if (find(own, kState) == nullptr) {
    std::copy_if(properties.begin(), properties.end(), std::back_inserter(inherited),
                 [](const trigger_property& p) { return is_user_property(p, kState); });
  }
  return inherited;
}

}  // namespace triggerd::plugin
