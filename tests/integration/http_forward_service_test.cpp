// What http-forward does beside a request and its verdict: answers that are published, batches,
// probes, and the life of its instances and of its library.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "integration/http_forward.hpp"
#include "support/http_server.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

HttpHandler always(const HttpAnswer& answer) {
  return [answer](const HttpRequest&) { return answer; };
}

// ---- answers that are published ----

TEST(HttpForwardReply, IsOkOnceTheServerHasTheAnswer) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().send(http(200, {"Content-Type: text/plain"}, "pong"))));
  auto instance = forward_to(server.url(), {{"reply_topic", "answers/{topic:2}"},
                                            {"reply_qos", 2},
                                            {"reply_retain", true},
                                            {"reply_alias", "cloud"}});
  const Attempt attempt = instance.send({"a/b", "ping"});
  instance.wait_publishes(1, kPatience);
  const auto published = instance.publishes();
  EXPECT_EQ(published[0].topic, "answers/b");
  EXPECT_EQ(published[0].payload, "pong");
  EXPECT_EQ(published[0].alias, "cloud");
  EXPECT_EQ(published[0].qos, 2U);
  EXPECT_TRUE(published[0].retain);
  EXPECT_TRUE(published[0].properties.empty());
  EXPECT_TRUE(attempt.pending());
  instance.finish_publish(0);
  EXPECT_EQ(attempt.code(), TRIGGER_OK);
  EXPECT_TRUE(instance.violations().empty());
}

TEST(HttpForwardReply, GoesWhereTheSenderWantsIt) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().send(http(200, {"Content-Type: text/plain"}, "pong"))));
  auto instance = forward_to(server.url(), {{"reply_topic", "{response_topic}"}});
  Sent message{"a", "ping"};
  message.properties = {{0x08, 0, "", "to/me"}, {0x09, 0, "", std::string("\0\1", 2)}};
  const Attempt attempt = instance.send(message);
  instance.wait_publishes(1, kPatience);
  const auto published = instance.publishes().at(0);
  EXPECT_EQ(published.topic, "to/me");
  ASSERT_EQ(published.properties.size(), 2U);
  EXPECT_EQ(published.properties[0].id, 0x09U);
  EXPECT_EQ(published.properties[0].value, std::string("\0\1", 2));
  EXPECT_EQ(published.properties[1].id, 0x03U);
  EXPECT_EQ(published.properties[1].value, "text/plain");
  instance.finish_publish(0);
  EXPECT_EQ(attempt.code(), TRIGGER_OK);

  EXPECT_EQ(send(instance, {"a", "nobody waits"}).code, TRIGGER_OK);
  EXPECT_EQ(instance.publishes().size(), 1U);
  message.properties[0].value = "to/#";
  EXPECT_EQ(send(instance, message).code, TRIGGER_REJECT);
  EXPECT_EQ(server.requests().size(), 2U) << "what cannot be answered is not forwarded";
}

TEST(HttpForwardReply, IsForBodiesOfGoodAnswersOnly) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url(), {{"reply_topic", "answers"}});
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK) << "204";
  server.answer(always(HttpAnswer().send(http(500, {}, "no"))));
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_RETRY);
  server.answer(always(HttpAnswer().send(http(400, {}, "no"))));
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_REJECT);
  EXPECT_TRUE(instance.publishes().empty());
}

TEST(HttpForwardReply, AnAnswerThatIsTooLargeIsADeadLetter) {
  ScriptedHttpServer server;
  auto instance =
      forward_to(server.url(), {{"reply_topic", "answers"}, {"max_response_bytes", 100}});
  server.answer(always(HttpAnswer().send(http(200, {}, std::string(101, 'x')))));
  const Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_REJECT);
  EXPECT_EQ(answer.reason, "the answer from " + server.url() +
                               " was not published: it has more than 100 bytes "
                               "(max_response_bytes)");
  server.answer(always(HttpAnswer().send(http(200, {}, std::string(100, 'x')))));
  const Attempt fits = instance.send({"a", "x"});
  instance.wait_publishes(1, kPatience);
  instance.finish_publish(0);
  EXPECT_EQ(fits.code(), TRIGGER_OK);
}

TEST(HttpForwardReply, RetriesWhatWasNotPublished) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().send(http(200, {}, "pong"))));
  auto instance = forward_to(server.url(), {{"reply_topic", "answers"}});
  instance.refuse_publishes(TRIGGER_E_FULL);
  Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_EQ(answer.reason, "not published: too much is in flight");
  instance.refuse_publishes(TRIGGER_OK);
  const Attempt attempt = instance.send({"a", "x"});
  instance.wait_publishes(1, kPatience);
  instance.finish_publish(0, TRIGGER_E_FAILED, "the connection was lost");
  EXPECT_EQ(attempt.reason(), "not published: the connection was lost");
}

