// The proxy of an alias: its address, its login, and that nobody sees the password.
#include <gtest/gtest.h>

#include <map>

#include "base/text.hpp"
#include "config/load.hpp"
#include "config/proxy_address.hpp"
#include "config/secrets.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::config {
namespace {

std::string written_of(std::string_view text) {
  const auto proxy = parse_proxy(text);
  return proxy ? to_string(*proxy) : "error: " + proxy.error().message;
}

std::string login_of(std::string_view text) {
  const auto proxy = parse_proxy(text);
  if (!proxy) return "error: " + proxy.error().message;
  return proxy->user_name + "|" + proxy->password.reveal();
}

std::string refusal_of(std::string_view text) {
  const auto proxy = parse_proxy(text);
  return proxy ? "none" : proxy.error().message;
}

TEST(ProxyAddressTest, FillsInThePort) {
  EXPECT_EQ(written_of("http://proxy"), "http://proxy:8080");
  EXPECT_EQ(written_of("HTTP://Proxy.Example:3128"), "http://proxy.example:3128");
  EXPECT_EQ(written_of("socks5://proxy"), "socks5://proxy:1080");
  EXPECT_EQ(written_of("socks5://edge:p@10.0.0.1:1"), "socks5://10.0.0.1:1");
  EXPECT_EQ(written_of("http://[::1]"), "http://[::1]:8080");
  EXPECT_EQ(written_of("socks5://edge@[FE80::1%eth0]:1081"), "socks5://[fe80::1%eth0]:1081");
}

TEST(ProxyAddressTest, TakesALoginInPercentEncoding) {
  EXPECT_EQ(login_of("http://proxy"), "|");
  EXPECT_EQ(login_of("http://@proxy"), "|");
  EXPECT_EQ(login_of("http://:@proxy"), "|");
  EXPECT_EQ(login_of("http://edge@proxy"), "edge|");
  EXPECT_EQ(login_of("http://edge:@proxy"), "edge|");
  EXPECT_EQ(login_of("http://edge:a:b@proxy"), "error: " + refusal_of("http://edge:a:b@proxy"));
  EXPECT_EQ(login_of("http://edge:p%40%3a%2Fw%25@proxy:1"), "edge|p@:/w%");
  EXPECT_EQ(login_of("http://a-._~!$&()*+,;=:-._~!$&()*+,;=@proxy"),
            "a-._~!$&()*+,;=|-._~!$&()*+,;=");
  EXPECT_EQ(login_of("socks5://%C3%BC:\xc3\xbc@proxy"), "\xc3\xbc|\xc3\xbc");
  EXPECT_EQ(login_of("socks5://a%3Ab:c@proxy"), "a:b|c");
}

TEST(ProxyAddressTest, SaysWhatIsWrongAndNeverQuotesIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"hunter2", "the scheme is missing; write http://HOST:PORT or socks5://HOST:PORT"},
      {"edge:hunter2@proxy", "the scheme is missing; write http://HOST:PORT or socks5://HOST:PORT"},
      {"hunter2://proxy", "the scheme must be http or socks5, as in http://HOST:PORT"},
      {"https://edge:hunter2@proxy", "the scheme must be http or socks5, as in http://HOST:PORT"},
      {"http://", "the host name may contain only letters, digits, \"-\", \".\" and \"_\""},
      {"http://edge:hunter2@",
       "the host name may contain only letters, digits, \"-\", \".\" and \"_\""},
      {"http://hunter 2", "the host name may contain only letters, digits, \"-\", \".\" and \"_\""},
      {"http://edge:hunter2", "the port must be a number from 1 to 65535"},
      {"http://proxy:0", "the port must be a number from 1 to 65535"},
      {"http://::1", "an IPv6 address must be in brackets, as in http://[::1]:8080"},
      {"socks5://::1", "an IPv6 address must be in brackets, as in socks5://[::1]:1080"},
      {"http://[hunter2]",
       "the text in brackets must be an IPv6 address, as in "
       "http://[::1]:8080"},
      {"http://:hunter2@proxy", "a password without a user name; write USER:PASSWORD@ or USER@"},
      {"http://a%3Ab:hunter2@proxy", "the user name for an HTTP proxy must not contain a \":\""},
      {"http://edge:hunter2%0A@proxy", "user name and password must be UTF-8 text on one line"},
      {"http://edge%00:hunter2@proxy", "user name and password must be UTF-8 text on one line"},
      {"http://edge:hunter2%7F@proxy", "user name and password must be UTF-8 text on one line"},
      {"http://edge:hunter2%FF@proxy", "user name and password must be UTF-8 text on one line"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(refusal_of(text), message) << text;
  for (const char* encoding : {"%", "%4", "%4x", "%x4", "hunter2%", "%%40"}) {
    EXPECT_EQ(refusal_of("http://edge:" + std::string(encoding) + "@proxy"),
              "a \"%\" in user name or password must be followed by two hexadecimal digits; write "
              "%25 for a plain \"%\"")
        << encoding;
  }
  for (const char* behind : {"/", "/hunter2", "?hunter2", "#hunter2"}) {
    EXPECT_EQ(refusal_of("http://proxy:8080" + std::string(behind)),
              "a proxy's address must end with the port; in user name and password write \"/\" as "
              "%2F, \"?\" as %3F and \"#\" as %23")
        << behind;
  }
  for (const char* plain : {"hunter2@", "hunter2 ", "hunter2:", "hunter2'", "hunter2\"",
                            "{hunter2}", "hunter2\\", "[hunter2]", "hunter2<", "hunter2|"}) {
    EXPECT_EQ(refusal_of("http://edge:" + std::string(plain) + "@proxy"),
              "user name and password may contain only letters, digits and -._~!$&()*+,;= as they "
              "are; write other characters as %XX, for example \"@\" as %40")
        << plain;
  }
}

TEST(ProxyAddressTest, ALoginIsAsLongAsItsProxyTakesIt) {
  const auto of = [](const char* scheme, std::size_t user, std::size_t password) {
    return refusal_of(scheme + std::string("://") + std::string(user, 'u') + ":" +
                      std::string(password, 'p') + "@proxy");
  };
  EXPECT_EQ(of("socks5", 255, 255), "none");
  EXPECT_EQ(of("socks5", 256, 1), "user name and password must have at most 255 bytes each");
  EXPECT_EQ(of("socks5", 1, 256), "user name and password must have at most 255 bytes each");
  EXPECT_EQ(of("http", 4096, 4096), "none");
  EXPECT_EQ(of("http", 1, 4097), "user name and password must have at most 4096 bytes each");
}

// Whatever stands in a password, and wherever.
TEST(ProxyAddressTest, APasswordThatIsTakenIsMasked) {
  std::size_t taken = 0;
  for (unsigned first = 1; first < 256; ++first) {
    for (const std::string& password : {std::string(1, static_cast<char>(first)),
                                        "hun" + std::string(1, static_cast<char>(first)) + "ter2",
                                        std::string(2, static_cast<char>(first)) + "hunter2",
                                        "hunter2" + std::string(3, static_cast<char>(first))}) {
      for (const char* user : {"u", "user-name", "a=b", "password=a", "100%25"}) {
        const std::string text = std::string("http://") + user + ":" + password + "@proxy:3128";
        const auto proxy = parse_proxy(text);
        if (!proxy) continue;
        ++taken;
        const std::string shown = masked(text);
        // Such a user name looks like a connection string.
        const bool is_assignment = std::string_view(user).starts_with("password=");
        EXPECT_EQ(shown, is_assignment ? "http://password=***"
                                       : std::string("http://") + user + ":***@proxy:3128");
        EXPECT_EQ(masked(shown), shown);
      }
    }
  }
  EXPECT_GT(taken, 1000U);
  EXPECT_EQ(masked("http://edge@proxy:3128"), "http://edge@proxy:3128");
  EXPECT_EQ(masked("socks5://edge:hunter2@[::1]:1080"), "socks5://edge:***@[::1]:1080");
  EXPECT_EQ(masked("http://edge:${PASSWORD}@proxy"), "http://edge:${PASSWORD}@proxy");
  EXPECT_EQ(masked("http://edge:${PASSWORD:-hunter2}@proxy"), "http://edge:***@proxy");
}

class ProxySectionTest : public testing::Test {
 protected:
  tl::expected<Config, std::vector<Diagnostic>> load_alias(const std::string& keys) {
    const auto file =
        folder_.write("triggers.toml", "[aliases.a]\nhost = \"tcp://h\"\n" + keys + "\n");
    return load(file, [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    });
  }
  std::optional<Proxy> proxy(const std::string& keys) {
    const auto loaded = load_alias(keys);
    if (!loaded) {
      ADD_FAILURE() << to_string(loaded.error().front());
      return std::nullopt;
    }
    return loaded->aliases.at(0).proxy;
  }
  std::string errors(const std::string& keys) {
    const auto loaded = load_alias(keys);
    if (loaded) return {};
    std::string text;
    for (const Diagnostic& found : loaded.error()) text += found.message + "\n";
    return text;
  }

