// http-forward as its tests drive it: through the SDK's test kit, against servers on loopback.
#pragma once

#include <string>
#include <trigger/testing.hpp>
#include <utility>
#include <vector>

#include "support/triggerd_process.hpp"

namespace triggerd::test {

using trigger::testing::Answer;
using trigger::testing::Attempt;
using trigger::testing::Instance;
using trigger::testing::Plugin;
using trigger::testing::Settings;
using Sent = trigger::testing::Message;

inline std::string http_forward_file() {
  return (TriggerdProcess::plugin_dir() / "http-forward.so").string();
}

inline Instance forward_to(const std::string& url, Settings more = {}) {
  more.emplace_back("url", url);
  return Plugin(http_forward_file()).run("http-forward", more);
}

// Patient, as everything here is on a slow machine.
inline Answer answer_of(const Attempt& attempt) {
  return attempt.wait(kPatience);
}

inline Answer send(Instance& instance, Sent message) {
  return answer_of(instance.send(std::move(message)));
}

}  // namespace triggerd::test
