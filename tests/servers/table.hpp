// The table of docs/servers.md: made of what the suite saw, and compared with it.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace triggerd::test::servers {

// What was seen of one server.
struct Column {
  std::string name;  // as the table calls it
  std::string version;
  std::map<std::string, std::string> cells;  // by the key of the ability
};

// The lines of the table, each with its newline.
std::string table_of(const std::vector<Column>& columns);

// What is different between the document and what was seen, a line each; empty where it is the
// same. Versions are not compared, and columns and cells that were not seen are not either.
std::string differences(const std::string& document, const Column& seen);

// The document with this table in the place of the one there is. Throws where there is none.
std::string with_table(const std::string& document, const std::string& table);

}  // namespace triggerd::test::servers
