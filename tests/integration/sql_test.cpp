// sql with a real PostgreSQL: by itself through the SDK's test kit, and in the runtime with the
// database dying under traffic. With SQLite: plugins/sql/sql_test.cpp.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <trigger/testing.hpp>
#include <vector>

#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/port.hpp"
#include "support/postgresql.hpp"
#include "support/sqlite_connection.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;
using trigger::testing::Attempt;
using trigger::testing::Instance;
using trigger::testing::Plugin;
using trigger::testing::Settings;
using Sent = trigger::testing::Message;

constexpr const char* insert = "INSERT INTO t (id, n) VALUES ($1, $2)";

Plugin sql_plugin() {
  return Plugin((TriggerdProcess::plugin_dir() / "sql.so").string());
}

// Into t: the message's id, and its payload as an integer.
Settings settings(const std::string& connection, const char* statement = insert,
                  Settings more = {}) {
  more.emplace_back("database", "postgresql");
  more.emplace_back("connection", connection);
  more.emplace_back("statement", statement);
  more.emplace_back("parameters.0.from", "id");
  more.emplace_back("parameters.1.from", "payload");
  more.emplace_back("parameters.1.type", "integer");
  return more;
}

Sent sent(const std::string& id, const std::string& payload) {
  Sent message{"a", payload};
  message.id = id;
  return message;
}

class SqlTest : public testing::Test {
 protected:
  SqlTest() { server_.run("CREATE TABLE t (id text PRIMARY KEY, n integer CHECK (n < 1000000))"); }

  Instance run(const char* statement = insert, const Settings& more = {}) {
    return sql_plugin().run("sql", settings(server_.connection(), statement, more));
  }

  PostgresqlServer server_;
};

TEST_F(SqlTest, ABatchIsOneTransaction) {
  auto instance = run();
  std::vector<Sent> messages;
  for (int i = 0; i < 500; ++i) messages.push_back(sent(std::to_string(i), std::to_string(i)));
  for (const Attempt& attempt : instance.send_batch(messages)) {
    ASSERT_EQ(attempt.code(), TRIGGER_OK) << attempt.reason();
  }
  EXPECT_EQ(server_.run("SELECT count(*), sum(n), count(DISTINCT xmin::text) FROM t"),
            "500|124750|1\n");
  EXPECT_EQ(instance.send(sent("alone", "1")).code(), TRIGGER_OK);
  EXPECT_EQ(server_.run("SELECT count(DISTINCT xmin::text) FROM t"), "2\n");
  EXPECT_EQ(instance.metric("sql_batches_total"), 2);
  EXPECT_EQ(instance.metric("sql_rows_total"), 501);
  EXPECT_EQ(instance.metric("sql_connections_total"), 1);
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(SqlTest, APoisonRowDoesNotHurtTheOthersOfItsBatch) {
  auto instance = run();
  const auto attempts =
      instance.send_batch({sent("a", "1"), sent("b", "1000000"), sent("c", "3000000000"),
                           sent("a", "4"), sent("e", "x"), sent("f", "6")});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[1].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[1].reason().rfind("PostgreSQL says 23514: ", 0), 0U) << attempts[1].reason();
  EXPECT_EQ(attempts[2].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[2].reason(), "PostgreSQL says 22003: integer out of range");
  EXPECT_EQ(attempts[3].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[3].reason(),
            "PostgreSQL says 23505: duplicate key value violates unique constraint \"t_pkey\" (Key "
            "(id)=(a) already exists.)");
  EXPECT_EQ(attempts[4].reason(), "parameter $2 (payload): \"x\" is not a 64-bit integer");
  EXPECT_EQ(attempts[5].code(), TRIGGER_OK);
  EXPECT_EQ(server_.run("SELECT id, n FROM t ORDER BY id"), "a|1\nf|6\n");
  EXPECT_EQ(server_.run("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'"),
            "0\n");
}

TEST_F(SqlTest, AConstraintThatWaitsForTheCommitIsOfItsRow) {
  server_.run(
      "CREATE TABLE u (id text, n integer UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO u "
      "VALUES ('x', 2)");
  auto instance = run("INSERT INTO u VALUES ($1, $2)");
  const auto attempts = instance.send_batch({sent("a", "1"), sent("b", "2"), sent("c", "3")});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK) << attempts[0].reason();
  EXPECT_EQ(attempts[1].code(), TRIGGER_REJECT);
  EXPECT_NE(attempts[1].reason().find("23505"), std::string::npos) << attempts[1].reason();
  EXPECT_EQ(attempts[2].code(), TRIGGER_OK);
  EXPECT_EQ(server_.run("SELECT id FROM u ORDER BY id"), "a\nc\nx\n");
}

