// Sessions at servers of triggers that are gone: they end, in whichever order somebody takes things
// away, or the log says what is left at which server.
#include <signal.h>

#include <fstream>

#include "integration/locked_inbox.hpp"
#include "integration/tls_fixture.hpp"
#include "support/sqlite_connection.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

class SessionsLeftTest : public TlsFixture {
 protected:
  std::string base() const {
    return "[admin]\nlisten = \"\"\nmanage = true\n" + runtime_table() +
           alias_table("own", server_.port()) + trigger("own");
  }
  std::string trigger(const std::string& name, const std::string& alias = "own",
                      const std::string& more = {}) const {
    return trigger_table(name, alias, "\"" + name + "\"", file(name), more);
  }
  void start(const std::string& toml) {
    triggerd_.write_config(toml);
    triggerd_.start();
    ASSERT_TRUE(triggerd_.wait_for_event("runtime.ready")) << triggerd_.output();
    from_ = 0;
  }
  void expect_stopped() { EXPECT_EQ(triggerd_.stop(), Exit{}) << triggerd_.output(); }
  // A package with an alias and a trigger of its name, at the server's port with TLS.
  void add_package(const std::string& name) {
    const std::string folder = "packages/" + name;
    triggerd_.dir().write(folder + "/package.toml",
                          fmt::format("name = \"{}\"\nversion = \"1\"\n", name));
    triggerd_.dir().write(folder + "/ca.pem", authority_.pem());
    triggerd_.dir().write(
        folder + "/triggers.toml",
        fmt::format("[aliases.{0}]\nclient_id = \"client-{0}\"\nhost = \"ssl://localhost:{1}\"\n"
                    "truststore = \"{0}\"\n[truststores.{0}]\nfile = \"ca.pem\"\n",
                    name, port_.number()) +
            trigger(name, name));
  }
  void run(const std::string& arguments, const std::string& program = TRIGGERCTL_BINARY) {
    from_ = triggerd_.process().line_count();
    Process process({"/bin/sh", "-c", program + " " + arguments}, {triggerd_.dir().path(), {}});
    const auto exit = process.wait();
    EXPECT_TRUE(exit && exit->code == 0) << arguments << ": " << process.output();
  }
  bool reload(const std::string& toml) {
    triggerd_.write_config(toml);
    from_ = triggerd_.process().line_count();
    triggerd_.process().signal(SIGHUP);
    return says("runtime.reloaded", {});
  }
  bool says(std::string_view event, std::initializer_list<std::string_view> parts) {
    return triggerd_.wait_for_event(event, parts, from_).has_value();
  }
  // Which ends it, if it is there.
  bool server_has(const std::string& client_id) const {
    return TestClient(server_.port(), {.client_id = client_id, .clean_session = false})
        .session_present();
  }
  void expect_ends(const std::string& client_id) {
    EXPECT_TRUE(says("session.ended", {"client_id=" + client_id})) << triggerd_.output();
    EXPECT_FALSE(server_has(client_id));
  }
  // And none whose client id ends in something else.
  void expect_ends_only(const std::string& trigger) {
    EXPECT_TRUE(says("session.ended", {"." + trigger})) << triggerd_.output();
    const std::string output = triggerd_.output();
    EXPECT_EQ(output.find("session.ended"), output.rfind("session.ended")) << output;
  }
  std::string address() const { return fmt::format("tcp://127.0.0.1:{}", server_.port()); }

  ReservedPort port_;
  MosquittoServer server_{
      {.persistence = true, .extra_config = listener(port_.number(), authority_.issue())}};
  TriggerdProcess triggerd_{""};
  std::size_t from_ = 0;
};

TEST_F(SessionsLeftTest, OfAPackageThatIsDisabledAndThenRemovedEnd) {
  add_package("one");
  start(base());
  run("package disable one");
  run("package remove one");
  expect_ends("client-one.one");
  expect_stopped();
}

TEST_F(SessionsLeftTest, OfAPackageThatIsRemovedWhileNothingRunsAreSaidAtTheStart) {
  add_package("one");
  start(base());
  expect_stopped();
  run(fmt::format("--config {} package remove one", triggerd_.config_file().string()),
      TRIGGERD_BINARY);
  start(base());
  EXPECT_TRUE(says("session.left", {fmt::format("at ssl://localhost:{}", port_.number()),
                                    "client-one.one", "clean up on the server"}))
      << triggerd_.output();
  expect_stopped();
  EXPECT_TRUE(server_has("client-one.one"));
}