// ---- batches ----

std::vector<std::string> subjects_of(const HttpRequest& request) {
  std::vector<std::string> found;
  for (const json& event : json::parse(request.body)) found.push_back(event.at("subject"));
  return found;
}

std::vector<Sent> messages(std::size_t count) {
  std::vector<Sent> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back({"m/" + std::to_string(i), "x"});
  return made;
}

// Messages that come while a request is under way: "first", which is alone and ok.
class Gathered {
 public:
  Gathered(const Settings& more, std::size_t count, HttpHandler handler = nullptr) {
    server_.answer([this, handler = std::move(handler)](const HttpRequest& request) {
      if (subjects_of(request) == std::vector<std::string>{"first"}) {
        EXPECT_TRUE(eventually([this] { return go_.load(); }));
        return HttpAnswer().send(http(204));
      }
      return handler ? handler(request) : HttpAnswer().send(http(204));
    });
    Settings settings{{"mode", "batch"}};
    settings.insert(settings.end(), more.begin(), more.end());
    instance_.emplace(forward_to(server_.url(), settings));
    const Attempt first = instance_->send({"first", "x"});
    EXPECT_TRUE(server_.wait_for_requests(1));
    for (const Sent& message : messages(count)) attempts_.push_back(instance_->send(message));
    go_ = true;
    EXPECT_EQ(answer_of(first).code, TRIGGER_OK);
  }

  Instance& instance() { return *instance_; }
  const std::vector<Attempt>& attempts() const { return attempts_; }
  std::string url() const { return server_.url(); }
  // Without the first.
  std::vector<HttpRequest> requests() {
    auto all = server_.requests();
    all.erase(all.begin());
    return all;
  }

 private:
  std::atomic<bool> go_{false};
  ScriptedHttpServer server_;
  std::optional<Instance> instance_;
  std::vector<Attempt> attempts_;
};

TEST(HttpForwardBatch, IsOneRequest) {
  Gathered gathered({{"headers.X-From", "{trigger}"}}, 5);
  for (const Attempt& attempt : gathered.attempts()) {
    EXPECT_EQ(answer_of(attempt).code, TRIGGER_OK);
  }
  const auto requests = gathered.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].header("content-type"), "application/cloudevents-batch+json");
  EXPECT_EQ(requests[0].header("x-from"), "test-trigger");
  EXPECT_EQ(subjects_of(requests[0]),
            (std::vector<std::string>{"m/0", "m/1", "m/2", "m/3", "m/4"}));
  EXPECT_TRUE(gathered.instance().violations().empty());
}

// With it the runtime would count a call of up to 256 messages as one of `concurrency`.
TEST(HttpForwardBatch, IsNotMadeByTheRuntime) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url(), {{"mode", "batch"}});
  EXPECT_THROW(instance.send_batch(messages(2)), std::logic_error);
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_TRUE(instance.violations().empty());
}

TEST(HttpForwardBatch, TakesWhatCameDuringTheOneBefore) {
  ScriptedHttpServer server;
  std::atomic<bool> go{false};
  server.answer([&go](const HttpRequest&) {
    EXPECT_TRUE(eventually([&go] { return go.load(); }));
    return HttpAnswer().send(http(204));
  });
  auto instance = forward_to(server.url(), {{"mode", "batch"}, {"batch_messages", 4}});
  std::vector<Attempt> attempts;
  for (const Sent& message : messages(10)) {
    attempts.push_back(instance.send(message));
    ASSERT_TRUE(server.wait_for_requests(1));
  }
  go = true;
  for (const Attempt& attempt : attempts) EXPECT_EQ(answer_of(attempt).code, TRIGGER_OK);
  std::vector<std::size_t> sizes;
  for (const HttpRequest& request : server.requests()) {
    sizes.push_back(subjects_of(request).size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 4, 4, 1}));
  EXPECT_EQ(server.connections(), 1U);
}

TEST(HttpForwardBatch, IsBoundedInBytes) {
  Gathered gathered({{"batch_bytes", 1000}}, 12);
  for (const Attempt& attempt : gathered.attempts()) {
    EXPECT_EQ(answer_of(attempt).code, TRIGGER_OK);
  }
  std::size_t events = 0;
  const auto requests = gathered.requests();
  for (const HttpRequest& request : requests) {
    EXPECT_LE(request.body.size(), 1002U);
    events += subjects_of(request).size();
  }
  EXPECT_GT(requests.size(), 1U);
  EXPECT_LT(requests.size(), 12U);
  EXPECT_EQ(events, 12U);
  EXPECT_EQ(send(gathered.instance(), {"large", std::string(5000, 'x')}).code, TRIGGER_OK)
      << "one alone may be larger";
}

