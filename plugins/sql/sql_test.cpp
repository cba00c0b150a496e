// The settings, what a row is made of, and SQLite. With PostgreSQL: tests/integration/sql_test.cpp.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <trigger/testing.hpp>
#include <vector>

namespace {

using trigger::testing::Instance;
using trigger::testing::Message;
using trigger::testing::Plugin;
using trigger::testing::Property;
using trigger::testing::Settings;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sql-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder");
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Somebody else with the same database.
class Database {
 public:
  explicit Database(const std::string& file) { sqlite3_open(file.c_str(), &handle_); }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // The rows, columns joined by |, each with its end of line.
  std::string run(const char* sql) {
    std::string out;
    const auto add = [](void* into, int count, char** values, char**) {
      auto& text = *static_cast<std::string*>(into);
      for (int i = 0; i < count; ++i) {
        text += i == 0 ? "" : "|";
        text += values[i] == nullptr ? "NULL" : values[i];
      }
      text += '\n';
      return 0;
    };
    if (sqlite3_exec(handle_, sql, add, &out, nullptr) != SQLITE_OK) return sqlite3_errmsg(handle_);
    return out;
  }

 private:
  sqlite3* handle_ = nullptr;
};

Settings sqlite(const std::string& file, const char* statement, Settings more) {
  more.emplace_back("database", "sqlite");
  more.emplace_back("file", file);
  more.emplace_back("statement", statement);
  return more;
}

// ---- settings ----

std::string why_not(const Settings& settings) {
  return Plugin(PLUGIN_FILE).why_not("sql", settings);
}

std::string why_not_postgresql(Settings more, const char* statement = "INSERT INTO t VALUES ($1)") {
  more.emplace_back("database", "postgresql");
  more.emplace_back("connection", "host=127.0.0.1 port=1 dbname=x");
  more.emplace_back("statement", statement);
  if (more.size() == 3) more.emplace_back("parameters.0.from", "id");
  return why_not(more);
}

TEST(SqlSettings, NameTheirKey) {
  EXPECT_EQ(why_not({}), "setting \"database\" is missing; it must be a string");
  EXPECT_EQ(why_not({{"database", "oracle"}}),
            "setting \"database\" must be \"postgresql\" or \"sqlite\"");
  EXPECT_EQ(why_not({{"database", "postgresql"}}),
            "setting \"connection\" is missing; it must be a string");
  EXPECT_EQ(why_not({{"database", "postgresql"}, {"connection", "what=ever password=secret"}}),
            "setting \"connection\" must be a PostgreSQL connection string, such as \"host=db "
            "dbname=plant user=triggerd\" or postgresql://triggerd@db/plant");
  EXPECT_EQ(why_not({{"database", "postgresql"}, {"connection", ""}, {"file", "/a"}}),
            "setting \"file\" needs database = \"sqlite\"");
  EXPECT_EQ(why_not({{"database", "sqlite"}, {"file", "a.db"}}),
            "setting \"file\" must be an absolute path");
  EXPECT_EQ(why_not({{"database", "sqlite"}, {"file", "/not/there/a.db"}}),
            "setting \"file\" must be in a folder that exists");
  EXPECT_EQ(why_not({{"database", "sqlite"}, {"connection", "x"}}),
            "setting \"connection\" needs database = \"postgresql\"");
  EXPECT_EQ(why_not_postgresql({}), "") << "and nobody listens on port 1";
}

TEST(SqlSettings, ThePasswordIsInAFileOrInTheConnection) {
  const Folder folder;
  std::ofstream(folder / "empty") << "\n";
  std::ofstream(folder / "password") << "secret\n";
  const auto with = [&](const char* name, const char* connection) {
    return why_not({{"database", "postgresql"},
                    {"connection", connection},
                    {"password_file", folder / name},
                    {"statement", "INSERT INTO t VALUES ($1)"},
                    {"parameters.0.from", "id"}});
  };
  const std::string problem =
      "setting \"password_file\" must name a readable file with the password in its first "
      "line";
  EXPECT_EQ(with("absent", "host=a"), problem);
  EXPECT_EQ(with("empty", "host=a"), problem);
  EXPECT_EQ(with("password", "host=a"), "");
  EXPECT_EQ(with("password", "host=a password=b"),
            "setting \"password_file\" cannot be combined with a password in connection");
}

TEST(SqlSettings, TheStatementAndItsParametersBelongTogether) {
  EXPECT_EQ(why_not_postgresql({}, "INSERT INTO t VALUES ($1, $2)"),
            "setting \"statement\" uses $2, but there are 1 parameters");
  EXPECT_EQ(why_not_postgresql({}, "INSERT INTO t VALUES ('$1')"),
            "setting \"parameters.0\" is not used: statement has no $1");
  EXPECT_EQ(why_not_postgresql({}, "INSERT INTO t /* $2 */ VALUES ($1, ';', \"$3\") -- $4"), "");
  EXPECT_EQ(why_not_postgresql({}, "INSERT INTO t VALUES ($1); DROP TABLE t"),
            "setting \"statement\" must be one statement, but there is more after a ;");
  EXPECT_EQ(why_not_postgresql({}, "INSERT INTO t VALUES (?)"),
            "setting \"statement\" must write its parameters as $1, $2...");
  EXPECT_EQ(why_not_postgresql({}, "COMMIT"),
            "setting \"statement\" must begin with INSERT, REPLACE, UPDATE, DELETE, MERGE, WITH or "
            "SELECT; the transaction around it is added automatically");
}

TEST(SqlSettings, AParameterSaysWhereItComesFrom) {
  const auto parameter = [](const char* key, const char* value) {
    return why_not_postgresql({{key, value}});
  };
  EXPECT_EQ(parameter("parameters.0.from", "topic:0"),
            "setting \"parameters.0.from\" has the placeholder {topic:0}: levels are counted "
            "{topic:1}, {topic:2}...");
  EXPECT_EQ(parameter("parameters.0.from", "json:a"),
            "setting \"parameters.0.from\" must have a JSON pointer after json:, such as "
            "json:/sensor/0/c");
  EXPECT_EQ(parameter("parameters.0.from", "body")
                .rfind("setting \"parameters.0.from\" must be "
                       "topic, topic:N, id,",
                       0),
            0U);
  EXPECT_EQ(parameter("parameters.0.type", "text"),
            "setting \"parameters.0\" must have either from or value");
  EXPECT_EQ(why_not_postgresql({{"parameters.0.value", "x"}, {"parameters.0.type", "integer"}}),
            "setting \"parameters.0.value\" does not fit its type");
  EXPECT_EQ(why_not_postgresql({{"parameters.0.from", "id"}, {"parameters.0.type", "uuid"}}),
            "setting \"parameters.0.type\" must be text, integer, floating, boolean, bytea, "
            "timestamptz or json");
  EXPECT_EQ(why_not_postgresql({{"parameters.0.from", "id"}, {"parameters.0.tipe", "text"}}),
            "setting \"parameters.0.tipe\" is unknown; a parameter is a table of from or value, "
            "type, missing");
}

// ---- rows ----

// The row that one parameter makes, or why the message is rejected.
std::string stored(const Settings& parameter, Message message) {
  const Folder folder;
  Database database(folder / "a.db");
  database.run("CREATE TABLE t (v)");
  Instance instance =
      Plugin(PLUGIN_FILE)
          .run("sql", sqlite(folder / "a.db", "INSERT INTO t VALUES ($1)", parameter));
  const auto attempt = instance.send(std::move(message));
  EXPECT_TRUE(instance.violations().empty());
  if (attempt.code() != TRIGGER_OK) return attempt.reason();
  return database.run("SELECT typeof(v), v FROM t");
}

std::string from(const char* source, Message message, const char* type = nullptr) {
  Settings parameter{{"parameters.0.from", source}};
  if (type != nullptr) parameter.emplace_back("parameters.0.type", type);
  return stored(parameter, std::move(message));
}

TEST(SqlRow, TakesWhatTheMessageHas) {
  Message message{"plant/a", "hello"};
  message.id = "id-1";
  message.attempt = 3;
  message.properties = {Property::user("unit", "C"), Property::content_type("text/plain"),
                        Property::correlation_data(std::string("\0\1", 2))};
  EXPECT_EQ(from("topic", message), "text|plant/a\n");
  EXPECT_EQ(from("topic:2", message), "text|a\n");
  EXPECT_EQ(from("id", message), "text|id-1\n");
  EXPECT_EQ(from("attempt", message), "integer|3\n");
  EXPECT_EQ(from("qos", message), "integer|1\n");
  EXPECT_EQ(from("retained", message), "integer|0\n");
  EXPECT_EQ(from("payload", message), "text|hello\n");
  EXPECT_EQ(from("property:unit", message), "text|C\n");
  EXPECT_EQ(from("content_type", message), "text|text/plain\n");
  EXPECT_EQ(from("correlation_data", message).rfind("blob|", 0), 0U);
  EXPECT_EQ(from("received", message).rfind("text|20", 0), 0U);
  EXPECT_EQ(stored({{"parameters.0.value", 7}, {"parameters.0.type", "integer"}}, message),
            "integer|7\n");
}

TEST(SqlRow, ReadsJson) {
  const Message message{"a",
                        R"({"c":21.5,"n":[1,{"x":"y"}],"t":0.5,"on":true,"no":null,"big":1e3})"};
  EXPECT_EQ(from("json:/c", message, "floating"), "real|21.5\n");
  EXPECT_EQ(from("json:/c", message), "text|21.5\n");
  EXPECT_EQ(from("json:/n/0", message, "integer"), "integer|1\n");
  EXPECT_EQ(from("json:/n/1/x", message), "text|y\n");
  EXPECT_EQ(from("json:/n", message, "json"), "text|[1,{\"x\":\"y\"}]\n");
  EXPECT_EQ(from("json:/on", message, "boolean"), "integer|1\n");
  EXPECT_EQ(from("json:/no", message), "null|NULL\n");
  EXPECT_EQ(from("json:/big", message, "integer"), "integer|1000\n");
  EXPECT_EQ(from("json:/t", message, "timestamptz"), "text|1970-01-01T00:00:00.500000Z\n");
  EXPECT_EQ(from("json:", message, "json").rfind("text|{\"big\"", 0), 0U);
}

TEST(SqlRow, RejectsWhatDoesNotFit) {
  const Message message{"a", R"({"c":21.5})"};
  EXPECT_EQ(from("json:/c", message, "integer"), "parameter $1 (json:/c): 21.5 is not an integer");
  EXPECT_EQ(from("json:/x", message), "parameter $1 (json:/x): is not in the payload");
  EXPECT_EQ(from("json:/c/0", message), "parameter $1 (json:/c/0): is not in the payload");
  EXPECT_EQ(from("json:/c", {"a", "oops"}), "parameter $1 (json:/c): \"oops\" is not JSON");
  EXPECT_EQ(from("json:", {"a", std::string(100, '[') + std::string(100, ']')}, "json").size(),
            200 + std::string("text|\n").size());
  EXPECT_EQ(from("json:/c", {"a", std::string(101, '[') + std::string(101, ']')}),
            "parameter $1 (json:/c): is JSON with more than 100 levels");
  EXPECT_EQ(from("json:/c", {"a", std::string(1'000'000, '[')}),
            "parameter $1 (json:/c): is JSON with more than 100 levels");
  EXPECT_EQ(from("topic:2", message), "parameter $1 (topic:2): is not in the message");
  EXPECT_EQ(from("property:unit", message), "parameter $1 (property:unit): is not in the message");
  EXPECT_EQ(from("payload", {"a", "abc"}, "integer"),
            "parameter $1 (payload): \"abc\" is not a 64-bit integer");
  EXPECT_EQ(from("payload", {"a", "99999999999999999999"}, "integer"),
            "parameter $1 (payload): \"99999999999999999999\" is not a 64-bit integer");
  EXPECT_EQ(from("payload", {"a", "nan"}, "floating"),
            "parameter $1 (payload): \"nan\" is not a number");
  EXPECT_EQ(from("payload", {"a", "maybe"}, "boolean"),
            "parameter $1 (payload): \"maybe\" is neither true nor false");
  EXPECT_EQ(
      from("payload", {"a", std::string("a\0b", 3)}),
      "parameter $1 (payload): \"a\\x00b\" is not UTF-8 text, or contains a zero byte; bytea takes "
      "any bytes");
  EXPECT_EQ(from("payload", {"a", std::string("a\0b", 3)}, "bytea").rfind("blob|a", 0), 0U);
}

TEST(SqlRow, WhatIsMissingMayBeNull) {
  const Settings parameter{{"parameters.0.from", "json:/x"}, {"parameters.0.missing", "null"}};
  EXPECT_EQ(stored(parameter, {"a", "{}"}), "null|NULL\n");
  EXPECT_EQ(stored(parameter, {"a", "{"}), "parameter $1 (json:/x): \"{\" is not JSON");
}

// ---- SQLite ----

class Sqlite : public testing::Test {
 protected:
  Sqlite() : database_(folder_ / "a.db") {
    database_.run("CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER CHECK (n < 100))");
  }
  Instance run(const char* statement = "INSERT INTO t VALUES ($1, $2)", Settings more = {}) {
    more.emplace_back("parameters.0.from", "id");
    more.emplace_back("parameters.1.from", "payload");
    more.emplace_back("parameters.1.type", "integer");
    return Plugin(PLUGIN_FILE).run("sql", sqlite(folder_ / "a.db", statement, more));
  }
  static Message message(const char* id, const char* payload) {
    Message made{"a", payload};
    made.id = id;
    return made;
  }

