// KafkaCluster: librdkafka's mock cluster, on ports of loopback that the kernel chose, and what is
// in its topics.
//
// The tests of the plugin use it too, so it is C++17 and includes no other header of tests/.
#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace triggerd::test {

struct KafkaRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;  // ms since 1970
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Of Kafka's protocol, as rd_kafka_mock_push_request_errors wants them.
constexpr std::int16_t kProduceRequest = 0;
constexpr std::int16_t kInitProducerIdRequest = 22;

// It makes a topic, with four partitions, when somebody writes to it, keeps records in memory, and
// does not recognize a repetition of an idempotent producer.
//
// Threads: one, beside those of librdkafka.
class KafkaCluster {
 public:
  // Throws std::runtime_error.
  explicit KafkaCluster(int brokers = 1);
  ~KafkaCluster();
  KafkaCluster(const KafkaCluster&) = delete;
  KafkaCluster& operator=(const KafkaCluster&) = delete;

  // "127.0.0.1:PORT,127.0.0.1:PORT"
  std::string bootstrap() const;

  // The next so many requests of this kind get these errors; RD_KAFKA_RESP_ERR__TRANSPORT ends the
  // connection instead.
  void fail_requests(std::int16_t kind, const std::vector<rd_kafka_resp_err_t>& errors);
  void clear_errors(std::int16_t kind);
  // The next request of this kind is carried out, and its answer takes so long.
  void delay_answer(std::int16_t kind, int ms);
  void set_round_trip(int ms);
  // All brokers: no connection stays, and nobody listens.
  void set_down();
  void set_up();
  void create_topic(const std::string& topic, int partitions);
  // What metadata says of it.
  void set_topic_error(const std::string& topic, rd_kafka_resp_err_t error);

  // All that is in the topic now, partition by partition; nothing if there is no such topic. Throws
  // std::runtime_error if that cannot be read in a minute.
  std::vector<KafkaRecord> records(const std::string& topic) const;

  rd_kafka_mock_cluster_t* raw() const { return cluster_; }

 private:
  const int brokers_;
  rd_kafka_t* kafka_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  std::vector<int> held_ports_;  // sockets
};

// What `kcat -b BROKERS ARGUMENTS` prints. Throws std::runtime_error if it is not there or does not
// exit with 0. Each of `arguments` may contain anything but a single quote.
std::string kcat(const std::string& brokers, const std::vector<std::string>& arguments);

}  // namespace triggerd::test
