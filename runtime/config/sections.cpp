#include "config/sections.hpp"

#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

// A table of named tables: [KEY.NAME].
void read_named(TableReader& root, std::string_view key, Sections& sections,
                void (*read)(const SourceFile&, const Member&, Sections&)) {
  const Node* node = root.get(key);
  if (node == nullptr) return;
  const auto* table = node->as<Node::Table>();
  if (table == nullptr) {
    root.file().error(node->spot, "{} must be a table, not {}; write [{}.NAME]", key,
                      type_name(*node), key);
    return;
  }
  for (const Member& member : *table) read(root.file(), member, sections);
}

void read_triggers(const SourceFile& file, const Node& node, Sections& sections) {
  const auto* array = node.as<Node::Array>();
  if (array == nullptr) {
    file.error(node.spot, "triggers must be an array of tables, not {}; write [[triggers]]",
               type_name(node));
    return;
  }
  for (const Node& element : *array) {
    if (element.as<Node::Table>() == nullptr) {
      file.error(element.spot, "an element of triggers must be a table, not {}; write [[triggers]]",
                 type_name(element));
    } else {
      read_trigger(file, element, sections);
    }
  }
}

void read_one_table(TableReader& reader, std::string_view key, Sections& sections,
                    void (*read)(const SourceFile&, const Node&, Sections&)) {
  const Node* node = reader.get(key);
  if (node == nullptr) return;
  if (!reader.file().may_set_up) {
    reader.file().error(node->spot,
                        "[{}] is not allowed in this file, which is for aliases and triggers; "
                        "write it into the runtime's own triggers.toml",
                        key);
    return;
  }
  if (node->as<Node::Table>() == nullptr) {
    reader.file().error(node->spot, "{} must be a table, not {}; write [{}]", key, type_name(*node),
                        key);
    return;
  }
  read(reader.file(), *node, sections);
}

}  // namespace

void read_sections(const SourceFile& file, const Node& root, Sections& sections) {
  TableReader reader(file, root, "this file");
  read_one_table(reader, "runtime", sections, read_runtime);
  read_one_table(reader, "log", sections, read_log);
  read_one_table(reader, "inbox", sections, read_inbox);
  read_one_table(reader, "admin", sections, read_admin);
  read_named(reader, "truststores", sections, read_truststore);
  read_named(reader, "keystores", sections, read_keystore);
  read_named(reader, "aliases", sections, read_alias);
  if (const Node* triggers = reader.get("triggers")) read_triggers(file, *triggers, sections);
  reader.report_unknown_keys();
}

}  // namespace triggerd::config