TEST_F(SqlTest, EveryTypeArrives) {
  server_.run(
      "CREATE TABLE v (a text, b bigint, c double precision, d boolean, e bytea, f timestamptz, g "
      "jsonb, h uuid, i text)");
  Settings all{{"database", "postgresql"},
               {"connection", server_.connection()},
               {"statement", "INSERT INTO v VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)"},
               {"parameters.0.from", "topic:2"},
               {"parameters.1.from", "json:/n"},
               {"parameters.1.type", "integer"},
               {"parameters.2.from", "json:/c"},
               {"parameters.2.type", "floating"},
               {"parameters.3.from", "json:/on"},
               {"parameters.3.type", "boolean"},
               {"parameters.4.from", "correlation_data"},
               {"parameters.5.from", "json:/at"},
               {"parameters.5.type", "timestamptz"},
               {"parameters.6.from", "payload"},
               {"parameters.6.type", "json"},
               {"parameters.7.value", "6b29fc40-ca47-1067-b31d-00dd010662da"},
               {"parameters.8.from", "property:unit"},
               {"parameters.8.missing", "null"}};
  auto instance = sql_plugin().run("sql", all);
  Sent message{"plant/a", R"({"n":-5,"c":0.1,"on":true,"at":1000000000.5})"};
  message.properties = {trigger::testing::Property::correlation_data(std::string("\0'\xff", 3))};
  const Attempt attempt = instance.send(message);
  ASSERT_EQ(attempt.code(), TRIGGER_OK) << attempt.reason();
  EXPECT_EQ(
      server_.run("SELECT a, b, c, d, e, extract(epoch FROM f), g->>'n', h, i IS NULL FROM v"),
      "a|-5|0.1|t|\\x0027ff|1000000000.500000|-5|6b29fc40-ca47-1067-b31d-00dd010662da|t\n");
}

TEST_F(SqlTest, AStatementThatCannotBePreparedStopsTheStart) {
  try {
    run("INSERT INTO nothing VALUES ($1, $2)");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(),
                 "setting \"statement\" cannot be prepared: PostgreSQL says 42P01: relation "
                 "\"nothing\" does not exist");
  }
}

TEST_F(SqlTest, ConnectsAgain) {
  auto instance = run();
  EXPECT_EQ(instance.send(sent("a", "1")).code(), TRIGGER_OK);
  server_.restart();
  EXPECT_EQ(instance.send(sent("b", "1")).code(), TRIGGER_OK) << "it saw that the server had gone";
  server_.stop();
  const Attempt without = instance.send(sent("c", "1"));
  EXPECT_EQ(without.code(), TRIGGER_UNAVAILABLE);
  EXPECT_EQ(without.reason().rfind("no connection to PostgreSQL: ", 0), 0U) << without.reason();
  EXPECT_EQ(instance.probe().code, TRIGGER_E_FAILED);
  server_.start();
  EXPECT_EQ(instance.probe().code, TRIGGER_OK);
  EXPECT_EQ(instance.send(sent("c", "1")).code(), TRIGGER_OK);
  EXPECT_EQ(instance.metric("sql_reconnects_total"), 2);
}

TEST_F(SqlTest, StartsWithoutItsDatabase) {
  server_.stop();
  auto instance = run();
  EXPECT_EQ(instance.send(sent("a", "1")).code(), TRIGGER_UNAVAILABLE);
  server_.start();
  EXPECT_EQ(instance.send(sent("a", "1")).code(), TRIGGER_OK);
}

TEST_F(SqlTest, DoesNotWaitLongerThanTheMessage) {
  auto instance = run();
  std::thread holder([this] {
    EXPECT_THROW(server_.run("BEGIN; LOCK TABLE t; SELECT pg_sleep(3600)"), std::runtime_error)
        << "it is cancelled";
  });
  ASSERT_TRUE(eventually([this] {
    return server_.run(
               "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = "
               "'AccessExclusiveLock' AND granted") == "1\n";
  }));
  Sent message = sent("a", "1");
  message.timeout = 300ms;
  const auto began = std::chrono::steady_clock::now();
  const Attempt attempt = instance.send(message);
  EXPECT_LT(std::chrono::steady_clock::now() - began, kPatience);
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY) << attempt.reason();
  server_.run(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND "
      "pid <> pg_backend_pid()");
  holder.join();
}

TEST(SqlConnection, AServerThatSaysNothingIsNotWaitedForLong) {
  const ReservedPort port;
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.number());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  auto instance = sql_plugin().run(
      "sql", settings("host=127.0.0.1 dbname=x user=y port=" + std::to_string(port.number()),
                      insert, {{"connect_timeout_seconds", 0.2}}));
  const Attempt attempt = instance.send(sent("a", "1"));
  EXPECT_EQ(attempt.code(), TRIGGER_UNAVAILABLE);
  EXPECT_EQ(attempt.reason(), "no connection to PostgreSQL in time");
}

// ---- in the runtime ----

