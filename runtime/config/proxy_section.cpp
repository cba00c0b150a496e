// The proxy of an alias.
#include "config/password_file.hpp"
#include "config/proxy_address.hpp"
#include "config/sections.hpp"
#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

constexpr std::string_view kFileKey = "proxy_password_file";

void read_file_of_password(TableReader& reader, const std::filesystem::path& path, Proxy& proxy) {
  const SourceFile& file = reader.file();
  if (!proxy.password.empty()) {
    file.error(
        reader.spot_of(kFileKey),
        "the password in proxy and proxy_password_file are mutually exclusive; write one of them");
    return;
  }
  if (proxy.user_name.empty()) {
    file.error(reader.spot_of(kFileKey),
               "proxy_password_file without a user name; write proxy = \"{}://USER@HOST:PORT\"",
               proxy.scheme == Proxy::Scheme::http ? "http" : "socks5");
    return;
  }
  auto content = read_password_file(path);
  if (!content) {
    file.error(reader.spot_of(kFileKey), "{}: {}", kFileKey, content.error().message);
    return;
  }
  proxy.password = Secret(*std::move(content));
  proxy.password_file = path;
  if (const auto checked = check_login(proxy); !checked) {
    file.error(reader.spot_of(kFileKey), "{}: {}", kFileKey, checked.error().message);
  }
}

}  // namespace

void read_proxy(TableReader& reader, Alias& alias) {
  const SourceFile& file = reader.file();
  const auto address = reader.text("proxy");
  const auto password_file = reader.path("proxy_password_file");
  if (password_file && reader.get("proxy") == nullptr) {
    file.error(reader.spot_of(kFileKey), "proxy_password_file without proxy; add proxy");
  }
  // It may come from an empty variable: then there is no proxy.
  if (!address || address->value.empty()) return;
  auto proxy = parse_proxy(address->value);
  if (!proxy) {
    file.error(address->spot, "proxy: {}", proxy.error().message);
    return;
  }
  if (password_file) read_file_of_password(reader, *password_file, *proxy);
  alias.proxy = *std::move(proxy);
}

}  // namespace triggerd::config
