// Who may do what over HTTP on loopback, with the real runtime: users of the machine, tokens, and
// what a request may reach of the runtime's files and variables.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <fstream>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/triggerd_process.hpp"
#include "unit/admin/http_client.hpp"

namespace triggerd::test {
namespace {

constexpr uid_t kAnotherUser = 12'345;
constexpr std::string_view kJson = "Content-Type: application/json\r\n";

class AdminAccessTest : public testing::Test {
 protected:
  void start(const std::string& admin = "") {
    triggerd_.emplace(runtime_table() + "[admin]\nlisten = \"127.0.0.1:0\"\n" + admin + "\n" +
                          alias_table("a", server_.port()) +
                          trigger_table("t", "a", "\"x/#\"", dir_ / "records"),
                      std::map<std::string, std::string>{{"PLANT_SECRET", "hunter2"}});
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    const auto port = triggerd_->admin_port();
    ASSERT_TRUE(port) << triggerd_->output();
    port_ = *port;
  }
  HttpAnswer ask(const std::string& method, const std::string& path, const std::string& body = "",
                 const std::string& headers = "") {
    return HttpClient(port_).ask(method, path, std::string(kJson) + headers, body);
  }
  // As a process of another user does; the status. Only root can become one.
  int ask_as_another(const std::string& method, const std::string& path,
                     const std::string& body = "") {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresuid(kAnotherUser, kAnotherUser, kAnotherUser) != 0) ::_exit(1);
      ::_exit(ask(method, path, body).status / 10);  // 8 bits
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) * 10 : -1;
  }

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
  std::uint16_t port_ = 0;
};

TEST_F(AdminAccessTest, AnotherUserOfTheMachineLooksAndChangesNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  start("manage = true");
  const std::string message = R"({"alias":"a","topic":"x/1","payload":"p"})";
  const std::string alias = R"({"name":"b","host":"tcp://127.0.0.1:1"})";
  for (const char* path : {"/healthz", "/metrics", "/api/v1/status", "/api/v1/dead-letters",
                           "/api/v1/triggers/t", "/api/v1/match?topic=x"}) {
    EXPECT_EQ(ask_as_another("GET", path), 200) << path;
  }
  for (const char* path : {"/api/v1/publish", "/api/v1/aliases", "/api/v1/aliases/test",
                           "/api/v1/aliases/a/test", "/api/v1/triggers/t/disable",
                           "/api/v1/dead-letters/drop", "/api/v1/reload", "/api/v1/packages"}) {
    EXPECT_EQ(ask_as_another("POST", path, message), 400) << path << ": 403";
  }
  EXPECT_EQ(ask_as_another("PUT", "/api/v1/aliases/b", alias), 400);
  EXPECT_EQ(ask_as_another("DELETE", "/api/v1/triggers/t"), 400);
  // The runtime's own user does all of it, as the console does.
  EXPECT_EQ(ask("POST", "/api/v1/publish", message).status, 200);
  EXPECT_EQ(ask("POST", "/api/v1/triggers/t/disable").status, 200);
  EXPECT_EQ(ask("POST", "/api/v1/triggers/t/enable").status, 200);
  EXPECT_EQ(ask("POST", "/api/v1/aliases", alias).status, 201);
  EXPECT_NE(triggerd_->output().find(" uid "), std::string::npos) << "who it was is in the log";
}

TEST_F(AdminAccessTest, ATestOfADefinitionNeedsManage) {
  start();
  dir_.write("secret", "s3cret");
  for (const std::string& alias :
       {std::string(R"({"name":"b","host":"tcp://127.0.0.1:1"})"),
        fmt::format(
            R"({{"name":"b","host":"tcp://127.0.0.1:1","user_name":"u","password_file":"{}"}})",
            (dir_ / "secret").string())}) {
    const HttpAnswer refused = ask("POST", "/api/v1/aliases/test", alias);
    EXPECT_EQ(refused.status, 403) << refused.body;
    EXPECT_NE(refused.body.find("manage = true"), std::string::npos) << refused.body;
  }
  EXPECT_EQ(ask("POST", "/api/v1/aliases/a/test").status, 200) << "what is configured is tested";
}

TEST_F(AdminAccessTest, ADefinitionReachesNoFilesAndNoVariables) {
  std::filesystem::create_directories(dir_ / "allowed");
  dir_.write("secret", "s3cret");
  dir_.write("allowed/password", "p");
  start(fmt::format("manage = true\nmanage_files = \"{}\"", (dir_ / "allowed").string()));
  const auto alias = [&](const std::string& more) {
    return fmt::format(R"({{"name":"b","host":"tcp://127.0.0.1:{}","user_name":"u",{}}})",
                       server_.port(), more);
  };
  const auto with_file = [&](const std::string& file) {
    return alias(fmt::format(R"("password_file":"{}")", file));
  };
  for (const char* path :
       {"/api/v1/aliases/test", "/api/v1/aliases", "/api/v1/aliases?check=true"}) {
    const HttpAnswer there = ask("POST", path, with_file((dir_ / "secret").string()));
    const HttpAnswer not_there = ask("POST", path, with_file((dir_ / "nowhere/x").string()));
    EXPECT_EQ(there.status, 422) << there.body;
    EXPECT_EQ(there.body, not_there.body) << "nor does it say what there is";
    const HttpAnswer variable = ask("POST", path, alias(R"("password":"${PLANT_SECRET}")"));
    EXPECT_EQ(variable.status, 422) << variable.body;
    const HttpAnswer unset = ask("POST", path, alias(R"("password":"${NOT_SET}")"));
    EXPECT_EQ(variable.body, unset.body);
  }
  const std::string trigger =
      R"({"name":"n","alias":"a","topics":["y"],"service":"http-forward",)"
      R"("settings":{"url":"http://127.0.0.1:1/","headers":{"X":"${PLANT_SECRET}"}}})";
  const HttpAnswer refused = ask("POST", "/api/v1/triggers", trigger);
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.body.find("\"settings.headers.X\""), std::string::npos) << refused.body;
  const HttpAnswer allowed =
      ask("POST", "/api/v1/aliases/test", with_file((dir_ / "allowed/password").string()));
  EXPECT_EQ(allowed.status, 200) << allowed.body;
}

