#include "settings.hpp"

#include <libpq-fe.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <memory>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "common/password_file.hpp"
#include "common/settings.hpp"

namespace sql {
namespace {

using trigger::SettingError;

// The end of the string, quoted name or comment that begins at `at`; `at` itself if none begins
// there.
std::size_t skip_quoted(std::string_view sql, std::size_t at) {
  const auto behind = [&sql](std::string_view end, std::size_t from) {
    const std::size_t found = sql.find(end, from);
    return found == std::string_view::npos ? sql.size() : found + end.size();
  };
  if (sql[at] == '\'' || sql[at] == '"') return behind(sql.substr(at, 1), at + 1);
  if (sql.substr(at, 2) == "--") return behind("\n", at);
  if (sql.substr(at, 2) == "/*") return behind("*/", at + 2);
  return at;
}

// The numbers of $1, $2... Throws if there is more than one statement.
std::set<std::size_t> placeholders(std::string_view sql) {
  std::set<std::size_t> found;
  for (std::size_t i = 0; i < sql.size();) {
    if (const std::size_t end = skip_quoted(sql, i); end != i) {
      i = end;
      continue;
    }
    const char c = sql[i++];
    if (c == ';' && sql.find_first_not_of(" \t\r\n", i) != std::string_view::npos) {
      throw SettingError("statement", "must be one statement, but there is more after a ;");
    }
    if (c == '?') throw SettingError("statement", "must write its parameters as $1, $2...");
    if (c != '$') continue;
    std::size_t number = 0;
    const std::size_t digits = i;
    while (i < sql.size() && std::isdigit(static_cast<unsigned char>(sql[i])) != 0 &&
           number < 10'000) {
      number = number * 10 + static_cast<std::size_t>(sql[i++] - '0');
    }
    if (i == digits || number == 0) {
      throw SettingError("statement", "has a $ without a number: parameters are $1, $2...");
    }
    found.insert(number);
  }
  return found;
}

void check_statement(const std::string& sql, std::size_t count) {
  constexpr std::array<std::string_view, 7> verbs{"insert", "replace", "update", "delete",
                                                  "merge",  "with",    "select"};
  std::size_t start = sql.find_first_not_of(" \t\r\n");
  std::string word;
  while (start < sql.size() && std::isalpha(static_cast<unsigned char>(sql[start])) != 0) {
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(sql[start++])));
  }
  if (std::find(verbs.begin(), verbs.end(), word) == verbs.end()) {
    throw SettingError("statement",
                       "must begin with INSERT, REPLACE, UPDATE, DELETE, MERGE, WITH or SELECT; "
                       "the transaction around it is added automatically");
  }
  const std::set<std::size_t> used = placeholders(sql);
  if (!used.empty() && *used.rbegin() > count) {
    throw SettingError("statement", "uses $" + std::to_string(*used.rbegin()) + ", but there are " +
                                        std::to_string(count) + " parameters");
  }
  for (std::size_t i = 1; i <= count; ++i) {
    if (used.count(i) == 0) {
      throw SettingError("parameters." + std::to_string(i - 1),
                         "is not used: statement has no $" + std::to_string(i));
    }
  }
}

void refuse(const trigger::Settings& settings, std::initializer_list<const char*> keys,
            const char* database) {
  for (const char* key : keys) {
    if (settings.has(key)) {
      throw SettingError(key, "needs database = \"" + std::string(database) + "\"");
    }
  }
}

void read_postgresql(const trigger::Settings& settings, Settings& out) {
  refuse(settings, {"file", "journal_mode", "synchronous", "busy_timeout_seconds"}, "sqlite");
  out.connection = settings.text("connection");
  char* problem = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(out.connection.c_str(), &problem), &PQconninfoFree);
  PQfreemem(problem);  // not shown: it may quote a password
  if (!options) {
    throw SettingError("connection",
                       "must be a PostgreSQL connection string, such as \"host=db dbname=plant "
                       "user=triggerd\" or postgresql://triggerd@db/plant");
  }
  out.password_file = settings.text("password_file", "");
  if (!settings.has("password_file")) return;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) == "password" && option->val != nullptr) {
      throw SettingError("password_file", "cannot be combined with a password in connection");
    }
  }
  try {
    plugin_common::read_password(out.password_file);
  } catch (const std::runtime_error& error) {
    throw SettingError("password_file", error.what());
  }
}

void read_sqlite(const trigger::Settings& settings, Settings& out) {
  using Words = std::pair<std::string_view, const char*>;
  constexpr std::array<Words, 2> journals{{{"wal", "WAL"}, {"delete", "DELETE"}}};
  constexpr std::array<Words, 4> levels{
      {{"off", "OFF"}, {"normal", "NORMAL"}, {"full", "FULL"}, {"extra", "EXTRA"}}};
  refuse(settings, {"connection", "password_file", "connect_timeout_seconds"}, "postgresql");
  out.file = settings.text("file");
  if (out.file.substr(0, 1) != "/") throw SettingError("file", "must be an absolute path");
  const std::string folder = out.file.substr(0, out.file.rfind('/') + 1);
  struct stat about {};
  if (::stat(folder.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
    throw SettingError("file", "must be in a folder that exists");
  }
  out.journal_mode = plugin_common::choice(settings, "journal_mode", "wal", journals,
                                           "must be \"wal\" or \"delete\"");
  out.synchronous = plugin_common::choice(settings, "synchronous", "full", levels,
                                          "must be \"off\", \"normal\", \"full\" or \"extra\"");
  out.busy_timeout = plugin_common::seconds(settings, "busy_timeout_seconds", 5);
}

}  // namespace

Settings read_settings(const trigger::Context& context) {
  constexpr std::array<std::pair<std::string_view, Kind>, 2> kinds{
      {{"postgresql", Kind::postgresql}, {"sqlite", Kind::sqlite}}};
  const trigger::Settings& settings = context.settings();
  settings.require_known({"database", "connection", "password_file", "file", "journal_mode",
                          "synchronous", "busy_timeout_seconds", "statement", "parameters",
                          "connect_timeout_seconds", "statement_timeout_seconds"});
  Settings out;
  settings.text("database");
  out.database = plugin_common::choice(settings, "database", "", kinds,
                                       "must be \"postgresql\" or \"sqlite\"");
  if (out.database == Kind::postgresql) {
    read_postgresql(settings, out);
  } else {
    read_sqlite(settings, out);
  }
  out.statement = settings.text("statement");
  out.parameters = read_parameters(settings);
  if (out.parameters.empty() && settings.has("parameters")) {
    throw SettingError("parameters", "must be an array of tables: [{ from = \"id\" }]");
  }
  check_statement(out.statement, out.parameters.size());
  out.connect_timeout = plugin_common::seconds(settings, "connect_timeout_seconds", 5);
  if (settings.has("statement_timeout_seconds")) {
    out.statement_timeout = plugin_common::seconds(settings, "statement_timeout_seconds", 1);
  }
  return out;
}

}  // namespace sql
