// Definitions as they are shown and come back, and what they may not say over the API.
#include "config/secrets.hpp"

#include <gtest/gtest.h>

#include "config/managed_rules.hpp"
#include "config/parse_toml.hpp"
#include "config/write_tree.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::config {
namespace {

Node parsed(std::string_view toml) {
  auto table = parse_toml(toml);
  EXPECT_TRUE(table) << toml;
  return table ? *table : Node{{}, Node::Table{}};
}

TEST(SecretsTest, AreLeftOutAndKeptByAReplacementThatLeavesThemOut) {
  const Node before = parsed(
      "user_name = 'u'\npassword = 'hunter2'\n[settings]\ntoken = 'abc'\nurl = 'x'\n"
      "api_key = '${KEY}'\npassword_file = 'f'");
  const Shown shown = without_secrets(before);
  EXPECT_EQ(shown.secrets, (std::vector<std::string>{"password", "settings.token"}));
  EXPECT_EQ(to_json(shown.table),
            R"({"user_name":"u","settings":{"url":"x","api_key":"${KEY}","password_file":"f"}})");
  Node next = shown.table;
  keep_secrets(before, next);
  EXPECT_NE(to_json(next).find("hunter2"), std::string::npos);
  EXPECT_NE(to_json(next).find("\"token\":\"abc\""), std::string::npos);
}

TEST(SecretsTest, ANewPasswordReplacesTheOldOneAndNoUserNameNeedsNone) {
  const Node before = parsed("user_name = 'u'\npassword = 'hunter2'");
  Node next = parsed("user_name = 'u'\npassword = 'new'");
  keep_secrets(before, next);
  EXPECT_EQ(to_json(next), R"({"user_name":"u","password":"new"})");
  next = parsed("host = 'tcp://x'");
  keep_secrets(before, next);
  EXPECT_EQ(to_json(next), R"({"host":"tcp://x"})");
  next = parsed("user_name = 'u'\npassword_file = 'f'");
  keep_secrets(before, next);
  EXPECT_EQ(to_json(next), R"({"user_name":"u","password_file":"f"})");
}

// It is shown, so that who leaves it out means that; a password alone is not.
TEST(SecretsTest, AProxyThatIsLeftOutIsGoneAndOneThatComesBackKeepsItsPassword) {
  const Node before = parsed("host = 'tcp://x'\nproxy = 'http://u:hunter2@p'");
  const Shown shown = without_secrets(before);
  EXPECT_EQ(shown.secrets, std::vector<std::string>{"proxy"});
  EXPECT_EQ(to_json(shown.table), R"({"host":"tcp://x","proxy":"http://u:***@p"})");
  Node next = shown.table;
  EXPECT_TRUE(keep_secrets(before, next).unknown.empty());
  EXPECT_EQ(to_json(next), R"({"host":"tcp://x","proxy":"http://u:hunter2@p"})");
  next = parsed("host = 'tcp://x'");
  keep_secrets(before, next);
  EXPECT_EQ(to_json(next), R"({"host":"tcp://x"})");
  next = parsed("host = 'tcp://x'\nproxy = 'http://u:***@other'");
  EXPECT_EQ(keep_secrets(before, next).unknown, std::vector<std::string>{"proxy"});
}

TEST(SecretsTest, TheNamesOfSettingsThatAreSecret) {
  for (const char* key :
       {"password", "X-Api-Key", "x_api_key", "apiKey", "Cookie", "Set-Cookie", "Authorization",
        "Proxy-Authorization", "client_secret", "access_token", "X-Auth-Token", "credentials",
        "Ocp-Apim-Subscription-Key", "x-functions-key", "sig", "PWD", "webhook_secret"}) {
    EXPECT_TRUE(names_secret(key)) << key;
  }
  for (const char* key :
       {"url", "password_file", "token_url", "token-endpoint", "topic", "keystore", "key_alias",
        "user_name", "order", "compass", "key_file", "connection", "private_key"}) {
    EXPECT_FALSE(names_secret(key)) << key;
  }
}

TEST(SecretsTest, WhatIsSecretInAValueIsMasked) {
  const std::pair<const char*, const char*> cases[] = {
      {"https://h.example/in?sv=1&sig=a%2Fb%3D&se=2", "https://h.example/in?sv=1&sig=***&se=2"},
      {"https://h.example/in?code=abc#top", "https://h.example/in?code=***#top"},
      {"https://h.example/in?api_key=a&flag&token=b", "https://h.example/in?api_key=***&token=***"},
      {"https://u:hunter2@h.example/", "https://u:***@h.example/"},
      {"postgresql://u:p%40@a,b:5433/db?password=x", "postgresql://u:***@a,b:5433/db?password=***"},
      {"postgresql://u:hun/ter@h/db", "postgresql://u:***@h/db"},
      {"http://[::1]:80/a@b", "http://[::1]:80/a@b"},
      {"http://h:80/a@b?x=1", "http://h:80/a@b?x=1"},
      {"host=db password=hunter2 user=u", "host=db password=*** user=u"},
      {"host=db password = 'hun\\' ter2' user=u", "host=db password = *** user=u"},
      {"password=hun ter2", "password=***"},
      {"Server=db;Password=a;b;Database=d", "Server=db;Password=***;Database=d"},
      {"host=db password=${PGPASSWORD} user=u", "host=db password=${PGPASSWORD} user=u"},
      {"https://u:${PW}@h/", "https://u:${PW}@h/"},
      {"Bearer abc.def", "Bearer ***"},
      {"-----BEGIN RSA PRIVATE KEY-----\nMII", "***"},
      {"Bearer ${TOKEN}", "Bearer ${TOKEN}"},
      {"X-Api-Key: abc", "X-Api-Key: ***"},
      {"INSERT INTO t (token) VALUES ($1)", "INSERT INTO t (token) VALUES ($1)"},
      {"UPDATE t SET token = 'x'", "UPDATE t SET token = 'x'"},
      {"plant/+/state", "plant/+/state"},
      {"SharedAccessKey=abc;Endpoint=sb://h/", "SharedAccessKey=***;Endpoint=sb://h/"},
      {"password=p url=jdbc:mysql://h/db", "password=*** url=jdbc:mysql://h/db"},
      {"Server=db;Pwd={hunter2};Database=d", "Server=db;Pwd=***;Database=d"},
      {"https://h/?token={topic:2}", "https://h/?token={topic:2}"},
      {"bearer abc", "bearer ***"},
      {"password=a   b   c", "password=***"},
      {"host=db user=u sslmode=verify-full", "host=db user=u sslmode=verify-full"},
  };
  for (const auto& [text, shown] : cases) {
    EXPECT_EQ(masked(text), shown);
    EXPECT_EQ(masked(shown), shown) << "it is shown as often as one likes";
  }
}

TEST(SecretsTest, WhatWasShownInPartComesBackWhole) {
  const Node before = parsed(
      "[settings]\nurl = 'https://h/?sig=abc'\nlist = ['https://u:p@h/', 'x']\n[settings.headers]\n"
      "X-Api-Key = 'k'\nAccept = 'a'");
  const Shown shown = without_secrets(before);
  EXPECT_EQ(shown.secrets, (std::vector<std::string>{"settings.url", "settings.list.0",
                                                     "settings.headers.X-Api-Key"}));
  EXPECT_EQ(to_json(shown.table),
            R"({"settings":{"url":"https://h/?sig=***","list":["https://u:***@h/","x"],)"
            R"("headers":{"Accept":"a"}}})");
  Node next = shown.table;
  EXPECT_TRUE(keep_secrets(before, next).unknown.empty());
  EXPECT_NE(to_json(next).find("sig=abc"), std::string::npos);
  EXPECT_NE(to_json(next).find("u:p@h"), std::string::npos);
  EXPECT_NE(to_json(next).find(R"("X-Api-Key":"k")"), std::string::npos);
  next = parsed("[settings]\nurl = 'https://other/?sig=***'");
  EXPECT_EQ(keep_secrets(before, next).unknown, std::vector<std::string>{"settings.url"});
  next = parsed("[settings]\nlist = ['x', 'https://u:***@h/']\nnew = 'Bearer ***'");
  EXPECT_EQ(keep_secrets(before, next).unknown,
            (std::vector<std::string>{"settings.list.1", "settings.new"}))
      << "it has moved";
}

TEST(SecretsTest, AMaskForWhichThereIsNothingIsNoSecret) {
  const auto unknown = [](const char* toml) {
    Node next = parsed(toml);
    return keep_secrets(Node{{}, Node::Table{}}, next).unknown;
  };
  EXPECT_EQ(unknown("[settings]\nurl = 'https://h/?sig=***'"),
            std::vector<std::string>{"settings.url"});
  EXPECT_EQ(unknown("[settings]\npem = '***'"), std::vector<std::string>{"settings.pem"});
  EXPECT_TRUE(unknown("description = '*** hot ***'").empty());
}

TEST(SecretsTest, ALongValueIsMaskedInOneGo) {
  const std::string blanks(std::size_t{1} << 20, ' ');
  EXPECT_EQ(masked("password=a" + blanks + "b"), "password=***");
}

TEST(SecretsTest, TheEnvironmentOfAProgramIsHiddenWhateverTheNames) {
  const Shown shown = without_secrets(
      parsed("[settings]\nmode = 'a'\nenvironment = { DB = 'x', HOST = '${HOST}' }"));
  EXPECT_EQ(shown.secrets, std::vector<std::string>{"settings.environment.DB"});
  EXPECT_EQ(to_json(shown.table), R"({"settings":{"mode":"a","environment":{"HOST":"${HOST}"}}})");
}

TEST(SecretsTest, APasswordGivesWayToAProgramThatPrintsOne) {
  const Node before = parsed("user_name = 'u'\npassword = 'p'");
  Node next = parsed("user_name = 'u'\npassword_command = ['token']");
  EXPECT_TRUE(keep_secrets(before, next).keys.empty());
  EXPECT_EQ(to_json(next), R"({"user_name":"u","password_command":["token"]})");
  EXPECT_TRUE(without_secrets(next).secrets.empty());
}

class RulesTest : public testing::Test {
 protected:
  // "KEY, KEY" of what is against the rules.
  std::string against(Defined kind, const std::string& next, const std::string& before = "") {
    Node table = parsed(next);
    const Node old = parsed(before);
    std::string keys;
    for (const AgainstRules& one :
         take_definition(kind, before.empty() ? nullptr : &old, table, rules_)) {
      keys += (keys.empty() ? "" : ", ") + one.key;
    }
    taken_ = to_json(table);
    return keys;
  }
  test::TempDir dir_;
  DefinitionRules rules_{.files_below = {}, .state_dir = dir_.path()};
  std::string taken_;
};

TEST_F(RulesTest, NoVariableIsExpanded) {
  EXPECT_EQ(against(Defined::alias,
                    "host = 'tcp://x'\nuser_name = '${HOME}'\n"
                    "last_will = { topic = 't', payload = 'a ${B:-c}' }"),
            "user_name, last_will.payload");
  EXPECT_EQ(against(Defined::trigger, "topics = ['${A}']\n[settings]\nlist = ['x', '${B}']"),
            "topics.0, settings.list.1");
  EXPECT_EQ(against(Defined::alias, "host = 'tcp://x'\nuser_name = '$${HOME}'"), "");
}

TEST_F(RulesTest, FilesAreNamedBelowTheFolderThatTheConfigurationAllows) {
  dir_.write("outside", "secret");
  std::filesystem::create_directories(dir_ / "allowed/inside");
  std::filesystem::create_directories(dir_ / "allowed-too");
  std::filesystem::create_symlink(dir_ / "outside", dir_ / "allowed/link");
  const auto alias = [&](const std::filesystem::path& file) {
    return against(Defined::alias, "host = 'tcp://x'\npassword_file = '" + file.string() + "'");
  };
  const auto trigger = [&](const std::string& key, const std::filesystem::path& file) {
    return against(Defined::trigger, "[settings]\n" + key + " = '" + file.string() + "'");
  };
  EXPECT_EQ(alias(dir_ / "allowed/inside/f"), "password_file") << "no folder is allowed";
  EXPECT_EQ(against(Defined::alias, "host = 'tcp://x'\nproxy_password_file = '/etc/shadow'"),
            "proxy_password_file");
  EXPECT_EQ(trigger("ca_file", dir_ / "allowed/f"), "settings.ca_file");
  rules_.files_below = dir_ / "allowed";
  EXPECT_EQ(alias(dir_ / "allowed/inside/f"), "");
  EXPECT_EQ(alias("allowed/f"), "") << "from the state folder on";
  for (const std::filesystem::path& file :
       {dir_ / "outside", dir_ / "allowed/../outside", dir_ / "allowed/link", dir_ / "allowed",
        dir_ / "allowed-too/f", std::filesystem::path("/etc/shadow"),
        std::filesystem::path("allowed/../managed.toml")}) {
    EXPECT_EQ(alias(file), "password_file") << file;
    EXPECT_EQ(trigger("file", file), "settings.file") << file;
    EXPECT_EQ(trigger("unix_socket", file), "settings.unix_socket") << file;
    EXPECT_EQ(against(Defined::trigger, "[settings]\nca_file = ['" + file.string() + "']"),
              "settings.ca_file.0")
        << file;
  }
  EXPECT_EQ(trigger("profile", "x"), "") << "no file";
  const auto connection = [&](const std::string& file) {
    return against(Defined::trigger, "[settings]\nconnection = 'host=h " + file + "'");
  };
  EXPECT_EQ(connection("passfile=/etc/pgpass"), "settings.connection");
  EXPECT_EQ(connection("sslkey = \"/etc/key\" user=u"), "settings.connection");
  // As libpq reads them: escapes, other blanks, encoded names.
  const std::string escaped = (dir_ / "allowed").string() + "/\\.\\./outside";
  EXPECT_EQ(connection("passfile=" + escaped), "settings.connection");
  const auto toml = [&](const std::string& value) {
    return against(Defined::trigger, "[settings]\nconnection = \"" + value + "\"");
  };
  EXPECT_EQ(toml("host=h passfile\\f=/etc/pgpass"), "settings.connection");
  EXPECT_EQ(toml("postgresql://h/db?a=b&%70assfile=/etc/pgpass"), "settings.connection");
  EXPECT_EQ(toml("postgresql://h/db?application_name=a%20b"), "");
  EXPECT_EQ(connection("sslrootcert=system"), "");
  EXPECT_EQ(connection("sslrootcert=" + (dir_ / "allowed/ca").string()), "");
  rules_.any_file = true;
  EXPECT_EQ(alias("/etc/shadow"), "") << "from somebody who may open it anyway";
}

TEST_F(RulesTest, WhichProgramRunsIsNotSaidOverTcp) {
  const auto exec = [](const std::string& settings, const std::string& service = "exec") {
    return "service = '" + service + "'\n[settings]\n" + settings;
  };
  const std::string before = exec("command = ['sh', 'a.sh']\nenvironment = { A = 'b' }");
  for (const char* service : {"exec", "exec:exec"}) {
    EXPECT_EQ(against(Defined::trigger, exec("command = ['sh', '-c', 'x']", service)),
              "settings.command");
  }
  EXPECT_EQ(against(Defined::trigger, "monitor = 'exec'\n" + exec("command = ['sh']", "log")),
            "settings.command");
  for (const char* other : {"command = ['sh']", "command = ['sh', 'b.sh']", "batch = 2"}) {
    EXPECT_EQ(
        against(Defined::trigger, exec(std::string(other) + "\nenvironment = { A = 'b' }"), before),
        "settings.command")
        << other;
  }
  EXPECT_EQ(against(Defined::trigger,
                    exec("command = ['sh', 'a.sh']\nenvironment = { LD_PRELOAD = 'x' }\n"
                         "inherit_environment = ['TOKEN']"),
                    before),
            "settings.environment, settings.inherit_environment");
  EXPECT_EQ(against(Defined::trigger, before + "\nbatch = 2\nservice.limit = 3", before), "");
  EXPECT_EQ(against(Defined::trigger, before, exec("command = ['sh', 'a.sh']", "other")),
            "settings.command, settings.environment")
      << "what another service made of it was another thing";
  EXPECT_EQ(against(Defined::trigger, exec("command = ['sh']", "executor")), "");
  EXPECT_EQ(against(Defined::trigger, before + "\nwatch = ['/etc/shadow']", before),
            "settings.watch")
      << "the answer would say whether it is there";
  // A secret that is left out comes back at the end of its table.
  const std::string two = exec("command = ['sh']\nenvironment = { TOKEN = 't', B = 'b' }");
  EXPECT_EQ(against(Defined::trigger, exec("command = ['sh']\nenvironment = { B = 'b' }"), two),
            "");
  EXPECT_NE(taken_.find("TOKEN"), std::string::npos);
  EXPECT_EQ(against(Defined::trigger, exec("command = ['sh']\nenvironment = {}"), two), "");
  rules_.any_file = true;
  EXPECT_EQ(against(Defined::trigger, exec("command = ['sh', '-c', 'x']")), "");
}

TEST_F(RulesTest, WhichProgramPrintsAPasswordIsNotSaidOverTcp) {
  const auto alias = [](const std::string& command, const std::string& host = "tcp://a") {
    return "host = '" + host + "'\nuser_name = 'u'\npassword_command = [" + command + "]";
  };
  EXPECT_EQ(against(Defined::alias, alias("'token'")), "password_command");
  EXPECT_EQ(against(Defined::alias, alias("'token'"), alias("'token', 'a'")), "password_command");
  EXPECT_EQ(against(Defined::alias, alias("'token'"), alias("'token'")), "");
  EXPECT_EQ(against(Defined::alias, alias("'token'", "tcp://evil"), alias("'token'")),
            "password_command")
      << "what it prints is for that server";
  const auto for_client = [](const std::string& words, const std::string& more) {
    return "host = 'tcp://a'\npassword_command = ['sh', '-c', 'x', '" + words + "']\n" + more;
  };
  const std::string before = "user_name = 'u'\nclient_id = 'c'";
  EXPECT_EQ(against(Defined::alias, for_client("{user_name}", "user_name = 'v'\nclient_id = 'd'"),
                    for_client("{user_name}", before)),
            "user_name");
  EXPECT_EQ(against(Defined::alias, for_client("a={client_id}", "user_name = 'v'"),
                    for_client("a={client_id}", before)),
            "client_id");
  EXPECT_EQ(against(Defined::alias, for_client("{alias}", "user_name = 'v'\nclient_id = 'd'"),
                    for_client("{alias}", before)),
            "");
  rules_.any_file = true;
  EXPECT_EQ(against(Defined::alias, alias("'token'")), "");
}

TEST_F(RulesTest, AStoredPasswordGoesOnlyToItsServers) {
  const std::string before =
      "hosts = ['ssl://a:1', 'ssl://b:1']\nuser_name = 'u'\npassword = 'hunter2'\ntruststore = "
      "'ca'";
  const std::string rest = "user_name = 'u'\ntruststore = 'ca'\n";
  EXPECT_EQ(against(Defined::alias, rest + "host = 'ssl://b:1'\nkeep_alive = '7s'", before), "");
  EXPECT_NE(taken_.find("hunter2"), std::string::npos);
  for (const char* host : {"ssl://evil:1", "tcp://a:1", "ssl://a:2"}) {
    EXPECT_EQ(against(Defined::alias, rest + "host = '" + host + "'", before), "password") << host;
    EXPECT_EQ(against(Defined::alias, rest + "password = 'x'\nhost = '" + host + "'", before), "");
    EXPECT_EQ(taken_.find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(
      against(Defined::alias, "user_name = 'u'\ntruststore = 'b'\nhost = 'ssl://a:1'", before),
      "password");
  // What the owner of the file wrote there: a variable, a file elsewhere.
  const std::string by_hand =
      "host = 'tcp://a'\nuser_name = 'u'\npassword_file = '/run/secrets/x'\nclient_id = '${ID}'";
  EXPECT_EQ(against(Defined::alias, by_hand + "\nkeep_alive = '7s'", by_hand), "");
  EXPECT_EQ(against(Defined::alias,
                    "host = 'tcp://b'\nuser_name = 'u'\npassword_file = '/run/secrets/x'", by_hand),
            "password_file");
}

// A proxy could be the server: it sees what the server is told.
TEST_F(RulesTest, AStoredPasswordGoesThroughNoOtherProxy) {
  const std::string alias = "host = 'tcp://a'\nuser_name = 'u'\n";
  const std::string before = alias + "password = 'hunter2'\nproxy = 'http://u:secret@p:1'";
  EXPECT_EQ(against(Defined::alias, alias + "proxy = 'http://u:***@p:1'", before), "");
  EXPECT_NE(taken_.find("hunter2"), std::string::npos);
  EXPECT_NE(taken_.find("http://u:secret@p:1"), std::string::npos);
  EXPECT_EQ(against(Defined::alias, alias + "proxy = 'http://v:new@p:1'", before), "")
      << "another login at the same proxy";
  for (const char* other : {"http://evil:1", "http://p:2", "socks5://p:1", "http://u:x@evil:1"}) {
    EXPECT_EQ(against(Defined::alias, alias + "proxy = '" + other + "'", before), "password")
        << other;
    EXPECT_EQ(against(Defined::alias, alias + "password = 'x'\nproxy = '" + other + "'", before),
              "");
  }
  EXPECT_EQ(against(Defined::alias, alias, before), "password") << "without one";
  EXPECT_EQ(against(Defined::alias, alias + "proxy = 'http://p'", alias + "password = 'hunter2'"),
            "password");
}

TEST_F(RulesTest, AStoredPasswordOfAProxyGoesToNoOtherProxy) {
  const std::string before = "host = 'tcp://a'\nproxy = 'http://u:secret@p'";
  EXPECT_EQ(against(Defined::alias, "host = 'tcp://b'\nproxy = 'http://u:***@p'", before), "")
      << "the server is not told";
  EXPECT_EQ(against(Defined::alias, "host = 'tcp://a'\nproxy = 'http://u:***@evil'", before),
            "proxy");
  EXPECT_EQ(taken_.find("secret"), std::string::npos);
  // What the owner of the file wrote there.
  const std::string file = "proxy_password_file = '/run/secrets/x'\n";
  const std::string by_hand = file + "host = 'tcp://a'\nproxy = 'http://u@p'";
  EXPECT_EQ(against(Defined::alias, file + "host = 'tcp://b'\nproxy = 'http://u@p'", by_hand), "");
  EXPECT_EQ(against(Defined::alias, file + "host = 'tcp://a'\nproxy = 'http://u@evil'", by_hand),
            "proxy_password_file");
}

TEST_F(RulesTest, AStoredSecretOfASettingGoesOnlyWhereItWent) {
  const std::string before =
      "service = 'http-forward'\n[settings]\nurl = 'https://a/'\ntimeout_seconds = 3\n"
      "[settings.headers]\nAuthorization = 'Bearer x'\n";
  const auto next = [](const std::string& service, const std::string& settings) {
    return "service = '" + service + "'\n[settings]\n" + settings + "\n[settings.headers]\n";
  };
  const std::string key = "settings.headers.Authorization";
  EXPECT_EQ(against(Defined::trigger,
                    next("http-forward", "url = 'https://a/'\ntimeout_seconds = 5"), before),
            "");
  EXPECT_NE(taken_.find("Bearer x"), std::string::npos);
  EXPECT_EQ(against(Defined::trigger, next("http-forward", "url = 'https://evil/'"), before), key);
  EXPECT_EQ(against(Defined::trigger, next("other", "url = 'https://a/'"), before), key);
  EXPECT_EQ(against(Defined::trigger,
                    next("http-forward", "url = 'https://a/'\nfollow_redirects = 3"), before),
            key);
}

// Its password would be told to other brokers, or to everybody on the way, or to the broker itself.
TEST_F(RulesTest, APasswordForKafkaGoesOnlyWhereItWent) {
  const std::string service = "service = 'kafka'\n[settings]\ntopic = 't'\nusername = 'u'\n";
  const std::string where = "brokers = ['a:9092']\ntls = true\nsasl_mechanism = 'scram-sha-512'\n";
  const std::string before = service + where + "password = 'x'\n";
  EXPECT_EQ(against(Defined::trigger, service + where + "linger_seconds = 1", before), "");
  for (const char* other : {"brokers = ['b:9092']\ntls = true\nsasl_mechanism = 'scram-sha-512'",
                            "brokers = ['a:9092']\nsasl_mechanism = 'scram-sha-512'",
                            "brokers = ['a:9092']\ntls = true\nsasl_mechanism = 'plain'",
                            "brokers = ['a:9092']\ntls = true"}) {
    EXPECT_EQ(against(Defined::trigger, service + other, before), "settings.password") << other;
  }
}

}  // namespace
}  // namespace triggerd::config
