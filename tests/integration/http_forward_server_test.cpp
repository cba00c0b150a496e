// http-forward with a real HTTP server: HTTP/1.1 and 2, TLS; and from a real MQTT server through
// the runtime to it, with the HTTP server killed on the way.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "integration/http_forward.hpp"
#include "integration/recorded.hpp"
#include "support/http_server.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/nginx.hpp"
#include "support/sqlite_connection.hpp"

namespace triggerd::test {
namespace {

std::string url_of(const NginxServer& server, const std::string& scheme = "http",
                   const std::string& host = "127.0.0.1") {
  return fmt::format("{}://{}:{}/events", scheme, host, server.port());
}

// Sends `count` messages, at most 32 at once, and wants them all to be ok.
void send_all(Instance& instance, int count) {
  std::vector<Attempt> attempts;
  for (int i = 0; i < count; ++i) {
    attempts.push_back(instance.send({"m/" + std::to_string(i), "x"}));
    if (i < 32) continue;
    const Answer answer = answer_of(attempts[static_cast<std::size_t>(i - 32)]);
    ASSERT_EQ(answer.code, TRIGGER_OK) << i << ": " << answer.reason;
  }
  for (const Attempt& attempt : attempts) {
    ASSERT_EQ(answer_of(attempt).code, TRIGGER_OK) << attempt.reason();
  }
}

std::set<std::string> subjects(const std::vector<NginxRequest>& requests) {
  std::set<std::string> found;
  for (const NginxRequest& request : requests) found.insert(request.subject);
  return found;
}

std::size_t connections(const std::vector<NginxRequest>& requests) {
  std::set<std::string> found;
  for (const NginxRequest& request : requests) found.insert(request.connection);
  return found.size();
}

// ---- versions of HTTP ----

TEST(HttpForwardServer, Http11) {
  NginxServer server;
  auto instance = forward_to(url_of(server), {{"mode", "plain"}, {"content_type", "text/plain"}});
  ASSERT_EQ(send(instance, {"a", "hello"}).code, TRIGGER_OK);
  const auto requests = server.wait_for_requests(1);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].protocol, "HTTP/1.1");
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].content_type, "text/plain");
  EXPECT_EQ(requests[0].body, "hello");
}

// What the server makes of a target is not asserted: that it is sent as it has to be, and that what
// could lead elsewhere is not sent at all.
TEST(HttpForwardServer, AMessageSaysWhichPathItGoesTo) {
  NginxServer server({.extra_config = "location /old/ { return 307 /new$request_uri; }"});
  const std::string origin = fmt::format("http://127.0.0.1:{}", server.port());
  auto instance = forward_to(origin + "/devices/{json:/id}?from={topic:1}", {{"mode", "plain"}});
  const auto send_id = [](Instance& to, const char* id) {
    return send(to, {"a b/c", nlohmann::json{{"id", id}}.dump()});
  };
  EXPECT_EQ(send_id(instance, "a/b?c#d").code, TRIGGER_OK);
  for (const char* id : {"..", "../admin", "x/../../admin", ".", ""}) {
    const Answer answer = send_id(instance, id);
    EXPECT_EQ(answer.code, TRIGGER_REJECT) << id;
    EXPECT_EQ(answer.reason.rfind("url does not fit this message: a segment of its path is ", 0),
              0U)
        << answer.reason;
  }
  EXPECT_EQ(send_id(instance, "..a").code, TRIGGER_OK);
  auto follows = forward_to(origin + "/old/{json:/id}", {{"follow_redirects", 1}});
  EXPECT_EQ(send_id(follows, "9").code, TRIGGER_OK);

  std::vector<std::string> targets;
  for (const auto& request : server.wait_for_requests(3)) targets.push_back(request.target);
  EXPECT_EQ(targets, (std::vector<std::string>{"/devices/a%2Fb%3Fc%23d?from=a%20b",
                                               "/devices/..a?from=a%20b", "/new/old/9"}));
}

// Without probe_url the server is asked for what the url begins with.
TEST(HttpForwardServer, AProbeAsksForNoPlaceholder) {
  NginxServer server;
  auto instance = forward_to(fmt::format("http://127.0.0.1:{}/devices/{{topic}}", server.port()));
  EXPECT_EQ(instance.probe().code, TRIGGER_OK);
  const auto requests = server.wait_for_requests(1);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "HEAD");
  EXPECT_EQ(requests[0].target, "/devices/");
}

