// The parts that need no server: settings, what a request carries, what an answer means.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <trigger/testing.hpp>
#include <vector>

#include "outcome.hpp"
#include "request.hpp"
#include "settings.hpp"

namespace {

using http_forward::Content;
using http_forward::Meaning;
using http_forward::Mode;
using http_forward::Outcome;
using trigger::testing::Message;
using trigger::testing::Plugin;

constexpr const char* service = "http-forward";

// ---- settings ----

std::string why_not(trigger::testing::Settings more,
                    const char* url = "http://127.0.0.1:1/events") {
  more.emplace_back("url", url);
  return Plugin(PLUGIN_FILE).why_not(service, more);
}

TEST(HttpForwardSettings, NeedsAUrlAndNothingElse) {
  EXPECT_EQ(Plugin(PLUGIN_FILE).why_not(service, {}),
            "setting \"url\" is missing; it must be a string");
  EXPECT_EQ(why_not({}), "");
  EXPECT_EQ(why_not({}, "https://[::1]:8443/a?b=c"), "");
}

TEST(HttpForwardSettings, SaysWhatIsWrongWithAUrl) {
  EXPECT_EQ(why_not({}, ""), "setting \"url\" must be a URL such as http://127.0.0.1:8080/events");
  EXPECT_EQ(why_not({}, "127.0.0.1:8080"),
            "setting \"url\" must be a URL such as http://127.0.0.1:8080/events");
  EXPECT_EQ(why_not({}, "http://a b/"),
            "setting \"url\" must be a URL such as http://127.0.0.1:8080/events");
  EXPECT_EQ(why_not({}, "http://a/\r\nX: y"),
            "setting \"url\" must be a URL such as http://127.0.0.1:8080/events");
  EXPECT_EQ(why_not({}, "ftp://a/"), "setting \"url\" must begin with http:// or https://");
  EXPECT_EQ(why_not({}, "file:///etc/passwd"),
            "setting \"url\" must begin with http:// or https://");
  EXPECT_EQ(why_not({}, "http://me:secret@a/"),
            "setting \"url\" must not contain a login; send it as headers.Authorization");
  EXPECT_EQ(why_not({}, "http://a/#b"),
            "setting \"url\" must not contain a #: what follows it is never sent to a server");
  EXPECT_EQ(why_not({{"probe_url", "gopher://a/"}}),
            "setting \"probe_url\" must begin with http:// or https://");
}

TEST(HttpForwardSettings, TakesPlaceholdersBehindTheHost) {
  EXPECT_EQ(why_not({}, "http://127.0.0.1:8080/devices/{json:/id}?unit={property:unit}"), "");
  EXPECT_EQ(why_not({}, "https://[::1]?{topic}"), "");
  EXPECT_EQ(why_not({}, "http://a/{{b}}"), "");
  EXPECT_EQ(why_not({{"mode", "batch"}}, "http://a/{trigger}"), "");
  const std::string server =
      "setting \"url\" may have placeholders in its path and query alone: scheme, host and port "
      "must "
      "be there as they are";
  for (const char* url :
       {"{topic}", "{topic}://a/", "http://{topic}/", "http://{json:/a}:80/", "http://a{topic}/b",
        "http://a:{qos}/", "http:///{topic}/b", "http:/{topic}/b", "http://me@{topic}/"}) {
    EXPECT_EQ(why_not({}, url), server) << url;
  }
  EXPECT_EQ(why_not({}, "http://a b/{topic}"),
            "setting \"url\" must be a URL such as http://127.0.0.1:8080/events");
  EXPECT_EQ(why_not({}, "ftp://a/{topic}"), "setting \"url\" must begin with http:// or https://");
  EXPECT_EQ(why_not({}, "http://me:secret@a/{topic}"),
            "setting \"url\" must not contain a login; send it as headers.Authorization");
  EXPECT_EQ(why_not({}, "http://a/{topic}#b"),
            "setting \"url\" must not contain a #: what follows it is never sent to a server");
  EXPECT_EQ(why_not({}, "http://a/{topic"),
            "setting \"url\" has a { without its }; write {{ for a brace");
  EXPECT_EQ(
      why_not({}, "http://a/{topics}").rfind("setting \"url\" has the unknown placeholder", 0), 0U);
  for (const char* url : {"http://a/%{topic}", "http://a/%2{topic}", "http://a/{topic}?b=%"}) {
    EXPECT_EQ(why_not({}, url), "setting \"url\" must have two hexadecimal digits after each %");
  }
  for (const char* url : {"http://a/../{topic}", "http://a/%2E/{topic}", "http://a/{topic}/.."}) {
    EXPECT_EQ(why_not({}, url),
              "setting \"url\" must not have placeholders while a segment of its path is . or ..");
  }
  EXPECT_EQ(why_not({}, "http://a//{topic}"),
            "setting \"url\" must not have placeholders while a segment of its path is empty");
  EXPECT_EQ(
      why_not({{"mode", "batch"}}, "http://a/{topic}"),
      "setting \"url\" may use only the placeholder {trigger}: with mode = \"batch\" a request "
      "carries many messages");
  EXPECT_EQ(why_not({{"probe_url", "http://{topic}/"}}),
            "setting \"probe_url\" must be a URL such as http://127.0.0.1:8080/events");
}

TEST(HttpForwardSettings, KnowsItsWords) {
  EXPECT_EQ(why_not({{"mode", "xml"}}),
            "setting \"mode\" must be \"plain\", \"binary\", \"structured\" or \"batch\"");
  EXPECT_EQ(why_not({{"method", "GET"}}),
            "setting \"method\" must be \"POST\", \"PUT\" or \"PATCH\"");
  EXPECT_EQ(why_not({{"http_version", "3"}}), "setting \"http_version\" must be \"1.1\" or \"2\"");
  EXPECT_EQ(why_not({{"modes", "plain"}})
                .rfind("setting \"modes\" is unknown; did you mean \"mode\"? This service knows "
                       "url, unix_socket, method, mode",
                       0),
            0U);
}

TEST(HttpForwardSettings, BoundsItsNumbers) {
  EXPECT_EQ(why_not({{"timeout_seconds", 0}}),
            "setting \"timeout_seconds\" must be from 0.001 to 86400 seconds");
  EXPECT_EQ(why_not({{"connect_timeout_seconds", 1e9}}),
            "setting \"connect_timeout_seconds\" must be from 0.001 to 86400 seconds");
  EXPECT_EQ(why_not({{"follow_redirects", 11}}),
            "setting \"follow_redirects\" must be from 0 to 10");
  EXPECT_EQ(why_not({{"max_response_bytes", -1}}),
            "setting \"max_response_bytes\" must be from 0 to 268435456");
  EXPECT_EQ(why_not({{"max_retry_after_seconds", 0}}),
            "setting \"max_retry_after_seconds\" must be from 1 to 604800");
  EXPECT_EQ(why_not({{"mode", "batch"}, {"batch_messages", 0}}),
            "setting \"batch_messages\" must be from 1 to 10000");
  EXPECT_EQ(why_not({{"batch_bytes", 1000}}), "setting \"batch_bytes\" needs mode = \"batch\"");
}

TEST(HttpForwardSettings, TakesNoHeaderThatBreaksARequest) {
  EXPECT_EQ(why_not({{"headers.X-Device", "{topic:2}"}, {"headers.Authorization", "Bearer x"}}),
            "");
  EXPECT_EQ(why_not({{"headers.X A", "b"}}), "setting \"headers.X A\" is not a valid header name");
  EXPECT_EQ(why_not({{"headers.X:", "b"}}), "setting \"headers.X:\" is not a valid header name");
  EXPECT_EQ(why_not({{"headers.X\r\nY", "b"}}),
            "setting \"headers.X\r\nY\" is not a valid header name");
  EXPECT_EQ(why_not({{"headers.X", "a\r\nY: b"}}), "setting \"headers.X\" must be printable ASCII");
  EXPECT_EQ(why_not({{"headers.X", "a"}, {"headers.x", "b"}}),
            "setting \"headers.x\" appears twice");
  EXPECT_EQ(why_not({{"headers.content-Length", "1"}}),
            "setting \"headers.content-Length\" must not be set: it follows from the request");
  EXPECT_EQ(why_not({{"headers.Content-Type", "a/b"}}),
            "setting \"headers.Content-Type\" must not be set here; see content_type");
  EXPECT_EQ(why_not({{"headers.Ce-Id", "1"}}),
            "setting \"headers.Ce-Id\" must not be set: mode = \"binary\" writes the ce- headers");
  EXPECT_EQ(why_not({{"headers.Ce-Id", "1"}, {"mode", "plain"}}), "");
  EXPECT_EQ(why_not({{"headers.X", 1}}), "setting \"headers.X\" must be a string, not an integer");
  EXPECT_EQ(why_not({{"headers", "X: a"}}),
            "setting \"headers\" must be a table: NAME = \"value\"");
  EXPECT_EQ(why_not({{"headers.X", "{topic:0}"}}),
            "setting \"headers.X\" has the placeholder {topic:0}: levels are counted {topic:1}, "
            "{topic:2}...");
  EXPECT_EQ(why_not({{"headers.X", "{level}"}})
                .rfind("setting \"headers.X\" has the unknown "
                       "placeholder {level}; use {topic}",
                       0),
            0U);
  EXPECT_EQ(why_not({{"headers.X", "{topic}"}, {"mode", "batch"}}),
            "setting \"headers.X\" may use only the placeholder {trigger}: with mode = "
            "\"batch\" a request carries many messages");
}

TEST(HttpForwardSettings, TakesNoAttributeThatBreaksAHeader) {
  EXPECT_EQ(why_not({{"content_type", "text/plain\n"}}),
            "setting \"content_type\" must be printable ASCII");
  EXPECT_EQ(why_not({{"type", "a b"}}), "setting \"type\" must be printable ASCII without spaces");
  EXPECT_EQ(why_not({{"source", ""}}), "setting \"source\" must not be empty");
}

TEST(HttpForwardSettings, KnowsWhatBelongsTogether) {
  EXPECT_EQ(why_not({{"reply_qos", 1}}), "setting \"reply_qos\" needs reply_topic");
  EXPECT_EQ(why_not({{"reply_topic", "a/+"}}),
            "setting \"reply_topic\" must not contain + or #, which are only for filters");
  EXPECT_EQ(why_not({{"reply_topic", "a"}, {"reply_qos", 3}}),
            "setting \"reply_qos\" must be 0, 1 or 2");
  EXPECT_EQ(why_not({{"reply_topic", "a"}, {"mode", "batch"}}),
            "setting \"reply_topic\" cannot be combined with mode = \"batch\", which has one "
            "answer for many messages");
  EXPECT_EQ(why_not({{"unix_socket", "app.sock"}}),
            "setting \"unix_socket\" must be an absolute path");
  EXPECT_EQ(why_not({{"unix_socket", "/" + std::string(107, 'a')}}),
            "setting \"unix_socket\" must have at most 107 bytes");
  EXPECT_EQ(why_not({{"ca_file", PLUGIN_FILE}}), "setting \"ca_file\" needs an https:// url");
  EXPECT_EQ(why_not({{"ca_file", "/does/not/exist"}}, "https://a/"),
            "setting \"ca_file\" must name a readable file");
  EXPECT_EQ(why_not({{"cert_file", PLUGIN_FILE}}, "https://a/"),
            "setting \"cert_file\" needs key_file");
  EXPECT_EQ(why_not({{"key_file", PLUGIN_FILE}}, "https://a/"),
            "setting \"key_file\" needs cert_file");
}

TEST(HttpForwardSettings, KnowsWhatAStatusMayMean) {
  EXPECT_EQ(why_not({{"status.409", "ok"}, {"status.404", "retry"}, {"status.500", "reject"}}), "");
  EXPECT_EQ(why_not({{"status.409", "fine"}}),
            "setting \"status.409\" must be \"ok\", \"retry\", \"unavailable\" or \"reject\"");
  EXPECT_EQ(why_not({{"status.99", "ok"}}),
            "setting \"status.99\" is not a status: NNN in status.NNN must be from 200 to 599");
  EXPECT_EQ(why_not({{"status.4xx", "ok"}}),
            "setting \"status.4xx\" is not a status: NNN in status.NNN must be from 200 to 599");
  EXPECT_EQ(
      why_not({{"status", "ok"}}),
      "setting \"status\" must be a table: NNN = \"ok\", \"retry\", \"unavailable\" or \"reject\"");
}

// ---- what a request carries ----

http_forward::Settings settings_of(Mode mode) {
  http_forward::Settings settings;
  settings.url = "http://127.0.0.1:1/events?token=secret";
  settings.mode = mode;
  settings.content_type = "application/json";
  settings.source = "/mqtt/plant";
  settings.type = "mqtt.message";
  settings.max_retry_after = std::chrono::hours(1);
  settings.max_response = 1000;
  return settings;
}

// A message with fixed times.
class Fixed {
 public:
  explicit Fixed(Message message, std::int64_t unix_ns = 1'700'000'000'123'456'789)
      : memory_(std::move(message), "t", 1, trigger::testing::detail::FakeClock()),
        raw_(memory_.raw()) {
    raw_.received_unix_ns = unix_ns;
  }
  trigger::Message view() const { return {raw_, nullptr}; }

