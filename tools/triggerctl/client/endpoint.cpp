#include "client/endpoint.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/file.hpp"
#include "command_line.hpp"
#include "config/expand.hpp"
#include "config/parse_toml.hpp"

namespace triggerctl {
namespace {

namespace fs = std::filesystem;
using triggerd::Error;
using triggerd::Result;
namespace config = triggerd::config;

constexpr std::size_t kLargestConfig = 16 << 20;
constexpr std::size_t kLargestToken = 8192;
constexpr const char* kSystemConfig = "/etc/triggerd/triggers.toml";

template <class... Args>
tl::unexpected<Error> usage(fmt::format_string<Args...> format, Args&&... args) {
  return tl::make_unexpected(Error{fmt::format(format, std::forward<Args>(args)...), kUsage});
}

const config::Node* member(const config::Node* table, std::string_view key) {
  const auto* members = table != nullptr ? table->as<config::Node::Table>() : nullptr;
  if (members == nullptr) return nullptr;
  const auto at = std::find_if(members->begin(), members->end(),
                               [key](const config::Member& each) { return each.key == key; });
  return at != members->end() ? &at->value : nullptr;
}

struct Where {
  std::optional<std::string> state_dir;
  std::optional<std::string> socket;
};

Result<> look_into(const fs::path& file, Where& where) {
  const auto text = triggerd::read_file(file, kLargestConfig);
  if (!text) {
    return usage(
        "{}; name the configuration of the triggerd to ask with --config FILE, or triggerd itself "
        "with --socket FILE or --url URL",
        text.error().message);
  }
  const auto root = config::parse_toml(*text);
  if (!root) {
    return usage("{}:{}:{}: {}; --socket FILE works without the configuration", file.string(),
                 root.error().spot.line, root.error().spot.column, root.error().message);
  }
  const auto take = [&](const char* section, const char* key,
                        std::optional<std::string>& to) -> Result<> {
    const config::Node* node = member(member(&*root, section), key);
    if (node == nullptr || to || node->as<std::string>() == nullptr) return {};
    auto expanded = config::expand(*node->as<std::string>(), config::process_environment());
    if (!expanded) {
      return usage("{}:{}: {}: {}; set it here too, or name the socket with --socket FILE",
                   file.string(), node->spot.line, key, expanded.error().message);
    }
    to = *std::move(expanded);
    return {};
  };
  if (auto taken = take("runtime", "state_dir", where.state_dir); !taken) return taken;
  return take("admin", "socket", where.socket);
}

Result<Endpoint> socket_of(const fs::path& file) {
  Where where;
  if (auto looked = look_into(file, where); !looked) return tl::make_unexpected(looked.error());
  std::vector<fs::path> more;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(file.parent_path() / "conf.d", ignored)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".toml" && !path.filename().string().starts_with('.')) {
      more.push_back(path);
    }
  }
  std::sort(more.begin(), more.end());
  for (const fs::path& path : more) {
    if (auto looked = look_into(path, where); !looked) return tl::make_unexpected(looked.error());
  }
  const std::string socket = where.socket.value_or("admin.sock");
  if (socket.empty()) {
    return usage("{} disables the admin socket with [admin] socket = \"\"; use --url URL",
                 file.string());
  }
  Endpoint found;
  found.socket = file.parent_path() / where.state_dir.value_or("var") / socket;
  found.config_file = file;
  return found;
}

Result<std::string> token_of(const ConnectOptions& options) {
  if (!options.token.empty()) return options.token;
  if (!options.token_file.empty()) {
    auto token = triggerd::read_file(options.token_file, kLargestToken);
    if (!token) return usage("--token-file: {}", token.error().message);
    while (token->ends_with('\n') || token->ends_with('\r')) token->pop_back();
    return token;
  }
  return config::process_environment()("TRIGGERD_TOKEN").value_or("");
}

}  // namespace

fs::path config_file_of(const ConnectOptions& options) {
  if (!options.config.empty()) return options.config;
  std::error_code ignored;
  const bool elsewhere =
      !fs::exists("triggers.toml", ignored) && fs::exists(kSystemConfig, ignored);
  return elsewhere ? kSystemConfig : "triggers.toml";
}

Result<Endpoint> find_endpoint(const ConnectOptions& options) {
  auto token = token_of(options);
  if (!token) return tl::make_unexpected(token.error());
  const bool printable =
      std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!printable)
    return usage("the token has characters that no token has; is this the right file?");
  Endpoint found;
  if (!options.url.empty()) {
    found.url =
        options.url.find("://") == std::string::npos ? "http://" + options.url : options.url;
    if (!found.url.starts_with("http://") && !found.url.starts_with("https://")) {
      return usage("--url {}: only http:// and https:// are supported", options.url);
    }
    while (found.url.ends_with('/')) found.url.pop_back();
  } else if (!options.socket.empty()) {
    found.socket = options.socket;
  } else {
    auto named = socket_of(config_file_of(options));
    if (!named) return named;
    found = *std::move(named);
  }
  found.token = *std::move(token);
  return found;
}

}  // namespace triggerctl