  const Folder folder_;
  Database database_;
};

TEST_F(Sqlite, ABatchIsOneTransaction) {
  auto instance = run();
  const auto attempts =
      instance.send_batch({message("a", "1"), message("b", "2"), message("c", "3")});
  for (const auto& attempt : attempts) EXPECT_EQ(attempt.code(), TRIGGER_OK);
  EXPECT_EQ(database_.run("SELECT count(*) FROM t"), "3\n");
  EXPECT_EQ(instance.metric("sql_batches_total"), 1);
  EXPECT_EQ(instance.metric("sql_rows_total"), 3);
  EXPECT_EQ(instance.metric("sql_connections_total"), 1);
}

TEST_F(Sqlite, APoisonRowDoesNotHurtTheOthers) {
  auto instance = run();
  const auto attempts =
      instance.send_batch({message("a", "1"), message("b", "100"), message("c", "x"),
                           message("a", "4"), message("e", "5")});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[1].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[1].reason(), "SQLite says 275: CHECK constraint failed: n < 100");
  EXPECT_EQ(attempts[2].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[3].reason(), "SQLite says 1555: UNIQUE constraint failed: t.id");
  EXPECT_EQ(attempts[4].code(), TRIGGER_OK);
  EXPECT_EQ(database_.run("SELECT id FROM t ORDER BY id"), "a\ne\n");
  EXPECT_EQ(instance.metric("sql_rejected_total"), 2);
}

