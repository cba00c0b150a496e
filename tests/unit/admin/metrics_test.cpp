// What Prometheus reads: every metric that is promised, well formed, and with what was counted.
#include "admin/metrics.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "unit/admin/fake_management.hpp"

namespace triggerd::admin {
namespace {

using test::FakeManagement;

struct Family {
  std::string type;
  std::string help;
  std::map<std::string, double> samples;  // "name{labels}" -> value
};

std::string family_of(const std::string& sample, const std::map<std::string, Family>& families) {
  for (const char* ending : {"_bucket", "_sum", "_count"}) {
    const std::string_view suffix = ending;
    if (!sample.ends_with(suffix)) continue;
    std::string base = sample.substr(0, sample.size() - suffix.size());
    const auto found = families.find(base);
    if (found != families.end() && found->second.type == "histogram") return base;
  }
  return sample;
}

// Strictly: whatever is not as the text format has it fails the test.
std::map<std::string, Family> parse(const std::string& text) {
  std::map<std::string, Family> families;
  const std::regex comment(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+))");
  const std::regex sample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z0-9_]+="([^"\\]|\\.)*"(,[a-z0-9_]+="([^"\\]|\\.)*")*\})? ([-+.0-9eInf]+))re");
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::smatch parts;
    if (std::regex_match(line, parts, comment)) {
      Family& family = families[parts[2]];
      std::string& field = parts[1] == "HELP" ? family.help : family.type;
      EXPECT_EQ(field, "") << "twice: " << line;
      EXPECT_TRUE(family.samples.empty()) << "after its samples: " << line;
      field = parts[3];
    } else if (std::regex_match(line, parts, sample)) {
      const std::string name = family_of(parts[1], families);
      EXPECT_TRUE(families.contains(name)) << "without HELP and TYPE: " << line;
      const auto [at, fresh] = families[name].samples.emplace(
          std::string(parts[1]) + std::string(parts[2]), std::stod(parts[6]));
      EXPECT_TRUE(fresh) << "twice: " << line;
    } else {
      ADD_FAILURE() << "cannot be read: " << line;
    }
  }
  return families;
}

class MetricsTest : public testing::Test {
 protected:
  std::map<std::string, Family> read() {
    return parse(metrics_text(runtime_, Wall{Millis(1'764'037'357'123)} + std::chrono::hours(1)));
  }
  FakeManagement runtime_;
};

// The names that dashboards and alerts are built on, with their labels.
const std::map<std::string, std::string>& promised() {
  static const std::map<std::string, std::string> names = {
      {"triggerd_messages_received_total", "trigger,qos"},
      {"triggerd_messages_handled_total", "trigger,verdict"},
      {"triggerd_deduplicate_keys", "trigger"},
      {"triggerd_deduplicate_keys_forgotten_total", "trigger"},
      {"triggerd_deduplicate_messages_without_key_total", "trigger"},
      {"triggerd_handle_seconds", "trigger"},
      {"triggerd_delivery_seconds", "trigger"},
      {"triggerd_in_flight", "trigger"},
      {"triggerd_queue_messages", "trigger"},
      {"triggerd_inbox_messages", "trigger"},
      {"triggerd_inbox_bytes", ""},
      {"triggerd_inbox_oldest_seconds", "trigger"},
      {"triggerd_inbox_commit_seconds", ""},
      {"triggerd_wire_batch_messages", ""},
      {"triggerd_acks_held", ""},
      {"triggerd_retries_total", "trigger"},
      {"triggerd_dead_letters", "trigger"},
      {"triggerd_service_unavailable", "trigger"},
      {"triggerd_messages_refused_total", "trigger"},
      {"triggerd_brief_calls_total", "trigger"},
      {"triggerd_brief_calls_too_long_total", "trigger"},
      {"triggerd_trigger_state", "trigger,state"},
      {"triggerd_paused_seconds_total", "trigger"},
      {"triggerd_delay_messages", "trigger"},
      {"triggerd_rate_held_seconds_total", "trigger"},
      {"triggerd_trigger_state", "trigger,state"},
      {"triggerd_connection_up", "alias,client_id"},
      {"triggerd_connection_wanted", "alias,client_id"},
      {"triggerd_reconnects_total", "alias,client_id"},
      {"triggerd_session_lost_total", "alias,client_id"},
      {"triggerd_certificate_expiry_seconds", "alias"},
      {"triggerd_plugin_info", "plugin,version,generation,sha256"},
      {"triggerd_plugin_reloads_total", "plugin,result"},
      {"triggerd_plugin_reload_pause_seconds", "plugin"},
      {"triggerd_published_total", "alias,result"},
      {"triggerd_outbox_messages", "alias"},
      {"triggerd_outbox_bytes", "alias"},
      {"triggerd_outbox_max_bytes", "alias"},
      {"triggerd_outbox_oldest_seconds", "alias"},
      {"triggerd_outbox_left_total", "alias,result"},
  };
  return names;
}