TEST_F(SessionsLeftTest, OfATriggerThatIsDeletedWhileItsAliasIsDisabledEndWithTheAlias) {
  start(base());
  run("alias create b --set client_id=client-b --set host=" + address());
  for (const char* name : {"one", "two"}) {
    run(fmt::format("trigger create {0} --set alias=b --set topics={0} --set service=log", name));
    ASSERT_TRUE(says("trigger.running", {fmt::format("trigger={}", name)})) << triggerd_.output();
  }
  // Enabled again, it ends what was deleted meanwhile.
  run("alias disable b");
  run("trigger delete one");
  EXPECT_TRUE(says("session.left", {"at " + address(), "client-b.one", "once alias \"b\" runs"}))
      << triggerd_.output();
  run("alias enable b");
  expect_ends("client-b.one");
  // Deleted, too.
  run("alias disable b");
  run("trigger delete two");
  EXPECT_TRUE(says("session.left", {"at " + address(), "client-b.two"})) << triggerd_.output();
  run("alias delete b");
  expect_ends("client-b.two");
  expect_stopped();
}

TEST_F(SessionsLeftTest, OfATriggerThatAFileDisablesAndThenLeavesOutEnd) {
  start(base() + trigger("goes"));
  ASSERT_TRUE(reload(base() + trigger("goes", "own", "enabled = false")));
  EXPECT_TRUE(server_has("client-own.goes")) << "it is only disabled";
  ASSERT_TRUE(reload(base()));
  expect_ends("client-own.goes");
  expect_stopped();
}

TEST_F(SessionsLeftTest, OfAnAliasWithAnotherClientIdSinceTheLastStartEnd) {
  start(base());
  expect_stopped();
  std::string renamed = base();
  renamed.replace(renamed.find("client-own"), 10, "client-new");
  start(renamed);
  expect_ends("client-own.own");
  expect_stopped();
}

TEST_F(SessionsLeftTest, AtAServerThatIsAwayAreSaidAtTheStop) {
  start(base() + trigger("goes"));
  server_.stop();
  ASSERT_TRUE(reload(base()));
  from_ = triggerd_.process().line_count();
  expect_stopped();
  EXPECT_TRUE(says("session.left", {"at " + address(), "client-own.goes", "the next start tries"}))
      << triggerd_.output();
  server_.start();
  start(base());
  expect_ends("client-own.goes");
  expect_stopped();
}

TEST_F(SessionsLeftTest, AtTheServerThatAnAliasHadBeforeAreSaid) {
  start(base());
  MosquittoServer other;
  std::string moved = base();
  const std::string port = std::to_string(server_.port());
  moved.replace(moved.find(port), port.size(), std::to_string(other.port()));
  ASSERT_TRUE(reload(moved));
  EXPECT_TRUE(says("session.left", {"client_id=client-own.own", address()})) << triggerd_.output();
  expect_stopped();
  EXPECT_TRUE(server_has("client-own.own"));
}

TEST_F(SessionsLeftTest, NoneEndsWhileTheInboxDoesNotSayWhichAreWanted) {
  // The inbox alone knows the alias's client id.
  std::string toml = base();
  toml.erase(toml.find("client_id"), std::string("client_id = \"client-own\"\n").size());
  start(toml);
  const SqliteConnection inbox((triggerd_.dir() / "var" / "inbox.db").string());
  const auto known = inbox.rows("SELECT client_id FROM client_id");
  ASSERT_TRUE(known && known->size() == 1);
  ASSERT_EQ(inbox.run("DELETE FROM client_id"), SQLITE_OK);
  {
    const LockedInbox locked(triggerd_);
    ASSERT_TRUE(reload(toml + alias_table("more", server_.port()))) << triggerd_.output();
    EXPECT_TRUE(says("inbox.error", {"none is ended"})) << triggerd_.output();
  }
  ASSERT_EQ(inbox.run("INSERT INTO client_id VALUES ('own', '" + known->front() + "')"), SQLITE_OK);
  ASSERT_TRUE(reload(toml + trigger("other")));
  ASSERT_TRUE(says("trigger.running", {"trigger=other"})) << "or it leaves no session";
  ASSERT_TRUE(reload(toml));
  expect_ends_only("other");
  expect_stopped();
}

}  // namespace
}  // namespace triggerd::test
