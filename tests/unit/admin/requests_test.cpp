// From a request line to a handler: targets, routes, who may ask, and bodies field by field.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "admin/access.hpp"
#include "admin/body.hpp"
#include "admin/json.hpp"
#include "admin/router.hpp"
#include "base/file.hpp"
#include "support/temp_dir.hpp"
#include "unit/admin/any_request.hpp"

namespace triggerd::admin {
namespace {

Request request_to(const std::string& target, Via via = Via::loopback) {
  Request request;
  request.via = via;
  request.method = "GET";
  EXPECT_TRUE(parse_target(target, request)) << target;
  return request;
}

TEST(Target, IsTakenApartAndDecoded) {
  const Request request = request_to("/a/b%2Fc/?topic=x%2Fy+z&flag&x=1=2&x=3");
  EXPECT_EQ(request.path, (std::vector<std::string>{"a", "b/c", ""}));
  EXPECT_EQ(*request.parameter("topic"), "x/y z");
  EXPECT_EQ(*request.parameter("flag"), "");
  EXPECT_EQ(*request.parameter("x"), "3");
  EXPECT_EQ(request.parameter("none"), nullptr);
  EXPECT_EQ(request_to("/").path, (std::vector<std::string>{""}));
}

TEST(Target, ThatIsNoneIsRefused) {
  for (const char* target : {"", "a", "*", "http://h/", "/%", "/%4", "/%zz", "/%00", "/?a=%00"}) {
    Request request;
    EXPECT_FALSE(parse_target(target, request)) << target;
  }
}

TEST(Routes, AreFoundByMethodAndPath) {
  Router router;
  const auto answer = [](const char* text) {
    return [text](const Request& request) {
      return Reply{200, "", text + (request.names.empty() ? "" : request.names[0])};
    };
  };
  router.get("/things", answer("all"));
  router.change("POST", "/things/test", answer("test"));
  router.get("/things/{name}", answer("one "));
  router.change("DELETE", "/things/{name}", answer("drop "));
  const auto ask = [&](const char* method, const char* target) {
    Request request = request_to(target);
    request.method = method;
    const auto found = router.find(request);
    if (const auto* const* route = std::get_if<const Route*>(&found)) {
      return (*route)->handler(request).body;
    }
    const Reply& reply = std::get<Reply>(found);
    std::string text = std::to_string(reply.status);
    for (const auto& [name, value] : reply.headers) text += " " + name + ": " + value;
    return text;
  };
  EXPECT_EQ(ask("GET", "/things"), "all");
  EXPECT_EQ(ask("HEAD", "/things/a"), "one a");
  EXPECT_EQ(ask("DELETE", "/things/a%2Fb"), "drop a/b");
  EXPECT_EQ(ask("POST", "/things/test"), "test");
  EXPECT_EQ(ask("PUT", "/things/a"), "405 Allow: GET, HEAD, DELETE");
  EXPECT_EQ(ask("GET", "/things/"), "404");
  EXPECT_EQ(ask("GET", "/things/a/b"), "404");
}

int refused(const Access& access, Via via, std::map<std::string, std::string, std::less<>> headers,
            May needs = May::look, bool is_own_user = false) {
  Request request;
  request.via = via;
  request.headers = std::move(headers);
  request.is_own_user = is_own_user;
  const auto reply = access.refuse(request, needs);
  EXPECT_EQ(request.may < needs, reply.has_value());
  return reply ? reply->status : 0;
}

TEST(Access, OnLoopbackWithoutATokenRefusesForeignPages) {
  const Access access({}, {}, "127.0.0.1");
  const auto ask = [&](std::map<std::string, std::string, std::less<>> headers) {
    return refused(access, Via::loopback, std::move(headers));
  };
  EXPECT_EQ(ask({{"host", "127.0.0.1:9464"}}), 0);
  EXPECT_EQ(ask({{"host", "LocalHost"}}), 0);
  EXPECT_EQ(ask({{"host", "[::1]:9464"}}), 0);
  EXPECT_EQ(ask({{"host", "localhost:9464"}, {"origin", "http://localhost:9464"}}), 0);
  // A name of the attacker's that leads to 127.0.0.1.
  EXPECT_EQ(ask({{"host", "evil.example:9464"}}), 403);
  EXPECT_EQ(ask({{"host", "127.0.0.1.evil.example"}}), 403);
  EXPECT_EQ(ask({{"host", "localhost:9464.evil.example"}}), 403);
  EXPECT_EQ(ask({{"host", "localhost@evil.example"}}), 403);
  EXPECT_EQ(ask({{"host", ""}}), 403);
  EXPECT_EQ(ask({}), 403);
  // A page of another site, of another port, of a file.
  EXPECT_EQ(ask({{"host", "localhost:9464"}, {"origin", "https://evil.example"}}), 403);
  EXPECT_EQ(ask({{"host", "localhost:9464"}, {"origin", "http://localhost:3000"}}), 403);
  EXPECT_EQ(ask({{"host", "localhost:9464"}, {"origin", "null"}}), 403);
  EXPECT_EQ(ask({{"host", "localhost:9464"}, {"sec-fetch-site", "cross-site"}}), 403);
  EXPECT_EQ(ask({{"host", "localhost:9464"},
                 {"sec-fetch-site", "cross-site"},
                 {"sec-fetch-mode", "navigate"}}),
            0)
      << "a link to the console";
}

TEST(Access, WithATokenAsksForItEverywhereButOnTheSocket) {
  const Access access({"0123456789abcdef", {}}, {}, "0.0.0.0");
  for (const Via via : {Via::loopback, Via::elsewhere}) {
    EXPECT_EQ(refused(access, via, {{"host", "any.example"}}), 401);
    EXPECT_EQ(refused(access, via, {{"authorization", "Bearer 0123456789abcdeF"}}), 401);
    EXPECT_EQ(refused(access, via, {{"authorization", "Bearer 0123456789abcdef0"}}), 401);
    EXPECT_EQ(refused(access, via, {{"authorization", "Bearer "}}), 401);
    EXPECT_EQ(refused(access, via, {{"authorization", "Basic 0123456789abcdef"}}), 401);
    EXPECT_EQ(refused(access, via, {{"authorization", "bearer 0123456789abcdef"}}), 0);
    EXPECT_EQ(refused(access, via, {{"authorization", "Bearer 0123456789abcdef"}}, May::change), 0);
    EXPECT_EQ(refused(access, via, {}, May::nothing), 0) << "an open path";
    EXPECT_EQ(refused(access, via, {}, May::look, true), 401) << "whoever it is";
  }
  EXPECT_EQ(refused(access, Via::unix_socket, {}, May::change), 0);
}

TEST(Access, OnLoopbackWithoutATokenOthersLookAndTheRuntimesUserChanges) {
  const Access access({}, {}, "127.0.0.1");
  const std::map<std::string, std::string, std::less<>> headers = {{"host", "localhost"}};
  EXPECT_EQ(refused(access, Via::loopback, headers, May::look, false), 0);
  EXPECT_EQ(refused(access, Via::loopback, headers, May::change, false), 403);
  EXPECT_EQ(refused(access, Via::loopback, headers, May::change, true), 0);
}

TEST(Access, WithTheReadTokenOneLooksAndChangesNothing) {
  const Access both({"0123456789abcdef", {}}, {"fedcba9876543210", {}}, "0.0.0.0");
  const Access one({}, {"fedcba9876543210", {}}, "0.0.0.0");
  for (const Access* access : {&both, &one}) {
    const auto ask = [&](const char* token, May needs) {
      return refused(*access, Via::loopback, {{"authorization", token}}, needs, true);
    };
    EXPECT_EQ(ask("Bearer fedcba9876543210", May::look), 0);
    EXPECT_EQ(ask("Bearer fedcba9876543210", May::change), 403);
    EXPECT_EQ(ask("Bearer ", May::look), 401) << "no token is not the token that there is not";
    EXPECT_EQ(ask("", May::change), 401);
  }
}

TEST(Access, ATokenThatIsReplacedInItsFileIsTheTokenFromThenOn) {
  const triggerd::test::TempDir dir;
  const auto file = dir.write("token", "0123456789abcdef\n");
  const Access access({"0123456789abcdef", file}, {}, "0.0.0.0");
  const auto with = [&](const std::string& token) {
    return refused(access, Via::elsewhere, {{"authorization", "Bearer " + token}});
  };
  const auto replace = [&](const std::string& content) {
    std::filesystem::rename(dir.write("token.new", content), file);
  };
  EXPECT_EQ(with("0123456789abcdef"), 0);
  replace("fedcba9876543210\n");
  EXPECT_EQ(with("0123456789abcdef"), 401);
  EXPECT_EQ(with("fedcba9876543210"), 0);
  for (const char* none : {"", "short", "with a space in it"}) {
    replace(none);
    EXPECT_EQ(with(none), 401) << none;
    EXPECT_EQ(with("fedcba9876543210"), 0) << "what was good stays: " << none;
  }
  std::filesystem::remove(file);
  EXPECT_EQ(with("fedcba9876543210"), 0);
}

TEST(Access, ElsewhereWithoutATokenLetsNobodyIn) {
  EXPECT_EQ(refused(Access({}, {}, "0.0.0.0"), Via::elsewhere, {{"host", "localhost"}}), 401);
}

Request with_body(std::string text) {
  Request request;
  request.headers["content-type"] = "application/json; charset=utf-8";
  request.body = std::move(text);
  return request;
}

TEST(RequestBody, IsReadFieldByField) {
  Body body(with_body(R"({"topic":"t","payload_base64":"/wA=","qos":2,"retained":true,
                          "properties":[{"name":"a","value":"b"}],"reason":null})"),
            true);
  EXPECT_EQ(body.text("topic", true), "t");
  EXPECT_EQ(body.payload(), std::string("\xff\0", 2));
  EXPECT_EQ(body.qos("qos"), 2);
  EXPECT_TRUE(body.flag("retained"));
  EXPECT_EQ(body.properties("properties").size(), 1U);
  EXPECT_EQ(body.text("reason"), "");
  EXPECT_FALSE(body.refused());
}

TEST(RequestBody, TellsOfEveryFieldThatIsWrong) {
  Body body(with_body(R"({"topic":1,"payload":"a","payload_base64":"YQ==","qos":4294967297,
                          "retained":"yes","properties":[{"name":"a"}],"topc":"t"})"),
            true);
  body.text("topic", true);
  body.text("alias", true);
  body.payload();
  body.qos("qos");
  body.flag("retained");
  body.properties("properties");
  const auto reply = body.refused();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 422);
  std::vector<std::string> fields;
  std::string last;
  const auto said = nlohmann::json::parse(reply->body);
  for (const auto& error : said["errors"]) {
    fields.push_back(error["field"]);
    last = error["message"];
  }
  EXPECT_EQ(fields, (std::vector<std::string>{"topic", "alias", "payload_base64", "qos", "retained",
                                              "properties.0", "topc"}));
  EXPECT_EQ(last, "there is no such field; did you mean \"topic\"?");
}

