// docs/reference/openapi.yaml and the routes say the same: every route is described and every
// description has a route; every answer has a described status and the described fields, and no
// others; and so have the examples.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "admin/api.hpp"
#include "admin/embedded.hpp"
#include "unit/admin/fake_management.hpp"

namespace triggerd::admin {
namespace {

using nlohmann::json;
using test::FakeManagement;

json to_plain(const YAML::Node& node) {
  if (node.IsMap()) {
    json object = json::object();
    for (const auto& pair : node) object[pair.first.as<std::string>()] = to_plain(pair.second);
    return object;
  }
  if (node.IsSequence()) {
    json array = json::array();
    for (const auto& element : node) array.push_back(to_plain(element));
    return array;
  }
  const std::string text = node.IsNull() ? std::string() : node.Scalar();
  if (node.Tag() == "!") return text;  // it is in quotes
  if (text == "true" || text == "false") return text == "true";
  json number = json::parse(text, nullptr, false);
  return number.is_number() ? number : json(text);
}

class Contract : public testing::Test {
 protected:
  Contract() : streamer_(runtime_) {
    add_all_routes(router_, runtime_.management(), streamer_);
    api_ = to_plain(YAML::LoadFile(OPENAPI_FILE));
  }

  const json& resolve(const json& schema) const {
    const auto ref = schema.find("$ref");
    if (ref == schema.end()) return schema;
    const std::string pointer = ref->get<std::string>().substr(1);
    return resolve(api_.at(json::json_pointer(pointer)));
  }

  // What is wrong with `value`; empty: nothing.
  std::string mismatch(const json& value, const json& said, const std::string& where) const {
    const json& schema = resolve(said);
    if (schema.contains("allOf")) {
      for (const json& part : schema["allOf"]) {
        const std::string wrong = mismatch(value, part, where);
        if (!wrong.empty()) return wrong;
      }
    }
    if (schema.contains("oneOf")) {
      std::string all;
      for (const json& part : schema["oneOf"]) {
        const std::string wrong = mismatch(value, part, where);
        if (wrong.empty()) return {};
        all += wrong + "; ";
      }
      return all;
    }
    if (schema.contains("enum")) {
      for (const json& one : schema["enum"]) {
        if (one == value) return {};
      }
      return where + ": " + value.dump() + " is none of " + schema["enum"].dump();
    }
    if (schema.contains("type") && !has_type(value, schema["type"])) {
      return where + ": " + value.dump() + " is no " + schema["type"].dump();
    }
    if (schema.contains("minimum") && value < schema["minimum"]) return where + ": too small";
    if (schema.contains("maximum") && value > schema["maximum"]) return where + ": too large";
    if (schema.value("format", "") == "date-time") {
      const std::string text = value.get<std::string>();
      if (text.size() != 24 || text.back() != 'Z') return where + ": " + text + " is no time";
    }
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        const std::string wrong =
            mismatch(value[i], schema["items"], where + "." + std::to_string(i));
        if (!wrong.empty()) return wrong;
      }
    }
    return value.is_object() ? fields_mismatch(value, schema, where) : std::string();
  }
  std::string fields_mismatch(const json& value, const json& schema,
                              const std::string& where) const {
    for (const json& name : schema.value("required", json::array())) {
      if (!value.contains(name.get<std::string>())) {
        return where + "." + name.get<std::string>() + " is missing";
      }
    }
    const json properties = schema.value("properties", json::object());
    const json others = schema.value("additionalProperties", json(true));
    for (const auto& [name, field] : value.items()) {
      std::string wrong;
      if (properties.contains(name)) {
        wrong = mismatch(field, properties[name], where + "." + name);
      } else if (others.is_object()) {
        wrong = mismatch(field, others, where + "." + name);
      } else if (others == false) {
        wrong = where + "." + name + " is not described";
      }
      if (!wrong.empty()) return wrong;
    }
    return {};
  }
  static bool has_type(const json& value, const json& type) {
    if (type.is_array()) {
      return std::any_of(type.begin(), type.end(),
                         [&](const json& one) { return has_type(value, one); });
    }
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    return type == "number" && value.is_number();
  }

