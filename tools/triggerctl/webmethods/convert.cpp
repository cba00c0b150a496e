#include "webmethods/convert.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "config/write_tree.hpp"

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

}  // namespace

// ---- What is there once ----

void Conversion::write_runtime() {
  const Read<long long>& time = exported_.stop_request_time;
  constexpr long long kTheirs = 3;
  if (!options_.exact && (!time.given || time.value == kTheirs)) return;
  toml_.blank();
  toml_.header("[runtime]");
  toml_.comment("watt.server.commonmessaging.trigger.stopRequestTimeOut");
  toml_.set_text("drain_timeout", fmt::format("{}s", time.value));
}

void Conversion::write_stores() {
  for (const ExportedStore& store : exported_.truststores) write_truststore(store);
  for (const ExportedStore& store : exported_.keystores) write_keystore(store);
  // A store that aliases name but the file does not describe is known only by its name.
  for (const ExportedAlias& alias : exported_.aliases) {
    if (!is_tls(alias)) continue;
    if (!alias.truststore.value.empty() && truststores_.find(alias.truststore.value).empty()) {
      write_truststore({.name = alias.truststore});
    }
    if (!alias.keystore.value.empty() && keystores_.find(alias.keystore.value).empty()) {
      write_keystore({.name = alias.keystore});
    }
    if (alias.truststore.value.empty() && truststores_.find("").empty()) {
      toml_.blank();
      toml_.comment("For TLS aliases that had no truststore: the system's certificates.");
      toml_.header(
          fmt::format("[truststores.{}]", config::toml_key(truststores_.give("", "system"))));
      toml_.set_text("file", "system");
    }
  }
}

void Conversion::write_truststore(const ExportedStore& store) {
  const Entry entry{fmt::format("truststore \"{}\"", printable(store.name.value)), store.name.line};
  const std::string name = truststores_.give(store.name.value);
  toml_.blank();
  differs(
      entry,
      "certificates were in {}; triggerd reads PEM, which keytool -list -rfc -keystore FILE writes",
      shown_place(store));
  toml_.header(fmt::format("[truststores.{}]", config::toml_key(name)));
  toml_.set_text("file", fmt::format("certs/{}.pem", name));
}

void Conversion::write_keystore(const ExportedStore& store) {
  const Entry entry{fmt::format("keystore \"{}\"", printable(store.name.value)), store.name.line};
  const std::string name = keystores_.give(store.name.value);
  toml_.blank();
  if (is_pkcs12(store)) {
    differs(
        entry,
        "keys were in {}; copy it here. Its password is not exported: write it into password_file",
        shown_place(store));
  } else {
    differs(entry,
            "keys were in {}; triggerd reads PKCS#12. keytool -importkeystore -srckeystore FILE "
            "-destkeystore {}.p12 -deststoretype PKCS12 converts it. Its password is not exported: "
            "write it into password_file",
            shown_place(store), name);
  }
  toml_.header(fmt::format("[keystores.{}]", config::toml_key(name)));
  toml_.set_text("file", fmt::format("certs/{}.p12", name));
  toml_.set_text("password_file", fmt::format("secrets/{}.keystore-password", name));
}

// ---- What aliases and triggers have in common ----

void Conversion::write_name(const Entry& entry, const Read<std::string>& name,
                            const std::string& given) {
  if (given == name.value || !name.given) return;
  differs(entry,
          "it is called \"{}\" here: names must be unique, and consist of letters, digits, \"_\", "
          "\".\" and \"-\"",
          given);
}

// Those of `package`; if it is empty, those of no package.
void Conversion::write_members(const std::string& package) {
  for (std::size_t i = 0; i < exported_.aliases.size(); ++i) {
    const ExportedAlias& alias = exported_.aliases[i];
    if (package_of(alias) == package) write_alias(alias, alias_names_[i]);
  }
  for (std::size_t i = 0; i < exported_.triggers.size(); ++i) {
    const ExportedTrigger& trigger = exported_.triggers[i];
    if (package_of(trigger) == package) write_trigger(trigger, trigger_names_[i]);
  }
}

// ---- All of it ----

Imported Conversion::run() && {
  toml_.comment("Made by triggerctl import-webmethods from " + options_.file + '.');
  if (!exported_.source.empty()) toml_.comment("It describes itself as: " + exported_.source + '.');
  toml_.comment(
      "Each line that begins with DIFFERS says what differs from Integration Server, and why. A "
      "key without such a line means the same there and here.");
  for (const ExportedAlias& alias : exported_.aliases) {
    alias_names_.push_back(aliases_.give(alias.name.value));
  }
  for (const ExportedTrigger& trigger : exported_.triggers) {
    trigger_names_.push_back(triggers_.give(trigger.name.value));
  }
  plan_packages();
  write_runtime();
  write_stores();
  write_members("");
  for (const Remark& ignored : findings_.ignored) differences_.push_back(ignored);
  if (!findings_.ignored.empty()) {
    toml_.blank();
    toml_.comment("Left out, because there is no counterpart:");
    for (const Remark& ignored : findings_.ignored) {
      toml_.comment(fmt::format("line {}: {}", ignored.line, ignored.text));
    }
  }
  std::string toml = std::move(toml_).take();
  std::vector<ImportedPackage> packages = write_packages();
  std::stable_sort(differences_.begin(), differences_.end(),
                   [](const Remark& a, const Remark& b) { return a.line < b.line; });
  return {.toml = std::move(toml),
          .packages = std::move(packages),
          .differences = std::move(differences_),
          .aliases = exported_.aliases.size(),
          .triggers = exported_.triggers.size()};
}

std::string to_string(const Remark& remark, std::string_view file, std::string_view kind) {
  return fmt::format("{}:{}: {}: {}", file, remark.line, kind, remark.text);
}

tl::expected<Imported, std::vector<Remark>> import(std::string_view json, const Options& options) {
  auto root = parse_json(json);
  if (!root) return tl::make_unexpected(std::vector<Remark>{root.error()});
  Findings findings;
  const Exported exported = read_exported(*root, findings);
  // Even if there are errors already, so that all of them are reported at once.
  Imported imported = Conversion(exported, options, findings).run();
  if (findings.errors.empty()) return imported;
  std::stable_sort(findings.errors.begin(), findings.errors.end(),
                   [](const Remark& a, const Remark& b) { return a.line < b.line; });
  return tl::make_unexpected(std::move(findings.errors));
}

}  // namespace triggerd::webmethods
