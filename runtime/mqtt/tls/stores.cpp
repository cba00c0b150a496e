#include "mqtt/tls/stores.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "config/config.hpp"
#include "mqtt/tls/keystore.hpp"
#include "mqtt/tls/truststore.hpp"

namespace triggerd::mqtt::tls {
namespace {

auto order_of(const config::Place& place, const std::string& text) {
  return std::tuple(place.file, place.line, place.column, text);
}

// Those of one file in the order of their lines, and each once: aliases share stores.
template <class Item, class Text>
void tidy(std::vector<Item>& items, Text text) {
  std::stable_sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    return order_of(a.place, text(a)) < order_of(b.place, text(b));
  });
  const auto end = std::unique(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    return order_of(a.place, text(a)) == order_of(b.place, text(b));
  });
  items.erase(end, items.end());
}

}  // namespace

tl::expected<Stores, std::vector<config::Diagnostic>> Stores::load(const config::Config& config) {
  Stores stores;
  std::map<std::string, std::vector<config::Diagnostic>> problems;  // by package; "": no package's
  const auto owner = [&config](const config::Place& place) {
    const config::Package* package = config.package_at(place);
    return package == nullptr ? std::string() : package->name;
  };
  const auto runs = [&config](const config::Place& place) {
    const config::Package* package = config.package_at(place);
    return package == nullptr || package->enabled;
  };
  for (const config::Truststore& section : config.truststores) {
    if (!runs(section.place)) continue;
    if (const auto loaded = load_truststore(section); !loaded) {
      problems[owner(section.place)].push_back(
          {section.file_place,
           fmt::format("truststore \"{}\": {}", section.name, loaded.error().message)});
    }
  }
  for (const config::Keystore& section : config.keystores) {
    if (!runs(section.place)) continue;
    if (const auto loaded = load_keystore(section); !loaded) {
      const KeystoreError& error = loaded.error();
      problems[owner(section.place)].push_back(
          {error.of_key ? section.private_key_place : section.file_place,
           fmt::format("keystore \"{}\": {}", section.name, error.message)});
    }
  }
  for (const config::Alias& alias : config.aliases) {
    if (!alias.has_tls() || !runs(alias.place)) continue;
    auto material = load_material(config, alias);
    if (material) {
      stores.by_alias_[alias.name] = std::make_shared<Current>(*std::move(material));
    } else {  // of a store that another package carries, or of the alias: it cannot connect
      problems[alias.package].push_back(std::move(material.error()));
    }
  }
  for (auto& [package, found] : problems) {
    tidy(found, [](const config::Diagnostic& d) { return d.message; });
  }
  if (const auto own = problems.find(""); own != problems.end()) {
    return tl::make_unexpected(std::move(own->second));
  }
  stores.package_problems_ = std::move(problems);
  return stores;
}

std::shared_ptr<Current> Stores::of(std::string_view alias) const {
  const auto found = by_alias_.find(alias);
  return found == by_alias_.end() ? nullptr : found->second;
}

std::vector<Remark> Stores::remarks(Wall now) const {
  std::vector<Remark> all;
  for (const auto& [alias, current] : by_alias_) {
    for (Remark& remark : current->get()->remarks(now)) all.push_back(std::move(remark));
  }
  tidy(all, [](const Remark& r) { return r.text; });
  return all;
}

std::string to_string(const Remark& remark) {
  return fmt::format("{}: {}: {}", config::to_string(remark.place),
                     remark.level == LogLevel::warn ? "warning" : "note", remark.text);
}

}  // namespace triggerd::mqtt::tls
