#include "package/secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/parse_toml.hpp"
#include "config/secrets.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;
using config::Node;

// A file that contains a key is not larger: keystores may have 4 MiB.
constexpr std::size_t kMaxLooked = std::size_t{4} << 20;
constexpr std::size_t kNamedKeys = 3;

// ---- By content ----

bool has_private_pem(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  for (std::size_t at = 0; (at = text.find(kBegin, at)) != std::string_view::npos;) {
    at += kBegin.size();
    const std::string_view label = text.substr(at, text.substr(at, 80).find("-----"));
    if (label.size() < 80 && label.ends_with("PRIVATE KEY")) return true;
  }
  return false;
}

// The content of an ASN.1 SEQUENCE; empty if it is not one.
std::string_view in_sequence(std::string_view bytes) {
  if (bytes.size() < 16 || bytes[0] != '\x30') return {};
  const auto length = static_cast<unsigned char>(bytes[1]);
  const std::size_t more = length > 0x80 ? length - 0x80U : 0;
  return more > 4 ? std::string_view() : bytes.substr(2 + more);
}

std::string of_content(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\x7f"
                        "ELF"))
    return {};  // a plugin may contain the markers of PEM
  if (has_private_pem(bytes) || bytes.starts_with("PuTTY-User-Key-File")) return "a private key";
  const std::string_view inside = in_sequence(bytes);
  if (inside.starts_with("\x02\x01\x03"sv)) return "a keystore";  // PKCS#12, RFC 7292
  for (const std::string_view key : {
           "\x02\x01\x00\x30"sv,  // PKCS#8, RFC 5208
           "\x02\x01\x00\x02"sv,  // RSA, RFC 8017
           "\x02\x01\x01\x04"sv,  // EC, RFC 5915
       }) {
    if (inside.starts_with(key)) return "a private key";
  }
  for (const std::string_view magic : {"\xfe\xed\xfe\xed"sv, "\xce\xce\xce\xce"sv}) {
    if (bytes.starts_with(magic)) return "a keystore";  // JKS, JCEKS
  }
  return {};
}

// ---- By name ----

std::string of_name(std::string_view path) {
  const std::string all = lower_case(path);
  if (all.ends_with(".so")) return {};
  if (all.starts_with("secrets/") || all.find("/secrets/") != std::string::npos) {
    return "a file in a folder named secrets";
  }
  const std::string name = all.substr(all.rfind('/') + 1);
  for (const std::string_view ending : {".key", ".p12", ".pfx", ".jks", ".keystore"}) {
    if (name.ends_with(ending)) return "a key or a keystore, by its name";
  }
  if (config::names_secret(name)) {
    return "a secret, by its name";
  }
  return {};
}

// ---- By what the package's TOML says ----

// "postgresql://me:hunter2@db", "host=db password=hunter2": secrets within a text.
bool has_credentials(std::string_view text) {
  const auto is_literal = [](std::string_view value) {
    return !value.empty() && !value.starts_with("${");
  };
  if (const std::size_t at = text.find("://"); at != std::string_view::npos) {
    const std::string_view rest = text.substr(at + 3);
    const std::string_view authority = rest.substr(0, rest.find('/'));
    const std::size_t end = authority.rfind('@');
    const std::size_t colon = authority.find(':');
    if (end != std::string_view::npos && colon < end &&
        is_literal(authority.substr(colon + 1, end - colon - 1))) {
      return true;
    }
  }
  const std::string all = lower_case(text);
  for (std::size_t at = 0; (at = all.find("password", at)) != std::string::npos;) {
    at = all.find_first_not_of(' ', at + 8);
    if (at == std::string::npos || all[at] != '=') continue;
    at = all.find_first_not_of(" '", at + 1);
    if (at != std::string::npos && is_literal(std::string_view(text).substr(at))) return true;
  }
  return false;
}

class Reading {
 public:
  // The files that the TOML names are relative to `folder`.
  explicit Reading(fs::path folder) : folder_(std::move(folder)) {}

  // False: it is not TOML.
  bool read(std::string_view text) {
    const auto root = config::parse_toml(text);
    if (!root) return false;
    keys_ = config::without_secrets(*root).secrets;
    visit(*root, "", "");
    read_comments(text);
    return true;
  }
  // The dotted keys of secrets that it has in clear text.
  const std::vector<std::string>& keys() const { return keys_; }
  const std::map<std::string, std::string>& named() const { return named_; }