 private:
  trigger::testing::detail::MessageMemory memory_;
  trigger_message raw_;
};

Message reading(std::string payload) {
  Message message{"plant/a/temp", std::move(payload)};
  message.id = "id-7";
  return message;
}

std::string event_of(const Message& message, const std::string& content_type = "application/json") {
  http_forward::Settings settings = settings_of(Mode::structured);
  settings.content_type = content_type;
  return http_forward::json_event(settings, Fixed(message).view());
}

// The members that the payload makes.
std::string data_of(const std::string& payload, const std::string& content_type) {
  const std::string event = event_of(reading(payload), content_type);
  const std::size_t at = event.find(",\"data", event.find("datacontenttype") + 16);
  return at == std::string::npos ? "" : event.substr(at + 1, event.size() - at - 2);
}

TEST(HttpForwardRequest, BinaryModePutsAttributesIntoHeaders) {
  const Fixed message(reading("21.5"));
  const Content content = http_forward::make_content(settings_of(Mode::binary), message.view());
  EXPECT_EQ(content.headers,
            (std::vector<std::string>{"Content-Type: application/json", "ce-specversion: 1.0",
                                      "ce-id: id-7", "ce-source: /mqtt/plant",
                                      "ce-type: mqtt.message", "ce-subject: plant/a/temp",
                                      "ce-time: 2023-11-14T22:13:20.123Z", "ce-mqttqos: 1"}));
  EXPECT_EQ(content.body(), "21.5");
}

TEST(HttpForwardRequest, AttributesArePercentEncoded) {
  Message odd = reading("x");
  odd.topic = "a b/\"100%\"/\xC3\xA9\r\nX-Evil: 1";
  odd.retain = true;
  const Fixed message(odd);
  const Content content = http_forward::make_content(settings_of(Mode::binary), message.view());
  EXPECT_EQ(content.headers.at(5), "ce-subject: a%20b/%22100%25%22/%C3%A9%0D%0AX-Evil:%201");
  EXPECT_EQ(content.headers.back(), "ce-mqttretained: true");
}

// A header's value begins and ends with something else than a space: who reads it takes those off.
TEST(HttpForwardRequest, SpacesAtTheEndsOfATopicStayInAHeader) {
  auto settings = settings_of(Mode::plain);
  settings.headers.push_back({"X-Topic", {"headers.X-Topic", "{topic}"}});
  settings.headers.push_back({"X-Level", {"headers.X-Level", "at {topic:2} there"}});
  Message spaced = reading("x");
  spaced.topic = "  a b/ /c ";
  const Fixed message(spaced);
  const Content content = http_forward::make_content(settings, message.view());
  EXPECT_EQ(content.headers,
            (std::vector<std::string>{"Content-Type: application/json", "X-Topic: %20%20a b/ /c%20",
                                      "X-Level: at %20 there"}));
}

TEST(HttpForwardRequest, PlainModeIsThePayload) {
  const Fixed message(reading(std::string("\0\xff", 2)));
  const Content content = http_forward::make_content(settings_of(Mode::plain), message.view());
  EXPECT_EQ(content.headers, std::vector<std::string>{"Content-Type: application/json"});
  EXPECT_EQ(content.body(), std::string("\0\xff", 2));
}

TEST(HttpForwardRequest, StructuredModeIsOneJsonObject) {
  const Fixed message(reading("{\"c\":21.5}"));
  const Content content = http_forward::make_content(settings_of(Mode::structured), message.view());
  EXPECT_EQ(content.headers,
            std::vector<std::string>{"Content-Type: application/cloudevents+json"});
  EXPECT_EQ(content.body(),
            "{\"specversion\":\"1.0\",\"id\":\"id-7\",\"source\":\"/mqtt/plant\","
            "\"type\":\"mqtt.message\",\"subject\":\"plant/a/temp\","
            "\"time\":\"2023-11-14T22:13:20.123Z\",\"mqttqos\":1,"
            "\"datacontenttype\":\"application/json\",\"data\":{\"c\":21.5}}");
}

TEST(HttpForwardRequest, DataIsJsonTextOrBase64) {
  EXPECT_EQ(data_of("[1, 2]", "application/json"), "\"data\":[1, 2]");
  EXPECT_EQ(data_of("1", "application/vnd.x+JSON; charset=utf-8"), "\"data\":1");
  EXPECT_EQ(data_of("a\"b\\\x01\xC3\xA9", "text/plain"), "\"data\":\"a\\\"b\\\\\\u0001\xC3\xA9\"");
  EXPECT_EQ(data_of("\xff", "text/plain"), "\"data_base64\":\"/w==\"");
  EXPECT_EQ(data_of("ab", "application/octet-stream"), "\"data_base64\":\"YWI=\"");
  EXPECT_EQ(data_of("abc", "application/octet-stream"), "\"data_base64\":\"YWJj\"");
  EXPECT_EQ(data_of("", "application/json"), "");
}

// What is no JSON would break the event, or put members of its own into it.
TEST(HttpForwardRequest, WhatOnlySaysThatItIsJsonIsBase64) {
  for (const std::string& bad :
       {std::string("{"), std::string("1,\"id\":\"2\""), std::string("1}"), std::string("NaN"),
        std::string("1\0,\"id\":\"2\"", 10),
        std::string("\xEF\xBB\xBF"
                    "1"),
        std::string("\"\xff\""), std::string(" "), std::string("// x\n1")}) {
    EXPECT_EQ(data_of(bad, "application/json").rfind("\"data_base64\":", 0), 0U) << bad;
  }
}

TEST(HttpForwardRequest, AMessageSaysItsContentType) {
  Message typed = reading("x");
  typed.properties = {{0x03, 0, "", "text/plain; charset=utf-8"}};
  const auto first_header = [](const Message& message) {
    const Fixed fixed(message);
    return http_forward::make_content(settings_of(Mode::plain), fixed.view()).headers.at(0);
  };
  EXPECT_EQ(first_header(typed), "Content-Type: text/plain; charset=utf-8");
  for (const char* bad : {"", "a/b\r\nX-Evil: 1", "text/\xC3\xA9"}) {
    typed.properties[0].value = bad;
    EXPECT_EQ(first_header(typed), "Content-Type: application/json") << bad;
  }
}

TEST(HttpForwardRequest, OwnHeadersComeFromTopicAndProperties) {
  http_forward::Settings settings = settings_of(Mode::plain);
  const auto add = [&settings](const char* name, const char* value) {
    settings.headers.push_back({name, {"headers", value}});
  };
  add("X-Device", "device {topic:2}");
  add("X-Unit", "{property:unit}");
  add("X-Missing", "{property:other}");
  add("X-Level", "{topic:9}");
  add("X-About", "{trigger} {qos} {attempt} {id} {response_topic} {content_type}");
  Message message = reading("x");
  message.attempt = 3;
  message.properties = {{0x26, 0, "unit",
                         "\xC2\xB0"
                         "C 100%\r\nX-Evil: 1"},
                        {0x26, 0, "unit", "second"},
                        {0x08, 0, "", "to/me"},
                        {0x03, 0, "", "text/plain"}};
  const Fixed fixed(message);
  EXPECT_EQ(http_forward::make_content(settings, fixed.view()).headers,
            (std::vector<std::string>{"Content-Type: text/plain", "X-Device: device a",
                                      "X-Unit: %C2%B0C 100%25%0D%0AX-Evil: 1",
                                      "X-About: t 1 3 id-7 to/me text/plain"}));
}

// Of a message with the payload {"v": VALUE}; "problem: " and why if there is none.
std::string url_of(const char* text, const std::string& value) {
  Message message = reading(nlohmann::json{{"v", value}}.dump());
  message.properties = {{0x26, 0, "unit", "\xC2\xB0 C"}};
  const Fixed fixed(message);
  const auto made = http_forward::UrlTemplate("url", text).expand(fixed.view());
  return made.text ? *made.text : "problem: " + made.problem;
}

TEST(HttpForwardRequest, AUrlTakesValuesOfTheMessage) {
  EXPECT_EQ(url_of("http://h:1/{topic:2}/{json:/v}?unit={property:unit}&t={topic}", "x7"),
            "http://h:1/a/x7?unit=%C2%B0%20C&t=plant%2Fa%2Ftemp");
  EXPECT_EQ(url_of("http://h/a{{1}}/{json:/v}/", "AZaz09-._~"), "http://h/a{1}/AZaz09-._~/");
  EXPECT_EQ(url_of("http://h?v={json:/v}", ""), "http://h?v=");
}

TEST(HttpForwardRequest, AUrlIsNotChangedByWhatIsPutIn) {
  EXPECT_EQ(url_of("http://h/d/{json:/v}", "a/b?c#d%2F&e=f;g@h:i+j\\ \n"),
            "http://h/d/a%2Fb%3Fc%23d%252F%26e%3Df%3Bg%40h%3Ai%2Bj%5C%20%0A");
  EXPECT_EQ(url_of("http://h/d?x={json:/v}", "a&y=1#/../"), "http://h/d?x=a%26y%3D1%23%2F..%2F");
  EXPECT_EQ(url_of("http://h/{json:/v}", "..."), "http://h/...");
  EXPECT_EQ(url_of("http://h/{json:/v}", "%2e%2e"), "http://h/%252e%252e");
  for (const char* value : {".", "..", "../x", "x/..", "x/../y", "..\\x", "a/./b", "..;a"}) {
    EXPECT_EQ(url_of("http://h/d/{json:/v}/e", value), "problem: a segment of its path is . or ..")
        << value;
  }
  EXPECT_EQ(url_of("http://h/d/.{json:/v}", "."), "problem: a segment of its path is . or ..");
  EXPECT_EQ(url_of("http://h/d/%2E{json:/v}", "."), "problem: a segment of its path is . or ..");
  EXPECT_EQ(url_of("http://h/d/{json:/v};a=b", ".."), "problem: a segment of its path is . or ..");
  for (const char* value : {"", "/", "x/", "/x", "a//b"}) {
    EXPECT_EQ(url_of("http://h/{json:/v}", value), "problem: a segment of its path is empty")
        << value;
    EXPECT_EQ(url_of("http://h/d/{json:/v}/e", value), "problem: a segment of its path is empty")
        << value;
  }
}

TEST(HttpForwardRequest, AUrlHasItsBound) {
  EXPECT_EQ(url_of("http://h/{json:/v}", std::string(7991, 'a')).size(), 8000U);
  EXPECT_EQ(url_of("http://h/{json:/v}", std::string(7992, 'a')),
            "problem: it would have more than 8000 bytes");
}

TEST(HttpForwardRequest, AUrlBeginsAsItsSettingSays) {
  const auto beginning = [](const char* text) {
    return http_forward::UrlTemplate("url", text).beginning();
  };
  EXPECT_EQ(beginning("http://h:1/a/b{topic}/c?d"), "http://h:1/a/");
  EXPECT_EQ(beginning("http://h:1/a/b?c=/{topic}"), "http://h:1/a/b");
  EXPECT_EQ(beginning("http://h:1?{topic}"), "http://h:1");
}

// A message that lacks something for the url goes nowhere, whatever the mode.
TEST(HttpForwardRequest, AMessageWithoutAUrlIsRejected) {
  for (const char* mode : {"binary", "plain", "structured"}) {
    auto instance =
        Plugin(PLUGIN_FILE)
            .run(service, {{"url", "http://127.0.0.1:1/devices/{json:/id}"}, {"mode", mode}});
    const auto missing = instance.send({"a", "{}"}).wait(std::chrono::minutes(1));
    EXPECT_EQ(missing.code, TRIGGER_REJECT);
    EXPECT_EQ(missing.reason, "url does not fit this message: the payload has no \"/id\"");
    const auto climbing = instance.send({"a", R"({"id": ".."})"}).wait(std::chrono::minutes(1));
    EXPECT_EQ(climbing.reason, "url does not fit this message: a segment of its path is . or ..");
  }
}

TEST(HttpForwardRequest, ABatchHasOneUrl) {
  auto settings = settings_of(Mode::batch);
  settings.url_template.emplace("url", "http://h/{trigger}");
  const Fixed message(reading("1"));
  EXPECT_EQ(http_forward::make_batch_content(settings, message.view(), {"{}"}).url, "http://h/t");
  EXPECT_EQ(http_forward::make_batch_content(settings_of(Mode::batch), message.view(), {"{}"}).url,
            "http://127.0.0.1:1/events?token=secret");
}

TEST(HttpForwardRequest, ABatchIsAJsonArray) {
  const Fixed message(reading("1"));
  const Content content = http_forward::make_batch_content(settings_of(Mode::batch), message.view(),
                                                           {"{}", "{\"a\":1}"});
  EXPECT_EQ(content.body(), "[{},{\"a\":1}]");
  EXPECT_EQ(content.headers,
            std::vector<std::string>{"Content-Type: application/cloudevents-batch+json"});
}

TEST(HttpForwardRequest, TimesBeforeTheEpochAreTimesToo) {
  const Fixed message(reading("1"), -1);
  EXPECT_EQ(http_forward::make_content(settings_of(Mode::binary), message.view()).headers.at(6),
            "ce-time: 1969-12-31T23:59:59.999Z");
}

// ---- what an answer means ----

const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(784'111'777));

