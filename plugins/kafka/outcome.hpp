// What librdkafka says about a message, and what that means for it.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>
#include <trigger/plugin.hpp>

#include "settings.hpp"

namespace kafka {

struct Outcome {
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_msg_status_t status = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  bool alone = false;      // it was the only one in its request
  bool reachable = false;  // there is a connection to a broker
  std::string problem;     // the last one with a broker; empty: none is known
};

trigger::Verdict verdict_of(const Outcome& outcome, const Settings& settings);

}  // namespace kafka
