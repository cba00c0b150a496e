// http-forward against a server that does as it should, and one that fails in every way.
#include "integration/http_forward.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "support/http_server.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

HttpHandler always(const HttpAnswer& answer) {
  return [answer](const HttpRequest&) { return answer; };
}

// Whether more than `before` requests have come, once no client is connected any more.
bool got_more_than(std::size_t before, ScriptedHttpServer& server) {
  return server.wait_until_alone() && server.requests().size() > before;
}

// Sends a message that leaves little time, to a server that needs more. Where all of its time was
// over before the server had the request, which tells nothing of the server, another one has twice
// as much.
Answer send_hurried(Instance& instance, ScriptedHttpServer& server) {
  Sent message{"a/b", "x"};
  for (message.timeout = 400ms; message.timeout < kPatience; message.timeout *= 2) {
    const std::size_t before = server.requests().size();
    Answer answer = send(instance, message);
    if (got_more_than(before, server)) return answer;
  }
  throw std::runtime_error("no request has come to the server");
}

// ---- a server that does as it should ----

TEST(HttpForward, PostsAMessageAndSaysOk) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url("/in?x=1"), {{"headers.X-Device", "{topic:2}"}});
  const std::string payload("\0binary\xff", 8);
  EXPECT_EQ(send(instance, {"plant/a", payload}).code, TRIGGER_OK);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/in?x=1");
  EXPECT_EQ(requests[0].body, payload);
  EXPECT_EQ(requests[0].header("content-type"), "application/octet-stream");
  EXPECT_EQ(requests[0].header("ce-specversion"), "1.0");
  EXPECT_EQ(requests[0].header("ce-subject"), "plant/a");
  EXPECT_EQ(requests[0].header("ce-source"), "/mqtt/test-alias");
  EXPECT_EQ(requests[0].header("x-device"), "a");
  EXPECT_TRUE(instance.violations().empty());
}

TEST(HttpForward, EmptyAndLargePayloadsArrive) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url(), {{"method", "PUT"}, {"mode", "plain"}});
  EXPECT_EQ(send(instance, {"a", ""}).code, TRIGGER_OK);
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(send(instance, {"a", large}).code, TRIGGER_OK);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].method, "PUT");
  EXPECT_EQ(requests[0].header("content-length"), "0");
  EXPECT_EQ(requests[1].body, large);
  EXPECT_EQ(requests[1].count("expect"), 0U) << "a server that does not know it costs a second";
}

TEST(HttpForward, UsesItsConnectionAgain) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url());
  for (int i = 0; i < 50; ++i) ASSERT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_EQ(server.connections(), 1U);
  EXPECT_EQ(instance.metric("http_connections_total"), 1);
  EXPECT_EQ(instance.metric("http_requests_total"), 50);
  EXPECT_EQ(instance.metric("http_unanswered_total").value_or(0), 0);
}

// Its second piece waits for the acknowledgement of the first, which the system would put off for
// 40 ms. The fastest of many says whether it did, however busy the machine is.
TEST(HttpForward, AnAnswerInPiecesIsAcknowledgedAtOnce) {
  ScriptedHttpServer server;
  server.answer(
      always(HttpAnswer().send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").send("ok")));
  auto instance = forward_to(server.url());
  auto fastest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 60; ++i) {
    const auto began = std::chrono::steady_clock::now();
    ASSERT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
    // The first answers of a connection are acknowledged at once in any case.
    if (i >= 30) fastest = std::min(fastest, std::chrono::steady_clock::now() - began);
  }
  EXPECT_LT(fastest, 40ms);
  EXPECT_EQ(server.connections(), 1U);
}

TEST(HttpForward, HasManyRequestsUnderWay) {
  ScriptedHttpServer server;
  std::atomic<int> here{0};
  server.answer([&here](const HttpRequest&) {
    ++here;
    EXPECT_TRUE(eventually([&here] { return here >= 16; }));
    return HttpAnswer().send(http(204));
  });
  auto instance = forward_to(server.url());
  std::vector<Attempt> attempts;
  for (int i = 0; i < 16; ++i) attempts.push_back(instance.send({"a", "x"}));
  for (const Attempt& attempt : attempts) EXPECT_EQ(answer_of(attempt).code, TRIGGER_OK);
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_EQ(server.connections(), 16U) << "one of them served again";
}

TEST(HttpForward, SpeaksOverAUnixSocket) {
  const TempDir dir;
  ScriptedHttpServer server(dir / "app.sock");
  auto instance =
      forward_to("http://localhost/events", {{"unix_socket", (dir / "app.sock").string()}});
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_EQ(server.connections(), 1U);
  EXPECT_EQ(server.requests().at(0).header("host"), "localhost");
}

TEST(HttpForward, NoPropertyBecomesAHeaderOfItsOwn) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url(), {{"headers.X-Unit", "{property:unit}"}});
  Sent message{"a\r\nX-Evil: 1", "x"};
  message.properties = {{0x26, 0, "unit", "C\r\nX-Evil: 1\r\n\r\nPOST / HTTP/1.1"},
                        {0x03, 0, "", "text/plain\r\nX-Evil: 1"}};
  EXPECT_EQ(send(instance, message).code, TRIGGER_OK);
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(server.requests()[0].count("x-evil"), 0U);
  EXPECT_EQ(server.requests()[0].header("x-unit"), "C%0D%0AX-Evil: 1%0D%0A%0D%0APOST / HTTP/1.1");
}

