// What asks a server or a service: tests, publishing; and which triggers a topic goes to.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "admin/api.hpp"
#include "admin/body.hpp"
#include "management/status.hpp"
#include "management/test_runs.hpp"

namespace triggerd::admin {
namespace {

using management::StatusReader;
using management::TestRuns;

Reply alias_test_reply(const management::Outcome<management::AliasTest>& test) {
  return test ? json_reply(to_json(*test)) : problem(test.error());
}

Reply test_new_alias(TestRuns& test_runs, const Request& request) {
  Body body(request, true);
  body.all_known();
  const std::string name = body.text("name", true);
  if (auto refused = body.refused()) return *refused;
  return alias_test_reply(
      test_runs.test_alias(name, definition_of(request, body.whole().dump()), kTestTimeout));
}

// What a message to try and one to publish have in common.
template <class Message>
void read_message(Body& body, Message& message) {
  message.topic = body.text("topic", true);
  message.payload = body.payload().value_or("");
  message.qos = body.qos("qos");
  message.retained = body.flag("retained");
  message.user_properties = body.properties("properties");
}

Reply test_trigger(TestRuns& test_runs, const StatusReader& status, const Request& request) {
  Body body(request, true);
  management::TriggerTestMessage message;
  read_message(body, message);
  if (auto refused = body.refused()) return *refused;
  const std::string& name = request.names[0];
  const auto test = test_runs.test_trigger(name, message, kTestTimeout);
  if (!test) return problem(test.error());
  Json json = {{"matches", false}};
  for (const management::TopicMatch& match : status.match(message.topic)) {
    if (match.trigger != name || match.filter.empty()) continue;
    json["matches"] = true;
    json["filter"] = match.filter;
  }
  json.update(to_json(*test));
  return json_reply(json);
}

Reply publish(TestRuns& test_runs, const StatusReader& status, const Request& request) {
  Body body(request, true);
  management::PublishMessage message;
  message.alias = body.text("alias", true);
  read_message(body, message);
  if (auto refused = body.refused()) return *refused;
  if (const auto published = test_runs.publish(message, kPublishTimeout); !published) {
    return problem(published.error());
  }
  Json json = {{"alias", message.alias},
               {"topic", message.topic},
               {"qos", message.qos},
               {"bytes", message.payload.size()}};
  const auto alias = status.alias(message.alias);
  if (alias && alias->outbox && !alias->up && message.qos > 0) json["kept"] = true;
  return json_reply(json);
}

Reply match(const StatusReader& status, const Request& request) {
  const std::string topic = text_parameter(request, "topic");
  if (topic.empty()) return bad_parameters({{"topic", "is required"}});
  if (topic.find_first_of("+#") != std::string::npos) {
    return bad_parameters({{"topic", "must be the topic of a message, without + and #"}});
  }
  auto matches = status.match(topic);
  std::stable_partition(matches.begin(), matches.end(),
                        [](const management::TopicMatch& one) { return one.gets_it; });
  Json json = {{"topic", topic}, {"triggers", Json::array()}};
  for (const management::TopicMatch& one : matches) json["triggers"].push_back(to_json(one));
  return json_reply(json);
}

}  // namespace

void add_test_run_routes(Router& router, TestRuns& test_runs, const StatusReader& status) {
  const auto waits = [&](const char* pattern, Handler handler) {
    router.add({"POST", pattern, Lane::wait, std::move(handler)});
  };
  waits("/api/v1/aliases/test",
        [&test_runs](const Request& request) { return test_new_alias(test_runs, request); });
  waits("/api/v1/aliases/{name}/test", [&test_runs](const Request& request) {
    return alias_test_reply(test_runs.test_alias(request.names[0], kTestTimeout));
  });
  waits("/api/v1/triggers/{name}/test", [&test_runs, &status](const Request& request) {
    return test_trigger(test_runs, status, request);
  });
  waits("/api/v1/publish", [&test_runs, &status](const Request& request) {
    return publish(test_runs, status, request);
  });
  router.get("/api/v1/match", [&status](const Request& request) { return match(status, request); });
}

}  // namespace triggerd::admin