class SqlRuntimeTest : public SqlTest {
 protected:
  std::string config(const std::string& statement) const {
    return "[aliases.a]\nhost = \"tcp://127.0.0.1:" + std::to_string(broker_.port()) +
           "\"\n\n[[triggers]]\nname = \"t\"\nalias = \"a\"\ntopics = [{ filter = \"in/#\", qos = "
           "1 "
           "}]\nservice = \"sql\"\nconcurrency = 4\norder = \"none\"\ntimeout = \"10s\"\n"
           "retry = { max_attempts = 1000, interval = \"20ms\", max_interval = \"200ms\" }\n"
           "[triggers.settings]\ndatabase = \"postgresql\"\nconnection = \"" +
           server_.connection() + "\"\nstatement = \"" + statement +
           "\"\nparameters = [\n  { from = \"id\" },\n  { from = \"payload\", type = \"integer\" "
           "},\n]\n";
  }
  bool wait_for_rows(const std::string& count) {
    return eventually([&] { return server_.run("SELECT count(*) FROM t") == count + "\n"; }, 60s);
  }

  MosquittoServer broker_;
};

TEST_F(SqlRuntimeTest, NoRowIsMissingOrTwiceWhenTheDatabaseDies) {
  TriggerdProcess triggerd(
      config("INSERT INTO t (id, n) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(broker_.port());
  constexpr int total = 3000;
  for (int i = 0; i < total; ++i) {
    client.publish_later("in/" + std::to_string(i % 50), std::to_string(i));
    if (i == 1000) {
      server_.kill();
      server_.start();
    }
    if (i == 2000) server_.restart();
  }
  ASSERT_TRUE(client.wait_published());
  EXPECT_TRUE(wait_for_rows(std::to_string(total))) << triggerd.output();
  EXPECT_EQ(server_.run("SELECT count(*), count(DISTINCT n), min(n), max(n) FROM t"),
            "3000|3000|0|2999\n");
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
  EXPECT_EQ(server_.run("SELECT count(*) FROM t"), "3000\n") << "nothing came twice";
}

// xmin of a row is the transaction that has written it.
TEST_F(SqlRuntimeTest, MessagesOfABatchShareATransaction) {
  TriggerdProcess triggerd(config(insert));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  std::thread holder([this] {
    EXPECT_THROW(server_.run("BEGIN; LOCK TABLE t; SELECT pg_sleep(3600)"), std::runtime_error)
        << "it is cancelled";
  });
  EXPECT_TRUE(eventually([this] {
    return server_.run(
               "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = "
               "'AccessExclusiveLock' AND granted") == "1\n";
  }));
  TestClient client(broker_.port());
  constexpr int total = 200;
  for (int i = 0; i < total; ++i) {
    client.publish_later("in/" + std::to_string(i), std::to_string(i));
  }
  EXPECT_TRUE(client.wait_published());
  // What waits is written into the inbox.
  EXPECT_TRUE(eventually([&] {
    const SqliteConnection inbox((triggerd.dir() / "var/inbox.db").string());
    const auto rows = inbox.rows("SELECT count(*) FROM message");
    return rows && rows->at(0) == std::to_string(total);
  })) << triggerd.output();
  server_.run(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND "
      "pid <> pg_backend_pid()");
  holder.join();
  ASSERT_TRUE(wait_for_rows(std::to_string(total))) << triggerd.output();
  // Four calls were under way, and all that waited behind them is in one or two more; an attempt
  // whose time was up behind the lock may come in another one.
  const int transactions = std::stoi(server_.run("SELECT count(DISTINCT xmin::text) FROM t"));
  EXPECT_LT(transactions, total / 4);
  EXPECT_GT(std::stoi(server_.run(
                "SELECT max(n) FROM (SELECT count(*) AS n FROM t GROUP BY xmin::text) AS batch")),
            4)
      << "rows of the largest batch";
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
}

TEST_F(SqlRuntimeTest, APoisonRowBecomesADeadLetterWithItsSqlstate) {
  TriggerdProcess triggerd(config(insert));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(broker_.port());
  for (int i = 0; i < 100; ++i)
    client.publish_later("in/a", i == 50 ? "1000000" : std::to_string(i));
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_rows("99")) << triggerd.output();
  ASSERT_TRUE(triggerd.wait_for_event("message.dead_letter", {"23514"})) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
}

TEST_F(SqlRuntimeTest, CheckNeedsNoDatabase) {
  server_.stop();
  TriggerdProcess triggerd(config(insert));
  const CheckResult good = triggerd.check();
  EXPECT_EQ(good.exit, Exit{}) << good.output;
  triggerd.write_config(config("INSERT INTO t VALUES ($1)"));
  const CheckResult bad = triggerd.check();
  EXPECT_NE(bad.exit, Exit{});
  EXPECT_NE(bad.output.find("setting \"parameters.1\" is not used: statement has no $2"),
            std::string::npos)
      << bad.output;
  server_.start();
}

TEST(SqlDocument, ItsExampleIsAccepted) {
  std::ifstream file(REPOSITORY "/docs/guides/sql.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::string fence = "```toml\n";
  const std::size_t begin = page.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t from = begin + fence.size();
  TriggerdProcess triggerd(page.substr(from, page.find("```", from) - from));
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, Exit{}) << checked.output;
}

}  // namespace
}  // namespace triggerd::test