TEST(HttpForward, TheEnvironmentsProxyIsNotAsked) {
  ScriptedHttpServer server;
  const ReservedPort nobody;
  const std::string proxy = "http://127.0.0.1:" + std::to_string(nobody.number());
  ASSERT_EQ(::setenv("http_proxy", proxy.c_str(), 1), 0);
  auto instance = forward_to(server.url());
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
  ::unsetenv("http_proxy");
}

TEST(HttpForward, InterimAnswersAreNotTheAnswer) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer()
                           .send("HTTP/1.1 100 Continue\r\n\r\n")
                           .send("HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n")
                           .send(http(503))));
  auto instance = forward_to(server.url());
  const Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_EQ(answer.retry_after_ms, 0U);
}

// ---- verdicts ----

TEST(HttpForward, ARejectSaysWhatTheApplicationSaid) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().send(http(422, {}, "the unit is missing\n"))));
  auto instance = forward_to(server.url());
  const Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_REJECT);
  EXPECT_EQ(answer.reason, server.url() + " answered 422: the unit is missing");
}

TEST(HttpForward, RetryAfterIsTheDelay) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url());
  for (const int status : {429, 503}) {
    server.answer(always(HttpAnswer().send(http(status, {"rEtry-aFter: 7"}, "busy"))));
    const Answer answer = send(instance, {"a", "x"});
    EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
    EXPECT_EQ(answer.retry_after_ms, 7000U);
    EXPECT_EQ(answer.reason, server.url() + " answered " + std::to_string(status) + ": busy");
  }
  server.answer(
      always(HttpAnswer().send(http(503, {"Retry-After: Fri, 31 Dec 2999 23:59:59 GMT"}))));
  EXPECT_EQ(send(instance, {"a", "x"}).retry_after_ms, 3'600'000U);
}

TEST(HttpForward, RedirectsAreNotFollowedUnlessSet) {
  ScriptedHttpServer server;
  server.answer([](const HttpRequest& request) {
    if (request.target == "/new") return HttpAnswer().send(http(200));
    return HttpAnswer().send(http(308, {"Location: /new"}));
  });
  auto strict = forward_to(server.url());
  const Answer answer = send(strict, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_REJECT);
  EXPECT_EQ(answer.reason, server.url() + " answered 308: a redirect to " + server.url("/new") +
                               ", and follow_redirects is 0");

  for (const char* method : {"POST", "PATCH"}) {
    auto follows = forward_to(server.url(), {{"follow_redirects", 1}, {"method", method}});
    EXPECT_EQ(send(follows, {"a", "body"}).code, TRIGGER_OK);
    EXPECT_EQ(server.requests().back().target, "/new");
    EXPECT_EQ(server.requests().back().method, method);
    EXPECT_EQ(server.requests().back().body, "body");
  }
}

TEST(HttpForward, RedirectsStayOnTheServerAndEnd) {
  ScriptedHttpServer other;
  ScriptedHttpServer server;
  auto instance = forward_to(server.url(), {{"follow_redirects", 3}});
  server.answer(always(HttpAnswer().send(http(307, {"Location: " + other.url()}))));
  Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_REJECT);
  EXPECT_NE(answer.reason.find("which is another server"), std::string::npos) << answer.reason;
  EXPECT_EQ(other.connections(), 0U);

  server.answer(always(HttpAnswer().send(http(302, {"Location: /again"}))));
  const std::size_t before = server.requests().size();
  answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_REJECT);
  EXPECT_NE(answer.reason.find("as follow_redirects allows"), std::string::npos) << answer.reason;
  EXPECT_EQ(server.requests().size() - before, 4U);
}

// ---- a server that fails ----