TEST(HttpForwardBatch, AMessageAtFaultIsFoundAndTheOthersAreOk) {
  Gathered gathered({}, 8, [](const HttpRequest& request) {
    for (const std::string& subject : subjects_of(request)) {
      if (subject == "m/3") return HttpAnswer().send(http(422, {}, "m/3 is wrong"));
    }
    return HttpAnswer().send(http(204));
  });
  const auto& attempts = gathered.attempts();
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    const Answer answer = answer_of(attempts[i]);
    EXPECT_EQ(answer.code, i == 3 ? TRIGGER_REJECT : TRIGGER_OK) << i;
  }
  EXPECT_EQ(attempts[3].reason(), gathered.url() + " answered 422: m/3 is wrong");
  EXPECT_EQ(gathered.requests().size(), 7U) << "8, then halves: 4 2 1 1 2 4";
}

TEST(HttpForwardBatch, OneVerdictIsForAllOtherwise) {
  Gathered busy({}, 3, always(HttpAnswer().send(http(503, {"Retry-After: 2"}))));
  for (const Attempt& attempt : busy.attempts()) {
    EXPECT_EQ(answer_of(attempt).retry_after_ms, 2000U);
  }
  EXPECT_EQ(busy.requests().size(), 1U);
  Gathered forbidden({}, 3, always(HttpAnswer().send(http(403))));
  for (const Attempt& attempt : forbidden.attempts()) {
    EXPECT_EQ(answer_of(attempt).code, TRIGGER_REJECT);
  }
  EXPECT_EQ(forbidden.requests().size(), 1U);
}

// ---- probes ----

TEST(HttpForwardProbe, AsksTheServer) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().send("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")));
  auto instance = forward_to(server.url());
  EXPECT_EQ(instance.probe().code, TRIGGER_OK) << "it answers, and that was the question";
  EXPECT_EQ(server.requests().at(0).method, "HEAD");
  EXPECT_EQ(server.requests().at(0).target, "/events");
  server.answer(always(HttpAnswer().send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")));
  EXPECT_EQ(instance.probe().reason, server.url() + " answered 503");
  server.stop();
  const Answer answer = instance.probe();
  EXPECT_NE(answer.code, TRIGGER_OK);
  EXPECT_EQ(answer.reason.rfind("no answer from " + server.url() + ": ", 0), 0U) << answer.reason;
}

TEST(HttpForwardProbe, AsksItsOwnUrl) {
  ScriptedHttpServer server;
  server.answer([](const HttpRequest& request) {
    return HttpAnswer().send(http(request.target == "/healthz" ? 200 : 500));
  });
  auto healthy = forward_to(server.url(), {{"probe_url", server.url("/healthz")}});
  EXPECT_EQ(healthy.probe().code, TRIGGER_OK);
  EXPECT_EQ(server.requests().at(0).method, "GET");
  server.answer(always(HttpAnswer().send(http(404))));
  EXPECT_EQ(healthy.probe().reason, server.url("/healthz") + " answered 404");
}

TEST(HttpForwardProbe, GivesUpOnAServerThatStalls) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().stall()));
  auto instance = forward_to(server.url(), {{"timeout_seconds", 0.1}});
  EXPECT_NE(instance.probe().reason.find("timed out"), std::string::npos);
}

// ---- the life of an instance ----

TEST(HttpForwardLife, CreatingTouchesNoNetwork) {
  ScriptedHttpServer server;
  const Plugin plugin(http_forward_file());
  { auto instance = plugin.create("http-forward", {{"url", server.url()}}); }
  { auto instance = plugin.run("http-forward", {{"url", server.url()}}); }
  EXPECT_EQ(server.connections(), 0U);
}

// A retry would use up an attempt; what stop leaves pending, the runtime gives back without one.
TEST(HttpForwardLife, StopBreaksOffWhatIsUnderWayAndSaysNoVerdict) {
  for (const char* mode : {"binary", "batch"}) {
    ScriptedHttpServer server;
    server.answer(always(HttpAnswer().stall()));
    auto instance = forward_to(server.url(), {{"mode", mode}});
    std::vector<Attempt> attempts;
    for (const Sent& message : messages(10)) attempts.push_back(instance.send(message));
    ASSERT_TRUE(server.wait_for_requests(1));
    instance.stop();
    EXPECT_TRUE(server.wait_until_alone());
    for (const Attempt& attempt : attempts) {
      EXPECT_EQ(attempt.reason().find("verdict"), std::string::npos) << attempt.reason();
    }
    server.answer(nullptr);
    instance.start();
    EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK) << mode;
    EXPECT_TRUE(instance.violations().empty()) << mode;
  }
}