TEST(HttpForwardServer, Http2SharesAConnection) {
  NginxServer server({.http2 = true});
  auto instance = forward_to(url_of(server), {{"http_version", "2"}});
  send_all(instance, 200);
  const auto requests = server.wait_for_requests(200);
  EXPECT_EQ(subjects(requests).size(), 200U);
  EXPECT_EQ(connections(requests), 1U);
  EXPECT_EQ(requests.at(0).protocol, "HTTP/2.0");
}

// nginx says GOAWAY after that many requests of a connection.
TEST(HttpForwardServer, Http2GoawayCostsNothing) {
  NginxServer server({.http2 = true, .extra_config = "keepalive_requests 7;"});
  auto instance = forward_to(url_of(server), {{"http_version", "2"}});
  for (int i = 0; i < 60; ++i) {
    const Answer answer = send(instance, {"m/" + std::to_string(i), "x"});
    ASSERT_EQ(answer.code, TRIGGER_OK) << i << ": " << answer.reason;
  }
  const auto requests = server.wait_for_requests(60);
  EXPECT_EQ(subjects(requests).size(), 60U);
  EXPECT_GT(connections(requests), 7U);
}

// The same with others under way: what the server did not take may be a retry, and nothing is lost.
TEST(HttpForwardServer, Http2GoawayUnderLoadLosesNothing) {
  NginxServer server({.http2 = true, .extra_config = "keepalive_requests 7;"});
  auto instance = forward_to(url_of(server), {{"http_version", "2"}});
  std::vector<int> left(200);
  std::iota(left.begin(), left.end(), 0);
  for (int round = 0; !left.empty(); ++round) {
    ASSERT_LT(round, 200);
    std::vector<std::pair<int, Attempt>> attempts;
    for (const int i : left) {
      attempts.emplace_back(i, instance.send({"m/" + std::to_string(i), "x"}));
    }
    left.clear();
    for (const auto& [i, attempt] : attempts) {
      const Answer answer = answer_of(attempt);
      ASSERT_NE(answer.code, TRIGGER_REJECT) << answer.reason;
      if (answer.code == TRIGGER_RETRY) left.push_back(i);
    }
  }
  EXPECT_EQ(subjects(server.wait_for_requests(200)).size(), 200U);
  EXPECT_TRUE(instance.violations().empty());
}

TEST(HttpForwardServer, ConnectionsThatNginxEndsCostNothing) {
  NginxServer server({.extra_config = "keepalive_requests 5;"});
  auto instance = forward_to(url_of(server));
  send_all(instance, 200);
  EXPECT_EQ(subjects(server.wait_for_requests(200)).size(), 200U);
}

TEST(HttpForwardServer, Http2WhereTheServerHasOnlyHttp11IsARetry) {
  NginxServer server;
  auto instance = forward_to(url_of(server), {{"http_version", "2"}});
  const Answer answer = send(instance, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answer.reason.rfind("no answer from ", 0), 0U) << answer.reason;
}

// ---- TLS ----

struct Certificate {
  std::string pem;
  std::string key;
};

