#include "outcome.hpp"

#include <chrono>
#include <utility>

namespace kafka {
namespace {

using trigger::Verdict;

std::string reason_of(rd_kafka_resp_err_t code) {
  return std::string("not in Kafka: ") + rd_kafka_err2str(code) + " (" + rd_kafka_err2name(code) +
         ")";
}

std::string seconds_of(std::chrono::milliseconds time) {
  std::string text = std::to_string(static_cast<double>(time.count()) / 1000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

Verdict late(const Outcome& outcome, const Settings& settings) {
  std::string reason = "not acknowledged by Kafka in " + seconds_of(settings.timeout);
  if (!outcome.problem.empty()) reason += "; the last problem was " + outcome.problem;
  // Nothing of it was sent, and nobody is there to send it to: nothing that the message could help.
  const bool away = outcome.status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED && !outcome.reachable;
  return away ? Verdict::unavailable(std::move(reason)) : Verdict::retry(std::move(reason));
}

}  // namespace

Verdict verdict_of(const Outcome& outcome, const Settings& settings) {
  // With one topic for all messages, what is wrong with the topic is wrong for all of them.
  const bool one_topic = settings.topic.is_the_same_for_all();
  switch (outcome.code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return Verdict::ok();

    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
      return late(outcome, settings);

    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      // Acknowledgements soon make room.
      return Verdict::unavailable(std::chrono::milliseconds(100), reason_of(outcome.code));

    // The producer that had it is gone.
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT: {
      std::string reason = reason_of(outcome.code);
      if (!outcome.problem.empty()) reason += ": " + outcome.problem;
      return outcome.status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED
                 ? Verdict::unavailable(std::move(reason))
                 : Verdict::retry(std::move(reason));
    }

    // The user may do nothing here, whatever the message.
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
      return Verdict::unavailable(reason_of(outcome.code));

    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return one_topic ? Verdict::unavailable(reason_of(outcome.code))
                       : Verdict::retry(reason_of(outcome.code));

    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      // A broker refuses all that came in one request, and a smaller one may get through.
      if (outcome.alone) return Verdict::reject(reason_of(outcome.code));
      return Verdict::retry(reason_of(outcome.code) +
                            ", together with others; options.\"batch.size\" must not be above the "
                            "topic's max.message.bytes");

    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
      return Verdict::reject(reason_of(outcome.code));

    default:
      return Verdict::retry(reason_of(outcome.code));
  }
}

}  // namespace kafka