  test::TempDir folder_;
  std::map<std::string, std::string> variables_;
};

TEST_F(ProxySectionTest, IsReadWithItsPasswordFile) {
  EXPECT_FALSE(proxy(""));
  folder_.write("secret", "hunter2\n");
  const auto found = proxy("proxy = \"socks5://edge@p\"\nproxy_password_file = \"secret\"");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->scheme, Proxy::Scheme::socks5);
  EXPECT_EQ(found->host, "p");
  EXPECT_EQ(found->port, 1080);
  EXPECT_EQ(found->user_name, "edge");
  EXPECT_EQ(found->password.reveal(), "hunter2");
  EXPECT_EQ(found->password_file, folder_ / "secret");
}

TEST_F(ProxySectionTest, TakesVariablesAndAnEmptyOneIsNone) {
  EXPECT_FALSE(proxy("proxy = \"${PROXY:-}\""));
  EXPECT_FALSE(proxy("proxy = \"${PROXY:-}\"\nproxy_password_file = \"nowhere\""));
  variables_ = {{"PROXY", "http://edge:hunter%322@p:3128"}, {"PASSWORD", "hunter2"}};
  const auto whole = proxy("proxy = \"${PROXY:-}\"");
  ASSERT_TRUE(whole);
  EXPECT_EQ(to_string(*whole), "http://p:3128");
  EXPECT_EQ(whole->password.reveal(), "hunter22");
  const auto part = proxy("proxy = \"http://edge:${PASSWORD}@p\"");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->password.reveal(), "hunter2");
  variables_["PASSWORD"] = "hunter2/";
  const std::string found = errors("proxy = \"http://edge:${PASSWORD}@p\"");
  EXPECT_NE(found.find("must end with the port"), std::string::npos) << found;
  EXPECT_EQ(found.find("hunter"), std::string::npos) << found;
}

