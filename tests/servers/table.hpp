// The table of docs/reference/servers.md: made of what the suite saw, and compared with it.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace triggerd::test::servers {

// What was seen of one server.
struct Column {
  std::string name;  // as the table calls it
  std::string version;
  std::vector<std::string> on;               // the distributions that it was seen on
  std::map<std::string, std::string> cells;  // by the key of the ability
  friend bool operator==(const Column&, const Column&) = default;
};

// The distribution that this runs on: "Debian 12".
std::string distribution();

// The lines of the table, each with its newline.
std::string table_of(const std::vector<Column>& columns);

// The columns of the document's table. Cells of rows that are not tested are left out, and columns
// have no cells of rows that the table does not have.
std::vector<Column> columns_in(const std::string& document);

// What the table has to be once `seen`, all of it on one distribution, is known: in the place of
// what is known of that distribution, beside what is known of others. The same server that does the
// same on several is one column.
std::vector<Column> merged(std::vector<Column> known, const std::vector<Column>& seen);

// What is different between the document and what was seen, a line each; empty where it is the
// same. It is compared with the column of this server on this distribution, whose version may have
// changed; on a distribution that the table does not know, with the newest version that is not
// newer. Columns and cells that were not seen are not compared.
std::string differences(const std::string& document, const Column& seen);

// The document with this table in the place of the one there is. Throws where there is none.
std::string with_table(const std::string& document, const std::string& table);

}  // namespace triggerd::test::servers