// Whoever can open the socket can open the file: it is the runtime's own user, or root.
TEST_F(AdminAccessTest, OnTheSocketAnyFileMayBeNamedAndNoVariable) {
  dir_.write("secret", "s3cret");
  start("manage = true");
  const auto create = [&](const std::string& set) {
    Process process({TRIGGERCTL_BINARY, "alias", "create", "b", "--socket",
                     (triggerd_->dir() / "var/admin.sock").string(), "--set",
                     fmt::format("host=tcp://127.0.0.1:{}", server_.port()), "--set", "user_name=u",
                     "--set", set});
    const auto exit = process.wait();
    return std::pair(exit ? exit->code : -1, process.output());
  };
  const auto refused = create("password=${PLANT_SECRET}");
  EXPECT_EQ(refused.first, 2) << refused.second;
  EXPECT_NE(refused.second.find("password"), std::string::npos) << refused.second;
  const auto done = create("password_file=" + (dir_ / "secret").string());
  EXPECT_EQ(done.first, 0) << done.second;
}

TEST_F(AdminAccessTest, SecretsOfSettingsAreShownNowhere) {
  start("manage = true");
  const std::string forward =
      R"({"name":"f","alias":"a","topics":["y"],"service":"http-forward","settings":)"
      R"({"url":"http://127.0.0.1:1/in?sv=1&sig=s3cret1","headers":)"
      R"({"X-Api-Key":"s3cret2","Cookie":"s3cret3","X-Trace":"yes"}}})";
  const std::string sql =
      R"({"name":"q","alias":"a","topics":["y"],"service":"sql","settings":{"database":)"
      R"("postgresql","connection":"host=127.0.0.1 port=1 user=u password=s3cret4","statement":)"
      R"x("INSERT INTO t (token) VALUES ($1)","parameters":[{"from":"id"}]}})x";
  for (const std::string& trigger : {forward, sql}) {
    const HttpAnswer created = ask("POST", "/api/v1/triggers", trigger);
    ASSERT_EQ(created.status, 201) << created.body;
  }
  const std::string socket = (triggerd_->dir() / "var/admin.sock").string();
  std::string all;
  for (const char* name : {"f", "q"}) {
    all += ask("GET", std::string("/api/v1/triggers/") + name).body;
    for (const char* how : {"", "--json"}) {
      Process shown({TRIGGERCTL_BINARY, "trigger", "show", name, "--socket", socket, how});
      (void)shown.wait();
      all += shown.output();
    }
  }
  all += ask("GET", "/api/v1/status").body;
  all += triggerd_->output();
  EXPECT_EQ(all.find("s3cret"), std::string::npos) << all;
  EXPECT_NE(all.find("http://127.0.0.1:1/in?sv=1&sig=***"), std::string::npos) << all;
  EXPECT_NE(all.find("user=u password=***"), std::string::npos) << all;
  EXPECT_NE(all.find("INSERT INTO t (token) VALUES ($1)"), std::string::npos) << all;
  EXPECT_NE(all.find("X-Trace"), std::string::npos) << all;
}

TEST_F(AdminAccessTest, TheReadTokenLooksAndTheOtherChanges) {
  dir_.write("full", "0123456789abcdef\n");
  dir_.write("read", "fedcba9876543210\n");
  start(fmt::format("token_file = \"{}\"\nread_token_file = \"{}\"", (dir_ / "full").string(),
                    (dir_ / "read").string()));
  const std::string full = "Authorization: Bearer 0123456789abcdef\r\n";
  const std::string read = "Authorization: Bearer fedcba9876543210\r\n";
  EXPECT_EQ(ask("GET", "/api/v1/status").status, 401);
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  const HttpAnswer seen = ask("GET", "/api/v1/status", "", read);
  EXPECT_EQ(seen.status, 200);
  EXPECT_NE(seen.body.find(R"("may":["look"])"), std::string::npos) << seen.body;
  EXPECT_NE(ask("GET", "/api/v1/status", "", full).body.find(R"("may":["look","change"])"),
            std::string::npos);
  EXPECT_EQ(ask("POST", "/api/v1/triggers/t/disable", "", read).status, 403);
  EXPECT_EQ(ask("POST", "/api/v1/triggers/t/disable", "", full).status, 200);
}

}  // namespace
}  // namespace triggerd::test