TEST(HttpForward, IsUnavailableWhereNobodyListens) {
  const ReservedPort nobody;
  const std::string url = "http://127.0.0.1:" + std::to_string(nobody.number()) + "/events";
  auto instance = forward_to(url);
  const Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_EQ(answer.reason.rfind("no answer from " + url + ": Failed to connect", 0), 0U)
      << answer.reason;
  EXPECT_EQ(instance.metric("http_unanswered_total"), 1);

  const TempDir dir;
  auto no_socket = forward_to("http://localhost/", {{"unix_socket", (dir / "none.sock").string()}});
  EXPECT_EQ(send(no_socket, {"a", "x"}).code, TRIGGER_UNAVAILABLE);
}

// Each of these is a retry with a reason, and leaves a client that can still be served.
TEST(HttpForward, RetriesWhatIsNoCompleteAnswer) {
  const std::string part = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
  const std::vector<std::pair<const char*, HttpAnswer>> failures{
      {"closes without a word", HttpAnswer().close()},
      {"resets without a word", HttpAnswer().reset()},
      {"closes in the status line", HttpAnswer().send("HTTP/1.1 20").close()},
      {"closes in a header", HttpAnswer().send("HTTP/1.1 200 OK\r\nContent-Le").close()},
      {"closes before the body", HttpAnswer().send(part.substr(0, part.size() - 4)).close()},
      {"closes in the body", HttpAnswer().send(part).close()},
      {"resets in the body", HttpAnswer().send(part).wait(20ms).reset()},
      {"closes in a chunk",
       HttpAnswer().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").close()},
      {"says no chunk size",
       HttpAnswer().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").close()},
      {"says two lengths", HttpAnswer()
                               .send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: "
                                     "-5\r\n\r\nx")
                               .close()},
      {"is HTTP/0.9", HttpAnswer().send("<html>hello</html>\r\n").close()},
      {"is no HTTP at all", HttpAnswer().send(std::string("\x16\x03\x01\0\xff\0\x80", 7)).close()},
      {"is another HTTP", HttpAnswer().send("HTTP/7.7 200 OK\r\n\r\n").close()},
      {"headers without end", HttpAnswer()
                                  .send("HTTP/1.1 200 OK\r\n")
                                  .send_without_end("X-Header: " + std::string(500, 'x') + "\r\n")},
      {"one header without end",
       HttpAnswer().send("HTTP/1.1 200 OK\r\nX: ").send_without_end(std::string(5000, 'x'))},
  };
  for (const auto& [what, failure] : failures) {
    ScriptedHttpServer server;
    server.answer(always(failure));
    auto instance = forward_to(server.url());
    const Answer answer = send(instance, {"a", "x"});
    EXPECT_EQ(answer.code, TRIGGER_RETRY) << what;
    EXPECT_EQ(answer.reason.rfind("no answer from " + server.url() + ": ", 0), 0U)
        << what << ": " << answer.reason;
    EXPECT_GT(answer.reason.size(), server.url().size() + 20) << what;
    server.answer(nullptr);
    EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK) << what;
    EXPECT_TRUE(instance.violations().empty()) << what;
  }
}

TEST(HttpForward, ReadsABoundedAmountOfHeaders) {
  ScriptedHttpServer server;
  std::string large = "HTTP/1.1 204 No Content\r\n";
  for (int i = 0; i < 70; ++i) large += "X-Header: " + std::string(1012, 'x') + "\r\n";
  server.answer(always(HttpAnswer().send(large + "\r\n")));
  auto instance = forward_to(server.url());
  const Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answer.reason,
            "no answer from " + server.url() + ": its headers are larger than 64 KiB");
}

TEST(HttpForward, RetriesWhatIsClosedBeforeItIsSent) {
  ScriptedHttpServer server;
  server.close_on_accept(3);
  auto instance = forward_to(server.url());
  int retries = 0;
  while (send(instance, {"a", "x"}).code == TRIGGER_RETRY) ++retries;
  EXPECT_EQ(retries, 3);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(HttpForward, GivesUpBeforeTheDeadlineWhereTheServerStalls) {
  const std::vector<std::pair<const char*, HttpAnswer>> stalls{
      {"without a word", HttpAnswer().stall()},
      {"in a header", HttpAnswer().send("HTTP/1.1 200 OK\r\nContent-Le").stall()},
      {"in the body",
       HttpAnswer().send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").stall()},
      {"byte by byte", HttpAnswer()
                           .send("HTTP/1.1 200 OK\r\nX: ")
                           .send("a")
                           .wait(150ms)
                           .send("b")
                           .wait(150ms)
                           .send("c")
                           .wait(150ms)
                           .send("d")
                           .wait(150ms)
                           .send("\r\n\r\n")},
  };
  for (const auto& [what, stall] : stalls) {
    ScriptedHttpServer server;
    server.answer(always(stall));
    auto instance = forward_to(server.url());
    const Answer answer = send_hurried(instance, server);
    EXPECT_EQ(answer.code, TRIGGER_RETRY) << what;
    EXPECT_NE(answer.reason.find("timed out"), std::string::npos) << what << answer.reason;
    EXPECT_TRUE(server.wait_until_alone()) << what << ": the connection is given up";
    server.answer(nullptr);
    EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK) << what;
  }
}

// The message's deadline is further away than the test's patience.
TEST(HttpForward, TimeoutSecondsMayBeLessThanTheDeadline) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().stall()));
  // Longer where that was over before the server had the request.
  for (double seconds = 0.1; seconds < 20; seconds *= 2) {
    auto instance = forward_to(server.url(), {{"timeout_seconds", seconds}});
    const Answer answer = send(instance, {"a", "x"});
    if (!got_more_than(0, server)) continue;
    EXPECT_EQ(answer.code, TRIGGER_RETRY);
    EXPECT_NE(answer.reason.find("timed out"), std::string::npos) << answer.reason;
    return;
  }
  FAIL() << "no request has come to the server";
}