TEST(RequestBody, ThatNestsWithoutEndIsRefused) {
  for (const std::size_t arrays : {64U, 1'000'000U}) {
    Body body(with_body("{\"a\":" + std::string(arrays, '[') + std::string(arrays, ']') + "}"),
              true);
    ASSERT_TRUE(body.refused());
    EXPECT_EQ(body.refused()->status, 400);
    EXPECT_NE(body.refused()->body.find("nests deeper than 64 levels"), std::string::npos);
  }
  const std::string most = "{\"a\":" + std::string(63, '[') + std::string(63, ']') + "}";
  EXPECT_EQ(Body(with_body(most), true).whole().dump(), most);
}

TEST(Moment, IsADurationBackOrATime) {
  const Wall now{std::chrono::hours(1'000'000)};
  EXPECT_EQ(parse_moment("1h", now), now - std::chrono::hours(1));
  EXPECT_EQ(parse_moment(time_text(now), now), now);
  EXPECT_EQ(time_text(Wall{Millis(1'764'037'357'123)}), "2025-11-25T02:22:37.123Z");
  EXPECT_EQ(parse_moment("2025-11-25T02:22:37Z", now), Wall{Millis(1'764'037'357'000)});
  EXPECT_FALSE(parse_moment("yesterday", now));
  EXPECT_FALSE(parse_moment("2025-11-25", now));
}