// Signed by itself: its own authority too.
Certificate make_certificate(const std::string& names) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 86'400);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(names.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  for (const auto& [id, value] : {std::pair(NID_basic_constraints, std::string("CA:TRUE")),
                                  std::pair(NID_subject_alt_name, names)}) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str()), &X509_EXTENSION_free);
    X509_add_ext(made.get(), extension.get(), -1);
  }
  X509_sign(made.get(), key.get(), EVP_sha256());

  const auto text = [](const std::function<void(BIO*)>& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
    write(out.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return std::string(bytes, static_cast<std::size_t>(size));
  };
  return {text([&](BIO* out) { PEM_write_bio_X509(out, made.get()); }), text([&](BIO* out) {
            PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

class HttpForwardTls : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& content) {
    return dir_.write(name, content).string();
  }

  const TempDir dir_;
  const Certificate certificate_ = make_certificate("IP:127.0.0.1");
};

TEST_F(HttpForwardTls, VerifiesTheServerAgainstItsAuthority) {
  NginxServer server({.certificate = certificate_.pem, .key = certificate_.key});
  const std::string ca = file("ca.pem", certificate_.pem);
  auto trusts = forward_to(url_of(server, "https"), {{"ca_file", ca}});
  EXPECT_EQ(send(trusts, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_EQ(send(trusts, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_EQ(connections(server.wait_for_requests(2)), 1U);

  auto by_system = forward_to(url_of(server, "https"));
  Answer answer = send(by_system, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_NE(answer.reason.find("certificate"), std::string::npos) << answer.reason;

  const std::string other = file("other.pem", make_certificate("IP:127.0.0.1").pem);
  auto by_other = forward_to(url_of(server, "https"), {{"ca_file", other}});
  answer = send(by_other, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_NE(answer.reason.find("certificate"), std::string::npos) << answer.reason;

  auto other_name = forward_to(url_of(server, "https", "localhost"), {{"ca_file", ca}});
  answer = send(other_name, {"a", "x"});
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_NE(answer.reason.find("localhost"), std::string::npos) << answer.reason;
  EXPECT_EQ(server.requests().size(), 2U) << "nothing was sent to whom is not trusted";
}

TEST_F(HttpForwardTls, AgreesOnHttp2WhereTheServerHasIt) {
  const std::string ca = file("ca.pem", certificate_.pem);
  NginxServer two({.http2 = true, .certificate = certificate_.pem, .key = certificate_.key});
  auto instance = forward_to(url_of(two, "https"), {{"ca_file", ca}, {"http_version", "2"}});
  send_all(instance, 100);
  const auto requests = two.wait_for_requests(100);
  EXPECT_EQ(requests.at(0).protocol, "HTTP/2.0");
  EXPECT_EQ(connections(requests), 1U);

  NginxServer one({.certificate = certificate_.pem, .key = certificate_.key});
  auto falls_back = forward_to(url_of(one, "https"), {{"ca_file", ca}, {"http_version", "2"}});
  EXPECT_EQ(send(falls_back, {"a", "x"}).code, TRIGGER_OK);
  EXPECT_EQ(one.wait_for_requests(1).at(0).protocol, "HTTP/1.1");
}

TEST_F(HttpForwardTls, ShowsItsOwnCertificate) {
  const Certificate client = make_certificate("DNS:client");
  NginxServer server(
      {.certificate = certificate_.pem, .key = certificate_.key, .client_authority = client.pem});
  const std::string ca = file("ca.pem", certificate_.pem);
  auto nobody = forward_to(url_of(server, "https"), {{"ca_file", ca}});
  EXPECT_EQ(send(nobody, {"a", "x"}).code, TRIGGER_REJECT) << "nginx says 400";
  auto known = forward_to(url_of(server, "https"), {{"ca_file", ca},
                                                    {"cert_file", file("client.pem", client.pem)},
                                                    {"key_file", file("client.key", client.key)}});
  EXPECT_EQ(send(known, {"a", "x"}).code, TRIGGER_OK);
}

// ---- through the runtime ----

std::string forward_table(const std::string& url, const std::string& more = {},
                          const std::string& settings = {}) {
  return fmt::format(
      "[[triggers]]\nname = \"events\"\nalias = \"plant\"\ntopics = [\"plant/#\"]\n"
      "service = \"http-forward\"\n"
      "retry = {{ max_attempts = 1000, interval = \"20ms\", max_interval = \"100ms\" }}\n{}\n"
      "[triggers.settings]\nurl = \"{}\"\n{}\n",
      more, url, settings);
}

// How many there are; the runtime has ended.
std::string dead_letters(const TriggerdProcess& triggerd) {
  const SqliteConnection inbox((triggerd.dir() / "var/inbox.db").string());
  const auto rows = inbox.rows("SELECT count(*) FROM dead_letter");
  return rows ? rows->at(0) : "none can be read";
}

TEST(HttpForwardRuntime, NothingIsLostWhileTheHttpServerIsKilledAgainAndAgain) {
  for (const char* mode : {"mode = \"binary\"", "mode = \"binary\"\nhttp_version = \"2\""}) {
    MosquittoServer mosquitto;
    NginxServer nginx({.http2 = std::string_view(mode).find("http_version") != std::string::npos});
    TriggerdProcess triggerd(
        runtime_table() + alias_table("plant", mosquitto.port()) +
        forward_table(url_of(nginx), "concurrency = 16\norder = \"none\"", mode));
    triggerd.start();
    ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
    TestClient client(mosquitto.port());
    std::set<std::string> sent;
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 200; ++i) {
        const std::string topic = fmt::format("plant/{}/{}", round, i);
        client.publish_later(topic, "21.5", 1 + i % 2);
        sent.insert(topic);
        if (i == 100) nginx.kill();
      }
      ASSERT_TRUE(client.wait_published());
      nginx.start();
    }
    // nginx answers before it writes its log: killed in between, it has the message and no line for
    // it. Those that were on their way may be so, and the runtime must have an answer for them.
    constexpr std::size_t kKills = 4;
    constexpr std::size_t kOnTheirWay = 16;
    (void)eventually([&] { return subjects(nginx.requests()) == sent; }, Millis(5'000));
    EXPECT_TRUE(eventually(
        [&] { return subjects(nginx.requests()).size() + kKills * kOnTheirWay >= sent.size(); },
        Millis(60'000)))
        << subjects(nginx.requests()).size() << " of " << sent.size() << '\n'
        << triggerd.output();
    ASSERT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
    const auto stopped = triggerd.wait_for_event("runtime.stopped", {});
    ASSERT_TRUE(stopped);
    const std::size_t at = stopped->text.find("received, ");
    ASSERT_NE(at, std::string::npos) << stopped->text;
    EXPECT_GE(std::stoul(stopped->text.substr(at + 10)), sent.size()) << stopped->text;
    EXPECT_EQ(dead_letters(triggerd), "0");
  }
}

TEST(HttpForwardRuntime, NothingIsLostWhereTheRuntimeStopsAndTheServerStalls) {
  MosquittoServer mosquitto;
  ScriptedHttpServer server;
  server.answer([](const HttpRequest&) { return HttpAnswer().stall(); });
  // One attempt: what a stop breaks off must not use it up.
  TriggerdProcess triggerd(
      runtime_table("drain_timeout = \"100ms\"") + alias_table("plant", mosquitto.port()) +
      "[[triggers]]\nname = \"events\"\nalias = \"plant\"\ntopics = [\"plant/#\"]\n"
      "service = \"http-forward\"\nconcurrency = 4\norder = \"none\"\n"
      "retry = { max_attempts = 1 }\n[triggers.settings]\nurl = \"" +
      server.url() + "\"\n");
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(mosquitto.port());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(client.publish(fmt::format("plant/{}", i), "x", 1));
  ASSERT_TRUE(server.wait_for_requests(4)) << triggerd.output();
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  EXPECT_EQ(server.requests().size(), 4U);

  server.answer(nullptr);
  triggerd.start();
  EXPECT_TRUE(server.wait_for_requests(14)) << triggerd.output();
  std::set<std::string> seen;
  const auto requests = server.requests();
  for (std::size_t i = 4; i < requests.size(); ++i) {
    seen.insert(requests[i].header("ce-subject"));
  }
  EXPECT_EQ(seen.size(), 10U);
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
}

TEST(HttpForwardRuntime, BatchesAndRejectsAndAnswers) {
  MosquittoServer mosquitto;
  ScriptedHttpServer server;
  server.answer([](const HttpRequest& request) {
    if (request.target == "/batch") return HttpAnswer().send(http(204));
    if (request.body == "bad") return HttpAnswer().send(http(400, {}, "it is bad"));
    return HttpAnswer().send(http(200, {}, "answer to " + request.body));
  });
  const std::string trigger =
      "[[triggers]]\nname = \"{}\"\nalias = \"plant\"\ntopics = [\"{}/#\"]\n"
      "service = \"http-forward\"\nconcurrency = 64\norder = \"none\"\n[triggers.settings]\n"
      "url = \"{}\"\n{}\n";
  TriggerdProcess triggerd(runtime_table() + alias_table("plant", mosquitto.port()) +
                           fmt::format(fmt::runtime(trigger), "batches", "many",
                                       server.url("/batch"), "mode = \"batch\"") +
                           fmt::format(fmt::runtime(trigger), "answers", "ask", server.url("/ask"),
                                       "reply_topic = \"answers/{topic:2}\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(mosquitto.port());
  ASSERT_TRUE(client.subscribe("answers/#"));
  for (int i = 0; i < 500; ++i) client.publish_later(fmt::format("many/{}", i), "x", 1);
  ASSERT_TRUE(client.publish("ask/1", "bad"));
  ASSERT_TRUE(client.publish("ask/2", "good"));
  const auto answer = client.wait_for_topic("answers/2");
  ASSERT_TRUE(answer) << triggerd.output();
  EXPECT_EQ(answer->payload, "answer to good");

  std::set<std::string> seen;
  std::size_t requests = 0;
  EXPECT_TRUE(eventually([&] {
    seen.clear();
    requests = 0;
    for (const HttpRequest& request : server.requests()) {
      if (request.target != "/batch") continue;
      ++requests;
      for (const auto& event : nlohmann::json::parse(request.body)) seen.insert(event["subject"]);
    }
    return seen.size() == 500;
  })) << seen.size();
  EXPECT_LT(requests, 500U) << "messages went together";
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  EXPECT_EQ(dead_letters(triggerd), "1");
}

TEST(HttpForwardRuntime, CheckNamesTheSetting) {
  TriggerdProcess triggerd(runtime_table() + alias_table("plant", 1) +
                           forward_table("127.0.0.1:8080"));
  const CheckResult result = triggerd.check();
  EXPECT_EQ(result.exit, (Exit{2, 0}));
  EXPECT_NE(result.output.find("setting \"url\" must be a URL"), std::string::npos)
      << result.output;
}

}  // namespace
}  // namespace triggerd::test
