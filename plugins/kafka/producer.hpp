// Hands records to librdkafka, and gives their messages the verdicts that follow from the delivery
// reports.
//
// Everything that librdkafka has to say is taken from one queue by one thread: delivery reports,
// errors, statistics, log lines. Records are handed over on the threads that call. If librdkafka
// says that the producer cannot go on (a fatal error: the broker's idea of what was sent differs
// from its own), that thread ends it and makes another one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <shared_mutex>
#include <string>
#include <thread>
#include <trigger/plugin.hpp>

#include "common/limited_log.hpp"
#include "handle.hpp"
#include "pending.hpp"
#include "record.hpp"
#include "settings.hpp"
#include "statistics.hpp"

namespace kafka {

// Threads: start and stop one at a time; produce and ask any, between them.
class Producer {
 public:
  Producer(const Settings& settings, const trigger::Context& context);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Throws std::runtime_error if librdkafka makes no producer. Needs no broker.
  void start();
  // Drops what is not acknowledged: the runtime delivers it again.
  void stop();

  // Pending: the verdict comes with the delivery report. The message is not copied.
  trigger::Verdict produce(const Record& record, const trigger::Message& message);

  // Whether a broker answers. Throws std::runtime_error if none does.
  void ask(std::chrono::milliseconds limit);

 private:
  using Clock = std::chrono::steady_clock;

  rd_kafka_resp_err_t hand_over(rd_kafka_t* kafka, const Record& record,
                                const trigger::Message& message, Pending::Item* item) const;
  void run();
  void serve(const Event& event);
  void take_reports(rd_kafka_event_t* event);
  void take_error(rd_kafka_event_t* event);
  void take_log(rd_kafka_event_t* event);
  void renew_password();
  void replace();
  bool stop_comes(Clock::time_point until);
  Clock::time_point make();

  // Constant after construction.
  const Settings& settings_;
  const trigger::Context context_;
  const trigger::Metric delivered_;
  const trigger::Metric failed_;
  const trigger::Metric made_;

  Pending pending_;

  // Messages that a stop has interrupted. The runtime takes them back by itself, which does not
  // count as an attempt; destroying a Completion while the instance is started would count as one.
  // So they are kept until the end.
  Pending::Items left_;

  // Shared: whoever uses handle_. Exclusive: whoever changes what is below.
  std::shared_mutex mutex_;
  std::condition_variable_any changed_;
  bool stopping_ = false;
  std::unique_ptr<Handle> handle_;  // null: another one is being made
  std::string why_none_;

  // The thread's own while it runs.
  plugin_common::LimitedLog log_;
  Statistics statistics_;
  bool connected_ = false;  // as far as known
  bool fatal_ = false;
  std::string problem_;   // the last one with a broker
  std::string password_;  // that the producer has
  Clock::time_point made_at_{};

  std::thread thread_;
};

}  // namespace kafka