TEST_F(Sqlite, ARowThatTakesTheTransactionBackDoesNotHurtTheOthers) {
  database_.run(
      "CREATE TRIGGER no BEFORE INSERT ON t WHEN NEW.n = 13 BEGIN SELECT RAISE(ROLLBACK, 'no 13'); "
      "END");
  auto instance = run();
  const auto attempts =
      instance.send_batch({message("a", "1"), message("b", "13"), message("c", "2")});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[1].reason(), "SQLite says 1811: no 13");
  EXPECT_EQ(attempts[2].code(), TRIGGER_OK);
  EXPECT_EQ(database_.run("SELECT id FROM t ORDER BY id"), "a\nc\n");
}

TEST_F(Sqlite, ADeferredForeignKeyIsOfItsRow) {
  database_.run("CREATE TABLE u (n REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED, id)");
  database_.run("INSERT INTO t VALUES ('1', 1)");
  auto instance = run("INSERT INTO u (id, n) VALUES ($1, CAST($2 AS TEXT))");
  const auto attempts =
      instance.send_batch({message("a", "1"), message("b", "2"), message("c", "1")});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[1].reason(), "SQLite says 787: FOREIGN KEY constraint failed");
  EXPECT_EQ(attempts[2].code(), TRIGGER_OK);
  EXPECT_EQ(database_.run("SELECT id FROM u ORDER BY id"), "a\nc\n");
}