// The table of what --check says is tests/golden/check/proxy-malformed.
TEST_F(ProxySectionTest, ThePasswordInAFileIsLookedAtAsWell) {
  const std::string keys = "proxy = \"socks5://edge@p\"\nproxy_password_file = \"secret\"";
  for (const std::string& wrong :
       {std::string("hunter2\nhunter2"), std::string(256, 'h'), std::string("hunter\xff")}) {
    folder_.write("secret", wrong);
    const std::string found = errors(keys);
    EXPECT_EQ(found.find("proxy_password_file: user name and password must"), 0U) << found;
    EXPECT_EQ(found.find("hunter"), std::string::npos);
    EXPECT_EQ(found.find("hhh"), std::string::npos);
  }
}

// "localhost" is another machine behind each proxy.
TEST_F(ProxySectionTest, AClientIdIsTakenAtAServerBehindOneProxy) {
  const auto with = [this](const std::string& proxy) {
    return errors(
        "client_id = \"edge\"\nproxy = \"http://one\"\n[aliases.b]\nhost = \"tcp://h\"\n"
        "client_id = \"edge\"\n" +
        proxy);
  };
  EXPECT_EQ(with(""), "");
  EXPECT_EQ(with("proxy = \"http://two\""), "");
  EXPECT_NE(with("proxy = \"http://u:p@one:8080\"")
                .find("would connect to tcp://h:1883 through "
                      "http://one:8080 with the same client id"),
            std::string::npos);
}

}  // namespace
}  // namespace triggerd::config