TEST(HttpForward, AMessageWithoutTimeIsNotSent) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url());
  Sent message{"a", "x"};
  message.timeout = 0ms;
  const Answer answer = send(instance, message);
  EXPECT_EQ(answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answer.reason, "no answer from " + server.url() +
                               ": its time was up before the request could be sent");
  EXPECT_EQ(server.connections(), 0U);
}

TEST(HttpForward, WaitsForASlowServer) {
  ScriptedHttpServer server;
  const std::string whole = http(200, {"X-Slow: yes"}, "slow");
  HttpAnswer slow;
  for (const char byte : whole) slow.send(std::string(1, byte)).wait(1ms);
  server.answer(always(slow));
  auto instance = forward_to(server.url());
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
}

TEST(HttpForward, ABodyWithoutEndIsCutAndTheStatusCounts) {
  ScriptedHttpServer server;
  const auto endless = [](int status) {
    return HttpAnswer()
        .send("HTTP/1.1 " + std::to_string(status) + " Status\r\n\r\n")
        .send_without_end(std::string(1000, 'y'));
  };
  auto instance = forward_to(server.url());
  server.answer(always(endless(200)));
  EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_TRUE(server.wait_until_alone()) << "nobody reads the rest";
  server.answer(always(endless(422)));
  const Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_REJECT);
  EXPECT_EQ(answer.reason, server.url() + " answered 422: " + std::string(150, 'y') + "...");
  EXPECT_TRUE(server.wait_until_alone());
}

// The rest would be taken for the next answer.
TEST(HttpForward, WhatComesBehindTheLengthIsNoAnswer) {
  ScriptedHttpServer server;
  server.answer([](const HttpRequest& request) {
    if (request.index == 0) {
      return HttpAnswer().send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" +
                               http(422, {}, "not yours"));
    }
    return HttpAnswer().send(http(204));
  });
  auto instance = forward_to(server.url());
  for (int i = 0; i < 5; ++i) {
    const Answer answer = send(instance, {"a", "x"});
    EXPECT_EQ(answer.code, TRIGGER_OK) << answer.reason;
  }
}

TEST(HttpForward, ConnectionsThatAreDroppedBetweenRequestsCostNothing) {
  ScriptedHttpServer server;
  server.answer(always(HttpAnswer().send(http(204)).close()));
  auto instance = forward_to(server.url());
  for (int i = 0; i < 20; ++i) ASSERT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_EQ(server.requests().size(), 20U);
}

// The server closes at the moment it is asked: nobody can know whether it had read the request.
TEST(HttpForward, AConnectionThatIsDroppedUnderARequestIsTriedAgainAtOnce) {
  for (const bool reset : {false, true}) {
    ScriptedHttpServer server;
    std::atomic<std::size_t> last{999};
    server.answer([&last, reset](const HttpRequest& request) {
      if (last.exchange(request.connection) != request.connection) {
        return HttpAnswer().send(http(204));
      }
      return reset ? HttpAnswer().reset() : HttpAnswer().close();
    });
    auto instance = forward_to(server.url());
    for (int i = 0; i < 10; ++i) {
      const Answer answer = send(instance, {"a", "x"});
      ASSERT_EQ(answer.code, TRIGGER_OK) << answer.reason;
    }
    EXPECT_EQ(server.connections(), 10U);
  }
}

TEST(HttpForward, GoesOnWhenTheServerIsBack) {
  ScriptedHttpServer server;
  auto instance = forward_to(server.url());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_OK);
    server.stop();
    EXPECT_EQ(send(instance, {"a", "x"}).code, TRIGGER_UNAVAILABLE);
    server.start();
  }
}

}  // namespace
}  // namespace triggerd::test