// Where the first request opens the connection that the others are going to share.
TEST(HttpForwardLife, StopBreaksOffWhatWaitsForAConnection) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().stall()));
  auto instance = forward_to(server.url(), {{"http_version", "2"}});
  std::vector<Attempt> attempts;
  for (const Sent& message : messages(10)) attempts.push_back(instance.send(message));
  ASSERT_TRUE(server.wait_for_requests(1)) << "the preface of HTTP/2 looks like one";
  instance.stop();
  for (const Attempt& attempt : attempts) {
    EXPECT_EQ(attempt.reason().find("verdict"), std::string::npos) << attempt.reason();
  }
  EXPECT_TRUE(instance.violations().empty());
}

TEST(HttpForwardLife, StopWhileAnswersComeIn) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url());
  for (int round = 0; round < 50; ++round) {
    std::vector<Attempt> attempts;
    for (const Sent& message : messages(8)) attempts.push_back(instance.send(message));
    instance.stop();
    for (const Attempt& attempt : attempts) EXPECT_FALSE(attempt.pending());
    instance.start();
  }
  EXPECT_TRUE(instance.violations().empty());
}

TEST(HttpForwardLife, ALateAnswerDoesNotCount) {
  ScriptedHttpServer server;
  std::atomic<bool> go{false};
  server.answer([&go](const HttpRequest&) {
    EXPECT_TRUE(eventually([&go] { return go.load(); }));
    return HttpAnswer().send(http(204));
  });
  auto instance = forward_to(server.url());
  const Attempt attempt = instance.send({"a", "x"});
  attempt.expire();
  go = true;
  const Attempt next = instance.send({"a", "x"});
  EXPECT_EQ(answer_of(next).code, TRIGGER_OK);
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_TRUE(instance.violations().empty());
}

TEST(HttpForwardLife, ManyWorkersSendAtOnce) {
  ScriptedHttpServer server;
  for (const char* mode : {"binary", "batch"}) {
    auto instance = forward_to(server.url(), {{"mode", mode}});
    std::vector<std::thread> workers;
    std::atomic<int> ok{0};
    for (int i = 0; i < 8; ++i) {
      workers.emplace_back([&] {
        for (int k = 0; k < 50; ++k) ok += send(instance, {"a", "x"}).code == TRIGGER_OK ? 1 : 0;
      });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(ok, 400);
    EXPECT_TRUE(instance.violations().empty());
  }
}

// ---- the life of the library ----

std::size_t count_maps(std::string_view part) {
  std::ifstream in("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.find(part) != std::string::npos) ++count;
  }
  return count;
}

std::size_t resident_kib() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stoul(line.substr(6));
  }
  return 0;
}

// As hot reload does it: every generation is a file of its own.
TEST(HttpForwardLife, ItsLibraryIsLoadedAndUnloadedManyTimes) {
  const TempDir dir;
  ScriptedHttpServer server;
  [[maybe_unused]] std::size_t maps = 0;
  [[maybe_unused]] std::size_t resident = 0;
  constexpr int kWarm = 10;
  for (int generation = 0; generation < 60; ++generation) {
    const auto file = dir / ("generation-" + std::to_string(generation) + ".so");
    std::filesystem::copy_file(http_forward_file(), file);
    {
      const Plugin plugin(file.string());
      auto instance = plugin.run("http-forward", {{"url", server.url()}});
      ASSERT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
    }
    ASSERT_EQ(count_maps(file.string()), 0U) << "still mapped after its end";
    ASSERT_TRUE(server.wait_until_alone()) << "or its threads, whose stacks count, become more";
    if (generation == kWarm) {
      maps = count_maps("");
      resident = resident_kib();
    }
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which keep what was freed
  EXPECT_LE(count_maps(""), maps + 8) << "a stack or two of the server's threads";
  EXPECT_LT(resident_kib(), resident + 8 * 1024);
#endif
}

TEST(HttpForwardLife, SeveralCopiesAreAtWorkAtOnce) {
  const TempDir dir;
  ScriptedHttpServer server;
  const auto copy = dir / "copy.so";
  std::filesystem::copy_file(http_forward_file(), copy);
  auto old = std::make_unique<Instance>(forward_to(server.url()));
  {
    const Plugin plugin(copy.string());
    auto young = plugin.run("http-forward", {{"url", server.url()}});
    EXPECT_EQ(send(young, {"a", "x"}).code, TRIGGER_OK);
    EXPECT_EQ(send(*old, {"a", "x"}).code, TRIGGER_OK);
    old.reset();
    EXPECT_EQ(send(young, {"a", "x"}).code, TRIGGER_OK) << "libcurl is still there for it";
  }
  EXPECT_EQ(count_maps(copy.string()), 0U);
}

}  // namespace
}  // namespace triggerd::test
