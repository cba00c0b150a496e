#include "support/kafka_cluster.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>

namespace triggerd::test {
namespace {

constexpr std::chrono::minutes kLongest(1);

struct DestroyKafka {
  void operator()(rd_kafka_t* kafka) const { rd_kafka_destroy(kafka); }
};
using Kafka = std::unique_ptr<rd_kafka_t, DestroyKafka>;

void require(rd_kafka_resp_err_t code, const char* what) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw std::runtime_error(std::string(what) + ": " + rd_kafka_err2str(code));
}

Kafka make_kafka(rd_kafka_type_t type,
                 const std::vector<std::pair<const char*, std::string>>& options) {
  std::array<char, 512> problem{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : options) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), problem.data(), problem.size()) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      throw std::runtime_error(problem.data());
    }
  }
  rd_kafka_t* kafka = rd_kafka_new(type, conf, problem.data(), problem.size());
  if (kafka != nullptr) return Kafka(kafka);
  rd_kafka_conf_destroy(conf);
  throw std::runtime_error(problem.data());
}

int partitions_of(rd_kafka_t* kafka, const std::string& topic) {
  const rd_kafka_metadata_t* all = nullptr;
  // All topics: a question about one would make it.
  require(rd_kafka_metadata(kafka, 1, nullptr, &all,
                            static_cast<int>(std::chrono::milliseconds(kLongest).count())),
          "the mock cluster does not say which topics it has");
  int count = 0;
  for (int i = 0; i < all->topic_cnt; ++i) {
    if (all->topics[i].topic == topic) count = all->topics[i].partition_cnt;
  }
  rd_kafka_metadata_destroy(all);
  return count;
}

std::optional<std::string> text_of(const void* bytes, std::size_t size) {
  if (bytes == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(bytes), size);
}

KafkaRecord record_of(const rd_kafka_message_t& message) {
  KafkaRecord record;
  record.partition = message.partition;
  record.offset = message.offset;
  record.timestamp = rd_kafka_message_timestamp(&message, nullptr);
  record.key = text_of(message.key, message.key_len);
  record.value = text_of(message.payload, message.len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    record.headers.emplace_back(name, text_of(value, size).value_or(""));
  }
  return record;
}

// A bound socket that does not listen, beside which a mock broker may listen: so nobody else gets
// its port while it is down.
int hold_port(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

KafkaCluster::KafkaCluster(int brokers)
    : brokers_(brokers),
      kafka_(make_kafka(RD_KAFKA_PRODUCER, {{"log_level", "2"}}).release()),
      cluster_(rd_kafka_mock_cluster_new(kafka_, brokers)) {
  if (cluster_ != nullptr) return;
  rd_kafka_destroy(kafka_);
  throw std::runtime_error("librdkafka makes no mock cluster");
}

KafkaCluster::~KafkaCluster() {
  rd_kafka_mock_cluster_destroy(cluster_);
  rd_kafka_destroy(kafka_);
  for (const int fd : held_ports_) ::close(fd);
}

std::string KafkaCluster::bootstrap() const {
  return rd_kafka_mock_cluster_bootstraps(cluster_);
}

void KafkaCluster::fail_requests(std::int16_t kind,
                                 const std::vector<rd_kafka_resp_err_t>& errors) {
  rd_kafka_mock_push_request_errors_array(cluster_, kind, errors.size(), errors.data());
}

void KafkaCluster::clear_errors(std::int16_t kind) {
  rd_kafka_mock_clear_request_errors(cluster_, kind);
}

void KafkaCluster::delay_answer(std::int16_t kind, int ms) {
  for (int id = 1; id <= brokers_; ++id) {
    require(rd_kafka_mock_broker_push_request_error_rtts(
                cluster_, id, kind, 1, static_cast<int>(RD_KAFKA_RESP_ERR_NO_ERROR), ms),
            "a delay");
  }
}

void KafkaCluster::set_round_trip(int ms) {
  for (int id = 1; id <= brokers_; ++id) {
    require(rd_kafka_mock_broker_set_rtt(cluster_, id, ms), "a round trip time");
  }
}

void KafkaCluster::set_down() {
  for (int id = 1; id <= brokers_; ++id) {
    require(rd_kafka_mock_broker_set_down(cluster_, id), "a broker that goes");
  }
  const std::string all = bootstrap();
  for (std::size_t at = all.find(':'); at != std::string::npos; at = all.find(':', at + 1)) {
    std::uint16_t port = 0;
    std::from_chars(all.data() + at + 1, all.data() + all.size(), port);
    const int fd = hold_port(port);
    if (fd >= 0) held_ports_.push_back(fd);
  }
}

void KafkaCluster::set_up() {
  for (int id = 1; id <= brokers_; ++id) {
    require(rd_kafka_mock_broker_set_up(cluster_, id), "a broker that comes");
  }
  for (const int fd : held_ports_) ::close(fd);
  held_ports_.clear();
}

void KafkaCluster::create_topic(const std::string& topic, int partitions) {
  require(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1), "a topic");
}

void KafkaCluster::set_topic_error(const std::string& topic, rd_kafka_resp_err_t error) {
  rd_kafka_mock_topic_set_error(cluster_, topic.c_str(), error);
}

std::vector<KafkaRecord> KafkaCluster::records(const std::string& topic) const {
  const Kafka reader = make_kafka(RD_KAFKA_CONSUMER, {{"bootstrap.servers", bootstrap()},
                                                      {"group.id", "reader"},
                                                      {"enable.auto.commit", "false"},
                                                      {"auto.offset.reset", "earliest"},
                                                      {"enable.partition.eof", "true"}});
  const int partitions = partitions_of(reader.get(), topic);
  rd_kafka_topic_partition_list_t* wanted = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; ++i) {
    rd_kafka_topic_partition_list_add(wanted, topic.c_str(), i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  const rd_kafka_resp_err_t assigned = rd_kafka_assign(reader.get(), wanted);
  rd_kafka_topic_partition_list_destroy(wanted);
  require(assigned, "the reader");

  std::vector<std::vector<KafkaRecord>> found(static_cast<std::size_t>(partitions));
  const auto end = std::chrono::steady_clock::now() + kLongest;
  for (int open = partitions; open > 0;) {
    if (std::chrono::steady_clock::now() > end) {
      throw std::runtime_error("the topic cannot be read: " + topic);
    }
    rd_kafka_message_t* message = rd_kafka_consumer_poll(reader.get(), 100);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) --open;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      found[static_cast<std::size_t>(message->partition)].push_back(record_of(*message));
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(reader.get());
  std::vector<KafkaRecord> all;
  for (auto& some : found) all.insert(all.end(), some.begin(), some.end());
  return all;
}

std::string kcat(const std::string& brokers, const std::vector<std::string>& arguments) {
  std::string command = "exec kcat -b '" + brokers + "'";
  for (const std::string& argument : arguments) command += " '" + argument + "'";
  std::FILE* out = ::popen(command.c_str(), "re");
  if (out == nullptr) throw std::runtime_error("no shell");
  std::string text;
  std::array<char, 4096> piece{};
  for (std::size_t got = 0; (got = std::fread(piece.data(), 1, piece.size(), out)) > 0;) {
    text.append(piece.data(), got);
  }
  const int status = ::pclose(out);
  if (status != 0)
    throw std::runtime_error("exits with " + std::to_string(status) + ": " + command);
  return text;
}

}  // namespace triggerd::test
