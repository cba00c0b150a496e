// The client's side of a handshake with a proxy: every exchange in every cut, every fault by name.
#include "mqtt/wire/proxy.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "unit/mqtt/wire/any_proxy_answers.hpp"

namespace triggerd::mqtt::wire {
namespace {

using namespace std::string_literals;
using config::Proxy;

constexpr const char* kUser = "edge";
constexpr const char* kPassword = "hunter2";
constexpr const char* kInBase64 = "ZWRnZTpodW50ZXIy";

Proxy proxy_of(Proxy::Scheme scheme, const std::string& user_name = {},
               const std::string& password = {}) {
  Proxy proxy;
  proxy.scheme = scheme;
  proxy.host = "proxy";
  proxy.user_name = user_name;
  proxy.password = config::Secret(password);
  return proxy;
}

// What we send, and what the proxy answers to it.
struct Step {
  std::string sent;
  std::string answer;
};

struct Exchange {
  std::string name;
  Proxy proxy;
  std::string host;
  std::vector<Step> steps;
  std::string fault = {};  // what the last answer leads to, where that is no connection
};

void PrintTo(const Exchange& exchange, std::ostream* out) {
  *out << exchange.name;
}

constexpr std::uint16_t kPort = 8883;  // 0x22b3

std::string connect_request(const std::string& host, const std::string& more = {}) {
  return "CONNECT " + host + ":8883 HTTP/1.1\r\nHost: " + host + ":8883\r\n" + more + "\r\n";
}
const std::string kLogin = "Proxy-Authorization: Basic "s + kInBase64 + "\r\n";
const std::string kGreeting = "\x05\x01\x00"s;
const std::string kGreetingWithLogin = "\x05\x02\x00\x02"s;
const std::string kNone = "\x05\x00"s;
const std::string kWantsLogin = "\x05\x02"s;
const std::string kSocksLogin = "\x01\x04"s + "edge\x07"s + "hunter2";
const std::string kAskForName = "\x05\x01\x00\x03\x06"s + "broker\x22\xb3";
const std::string kReplyIpv4 = "\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38"s;

Exchange http_exchange(const std::string& name, const std::string& answer,
                       const std::string& fault = {}, bool login = false) {
  return {name,
          login ? proxy_of(Proxy::Scheme::http, kUser, kPassword) : proxy_of(Proxy::Scheme::http),
          "broker",
          {{connect_request("broker", login ? kLogin : ""), answer}},
          fault};
}

Exchange socks_exchange(const std::string& name, const std::string& reply,
                        const std::string& fault = {}) {
  return {name,
          proxy_of(Proxy::Scheme::socks5),
          "broker",
          {{kGreeting, kNone}, {kAskForName, reply}},
          fault};
}

Exchange socks_login_exchange(const std::string& name, std::vector<Step> steps,
                              const std::string& fault = {}) {
  return {name, proxy_of(Proxy::Scheme::socks5, kUser, kPassword), "broker", std::move(steps),
          fault};
}

std::string head_of(std::size_t bytes) {
  std::string head = "HTTP/1.1 200 OK\r\nX-Padding: ";
  return head + std::string(bytes - head.size() - 4, 'x') + "\r\n\r\n";
}

std::vector<Exchange> good_exchanges() {
  std::vector<Exchange> all = {
      http_exchange("HttpPlain", "HTTP/1.1 200 Connection established\r\n\r\n"),
      http_exchange("HttpOfVersion10", "HTTP/1.0 200 OK\r\n\r\n"),
      http_exchange("HttpWithoutAReason", "HTTP/1.1 200\r\n\r\n"),
      http_exchange("HttpWithBareLineFeeds", "HTTP/1.1 200 OK\nVia: x\n\n"),
      http_exchange("HttpWithAnother2xx", "HTTP/1.1 299 Fine\r\n\r\n"),
      http_exchange("HttpWithFieldsOfABodyThatIsNone",
                    "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n"),
      http_exchange("HttpWithInterimAnswers",
                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                    "HTTP/1.1 200 OK\r\n\r\n"),
      http_exchange("HttpWithLogin", "HTTP/1.1 200 OK\r\n\r\n", "", true),
      socks_exchange("SocksWithAnIpv4Address", kReplyIpv4),
      socks_exchange("SocksWithAnIpv6Address",
                     "\x05\x00\x00\x04"s + std::string(16, '\x01') + "\x04\x38"s),
      socks_exchange("SocksWithAName", "\x05\x00\x00\x03\x03"s + "abc\x04\x38"),
      socks_exchange("SocksWithAnEmptyName", "\x05\x00\x00\x03\x00\x04\x38"s),
      socks_exchange("SocksWithTheLongestName",
                     "\x05\x00\x00\x03\xff"s + std::string(255, 'n') + "\x04\x38"s),
      socks_login_exchange("SocksWithLogin", {{kGreetingWithLogin, kWantsLogin},
                                              {kSocksLogin, "\x01\x00"s},
                                              {kAskForName, kReplyIpv4}}),
      socks_login_exchange("SocksThatWantsNoLogin",
                           {{kGreetingWithLogin, kNone}, {kAskForName, kReplyIpv4}}),
  };
  const std::string longest(255, 'h');
  const auto to = [&](const std::string& name, const std::string& host, const std::string& asked) {
    all.push_back(
        {name, proxy_of(Proxy::Scheme::socks5), host, {{kGreeting, kNone}, {asked, kReplyIpv4}}});
  };
  to("SocksToAnIpv4Address", "10.1.2.3", "\x05\x01\x00\x01\x0a\x01\x02\x03\x22\xb3"s);
  to("SocksToAnIpv6Address", "fe80::1%eth0",
     "\x05\x01\x00\x04\xfe\x80"s + std::string(13, '\0') + "\x01\x22\xb3"s);
  to("SocksToTheLongestName", longest, "\x05\x01\x00\x03\xff"s + longest + "\x22\xb3");
  all.push_back({"HttpToAnIpv6Address",
                 proxy_of(Proxy::Scheme::http),
                 "fe80::1%eth0",
                 {{connect_request("[fe80::1]"), "HTTP/1.1 200 OK\r\n\r\n"}}});
  all.push_back({"HttpWithLoginInUtf8",
                 proxy_of(Proxy::Scheme::http, "\xc3\xbc", "\xe2\x82\xac:"),
                 "broker",
                 {{connect_request("broker", "Proxy-Authorization: Basic w7w64oKsOg==\r\n"),
                   "HTTP/1.1 200 OK\r\n\r\n"}}});
  all.push_back({"HttpWithAUserNameAlone",
                 proxy_of(Proxy::Scheme::http, "edge"),
                 "broker",
                 {{connect_request("broker", "Proxy-Authorization: Basic ZWRnZTo=\r\n"),
                   "HTTP/1.1 200 OK\r\n\r\n"}}});
  all.push_back(
      {"SocksWithTheLongestLogin",
       proxy_of(Proxy::Scheme::socks5, std::string(255, 'u'), std::string(255, 'p')),
       "broker",
       {{kGreetingWithLogin, kWantsLogin},
        {"\x01\xff"s + std::string(255, 'u') + '\xff' + std::string(255, 'p'), "\x01\x00"s},
        {kAskForName, kReplyIpv4}}});
  all.push_back({"SocksWithAUserNameAlone",
                 proxy_of(Proxy::Scheme::socks5, "edge"),
                 "broker",
                 {{kGreetingWithLogin, kWantsLogin},
                  {"\x01\x04"s + "edge\0"s, "\x01\x00"s},
                  {kAskForName, kReplyIpv4}}});
  return all;
}

std::vector<Exchange> faulty_exchanges() {
  std::vector<Exchange> all = {
      http_exchange("Http407", "HTTP/1.1 407 x\r\n\r\n",
                    "the proxy wants a user name and password (status 407)"),
      http_exchange("Http407WithLogin",
                    "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
                    "the proxy refused the user name and password (status 407)", true),
      http_exchange("Http407WithBasicAmongOthers",
                    "HTTP/1.1 407 x\r\nproxy-authenticate: Negotiate, basic realm=\"x\"\r\n\r\n",
                    "the proxy refused the user name and password (status 407)", true),
      http_exchange("Http407WithoutBasic",
                    "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest realm=\"basics\"\r\n\r\n",
                    "the proxy wants an authentication method other than Basic (status 407)", true),
      http_exchange("Http401", "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
                    "the proxy refused the user name and password (status 401)", true),
      http_exchange("Http500", "HTTP/1.1 500 x\r\n\r\n", "the proxy failed (status 500)"),
      http_exchange("Http403", "HTTP/1.1 403 x\r\n\r\n",
                    "the proxy does not allow a connection to the server (status 403)"),
      http_exchange("Http405", "HTTP/1.1 405 x\r\n\r\n",
                    "the proxy does not know CONNECT: it may not be a proxy (status 405)"),
      http_exchange("Http501", "HTTP/1.1 501 x\r\n\r\n",
                    "the proxy does not know CONNECT: it may not be a proxy (status 501)"),
      http_exchange("Http502", "HTTP/1.1 502 x\r\n\r\n",
                    "the proxy cannot connect to the server (status 502)"),
      http_exchange("Http503", "HTTP/1.1 503 x\r\n\r\n",
                    "the proxy has no connection available now (status 503)"),
      http_exchange("Http504", "HTTP/1.1 504 x\r\n\r\n",
                    "the proxy got no answer from the server (status 504)"),
      http_exchange("HttpRedirect", "HTTP/1.1 302 x\r\nLocation: http://elsewhere/\r\n\r\n",
                    "the proxy refused the connection (status 302)"),
      http_exchange("Http101", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
                    "the proxy refused the connection (status 101)"),
      http_exchange("HttpStatus000", "HTTP/1.1 000 x\r\n\r\n",
                    "the proxy refused the connection (status 0)"),
      http_exchange("HttpAnswerBehindInterimOnes",
                    "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n",
                    "the proxy wants an authentication method other than Basic (status 407)"),
      socks_exchange("SocksReply1", "\x05\x01"s,
                     "the proxy cannot connect to the server: general failure (SOCKS5 reply 1)"),
      socks_exchange(
          "SocksReply2", "\x05\x02"s,
          "the proxy cannot connect to the server: not allowed by its rules (SOCKS5 reply 2)"),
      socks_exchange(
          "SocksReply3", "\x05\x03"s,
          "the proxy cannot connect to the server: its network cannot be reached (SOCKS5 reply "
          "3)"),
      socks_exchange(
          "SocksReply4", "\x05\x04"s,
          "the proxy cannot connect to the server: it cannot be reached (SOCKS5 reply 4)"),
      socks_exchange(
          "SocksReply5", "\x05\x05"s,
          "the proxy cannot connect to the server: it refused the connection (SOCKS5 reply 5)"),
      socks_exchange(
          "SocksReply6", "\x05\x06"s,
          "the proxy cannot connect to the server: it did not answer in time (SOCKS5 reply 6)"),
      socks_exchange("SocksReply7", "\x05\x07"s,
                     "the proxy cannot connect to the server: the proxy does not support CONNECT "
                     "(SOCKS5 reply 7)"),
      socks_exchange(
          "SocksReply8", "\x05\x08"s,
          "the proxy cannot connect to the server: the proxy does not support this address type "
          "(SOCKS5 reply 8)"),
      socks_exchange("SocksReply9", "\x05\x09"s,
                     "the proxy cannot connect to the server: unknown reason (SOCKS5 reply "
                     "9)"),
      socks_exchange("SocksReply255", "\x05\xff"s,
                     "the proxy cannot connect to the server: unknown reason (SOCKS5 reply "
                     "255)"),
      socks_exchange("SocksAddressOfNoType", "\x05\x00\x00\x02\x00"s,
                     "the proxy answered with an address of type 2, which SOCKS5 does not have"),
      {"SocksWantsALogin",
       proxy_of(Proxy::Scheme::socks5),
       "broker",
       {{kGreeting, "\x05\xff"s}},
       "the proxy wants a user name and password"},
      {"SocksChoseALoginUnasked",
       proxy_of(Proxy::Scheme::socks5),
       "broker",
       {{kGreeting, kWantsLogin}},
       "the proxy chose authentication method 2, which it was not offered"},
      socks_login_exchange("SocksTakesNoLogin", {{kGreetingWithLogin, "\x05\xff"s}},
                           "the proxy accepts neither a user name and password nor none"),
      socks_login_exchange("SocksChoseKerberos", {{kGreetingWithLogin, "\x05\x01"s}},
                           "the proxy chose authentication method 1, which it was not offered"),
      socks_login_exchange("SocksRefusedLogin",
                           {{kGreetingWithLogin, kWantsLogin}, {kSocksLogin, "\x01\x01"s}},
                           "the proxy refused the user name and password"),
  };
  return all;
}

// How an answer arrives: in the pieces between these places.
using Cuts = std::vector<std::size_t>;

std::vector<Cuts> every_cut(std::size_t size) {
  std::vector<Cuts> all{{}};
  for (std::size_t at = 1; at < size; ++at) all.push_back({at});
  Cuts each;
  for (std::size_t at = 1; at < size; ++at) each.push_back(at);
  all.push_back(each);
  return all;
}

// Whether nothing that was told to the proxy is in it.
void expect_no_login(const std::string& fault) {
  EXPECT_EQ(fault.find("hunt"), std::string::npos) << fault;
  EXPECT_EQ(fault.find("ZWRn"), std::string::npos) << fault;
  EXPECT_EQ(fault.find("edge"), std::string::npos) << fault;
}

// The whole exchange, the answer of step `cut_step` in those pieces and `behind` right behind the
// last one. Returns what was left for the server.
std::string run_exchange(ProxyHandshake& handshake, const Exchange& exchange, std::size_t cut_step,
                         const Cuts& cuts, const std::string& behind) {
  std::string left;
  for (std::size_t i = 0; i < exchange.steps.size(); ++i) {
    const Step& step = exchange.steps[i];
    EXPECT_EQ(handshake.take_output(), step.sent);
    EXPECT_EQ(handshake.take_output(), "") << "it is sent once";
    EXPECT_FALSE(handshake.done());
    EXPECT_EQ(handshake.fault(), "");
    const bool last = i + 1 == exchange.steps.size();
    std::string answer = step.answer;
    if (last) answer += behind;
    std::size_t from = 0;
    Cuts at = i == cut_step ? cuts : Cuts{};
    at.push_back(answer.size());
    for (const std::size_t to : at) {
      const std::string piece = answer.substr(from, to - from);
      left += piece.substr(handshake.receive(piece));
      from = to;
    }
  }
  return left;
}

class ProxyExchange : public testing::TestWithParam<Exchange> {};

TEST_P(ProxyExchange, EndsInAConnectionInEveryCut) {
  const Exchange& exchange = GetParam();
  for (const std::string& behind : {""s, "\x20\x02\x00\x00"s, "HTTP/1.1 407 x\r\n\r\n"s}) {
    for (std::size_t step = 0; step < exchange.steps.size(); ++step) {
      const bool last = step + 1 == exchange.steps.size();
      const std::size_t size =
          exchange.steps[step].answer.size() + (last ? behind.size() : std::size_t{0});
      for (const Cuts& cuts : every_cut(size)) {
        ProxyHandshake handshake(exchange.proxy, {exchange.host, kPort});
        EXPECT_EQ(run_exchange(handshake, exchange, step, cuts, behind), behind)
            << "step " << step << ", first cut " << (cuts.empty() ? 0 : cuts[0]);
        ASSERT_TRUE(handshake.done()) << handshake.fault();
        EXPECT_EQ(handshake.fault(), "");
        EXPECT_EQ(handshake.take_output(), "");
        EXPECT_EQ(handshake.receive("more"), 0U);
        handshake.ended();
        EXPECT_TRUE(handshake.done()) << "that is the server's end";
      }
    }
  }
}

TEST_P(ProxyExchange, IsNotOverBeforeItsLastByte) {
  const Exchange& exchange = GetParam();
  for (std::size_t short_step = 0; short_step < exchange.steps.size(); ++short_step) {
    const std::size_t size = exchange.steps[short_step].answer.size();
    for (std::size_t most = 0; most < size; ++most) {
      Exchange cut = exchange;
      cut.steps.resize(short_step + 1);
      cut.steps[short_step].answer.resize(most);
      ProxyHandshake handshake(cut.proxy, {cut.host, kPort});
      run_exchange(handshake, cut, 0, {}, "");
      EXPECT_FALSE(handshake.done()) << most;
      EXPECT_EQ(handshake.fault(), "") << most;
      handshake.ended();
      EXPECT_EQ(handshake.fault(), "the proxy closed the connection before it answered");
      EXPECT_EQ(handshake.receive("more"), 0U);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Good, ProxyExchange, testing::ValuesIn(good_exchanges()),
                         [](const auto& one) { return one.param.name; });

class ProxyFault : public testing::TestWithParam<Exchange> {};

TEST_P(ProxyFault, IsNamedInEveryCut) {
  const Exchange& exchange = GetParam();
  for (std::size_t step = 0; step < exchange.steps.size(); ++step) {
    for (const Cuts& cuts : every_cut(exchange.steps[step].answer.size())) {
      ProxyHandshake handshake(exchange.proxy, {exchange.host, kPort});
      run_exchange(handshake, exchange, step, cuts, "");
      EXPECT_FALSE(handshake.done());
      EXPECT_EQ(handshake.fault(), exchange.fault);
      EXPECT_EQ(handshake.take_output(), "") << "nothing more is sent";
      EXPECT_EQ(handshake.receive("HTTP/1.1 200 OK\r\n\r\n"), 0U);
      handshake.ended();
      EXPECT_EQ(handshake.fault(), exchange.fault) << "the first one stays";
      expect_no_login(handshake.fault());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bad, ProxyFault, testing::ValuesIn(faulty_exchanges()),
                         [](const auto& one) { return one.param.name; });

// What is said of something that answers with `bytes`, all at once.
std::string fault_of(const Proxy& proxy, const std::string& bytes) {
  ProxyHandshake handshake(proxy, {"broker", kPort});
  handshake.take_output();
  handshake.receive(bytes);
  EXPECT_FALSE(handshake.done());
  return handshake.fault();
}

TEST(ProxyHandshakeTest, WhatSpeaksSomethingElseIsToldByItsFirstBytes) {
  const Proxy http = proxy_of(Proxy::Scheme::http);
  const Proxy socks = proxy_of(Proxy::Scheme::socks5);
  const std::map<std::string, std::string> to_http = {
      {"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH-2.0-OpenSSH_9.2p1\\x0d\\x0a"},
      {"\x05\xff"s, "\\x05\\xff"},
      {"HTTP/2 200\r\n", "HTTP/2 200\\x0d\\x0a"},
      {"HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 2x0 OK"},
      {"HTTP/1.1 2000 OK\r\n", "HTTP/1.1 2000 OK"},
      {"HTTP/1.x 200 OK\r\n", "HTTP/1.x 200 OK"},
      {"HTTP/1.1200 OK\r\n", "HTTP/1.1200 OK"},
      {"HTTP/1.1\r\n", "HTTP/1.1"},
      {"http/1.1 200 OK\r\n", "http/1.1 200 OK\\x0d\\x0a"},
      {"\x1b[2Jgone\xe2\x80\xae", "\\x1b[2Jgone\\xe2\\x80\\xae"},
      {"220 mail.example ESMTP and much, much more behind", "220 mail.example ESMTP and much,"},
  };
  for (const auto& [bytes, shown] : to_http) {
    EXPECT_EQ(fault_of(http, bytes),
              "the proxy does not speak HTTP: it answered with \"" + shown + "\"");
  }
  const std::map<std::string, std::string> to_socks = {
      {"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400 Bad Request\\x0d\\x0a"},
      {"\x00\x5a"s, "\\x00Z"},
      {"\x04\x00"s, "\\x04\\x00"},
  };
  for (const auto& [bytes, shown] : to_socks) {
    EXPECT_EQ(fault_of(socks, bytes),
              "the proxy does not speak SOCKS5: it answered with \"" + shown + "\"");
  }
  EXPECT_EQ(fault_of(http, "\r\nHTTP/1.1 200 OK\r\n\r\n"s).find("the proxy does not speak HTTP"),
            0U);
}

TEST(ProxyHandshakeTest, AFirstByteThatIsWrongIsOneInEveryCut) {
  const std::string bytes = "SSH-2.0-OpenSSH_9.2p1\r\n";
  for (const Cuts& cuts : every_cut(bytes.size())) {
    for (const auto scheme : {Proxy::Scheme::http, Proxy::Scheme::socks5}) {
      const Exchange exchange{
          "",
          proxy_of(scheme),
          "broker",
          {{scheme == Proxy::Scheme::http ? connect_request("broker") : kGreeting, bytes}}};
      ProxyHandshake handshake(exchange.proxy, {"broker", kPort});
      run_exchange(handshake, exchange, 0, cuts, "");
      EXPECT_NE(handshake.fault().find("it answered with \"S"), std::string::npos)
          << handshake.fault();
    }
  }
}

TEST(ProxyHandshakeTest, TheLaterAnswersOfSocksAreLookedAtToo) {
  const auto after = [](const std::vector<Step>& steps) {
    const Exchange exchange = socks_login_exchange("", steps);
    ProxyHandshake handshake(exchange.proxy, {"broker", kPort});
    run_exchange(handshake, exchange, 0, {}, "");
    return handshake.fault();
  };
  EXPECT_EQ(after({{kGreetingWithLogin, kWantsLogin}, {kSocksLogin, "\x05\x00"s}}),
            "the proxy does not speak SOCKS5: it answered with \"\\x05\\x00\"");
  EXPECT_EQ(after({{kGreetingWithLogin, kWantsLogin},
                   {kSocksLogin, "\x01\x00"s},
                   {kAskForName, "\x01\x00"s}}),
            "the proxy does not speak SOCKS5: it answered with \"\\x01\\x00\"");
}

TEST(ProxyHandshakeTest, AnAnswerComesAfterItsQuestion) {
  for (const std::string& early : {kNone + kReplyIpv4, kWantsLogin + "\x01\x00"s}) {
    ProxyHandshake handshake(proxy_of(Proxy::Scheme::socks5, kUser, kPassword), {"broker", kPort});
    handshake.take_output();
    handshake.receive(early);
    EXPECT_FALSE(handshake.done());
    EXPECT_EQ(handshake.fault(), "the proxy answered before it was asked");
    EXPECT_EQ(handshake.take_output(), "");
  }
}

// As an echo service does.
TEST(ProxyHandshakeTest, WhatRepeatsTheLoginIsNotShown) {
  const std::string hidden = "its answer is not shown, because it could reveal the password";
  for (const std::string& bytes :
       {"hunter2"s, "x hunter"s, "xxunte"s, "edge"s, "x "s + kInBase64}) {
    for (const auto scheme : {Proxy::Scheme::http, Proxy::Scheme::socks5}) {
      const std::string fault = fault_of(proxy_of(scheme, kUser, kPassword), bytes);
      EXPECT_NE(fault.find(hidden), std::string::npos) << bytes << ": " << fault;
      expect_no_login(fault);
    }
  }
  ProxyHandshake handshake(proxy_of(Proxy::Scheme::socks5, kUser, kPassword), {"broker", kPort});
  handshake.take_output();
  handshake.receive(kWantsLogin);
  const std::string echo = handshake.take_output();
  handshake.receive("\x02" + echo);
  expect_no_login(handshake.fault());
  EXPECT_NE(handshake.fault().find(hidden), std::string::npos) << handshake.fault();
  EXPECT_NE(fault_of(proxy_of(Proxy::Scheme::http, "u", "pw"), "the pw").find(hidden),
            std::string::npos)
      << "a short one, too";
  // A status line that is none, from something that repeats what it gets behind it.
  expect_no_login(
      fault_of(proxy_of(Proxy::Scheme::http, kUser, kPassword), "HTTP/1.1 hunter2\r\n"));
}

TEST(ProxyHandshakeTest, AHeadMayHave64KiBAndNoMore) {
  const Proxy proxy = proxy_of(Proxy::Scheme::http);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, std::size_t{1} << 20}) {
    for (const bool fits : {true, false}) {
      const std::string head = "HTTP/1.1 100 x\r\n\r\n" + head_of((64 << 10) + (fits ? 0 : 1));
      ProxyHandshake handshake(proxy, {"broker", kPort});
      for (std::size_t at = 0; at < head.size(); at += piece)
        handshake.receive(head.substr(at, piece));
      EXPECT_EQ(handshake.done(), fits);
      EXPECT_EQ(handshake.fault(),
                fits ? "" : "the proxy answered with more than 65536 bytes of header fields");
    }
  }
  ProxyHandshake endless(proxy, {"broker", kPort});
  EXPECT_LE(endless.receive("HTTP/1.1 200 " + std::string(1 << 20, 'x')), (64U << 10) + 1);
  EXPECT_NE(endless.fault(), "");
}

TEST(ProxyHandshakeTest, InterimAnswersComeToAnEnd) {
  const std::string interim = "HTTP/1.1 102 Processing\r\n\r\n";
  ProxyHandshake handshake(proxy_of(Proxy::Scheme::http), {"broker", kPort});
  for (int i = 0; i < 1000 && handshake.fault().empty(); ++i) handshake.receive(interim);
  EXPECT_EQ(handshake.fault(), "the proxy refused the connection (status 102)");
}

// What libFuzzer begins with, and what it has found.
TEST(ProxyHandshakeTest, TheCorpusOfTheFuzzerHolds) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PROXY_CORPUS)) {
    std::ifstream in(entry.path(), std::ios::binary);
    answer_as_any_proxy(std::string(std::istreambuf_iterator<char>(in), {}));
    ++files;
  }
  EXPECT_GE(files, 9U);
}

TEST(ProxyHandshakeTest, WhatCannotBeAskedForIsNotAskedFor) {
  for (const auto scheme : {Proxy::Scheme::http, Proxy::Scheme::socks5}) {
    for (const std::string& host :
         {""s, "a b"s, "a\r\nX: y"s, "a\0b"s, "\xc3\xbc"s, std::string(256, 'h')}) {
      ProxyHandshake handshake(proxy_of(scheme, kUser, kPassword), {host, kPort});
      EXPECT_EQ(handshake.take_output(), "");
      EXPECT_NE(handshake.fault().find("its host name must be 1 to 255 ASCII characters"),
                std::string::npos);
      EXPECT_EQ(handshake.receive("x"), 0U);
    }
  }
  for (const auto& [user, password] :
       {std::pair(std::string(256, 'u'), "p"s), std::pair("u"s, std::string(256, 'p'))}) {
    ProxyHandshake handshake(proxy_of(Proxy::Scheme::socks5, user, password), {"broker", kPort});
    EXPECT_EQ(handshake.take_output(), "");
    EXPECT_NE(handshake.fault().find("at most 255 bytes"), std::string::npos);
    EXPECT_EQ(handshake.fault().find("pppp"), std::string::npos);
  }
}

}  // namespace
}  // namespace triggerd::mqtt::wire