trigger::Verdict verdict(const Outcome& outcome, const http_forward::Settings& settings) {
  return http_forward::verdict_of(outcome, settings, now);
}

std::int32_t code_of(int status) {
  Outcome outcome;
  outcome.status = status;
  return verdict(outcome, settings_of(Mode::plain)).code();
}

TEST(HttpForwardOutcome, AStatusIsAVerdict) {
  for (const int status : {200, 201, 202, 204, 299}) EXPECT_EQ(code_of(status), TRIGGER_OK);
  for (const int status : {408, 425, 500, 501, 502, 504, 599}) {
    EXPECT_EQ(code_of(status), TRIGGER_RETRY) << status;
  }
  for (const int status : {429, 503}) EXPECT_EQ(code_of(status), TRIGGER_UNAVAILABLE) << status;
  for (const int status : {301, 302, 304, 307, 400, 401, 403, 404, 409, 410, 413, 422, 451}) {
    EXPECT_EQ(code_of(status), TRIGGER_REJECT) << status;
  }
}

TEST(HttpForwardOutcome, TheSettingsMaySayOtherwise) {
  http_forward::Settings settings = settings_of(Mode::plain);
  settings.status = {{409, Meaning::ok},
                     {404, Meaning::retry},
                     {500, Meaning::reject},
                     {502, Meaning::unavailable},
                     {503, Meaning::retry}};
  Outcome outcome;
  outcome.status = 409;
  EXPECT_EQ(verdict(outcome, settings).code(), TRIGGER_OK);
  outcome.status = 404;
  EXPECT_EQ(verdict(outcome, settings).code(), TRIGGER_RETRY);
  outcome.status = 500;
  EXPECT_EQ(verdict(outcome, settings).code(), TRIGGER_REJECT);
  outcome.status = 502;
  EXPECT_EQ(verdict(outcome, settings).code(), TRIGGER_UNAVAILABLE);
  outcome.status = 503;
  EXPECT_EQ(verdict(outcome, settings).code(), TRIGGER_RETRY);
}

