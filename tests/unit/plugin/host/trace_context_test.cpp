#include "plugin/host/trace_context.hpp"

#include <gtest/gtest.h>

#include <list>
#include <string>

namespace triggerd::plugin {
namespace {

constexpr const char* kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kParent = std::string("00-") + kTrace + "-b7ad6b7169203331-01";

// User properties that keep what they point to.
class Properties {
 public:
  Properties& add(std::string name, std::string value, std::uint32_t id = 0x26) {
    const std::string& n = texts_.emplace_back(std::move(name));
    const std::string& v = texts_.emplace_back(std::move(value));
    trigger_property property{};
    property.id = id;
    property.name = {n.data(), n.size()};
    property.value = {reinterpret_cast<const std::uint8_t*>(v.data()), v.size()};
    list_.push_back(property);
    return *this;
  }
  std::span<const trigger_property> list() const { return list_; }
  trigger_message message() const {
    trigger_message message{};
    message.properties = list_.data();
    message.property_count = list_.size();
    return message;
  }

 private:
  std::list<std::string> texts_;
  std::vector<trigger_property> list_;
};

std::string id_of(const std::string& parent) {
  Properties properties;
  properties.add("traceparent", parent);
  return std::string(trace_id(properties.list()));
}

std::string shown(const std::vector<trigger_property>& properties) {
  std::string text;
  for (const trigger_property& p : properties) {
    text.append(p.name.ptr, p.name.len).append("=");
    text.append(reinterpret_cast<const char*>(p.value.ptr), p.value.len).append(" ");
  }
  return text;
}

TEST(TraceContextTest, FindsTheTraceAmongOthers) {
  Properties properties;
  properties.add("a", "b").add("", "", 0x03).add("traceparent", kParent).add("traceparent", "x");
  EXPECT_EQ(trace_id(properties.list()), kTrace);
  EXPECT_EQ(trace_id({}), "");
}

TEST(TraceContextTest, WhatIsNotAsTheSpecificationHasItIsNone) {
  EXPECT_EQ(id_of(kParent), kTrace);
  EXPECT_EQ(id_of("cc-" + kParent.substr(3) + "-what-comes-later"), kTrace);
  for (const std::string& parent : std::vector<std::string>{
           "",
           "x",
           kParent.substr(1),
           kParent + "-more",
           kParent + "x",
           "cc" + kParent.substr(2) + "x",
           "ff" + kParent.substr(2),
           "0G" + kParent.substr(2),
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           std::string("00-") + kTrace + "-0000000000000000-01",
           std::string("00_") + kTrace + "-b7ad6b7169203331-01",
           std::string("00-") + kTrace + "-b7ad6b7169203331_01",
           std::string("00-") + kTrace + "-b7ad6b7169203331-0\n",
       }) {
    EXPECT_EQ(id_of(parent), "") << parent;
  }
}

TEST(TraceContextTest, OtherPropertiesOfThatNameAreNone) {
  Properties properties;
  properties.add("traceparent", kParent, 0x03);
  EXPECT_EQ(trace_id(properties.list()), "");
}

TEST(TraceContextTest, IsInheritedWithItsStatesInTheirOrder) {
  Properties properties;
  properties.add("tracestate", "a=1").add("k", "v").add("traceparent", kParent);
  properties.add("tracestate", "b=2");
  EXPECT_EQ(shown(inherited_trace(properties.message(), {})),
            "traceparent=" + kParent + " tracestate=a=1 tracestate=b=2 ");
}

TEST(TraceContextTest, WhatTheServiceSetsItselfStays) {
  Properties properties;
  properties.add("traceparent", kParent).add("tracestate", "a=1");
  Properties own;
  own.add("traceparent", "its own");
  EXPECT_TRUE(inherited_trace(properties.message(), own.list()).empty());
  Properties state;
  state.add("tracestate", "its own");
  EXPECT_EQ(shown(inherited_trace(properties.message(), state.list())),
            "traceparent=" + kParent + " ");
  Properties others;
  others.add("x", "y");
  EXPECT_EQ(inherited_trace(properties.message(), others.list()).size(), 2u);
}

TEST(TraceContextTest, AMalformedTraceIsNotHandedOn) {
  Properties properties;
  properties.add("traceparent", "forged\nline").add("tracestate", "a=1");
  EXPECT_TRUE(inherited_trace(properties.message(), {}).empty());
}

}  // namespace
}  // namespace triggerd::plugin