TEST_F(Sqlite, WhoFindsItBusyTriesAgain) {
  auto instance = run("INSERT INTO t VALUES ($1, $2)", {{"busy_timeout_seconds", 0.001}});
  database_.run("BEGIN IMMEDIATE");
  const auto busy = instance.send(message("a", "1"));
  EXPECT_EQ(busy.code(), TRIGGER_RETRY);
  EXPECT_EQ(busy.reason(), "SQLite says 5: database is locked");
  database_.run("ROLLBACK");
  EXPECT_EQ(instance.send(message("a", "1")).code(), TRIGGER_OK);
}

TEST_F(Sqlite, AMessageThatComesTwiceIsOneRow) {
  auto instance = run("INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO NOTHING");
  EXPECT_EQ(instance.send(message("a", "1")).code(), TRIGGER_OK);
  EXPECT_EQ(instance.send(message("a", "1")).code(), TRIGGER_OK);
  EXPECT_EQ(database_.run("SELECT count(*) FROM t"), "1\n");
}

TEST_F(Sqlite, AStatementThatCannotBePreparedStopsTheStart) {
  try {
    run("INSERT INTO absent VALUES ($1, $2)");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(),
                 "setting \"statement\" cannot be prepared: SQLite says 1: no such table: absent");
  }
}