TEST_F(MetricsTest, AreThoseThatArePromised) {
  const auto families = read();
  std::set<std::string> ours;
  for (const auto& [name, family] : families) {
    if (name.starts_with("triggerd_")) ours.insert(name);
  }
  std::set<std::string> names;
  for (const auto& [name, labels] : promised()) names.insert(name);
  EXPECT_EQ(ours, names);
}

TEST_F(MetricsTest, HaveTheLabelsThatArePromised) {
  for (const auto& [name, family] : read()) {
    if (!name.starts_with("triggerd_")) continue;
    ASSERT_FALSE(family.samples.empty()) << name;
    for (const auto& [sample, value] : family.samples) {
      std::string labels;
      const std::regex label(R"re(([a-z0-9_]+)="([^"\\]|\\.)*")re");
      for (auto at = std::sregex_iterator(sample.begin(), sample.end(), label);
           at != std::sregex_iterator(); ++at) {
        if ((*at)[1] == "le") continue;
        labels += (labels.empty() ? "" : ",") + std::string((*at)[1]);
      }
      EXPECT_EQ(labels, promised().at(name)) << sample;
    }
  }
}

TEST_F(MetricsTest, AreAllInTheirPage) {
  std::ifstream file(METRICS_PAGE);
  std::stringstream page;
  page << file.rdbuf();
  for (const auto& [name, family] : read()) {
    if (!name.starts_with("triggerd_")) continue;
    const std::string row = "| `" + name + "` | " + family.type + " |";
    EXPECT_NE(page.str().find(row), std::string::npos) << row;
  }
}

// The rules of `promtool check metrics`.
TEST_F(MetricsTest, AreNamedAsPrometheusWants) {
  for (const auto& [name, family] : read()) {
    EXPECT_NE(family.help, "") << name;
    EXPECT_TRUE(family.type == "counter" || family.type == "gauge" || family.type == "histogram")
        << name;
    EXPECT_EQ(family.type == "counter", name.ends_with("_total")) << name;
    for (const char* reserved : {"_count", "_sum", "_bucket"}) {
      EXPECT_FALSE(name.ends_with(reserved)) << name;
    }
    EXPECT_FALSE(std::regex_search(name, std::regex("[A-Z]|:"))) << name;
    for (const char* unit : {"_ms", "_millis", "_milliseconds", "_minutes", "_kb", "_kilobytes"}) {
      EXPECT_EQ(name.find(unit), std::string::npos) << name;
    }
    for (const char* type : {"_counter", "_gauge", "_histogram"}) {
      EXPECT_EQ(name.find(type), std::string::npos) << name;
    }
  }
}

TEST_F(MetricsTest, SayWhatWasCounted) {
  auto families = read();
  const auto value = [&](const std::string& sample) {
    const std::string name = family_of(sample.substr(0, sample.find('{')), families);
    const auto& samples = families[name].samples;
    const auto found = samples.find(sample);
    return found == samples.end() ? -1 : found->second;
  };
  EXPECT_EQ(value(R"(triggerd_messages_received_total{trigger="see-all",qos="2"})"), 3);
  EXPECT_EQ(value(R"(triggerd_messages_handled_total{trigger="see-all",verdict="ok"})"), 4);
  EXPECT_EQ(value(R"(triggerd_messages_handled_total{trigger="see-all",verdict="discarded"})"), 10);
  EXPECT_EQ(value(R"(triggerd_queue_messages{trigger="see-all"})"), 11 + 13 + 42);
  EXPECT_EQ(value(R"(triggerd_delay_messages{trigger="see-all"})"), 42);
  EXPECT_EQ(value(R"(triggerd_rate_held_seconds_total{trigger="see-all"})"), 2.5);
  EXPECT_EQ(value(R"(triggerd_inbox_oldest_seconds{trigger="see-all"})"), 3600);
  EXPECT_EQ(value(R"(triggerd_connection_up{alias="plant",client_id="edge-1"})"), 1);
  EXPECT_EQ(value(R"(triggerd_connection_up{alias="plant",client_id="edge-1.see-all"})"), 0);
  EXPECT_EQ(value(R"(triggerd_certificate_expiry_seconds{alias="plant"})"), 23 * 3600);
  EXPECT_EQ(value(R"(triggerd_outbox_messages{alias="plant"})"), 51);
  EXPECT_EQ(value(R"(triggerd_outbox_bytes{alias="plant"})"), 52);
  EXPECT_EQ(value(R"(triggerd_outbox_oldest_seconds{alias="plant"})"), 3600);
  EXPECT_EQ(value(R"(triggerd_outbox_left_total{alias="plant",result="refused"})"), 56);
  EXPECT_EQ(value(R"(triggerd_published_total{alias="plant",result="failed"})"), 2);
  EXPECT_EQ(value(R"(log_lines_total{plugin="log",trigger="see-all"})"), 17);
  EXPECT_EQ(value(R"(triggerd_wire_batch_messages_bucket{le="2"})"), 0);
  EXPECT_EQ(value(R"(triggerd_wire_batch_messages_bucket{le="4"})"), 1);
  EXPECT_EQ(value(R"(triggerd_handle_seconds_count{trigger="see-all"})"), 2);
  EXPECT_EQ(value(R"(triggerd_handle_seconds_bucket{trigger="see-all",le="+Inf"})"), 2);
  EXPECT_EQ(value(R"(triggerd_handle_seconds_bucket{trigger="see-all",le="0.0001"})"), 0);
  EXPECT_EQ(value(R"(triggerd_handle_seconds_bucket{trigger="see-all",le="0.001"})"), 1);
}

TEST_F(MetricsTest, OfServicesThatDoNotFitAreLeftOut) {
  auto other = runtime_.plugin_list[0];
  other.name = "other";
  other.metrics = {{"see-all", "log_lines_total", "as a gauge", false, 1},
                   {"see-all", "triggerd_in_flight", "ours", false, 1},
                   {"see-all", "no name", "", false, 1},
                   {"see-all", "boiler_level", "with \"quotes\"\nand lines", false, 2}};
  runtime_.plugin_list.push_back(other);
  const auto families = read();
  EXPECT_EQ(families.at("log_lines_total").samples.size(), 1U);
  EXPECT_EQ(families.at("triggerd_in_flight").samples.size(), 1U);
  EXPECT_EQ(families.at("boiler_level").samples.size(), 1U);
}

TEST_F(MetricsTest, EscapeWhatIsInNames) {
  runtime_.plugin_list[0].version = "1.0 \"beta\"\\x\ny";
  const auto families = read();
  EXPECT_EQ(families.at("triggerd_plugin_info").samples.size(), 1U);
}

}  // namespace
}  // namespace triggerd::admin
