// What is tested with every server, and where one of them does something else than the others: the
// rows of the table in docs/reference/servers.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace triggerd::test::servers {

struct Ability {
  const char* key;
  const char* text;  // as the table has it
};

// In the order of the table.
const std::vector<Ability>& abilities();

// What the suite has to see: "yes", or what this server does instead. The suite goes red as well
// when a newer server can do what is said here to be missing.
std::string expected(std::string_view key, std::string_view server, std::string_view version);

// Whether this version is older than that one: "2.9.10" than "2.10.0".
bool older(std::string_view version, std::string_view than);

}  // namespace triggerd::test::servers
