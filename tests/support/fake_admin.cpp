#include "support/fake_admin.hpp"

#include <nlohmann/json.hpp>

namespace triggerd::test {
namespace {

using Json = nlohmann::ordered_json;

HttpAnswer answer_to(const Json& answers, const HttpRequest& request) {
  const std::string whole = request.method + " " + request.target;
  auto at = answers.find(whole);
  if (at == answers.end()) at = answers.find(whole.substr(0, whole.find('?')));
  if (at == answers.end()) {
    return HttpAnswer().send(
        http(404, {"Content-Type: application/problem+json"},
             R"({"type":"urn:triggerd:not-found","title":"Not found","status":404,)"
             R"("detail":"the fake has no answer to this"})"));
  }
  const int status = at->value("status", 200);
  if (at->contains("events")) {
    std::string stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n";
    for (const Json& event : (*at)["events"]) {
      stream += "event: " + event.value("kind", "") + "\ndata: " + event.dump() + "\n\n";
    }
    return HttpAnswer().send(stream).close();
  }
  if (at->contains("text")) {
    return HttpAnswer().send(http(status, {"Content-Type: text/html"}, at->value("text", "")));
  }
  if (!at->contains("body")) return HttpAnswer().send(http(status));
  return HttpAnswer().send(http(
      status,
      {status < 400 ? "Content-Type: application/json" : "Content-Type: application/problem+json"},
      (*at)["body"].dump()));
}

}  // namespace

void FakeAdmin::answer_as(std::string_view json) {
  Json answers = Json::parse(answers_);
  answers.update(Json::parse(json));
  answers_ = answers.dump();
  server_.answer([answers](const HttpRequest& request) { return answer_to(answers, request); });
}

std::vector<std::string> FakeAdmin::requests() const {
  std::vector<std::string> all;
  for (const HttpRequest& request : server_.requests()) {
    all.push_back(request.method + " " + request.target +
                  (request.body.empty() ? "" : " " + request.body));
  }
  return all;
}

}  // namespace triggerd::test
