#include "webmethods/stores.hpp"

#include "base/text.hpp"
#include "config/write_tree.hpp"
#include "webmethods/alias_section.hpp"

namespace triggerd::webmethods {
namespace {

bool is_pkcs12(const ExportedStore& store) {
  return store.type == "PKCS12" || store.location.ends_with(".p12") ||
         store.location.ends_with(".pfx");
}

std::string shown_place(const ExportedStore& store) {
  return store.location.empty() ? "a file that the export does not name"
                                : '"' + printable(store.location) + '"';
}

void write_truststore(Draft& draft, Names& names, const ExportedStore& store) {
  const Entry entry{fmt::format("truststore \"{}\"", printable(store.name.value)), store.name.line};
  const std::string name = names.give(store.name.value);
  draft.toml.blank();
  draft.differs(
      entry,
      "certificates were in {}; triggerd reads PEM, which keytool -list -rfc -keystore FILE writes",
      shown_place(store));
  draft.toml.header(fmt::format("[truststores.{}]", config::toml_key(name)));
  draft.toml.set_text("file", fmt::format("certs/{}.pem", name));
}

void write_keystore(Draft& draft, Names& names, const ExportedStore& store) {
  const Entry entry{fmt::format("keystore \"{}\"", printable(store.name.value)), store.name.line};
  const std::string name = names.give(store.name.value);
  draft.toml.blank();
  if (is_pkcs12(store)) {
    draft.differs(
        entry,
        "keys were in {}; copy it here. Its password is not exported: write it into password_file",
        shown_place(store));
  } else {
    draft.differs(
        entry,
        "keys were in {}; triggerd reads PKCS#12. keytool -importkeystore -srckeystore FILE "
        "-destkeystore {}.p12 -deststoretype PKCS12 converts it. Its password is not exported: "
        "write it into password_file",
        shown_place(store), name);
  }
  draft.toml.header(fmt::format("[keystores.{}]", config::toml_key(name)));
  draft.toml.set_text("file", fmt::format("certs/{}.p12", name));
  draft.toml.set_text("password_file", fmt::format("secrets/{}.keystore-password", name));
}

}  // namespace

void write_stores(Draft& draft, const Exported& exported, GivenNames& names) {
  for (const ExportedStore& store : exported.truststores) {
    write_truststore(draft, names.truststores, store);
  }
  for (const ExportedStore& store : exported.keystores) {
    write_keystore(draft, names.keystores, store);
  }
  // A store that aliases name but the file does not describe is known only by its name.
  for (const ExportedAlias& alias : exported.aliases) {
    if (!uses_tls(alias)) continue;
    if (!alias.truststore.value.empty() && names.truststores.find(alias.truststore.value).empty()) {
      write_truststore(draft, names.truststores, {.name = alias.truststore});
    }
    if (!alias.keystore.value.empty() && names.keystores.find(alias.keystore.value).empty()) {
      write_keystore(draft, names.keystores, {.name = alias.keystore});
    }
    if (alias.truststore.value.empty() && names.truststores.find("").empty()) {
      draft.toml.blank();
      draft.toml.comment("For TLS aliases that had no truststore: the system's certificates.");
      draft.toml.header(
          fmt::format("[truststores.{}]", config::toml_key(names.truststores.give("", "system"))));
      draft.toml.set_text("file", "system");
    }
  }
}

}  // namespace triggerd::webmethods
