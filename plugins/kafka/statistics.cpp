#include "statistics.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace kafka {
namespace {

using Json = nlohmann::json;

// A part for each topic and partition is most of the document, and nobody asks for it.
bool is_wanted(int /*depth*/, Json::parse_event_t event, Json& parsed) {
  return event != Json::parse_event_t::key || parsed != Json("topics");
}

std::int64_t integer(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

// A counter of librdkafka may go back where a broker is forgotten.
void add_growth(const trigger::Metric& metric, std::int64_t& before, std::int64_t now) {
  if (now > before) metric.add(static_cast<double>(now - before));
  before = now;
}

}  // namespace

Statistics::Statistics(const trigger::Context& context)
    : sent_(context.counter("kafka_sent_bytes_total", "Bytes that were sent to brokers.")),
      requests_(context.counter("kafka_requests_total", "Requests that were sent to brokers.")),
      retries_(context.counter("kafka_request_retries_total",
                               "Requests that librdkafka sent once more.")),
      messages_(context, "kafka_queue_messages", "Messages that wait for their acknowledgement."),
      bytes_(context, "kafka_queue_bytes", "Bytes of the messages that wait."),
      brokers_(context, "kafka_brokers_connected", "Brokers that there is a connection to."),
      mean_(context, "kafka_round_trip_seconds",
            "Mean time from a request to its answer, of the slowest broker."),
      slow_(context, "kafka_round_trip_p99_seconds",
            "99th percentile of the time from a request to its answer, of the slowest broker.") {}

std::optional<int> Statistics::take(std::string_view json) {
  const Json all = Json::parse(json.begin(), json.end(), &is_wanted, false);
  if (!all.is_object()) return std::nullopt;
  const auto brokers = all.find("brokers");
  if (brokers == all.end() || !brokers->is_object()) return std::nullopt;

  add_growth(sent_, sent_before_, integer(all, "tx_bytes"));
  add_growth(requests_, requests_before_, integer(all, "tx"));
  messages_.set(static_cast<double>(integer(all, "msg_cnt")));
  bytes_.set(static_cast<double>(integer(all, "msg_size")));

  int connected = 0;
  std::int64_t retries = 0;
  std::int64_t mean = 0;
  std::int64_t slow = 0;
  for (const auto& [name, broker] : brokers->items()) {
    if (!broker.is_object()) continue;
    retries += integer(broker, "txretries");
    const auto state = broker.find("state");
    if (state == broker.end() || *state != "UP") continue;
    ++connected;
    const auto times = broker.find("rtt");
    if (times == broker.end() || !times->is_object()) continue;
    mean = std::max(mean, integer(*times, "avg"));
    slow = std::max(slow, integer(*times, "p99"));
  }
  constexpr double microseconds = 1e6;
  add_growth(retries_, retries_before_, retries);
  brokers_.set(connected);
  mean_.set(static_cast<double>(mean) / microseconds);
  slow_.set(static_cast<double>(slow) / microseconds);
  return connected;
}

void Statistics::begin_again() {
  sent_before_ = 0;
  requests_before_ = 0;
  retries_before_ = 0;
  for (Gauge* gauge : {&messages_, &bytes_, &brokers_, &mean_, &slow_}) gauge->set(0);
}

}  // namespace kafka