  struct Operation {
    std::string method;
    std::string path;
    const json* said;
  };
  std::vector<Operation> operations() const {
    std::vector<Operation> all;
    for (const auto& [path, methods] : api_["paths"].items()) {
      for (const auto& [method, said] : methods.items()) {
        if (method == "parameters") continue;
        std::string upper = method;
        for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
        all.push_back({upper, path, &said});
      }
    }
    return all;
  }

  // With the example as its body, and names that are there.
  Request request_for(const Operation& operation) const {
    Request request;
    request.via = Via::unix_socket;
    request.may = May::change;
    request.peer = "uid 1000";
    request.method = operation.method;
    std::string target = operation.path;
    std::string name = target.find("/aliases/") != std::string::npos    ? "plant"
                       : target.find("/triggers/") != std::string::npos ? "see-all"
                       : target.find("/plugins/") != std::string::npos  ? "log"
                                                                        : "boilers";
    if (operation.said->contains("requestBody")) {
      json example =
          (*operation.said)["requestBody"]["content"]["application/json"].value("example", json());
      if (operation.method == "PUT" && example.contains("name")) name = example["name"];
      request.body = example.dump();
      request.has_body = true;
      request.headers["content-type"] = "application/json";
    }
    const auto put = [&target](const std::string& what, const std::string& value) {
      const std::size_t at = target.find(what);
      if (at != std::string::npos) target.replace(at, what.size(), value);
    };
    put("{name}", name);
    put("{number}", "17");
    if (operation.path == "/api/v1/match") target += "?topic=plant/boiler/temperature";
    EXPECT_TRUE(parse_target(target, request));
    return request;
  }

  Reply ask(Request& request) const {
    auto found = router_.find(request);
    if (auto* reply = std::get_if<Reply>(&found)) return *reply;
    return std::get<const Route*>(found)->handler(request);
  }

  void expect_described(const Operation& operation, const Reply& reply) const {
    const std::string where = operation.method + " " + operation.path;
    const json& responses = (*operation.said)["responses"];
    const std::string status = std::to_string(reply.status);
    // What any request may be answered with is described once, in `info`.
    if (!responses.contains(status) && (reply.status == 500 || reply.status == 503)) return;
    ASSERT_TRUE(responses.contains(status)) << where << ": " << status << " " << reply.body;
    const json& response = resolve(responses[status]);
    if (!response.contains("content")) {
      EXPECT_EQ(reply.body, "") << where;
      return;
    }
    const std::string type = reply.content_type.substr(0, reply.content_type.find(';'));
    ASSERT_TRUE(response["content"].contains(type)) << where << ": " << type;
    if (type != "application/json" && type != "application/problem+json") return;
    EXPECT_EQ(mismatch(json::parse(reply.body), response["content"][type]["schema"], where), "");
  }

  FakeManagement runtime_;
  EventStreamer streamer_;
  Router router_;
  json api_;
};

TEST_F(Contract, EveryRouteIsDescribedAndEveryDescriptionHasARoute) {
  std::set<std::string> described;
  for (const Operation& operation : operations()) {
    described.insert(operation.method + " " + operation.path);
  }
  std::set<std::string> routed;
  for (const Route& route : router_.routes()) {
    bool is_console = false;
    for (const EmbeddedFile& file : console_files()) {
      is_console |= route.pattern == "/" + std::string(file.path);
    }
    if (!is_console) routed.insert(route.method + " " + route.pattern);
  }
  EXPECT_EQ(described, routed);
}

TEST_F(Contract, EveryAnswerIsAsDescribed) {
  for (const Operation& operation : operations()) {
    Request request = request_for(operation);
    const Reply reply = ask(request);
    if (operation.path == "/" && console_files().empty()) continue;
    EXPECT_LT(reply.status, 300) << operation.method << " " << operation.path << " " << reply.body;
    expect_described(operation, reply);
    if (reply.stream) reply.stream->close();
  }
}

