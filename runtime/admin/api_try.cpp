// What asks a server or a service: tests, publishing; and which triggers a topic goes to.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "admin/api.hpp"
#include "admin/body.hpp"

namespace triggerd::admin {
namespace {

using management::Administration;

Reply alias_test_reply(const management::Outcome<management::AliasTest>& test) {
  return test ? json_reply(to_json(*test)) : problem(test.error());
}

Reply test_new_alias(Administration& runtime, const Request& request) {
  Body body(request, true);
  body.all_known();
  const std::string name = body.text("name", true);
  if (auto refused = body.refused()) return *refused;
  return alias_test_reply(
      runtime.test_alias(name, definition_of(request, body.whole().dump()), kTestTimeout));
}

Reply test_trigger(Administration& runtime, const Request& request) {
  Body body(request, true);
  management::TriggerTestMessage message;
  message.topic = body.text("topic", true);
  message.payload = body.payload().value_or("");
  message.qos = body.qos("qos");
  message.retained = body.flag("retained");
  message.user_properties = body.properties("properties");
  if (auto refused = body.refused()) return *refused;
  const std::string& name = request.names[0];
  const auto test = runtime.test_trigger(name, message, kTestTimeout);
  if (!test) return problem(test.error());
  Json json = {{"matches", false}};
  for (const management::TopicMatch& match : runtime.match(message.topic)) {
    if (match.trigger != name || match.filter.empty()) continue;
    json["matches"] = true;
    json["filter"] = match.filter;
  }
  json.update(to_json(*test));
  return json_reply(json);
}

Reply publish(Administration& runtime, const Request& request) {
  Body body(request, true);
  management::PublishMessage message;
  message.alias = body.text("alias", true);
  message.topic = body.text("topic", true);
  message.payload = body.payload().value_or("");
  message.qos = body.qos("qos");
  message.retained = body.flag("retained");
  message.user_properties = body.properties("properties");
  if (auto refused = body.refused()) return *refused;
  if (const auto published = runtime.publish(message, kPublishTimeout); !published) {
    return problem(published.error());
  }
  return json_reply({{"alias", message.alias},
                     {"topic", message.topic},
                     {"qos", message.qos},
                     {"bytes", message.payload.size()}});
}

Reply match(const Administration& runtime, const Request& request) {
  const std::string topic = text_parameter(request, "topic");
  if (topic.empty()) return bad_parameters({{"topic", "is required"}});
  if (topic.find_first_of("+#") != std::string::npos) {
    return bad_parameters({{"topic", "must be the topic of a message, without + and #"}});
  }
  auto matches = runtime.match(topic);
  std::stable_partition(matches.begin(), matches.end(),
                        [](const management::TopicMatch& one) { return one.gets_it; });
  Json json = {{"topic", topic}, {"triggers", Json::array()}};
  for (const management::TopicMatch& one : matches) json["triggers"].push_back(to_json(one));
  return json_reply(json);
}

}  // namespace

void add_try_routes(Router& router, Administration& runtime) {
  const auto waits = [&](const char* pattern, Handler handler) {
    router.add({"POST", pattern, Lane::wait, std::move(handler)});
  };
  waits("/api/v1/aliases/test",
        [&runtime](const Request& request) { return test_new_alias(runtime, request); });
  waits("/api/v1/aliases/{name}/test", [&runtime](const Request& request) {
    return alias_test_reply(runtime.test_alias(request.names[0], kTestTimeout));
  });
  waits("/api/v1/triggers/{name}/test",
        [&runtime](const Request& request) { return test_trigger(runtime, request); });
  waits("/api/v1/publish",
        [&runtime](const Request& request) { return publish(runtime, request); });
  router.get("/api/v1/match",
             [&runtime](const Request& request) { return match(runtime, request); });
}

}  // namespace triggerd::admin
