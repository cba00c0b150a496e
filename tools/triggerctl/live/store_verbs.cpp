// Truststores and keystores: what is in them, until when, and who uses them.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "client/api.hpp"
#include "live/live_verbs.hpp"
#include "live/status_view.hpp"

namespace triggerctl {
namespace {

Cell age_cell(const Json& object) {
  const std::string state = text_of(object, "state");
  const Colour colour = state == "good"        ? Colour::green
                        : state == "ends_soon" ? Colour::yellow
                                               : Colour::red;
  std::string words = state;
  for (char& c : words) c = c == '_' ? ' ' : c;
  return {safe(words), colour};
}

std::string day_of(const Json& object, const char* key) {
  return object.contains(key) ? date_and_time(text_of(object, key)) : "-";
}

std::string stores_text(const Json& stores) {
  Table table(
      {"STORE", "KIND", "STATE", "VALID UNTIL", "ALIASES", "SUBJECT", "FILE", "DEFINED IN"});
  for (const Json& store : stores) {
    const Json& certificates = list_of(store, "certificates");
    std::string subject = "-";
    if (!certificates.empty()) {
      subject = safe(text_of(certificates.front(), "subject"));
      if (certificates.size() > 1) subject += fmt::format(" (+{})", certificates.size() - 1);
    }
    std::string aliases;
    for (const Json& alias : list_of(store, "aliases")) {
      if (alias.is_string())
        aliases += (aliases.empty() ? "" : ", ") + safe(alias.get<std::string>());
    }
    table.add({safe(text_of(store, "name")), safe(text_of(store, "kind")), age_cell(store),
               day_of(store, "valid_until"), aliases.empty() ? "-" : aliases, subject,
               safe(text_of(store, "file")), origin_text(store)});
    if (store.contains("problem")) table.note(safe(text_of(store, "problem")));
  }
  return table.text();
}

Result<int> list_stores(const Api& api) {
  const auto all = api.get("/stores");
  if (!all) return tl::make_unexpected(all.error());
  if (json_wanted()) {
    print_json(*all);
  } else if (list_of(*all, "items").empty()) {
    fmt::print("there are no truststores or keystores\n");
  } else {
    fmt::print("{}", stores_text(list_of(*all, "items")));
  }
  return kDone;
}

// A truststore and a keystore may have the same name.
Result<int> show_store(const Api& api, const std::string& name) {
  const auto all = api.get("/stores");
  if (!all) return tl::make_unexpected(all.error());
  Json found = Json::array();
  for (const Json& store : list_of(*all, "items")) {
    if (text_of(store, "name") == name) found.push_back(store);
  }
  if (found.empty()) {
    return triggerd::fail(
        "there is no truststore or keystore \"{}\"; \"triggerctl store list\" lists them",
        safe(name));
  }
  if (json_wanted()) {
    print_json({{"items", found}});
    return kDone;
  }
  fmt::print("{}", stores_text(found));
  for (const Json& store : found) {
    Table table({"CERTIFICATE", "ISSUER", "STATE", "VALID FROM", "VALID UNTIL", "KEY"});
    for (const Json& one : list_of(store, "certificates")) {
      table.add({safe(text_of(one, "subject")), safe(text_of(one, "issuer")), age_cell(one),
                 day_of(one, "valid_from"), day_of(one, "valid_until"),
                 safe(text_of(one, "key_alias", "-"))});
    }
    if (const std::string text = table.text(); !text.empty()) fmt::print("\n{}", text);
  }
  return kDone;
}

}  // namespace

void add_store_verbs(CommandLine& line) {
  Command group =
      line.group("store", "truststores and keystores: what is in them, and until when it is valid");
  line.live_verb(group, "list", "list them, with when they expire and which aliases use them",
                 list_stores);
  const auto name = std::make_shared<std::string>();
  Command shown = line.live_verb(group, "show", "show its certificates, but no keys",
                                 [name](const Api& api) { return show_store(api, *name); });
  shown.option("NAME", *name, "the truststore or keystore").required();
}

}  // namespace triggerctl
