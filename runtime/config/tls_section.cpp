// [truststores.NAME], [keystores.NAME], and the TLS keys of an alias. Whether the files hold what
// they should is not checked here: that needs OpenSSL, which is in mqtt/tls/.
#include <algorithm>

#include "base/text.hpp"
#include "config/names.hpp"
#include "config/password_file.hpp"
#include "config/sections.hpp"
#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kMaxProtocol = 255;    // RFC 7301, section 3.1
constexpr std::size_t kMaxProtocols = 1024;  // all of them; far below the limit of a ClientHello

// Whether it is a table. Reports that it is not, or that its name is wrong; `kind` is "truststore".
bool is_named_table(const SourceFile& file, const Member& member, std::string_view kind) {
  if (member.value.as<Node::Table>() == nullptr) {
    file.error(member.key_spot, "\"{}\" in [{}s] must be a table, not {}; write [{}s.NAME]",
               printable(member.key), kind, type_name(member.value), kind);
    return false;
  }
  if (!is_name(member.key)) {
    file.error(member.key_spot,
               "\"{}\" is not a valid {} name; use at most {} letters, digits, \"_\", \".\" and "
               "\"-\", starting with a letter or digit",
               printable(member.key), kind, kMaxName);
  }
  return true;
}

void read_password(TableReader& reader, Keystore& keystore) {
  const SourceFile& file = reader.file();
  const bool plain = reader.get("password") != nullptr;
  if (plain && reader.get("password_file") != nullptr) {
    file.error(reader.spot_of("password_file"),
               "password and password_file are mutually exclusive; write one of them");
  }
  std::string password;
  if (reader.string("password", password)) keystore.password = Secret(std::move(password));
  const auto path = reader.path("password_file");
  if (!path) return;
  auto content = read_password_file(*path);
  if (!content) {
    file.error(reader.spot_of("password_file"), "password_file: {}", content.error().message);
    return;
  }
  keystore.password = Secret(*std::move(content));
  keystore.password_file = *path;
}

void read_alpn(TableReader& reader, Alias& alias) {
  const auto protocols = reader.texts("alpn");
  if (!protocols) return;
  const SourceFile& file = reader.file();
  if (reader.get("alpn")->as<Node::Array>()->empty()) {
    file.error(reader.spot_of("alpn"), "alpn is empty; write for example [\"mqtt\"], or remove it");
  }
  std::size_t total = 0;
  for (const Text& protocol : *protocols) {
    if (protocol.value.empty() || protocol.value.size() > kMaxProtocol) {
      file.error(protocol.spot, "an element of alpn must be 1 to {} bytes long", kMaxProtocol);
    }
    total += protocol.value.size() + 1;
    alias.alpn.push_back(protocol.value);
  }
  if (total > kMaxProtocols) {
    file.error(reader.spot_of("alpn"), "alpn is longer than {} bytes", kMaxProtocols);
  }
}

}  // namespace

void read_truststore(const SourceFile& file, const Member& member, Sections& sections) {
  if (!is_named_table(file, member, "truststore")) return;
  TableReader reader(file, member.value, fmt::format("[truststores.{}]", printable(member.key)));
  Truststore truststore;
  truststore.name = member.key;
  truststore.place = file.place(member.key_spot);
  truststore.file_place = file.place(reader.spot_of("file"));
  if (reader.get("file") == nullptr) {
    reader.report_missing("file", "file = \"certs/ca.pem\"");
  } else if (const auto path = reader.path("file")) {
    truststore.system = reader.text("file")->value == "system";
    if (!truststore.system) truststore.file = *path;
  }
  reader.report_unknown_keys();
  sections.truststores.push_back(std::move(truststore));
}

void read_keystore(const SourceFile& file, const Member& member, Sections& sections) {
  if (!is_named_table(file, member, "keystore")) return;
  TableReader reader(file, member.value, fmt::format("[keystores.{}]", printable(member.key)));
  Keystore keystore;
  keystore.name = member.key;
  keystore.place = file.place(member.key_spot);
  const bool pkcs12 = reader.get("file") != nullptr;
  const bool certificate = reader.get("certificate") != nullptr;
  const bool private_key = reader.get("private_key") != nullptr;
  if (pkcs12 && (certificate || private_key)) {
    file.error(reader.spot_of(certificate ? "certificate" : "private_key"),
               "file (PKCS#12) cannot be combined with certificate and private_key (PEM); write "
               "one or the other");
  } else if (!pkcs12 && !certificate && !private_key) {
    reader.report_missing("file", "file = \"certs/edge.p12\"");
  } else if (!pkcs12 && !certificate) {
    reader.report_missing("certificate", "certificate = \"certs/edge.pem\"");
  } else if (!pkcs12 && !private_key) {
    reader.report_missing("private_key", "private_key = \"certs/edge.key\"");
  }
  if (auto path = reader.path("file")) keystore.file = *std::move(path);
  if (auto path = reader.path("certificate")) keystore.certificate = *std::move(path);
  if (auto path = reader.path("private_key")) keystore.private_key = *std::move(path);
  keystore.file_place = file.place(reader.spot_of(pkcs12 ? "file" : "certificate"));
  keystore.private_key_place = file.place(reader.spot_of(pkcs12 ? "file" : "private_key"));
  read_password(reader, keystore);
  reader.report_unknown_keys();
  sections.keystores.push_back(std::move(keystore));
}

void read_alias_tls(TableReader& reader, AliasDraft& draft) {
  const SourceFile& file = reader.file();
  Alias& alias = draft.alias;
  const auto name = [&](std::string_view key, std::string& value, Place& place,
                        std::string& shown) {
    const auto said = reader.text(key);
    place = file.place(reader.spot_of(key));
    if (!said) return;
    value = said->value;
    shown = said->shown;
    if (value.empty()) file.error(said->spot, "{} is empty; write a name, or remove it", key);
  };
  std::string ignored;
  name("truststore", alias.truststore, alias.truststore_place, draft.truststore_shown);
  name("keystore", alias.keystore, alias.keystore_place, draft.keystore_shown);
  name("key_alias", alias.key_alias, alias.key_alias_place, ignored);
  read_alpn(reader, alias);
  if (reader.get("key_alias") != nullptr && reader.get("keystore") == nullptr) {
    file.error(reader.spot_of("key_alias"), "key_alias without keystore; add keystore");
  }
  if (alias.servers.empty()) return;  // missing or malformed, and reported
  const auto tls = static_cast<std::size_t>(std::count_if(
      alias.servers.begin(), alias.servers.end(), [](const Server& s) { return s.has_tls(); }));
  if (tls == 0) {
    for (const std::string_view key : {"truststore", "keystore", "alpn"}) {
      if (reader.get(key) == nullptr) continue;
      file.error(reader.spot_of(key),
                 "{} without TLS: {} is not encrypted; write ssl:// or wss://, or remove {}", key,
                 to_string(alias.servers.front()), key);
    }
  } else if (tls < alias.servers.size()) {
    file.error(
        reader.spot_of("hosts"),
        "hosts mixes addresses with TLS and without; write ssl:// or wss:// for all of them, "
        "or for none");
  } else if (reader.get("truststore") == nullptr) {
    reader.report_missing("truststore",
                          "truststore = \"plant-ca\", and a table [truststores.plant-ca]");
  }
}

}  // namespace triggerd::config
