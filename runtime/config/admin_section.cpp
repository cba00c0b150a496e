// [admin].
#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "config/password_file.hpp"
#include "config/sections.hpp"
#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

bool is_address(const std::string& host, int family) {
  unsigned char binary[sizeof(in6_addr)];
  return ::inet_pton(family, host.c_str(), binary) == 1;
}

// "HOST:PORT"; nullopt if it is anything else.
std::optional<ListenAddress> parse_listen(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  ListenAddress address;
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    address.host = host.substr(1, host.size() - 2);
    if (!is_address(address.host, AF_INET6)) return std::nullopt;
  } else {
    address.host = host;
    const bool good = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '.';
    });
    if (!good) return std::nullopt;
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return address;
}

void read_listen(TableReader& reader, AdminSection& admin) {
  const auto listen = reader.text("listen");
  if (!listen) return;
  admin.listen.reset();
  if (listen->value.empty()) return;
  admin.listen = parse_listen(listen->value);
  if (!admin.listen) {
    reader.file().error(listen->spot,
                        "listen = \"{}\" is not an address; write HOST:PORT, as in "
                        "\"127.0.0.1:9464\" or \"[::1]:9464\", or \"\" to switch it off",
                        listen->shown);
    admin.listen = ListenAddress();  // so that no missing token is reported as well
  }
}

void read_socket(TableReader& reader, AdminSection& admin) {
  const auto socket = reader.text("socket");
  if (!socket) return;
  admin.socket = socket->value;
  if (!admin.socket.empty() && !admin.socket.has_filename()) {
    reader.file().error(socket->spot, "socket must be the path of a file in state_dir, or \"\"");
  }
}

// `key` is token_file or read_token_file, and `said` its value.
void read_token(const SourceFile& file, std::string_view key, const std::optional<Text>& said,
                std::filesystem::path& path, Secret& target) {
  if (!said || said->value.empty()) return;
  path = file.folder / said->value;
  auto token = read_token_file(path);
  if (!token) {
    file.error(said->spot, "{}: {}", key, token.error().message);
    return;
  }
  target = Secret(*std::move(token));
}

void read_tokens(TableReader& reader, AdminSection& admin, Sections& sections) {
  const SourceFile& file = reader.file();
  if (is_first(reader, "token_file", sections)) {
    read_token(file, "token_file", reader.text("token_file"), admin.token_file, admin.token);
  }
  if (!is_first(reader, "read_token_file", sections)) return;
  const auto said = reader.text("read_token_file");
  read_token(file, "read_token_file", said, admin.read_token_file, admin.read_token);
  if (!admin.read_token.empty() && admin.read_token.reveal() == admin.token.reveal()) {
    file.error(said->spot,
               "read_token_file holds the same token as token_file; generate a different one");
  }
}

void read_manage_files(TableReader& reader, AdminSection& admin) {
  const auto said = reader.text("manage_files");
  if (said && !said->value.empty()) admin.manage_files = reader.file().folder / said->value;
}

}  // namespace

bool ListenAddress::is_loopback() const {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && is_address(host, AF_INET);
}

std::string to_string(const ListenAddress& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", address.host, ipv6 ? "]" : "", address.port);
}

void read_admin(const SourceFile& file, const Node& table, Sections& sections) {
  TableReader reader(file, table, "[admin]");
  if (is_first(reader, "listen", sections)) {
    sections.admin_listen_place = file.place(reader.spot_of("listen"));
    read_listen(reader, sections.admin);
  }
  if (is_first(reader, "socket", sections)) read_socket(reader, sections.admin);
  read_tokens(reader, sections.admin, sections);
  if (is_first(reader, "manage", sections)) reader.boolean("manage", sections.admin.manage);
  if (is_first(reader, "manage_files", sections)) read_manage_files(reader, sections.admin);
  reader.report_unknown_keys();
}

void validate_admin(const Sections& sections, Diagnostics& diagnostics) {
  const AdminSection& admin = sections.admin;
  if (!admin.listen || admin.listen->is_loopback() || !admin.token_file.empty() ||
      !admin.read_token_file.empty()) {
    return;
  }
  diagnostics.add(
      sections.admin_listen_place,
      fmt::format(
          "listen = \"{}\" accepts connections from other machines, so callers need a token; write "
          "token_file = \"FILE\" with a file that holds one, or listen = \"127.0.0.1:{}\"",
          to_string(*admin.listen), admin.listen->port));
}

}  // namespace triggerd::config