TEST(Moment, OfAnyYear) {
  for (const char* text :
       {"0000-01-01T00:00:00.000Z", "0026-01-31T12:00:00.500Z", "1676-12-31T23:59:59.999Z",
        "2262-12-31T00:00:00.000Z", "9999-12-31T23:59:59.999Z"}) {
    const auto at = parse_moment(text, Wall{});
    ASSERT_TRUE(at) << text;
    EXPECT_EQ(time_text(*at), text);
  }
  EXPECT_LT(*parse_moment("0026-01-31T12:00:00Z", Wall{}), Wall{});
  EXPECT_GT(*parse_moment("9999-12-31T23:59:59Z", Wall{}), system_clock().wall());
}

TEST(Payload, IsTextWhereItCanBe) {
  Json json;
  put_payload(json, "\xff");
  EXPECT_EQ(json["payload_base64"], "/w==");
  json = {};
  put_payload(json, "ab\xe2\x82", true);
  EXPECT_EQ(json["payload"], "ab") << "the character that was cut is left out";
  json = {};
  put_payload(json, "ab\xe2\x82");
  EXPECT_FALSE(json.contains("payload"));
}

TEST(FuzzCorpus, IsAnsweredAsItsNamesSay) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_CORPUS)) {
    const auto bytes = read_file(entry.path(), 1 << 20);
    ASSERT_TRUE(bytes);
    const int status = test::answer_any_request(*bytes);
    const bool good = entry.path().filename().string().starts_with("good");
    EXPECT_EQ(good, status >= 200 && status < 300) << entry.path() << ": " << status;
    ++files;
  }
  EXPECT_GE(files, 10U);
}

}  // namespace
}  // namespace triggerd::admin