 private:
  void visit(const Node& node, const std::string& path, std::string_view key) {
    if (const auto* table = node.as<Node::Table>()) {
      for (const config::Member& member : *table) {
        visit(member.value, path.empty() ? member.key : path + "." + member.key, member.key);
      }
    } else if (const auto* array = node.as<Node::Array>()) {
      for (std::size_t i = 0; i < array->size(); ++i) {
        visit((*array)[i], fmt::format("{}.{}", path, i), key);
      }
    } else if (const auto* text = node.as<std::string>()) {
      take(*text, path, lower_case(key));
    }
  }
  // "# password = ..." is as readable as an assignment.
  void read_comments(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      std::string_view line = text.substr(at, end - at);
      at = end + 1;
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      if (!line.starts_with('#')) continue;
      line.remove_prefix(std::min(line.find_first_not_of("# \t"), line.size()));
      if (line.find('=') == std::string_view::npos) continue;
      const auto root = config::parse_toml(line);
      if (!root) continue;
      for (const std::string& key : config::without_secrets(*root).secrets) {
        keys_.push_back(key + " in a comment");
      }
    }
  }
  void take(const std::string& text, const std::string& path, const std::string& key) {
    if (has_credentials(text) && std::find(keys_.begin(), keys_.end(), path) == keys_.end()) {
      keys_.push_back(path);
    }
    constexpr std::string_view kFile = "_file";
    if (key.ends_with(kFile) &&
        config::names_secret(std::string_view(key).substr(0, key.size() - kFile.size()))) {
      name(text, "a secret");
    } else if (key == "private_key" || key == "key_file" || key == "client_key") {
      name(text, "a private key");
    } else if (key == "file" && path.starts_with("keystores.")) {
      name(text, "a keystore");
    }
  }
  void name(const std::string& text, const char* what) {
    named_.emplace(fs::path(text).lexically_normal().generic_string(), what);
    named_.emplace(fs::path(text).lexically_relative(folder_).generic_string(), what);
  }

  const fs::path folder_;
  std::vector<std::string> keys_;
  std::map<std::string, std::string> named_;
};

std::string list_of(const std::vector<std::string>& keys) {
  std::string text;
  for (std::size_t i = 0; i < std::min(keys.size(), kNamedKeys); ++i) {
    text += (i == 0 ? "" : ", ") + printable(keys[i]);
  }
  if (keys.size() > kNamedKeys) text += fmt::format(", and {} more", keys.size() - kNamedKeys);
  return text;
}

}  // namespace

std::vector<SecretFile> find_secrets(const fs::path& folder,
                                     const std::vector<std::string>& names) {
  std::map<std::string, std::string> in_toml;
  std::map<std::string, std::string> named;
  for (const std::string& name : names) {
    if (!name.ends_with(".toml")) continue;
    Reading reading((folder / name).parent_path());
    const auto text = read_file(folder / name, kMaxLooked);
    if (!text || !reading.read(*text)) {
      in_toml[name] = "TOML that cannot be parsed, and may contain a secret";
      continue;
    }
    if (!reading.keys().empty()) in_toml[name] = list_of(reading.keys());
    const fs::path beside = fs::path(name).parent_path();
    for (const auto& [path, what] : reading.named()) {
      named.emplace((beside / path).lexically_normal().generic_string(), what);
    }
  }
  std::vector<SecretFile> secrets;
  for (const std::string& name : names) {
    std::string what;
    if (const auto found = in_toml.find(name); found != in_toml.end()) what = found->second;
    if (what.empty()) {
      const auto bytes = read_file(folder / name, kMaxLooked);
      if (bytes) what = of_content(*bytes);
    }
    if (const auto found = named.find(name); what.empty() && found != named.end()) {
      what = found->second;
    }
    if (what.empty()) what = of_name(name);
    if (!what.empty()) secrets.push_back({name, std::move(what)});
  }
  return secrets;
}

std::string warning_of(const std::vector<SecretFile>& secrets, const fs::path& archive) {
  std::string text = fmt::format(
      "{} contains secrets in clear text, so only its owner may read it; whoever has the archive "
      "has them:",
      archive.string());
  for (const SecretFile& secret : secrets) {
    text += fmt::format("\n  {}: {}", printable(secret.name), secret.what);
  }
  return text;
}

}  // namespace triggerd::package