TEST_F(Sqlite, ATableThatIsGoneIsNoFaultOfTheRow) {
  auto instance = run();
  database_.run("DROP TABLE t");
  EXPECT_EQ(instance.send(message("a", "1")).code(), TRIGGER_UNAVAILABLE);
  database_.run("CREATE TABLE t (id, n)");
  EXPECT_EQ(instance.send(message("a", "1")).code(), TRIGGER_OK);
}

TEST_F(Sqlite, AFunctionThatRefusesARowIsTheRowsFault) {
  auto instance = run("INSERT INTO t VALUES ($1, abs($2))");
  const auto attempts =
      instance.send_batch({message("a", "1"), message("b", "-9223372036854775808")});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[1].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[1].reason(), "SQLite says 1: integer overflow");
}

TEST_F(Sqlite, IsWrittenAsItIsSet) {
  auto instance = run();
  EXPECT_EQ(database_.run("SELECT count(*) FROM t"), "0\n");  // it notices a change when it reads
  EXPECT_EQ(database_.run("PRAGMA journal_mode"), "wal\n");
  EXPECT_EQ(instance.probe().code, TRIGGER_OK);
}

TEST_F(Sqlite, StartsAgainAfterAStopAndLeavesNothingBehind) {
  {
    auto instance = run();
    EXPECT_EQ(instance.send(message("a", "1")).code(), TRIGGER_OK);
    instance.stop();
    instance.start();
    EXPECT_EQ(instance.send(message("b", "1")).code(), TRIGGER_OK);
    EXPECT_TRUE(instance.violations().empty());
  }
  EXPECT_EQ(::dlopen(PLUGIN_FILE, RTLD_NOW | RTLD_NOLOAD), nullptr) << "it is still loaded";
}

}  // namespace
