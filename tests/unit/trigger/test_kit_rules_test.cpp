// The rules of the SDK's test kits (trigger/testing/rules.h) are those of the runtime: a service
// that passes its tests is not refused in service.
#include <gtest/gtest.h>
#include <trigger/testing/rules.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config/topic_filter.hpp"
#include "dispatch/message_properties.hpp"
#include "mqtt/packet/properties.hpp"
#include "plugin/host/request_check.hpp"
#include "plugin/metrics.hpp"

namespace triggerd::trigger {
namespace {

trigger_str str(std::string_view text) {
  return {text.data(), text.size()};
}
trigger_bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// What ServiceHost and Publisher ask, on a connection of MQTT 5.
bool runtime_takes(const trigger_publish& request) {
  return plugin::valid_publish(&request) &&
         config::check_topic_name({request.topic.ptr, request.topic.len}) &&
         mqtt::check_publish_properties(
             dispatch::from_abi({request.properties, request.property_count}));
}
bool kit_takes(const trigger_publish& request) {
  return trigger_test_check_publish(&request) == TRIGGER_OK;
}

trigger_publish request_to(std::string_view topic) {
  trigger_publish request{};
  request.struct_size = sizeof request;
  request.topic = str(topic);
  return request;
}

// Texts at the edges of what is UTF-8, and of what is a topic.
std::vector<std::string> texts() {
  std::vector<std::string> all = {"",         "a",
                                  "a/b",      "+",
                                  "a/#",      std::string("a\0b", 3),
                                  "\x01\x7F", "\xEF\xBF\xBF",
                                  "$SYS/x",   std::string(65'535, 'a'),
                                  "/",        std::string(65'536, 'a')};
  constexpr std::array<unsigned, 20> edges = {0x00, 0x2B, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                              0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                                              0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF};
  std::mt19937 random(1);
  std::uniform_int_distribution<std::size_t> edge(0, edges.size() - 1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (int length = 1 + i % 5; length > 0; --length) {
      text += static_cast<char>(edges.at(edge(random)));
    }
    all.push_back(std::move(text));
  }
  return all;
}

TEST(TestKitRules, TopicsAreThoseOfTheRuntime) {
  for (const std::string& text : texts()) {
    const trigger_publish request = request_to(text);
    EXPECT_EQ(kit_takes(request), runtime_takes(request)) << ::testing::PrintToString(text);
  }
}

TEST(TestKitRules, PropertiesAreThoseOfTheRuntime) {
  const auto same = [](const std::vector<trigger_property>& properties) {
    trigger_publish request = request_to("a");
    request.properties = properties.data();
    request.property_count = properties.size();
    EXPECT_EQ(kit_takes(request), runtime_takes(request))
        << (properties.empty() ? 0 : properties[0].id) << " of " << properties.size();
  };
  same({});
  for (std::uint32_t id = 0; id < 300; ++id) {
    for (const std::uint64_t number : {0ULL, 1ULL, 2ULL, 0xffff'ffffULL, 0x1'0000'0000ULL}) {
      const trigger_property property{id, 0, number, str("n"), bytes("v")};
      same({property});
      same({property, property});
      same({property, {0x26, 0, 0, str("n"), bytes("v")}, {0x03, 0, 0, str(""), bytes("v")}});
    }
  }
  for (const std::string& text : texts()) {
    for (const std::uint32_t id : {0x01U, 0x03U, 0x08U, 0x09U, 0x26U}) {
      same({{id, 0, 0, str("n"), bytes(text)}});
      same({{id, 0, 0, str(text), bytes("v")}});
    }
  }
  same({{0x09, 0, 0, str(""), {nullptr, 1}}});
  same({{0x26, 0, 0, {nullptr, 1}, bytes("v")}});
}

TEST(TestKitRules, RequestsAreThoseOfTheRuntime) {
  const auto same = [](const trigger_publish& request) {
    EXPECT_EQ(kit_takes(request), runtime_takes(request));
  };
  for (std::uint32_t size = 0; size <= sizeof(trigger_publish) + 8; ++size) {
    trigger_publish request = request_to("a");
    request.struct_size = size;
    same(request);
  }
  for (std::uint32_t value = 0; value < 8; ++value) {
    trigger_publish request = request_to("a");
    request.flags = value;
    same(request);
    request.flags = 0;
    request.qos = value;
    same(request);
  }
  for (const std::size_t length : {0UL, 1UL, 1'024UL, 1'025UL}) {
    const std::string alias(length, 'a');
    trigger_publish request = request_to("a");
    request.alias = str(alias);
    same(request);
    request.alias.ptr = nullptr;
    same(request);
    request.alias = {};
    request.payload.len = length;
    same(request);
    request.payload.len = 0;
    request.property_count = length;
    if (length < 2) same(request);
  }
}

TEST(TestKitRules, ResultsAreThoseOfTheRuntime) {
  for (std::uint32_t size = 0; size <= sizeof(trigger_result) + 8; ++size) {
    for (std::int32_t code = -10; code < 10; ++code) {
      trigger_result result{};
      result.struct_size = size;
      result.code = code;
      EXPECT_EQ(trigger_test_is_result(&result) && trigger_test_is_verdict(code),
                plugin::valid_completion(&result))
          << size << " " << code;
    }
  }
}

TEST(TestKitRules, MetricsAreThoseOfTheRuntime) {
  std::vector<std::string> names = texts();
  for (int c = 0; c < 256; ++c) {
    names.emplace_back(1, static_cast<char>(c));
    names.push_back("a" + names.back());
  }
  names.emplace_back(100, 'a');
  names.emplace_back(101, 'a');
  for (const std::string& name : names) {
    for (std::uint32_t kind = 0; kind < 4; ++kind) {
      plugin::Metrics metrics;
      std::uint64_t id = 0;
      EXPECT_EQ(trigger_test_check_metric(str(name), kind, str(""), &id),
                metrics.define(name, kind, "", id))
          << ::testing::PrintToString(name) << " " << kind;
    }
  }
  EXPECT_EQ(TRIGGER_TEST_METRICS, plugin::Metrics::kMax);
}

}  // namespace
}  // namespace triggerd::trigger