TEST_F(Contract, EveryErrorIsAsDescribed) {
  using Kind = management::AdminError::Kind;
  for (const Kind kind : {Kind::invalid, Kind::not_found, Kind::conflict, Kind::refused,
                          Kind::unavailable, Kind::failed}) {
    runtime_.error = {kind, "because", {{"f.toml", 3, 4, "", "m"}, {"", 0, 0, "topics.0", "m"}}};
    for (const Operation& operation : operations()) {
      // What cannot be about a name or a body is not answered so.
      const auto& responses = (*operation.said)["responses"];
      if (kind == Kind::invalid && !responses.contains("422")) continue;
      if (kind == Kind::not_found && !responses.contains("404")) continue;
      if (kind == Kind::conflict && !responses.contains("409")) continue;
      Request request = request_for(operation);
      const Reply reply = ask(request);
      expect_described(operation, reply);
      if (reply.stream) reply.stream->close();
    }
  }
}

TEST_F(Contract, ABodyThatIsNoneIsRefusedAsDescribed) {
  for (const Operation& operation : operations()) {
    if (!operation.said->contains("requestBody")) continue;
    Request request = request_for(operation);
    request.body = "{\"";
    Reply reply = ask(request);
    EXPECT_EQ(reply.status, 400) << operation.path;
    expect_described(operation, reply);
    request = request_for(operation);
    request.headers["content-type"] = "text/plain";
    reply = ask(request);
    EXPECT_EQ(reply.status, 415) << operation.path;
    expect_described(operation, reply);
    request = request_for(operation);
    request.body = R"({"name": 1, "no-such-field": 2})";
    reply = ask(request);
    EXPECT_TRUE(reply.status == 422) << operation.path << reply.body;
    expect_described(operation, reply);
  }
}

TEST_F(Contract, HealthAndReadinessSayWhyNot) {
  runtime_.status.healthy = false;
  runtime_.status.not_healthy = {"the inbox cannot write: disk full"};
  runtime_.status.ready = false;
  runtime_.status.not_ready = {"alias plant: Connection refused"};
  for (const Operation& operation : operations()) {
    if (operation.path != "/healthz" && operation.path != "/readyz") continue;
    Request request = request_for(operation);
    Reply reply = ask(request);
    EXPECT_EQ(reply.status, 503);
    expect_described(operation, reply);
    EXPECT_EQ(json::parse(reply.body)["reasons"].size(), 1U);
    request.may = May::nothing;
    reply = ask(request);
    EXPECT_EQ(reply.status, 503);
    EXPECT_FALSE(json::parse(reply.body).contains("reasons")) << "names are not for everybody";
  }
}

TEST_F(Contract, EveryEventIsAsDescribed) {
  const json schema = {{"$ref", "#/components/schemas/Event"}};
  management::AdminEvent event;
  event.number = 1;
  for (const char* kind : {"message", "dead_letter", "trigger", "alias", "connection", "plugin",
                           "package", "runtime", "inbox"}) {
    event.kind = kind;
    EXPECT_EQ(mismatch(json(to_json(event)), schema, kind), "");
  }
}

TEST_F(Contract, EveryExampleIsAsDescribed) {
  const auto check = [this](const json& content, const std::string& where) {
    if (content.contains("example") && content["schema"] != json({{"type", "string"}})) {
      EXPECT_EQ(mismatch(content["example"], content["schema"], where), "");
    }
    const json examples = content.value("examples", json::object());
    for (const auto& [name, example] : examples.items()) {
      EXPECT_EQ(mismatch(example["value"], content["schema"], where + " " + name), "");
    }
  };
  for (const Operation& operation : operations()) {
    const std::string where = operation.method + " " + operation.path;
    if (operation.said->contains("requestBody")) {
      for (const auto& [type, content] : (*operation.said)["requestBody"]["content"].items()) {
        check(content, where);
      }
    }
    for (const auto& [status, said] : (*operation.said)["responses"].items()) {
      const json contents = resolve(said).value("content", json::object());
      for (const auto& [type, content] : contents.items()) {
        check(content, where + " " + status);
      }
    }
  }
}

}  // namespace
}  // namespace triggerd::admin