// What the server never saw is nothing that the message could help; what it did not answer may be.
TEST(HttpForwardOutcome, WhatWasNotSentIsNoAttempt) {
  Outcome outcome;
  outcome.problem = "Connection refused";
  outcome.unsent = true;
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).code(), TRIGGER_UNAVAILABLE);
  outcome.unsent = false;
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).code(), TRIGGER_RETRY);
}

TEST(HttpForwardOutcome, ReasonsShowTheAnswerAndNoSecret) {
  Outcome outcome;
  outcome.status = 422;
  outcome.body = "\n unit\x1b[31m is missing \r\n";
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).reason(),
            "http://127.0.0.1:1/events answered 422: unit\\x1b[31m is missing");
  outcome.body = std::string(5000, 'x');
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).reason(),
            "http://127.0.0.1:1/events answered 422: " + std::string(150, 'x') + "...");
  outcome.body = " ";
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).reason(),
            "http://127.0.0.1:1/events answered 422");
  Outcome none;
  none.problem = "Connection refused";
  EXPECT_EQ(verdict(none, settings_of(Mode::plain)).reason(),
            "no answer from http://127.0.0.1:1/events: Connection refused");
}

TEST(HttpForwardOutcome, RetryAfterIsSecondsOrADate) {
  using std::chrono::seconds;
  const auto after = [](const char* value) { return http_forward::retry_after(value, now); };
  EXPECT_EQ(after("120"), seconds(120));
  EXPECT_EQ(after(" 7 \r\n"), seconds(7));
  EXPECT_EQ(after("0"), seconds(0));
  EXPECT_EQ(after("99999999999999999999999"), seconds(2147483647));
  EXPECT_EQ(after("Sun, 06 Nov 1994 08:49:47 GMT"), seconds(10));
  EXPECT_EQ(after("Sunday, 06-Nov-94 08:50:37 GMT"), seconds(60));
  EXPECT_EQ(after("Sun Nov  6 08:49:38 1994"), seconds(1));
  EXPECT_EQ(after("Sun, 06 Nov 1994 08:49:36 GMT"), seconds(0)) << "a second ago";
  for (const char* bad :
       {"", " ", "-5", "soon", "1.5", "12 monkeys", "Sun, 06 Foo 1994 08:49:37"}) {
    EXPECT_FALSE(after(bad)) << bad;
  }
}

TEST(HttpForwardOutcome, RetryAfterBecomesTheDelayWithinItsBound) {
  Outcome outcome;
  outcome.status = 429;
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).retry_after_ms(), 0U);
  outcome.retry_after = "7";
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).retry_after_ms(), 7000U);
  outcome.retry_after = "7200";
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).retry_after_ms(), 3'600'000U);
  outcome.status = 400;
  EXPECT_EQ(verdict(outcome, settings_of(Mode::plain)).retry_after_ms(), 0U);
}

}  // namespace
