// The table of docs/reference/servers.md: how columns of several distributions meet in it.
#include "servers/table.hpp"

#include <gtest/gtest.h>

#include "servers/abilities.hpp"

namespace triggerd::test::servers {
namespace {

Column column(const std::string& name, const std::string& version, const std::string& on,
              const std::string& mqtt5 = "yes") {
  Column made{name, version, {on}, {}};
  for (const Ability& ability : abilities()) made.cells[ability.key] = "yes";
  made.cells["mqtt5"] = mqtt5;
  return made;
}

std::string document(const std::vector<Column>& columns) {
  return with_table(
      "before\n<!-- What the tests saw: made by tools/servers. -->\n"
      "<!-- End of what the tests saw. -->\nafter\n",
      table_of(columns));
}

TEST(Table, IsReadAsItWasWritten) {
  const std::vector<Column> columns{column("a server", "1.9", "Debian 12", "no: not yet"),
                                    column("a server", "1.10", "Debian 13"),
                                    column("other", "3", "Debian 12")};
  EXPECT_EQ(columns_in(document(columns)), columns);
}

TEST(Table, AnotherDistributionComesBesideAndAnOlderRunOfThisOneGoes) {
  const std::vector<Column> known{column("a", "1.9", "Debian 12"), column("b", "5", "Debian 12")};
  const std::vector<Column> newer{column("a", "1.10", "Debian 13"), column("b", "5", "Debian 13")};
  Column both = column("b", "5", "Debian 12");
  both.on = {"Debian 12", "Debian 13"};
  const auto two = merged(known, newer);
  EXPECT_EQ(two, (std::vector<Column>{known[0], newer[0], both}));
  EXPECT_EQ(merged(two, newer), two);
  const std::vector<Column> later{column("a", "1.11", "Debian 13"),
                                  column("b", "5", "Debian 13", "no")};
  EXPECT_EQ(merged(two, later), (std::vector<Column>{known[0], later[0], known[1], later[1]}));
}

TEST(Table, IsComparedWithTheColumnOfThisDistributionOrOfTheNextOlderVersion) {
  const std::string said =
      document({column("a", "1.9", "Debian 12", "no"), column("a", "1.11", "Debian 13")});
  EXPECT_EQ(differences(said, column("a", "1.9", "Debian 12", "no")), "");
  EXPECT_NE(differences(said, column("a", "1.9", "Debian 12")), "");
  EXPECT_EQ(differences(said, column("a", "1.12", "Debian 12", "no")), "");
  EXPECT_EQ(differences(said, column("a", "1.10", "Ubuntu 24.04", "no")), "");
  EXPECT_EQ(differences(said, column("a", "2.0", "Ubuntu 24.04")), "");
  EXPECT_EQ(differences(said, column("a", "1.8", "Ubuntu 24.04", "no")), "");
  EXPECT_NE(differences(said, column("b", "1", "Debian 12")), "");
}

TEST(Table, VersionsAreOlderByTheirNumbers) {
  EXPECT_TRUE(older("2.9.10", "2.10"));
  EXPECT_FALSE(older("2.10", "2.9.10"));
  EXPECT_TRUE(older("3.10.8", "3.13"));
  EXPECT_FALSE(older("4.0.5", "3.13"));
  EXPECT_FALSE(older("2.10", "2.10"));
}

}  // namespace
}  // namespace triggerd::test::servers
