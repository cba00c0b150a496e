#include "control/members/client_ids.hpp"

#include <fmt/format.h>

#include <random>

namespace triggerd::control {
namespace {

std::string draw_client_id() {
  std::random_device entropy;
  return fmt::format("triggerd-{:08x}{:08x}", entropy(), entropy());
}

}  // namespace

Result<std::string> ClientIds::of(const config::Alias& alias) {
  if (!alias.client_id.empty()) return alias.client_id;
  if (const auto known = drawn_.find(alias.name); known != drawn_.end()) return known->second;
  return ask(alias);
}

Result<std::string> ClientIds::ask(const config::Alias& alias) {
  if (!alias.client_id.empty()) return alias.client_id;
  auto kept = stored_.client_id(alias.name, draw_client_id());
  if (kept) drawn_[alias.name] = *kept;
  return kept;
}

Result<ClientIds::ByAlias> ClientIds::of_all(const config::Config& config) {
  ByAlias ids;
  for (const config::Alias& alias : config.aliases) {
    auto id = ask(alias);
    if (!id) return tl::make_unexpected(id.error());
    ids[alias.name] = *std::move(id);
  }
  return ids;
}

}  // namespace triggerd::control
