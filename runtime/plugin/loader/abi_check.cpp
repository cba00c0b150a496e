#include "plugin/loader/abi_check.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/text.hpp"

namespace triggerd::plugin {
namespace {

// What ABI 1.0 had. Constants, since sizeof grows with the header.
constexpr std::uint32_t kPluginSize10 = offsetof(trigger_plugin, services) + sizeof(void*);
constexpr std::uint32_t kServiceSize10 = offsetof(trigger_service, extension) + sizeof(void*);
// No struct of this ABI gets there: a larger value was never a size.
constexpr std::uint32_t kMaxStructSize = 64u << 10;
constexpr std::uint32_t kMaxServices = 1024;
constexpr std::size_t kMaxServiceName = 64;
constexpr std::size_t kMaxTextBytes = 256;

Result<> check_size(std::string_view what, std::uint32_t size, std::uint32_t least) {
  if (size >= least && size <= kMaxStructSize) return {};
  return fail(
      "has {}.struct_size {}; ABI {}.0 has {}, and more than {} is not a size: set it to sizeof",
      what, size, TRIGGER_ABI_MAJOR, least, kMaxStructSize);
}

std::string_view place(const void* pointer) {
  return pointer == nullptr ? "NULL" : "an address";
}

// Text for people. Its length is judged before its bytes are touched.
Result<std::string> read_text(std::string_view what, trigger_str text) {
  if (text.len > kMaxTextBytes || (text.len > 0 && text.ptr == nullptr)) {
    return fail("has a {} of {} bytes at {}; it may have at most {}", what, text.len,
                place(text.ptr), kMaxTextBytes);
  }
  if (text.len == 0) return std::string();
  std::string value(text.ptr, text.len);
  if (!is_utf8(value)) return fail("has a {} that is not UTF-8: \"{}\"", what, printable(value));
  return value;
}

Result<> check_functions(std::string_view where, const trigger_service& service) {
  const std::pair<const char*, bool> required[] = {{"create", service.create != nullptr},
                                                   {"start", service.start != nullptr},
                                                   {"handle", service.handle != nullptr},
                                                   {"stop", service.stop != nullptr},
                                                   {"destroy", service.destroy != nullptr}};
  for (const auto& [function, present] : required) {
    if (!present) {
      return fail(
          "has {}.{} = NULL; create, start, handle, stop and destroy are required of every service",
          where, function);
    }
  }
  return {};
}

Result<> check_name(std::string_view where, trigger_str name) {
  const auto valid = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (name.ptr == nullptr || name.len == 0 || name.len > kMaxServiceName) {
    return fail("has {}.name of {} bytes at {}; a service's name has 1 to {}", where, name.len,
                place(name.ptr), kMaxServiceName);
  }
  const std::string_view text(name.ptr, name.len);
  if (!std::all_of(text.begin(), text.end(), valid)) {
    return fail("has {}.name \"{}\"; a service's name is made of a-z, 0-9 and -", where,
                printable(text));
  }
  return {};
}

Result<trigger_service> read_service(std::string_view where, const trigger_service* service) {
  if (service == nullptr) return fail("has {} = NULL", where);
  if (auto done = check_size(where, service->struct_size, kServiceSize10); !done) {
    return tl::make_unexpected(done.error());
  }
  trigger_service copy{};
  std::memcpy(&copy, service, std::min<std::size_t>(service->struct_size, sizeof copy));
  copy.struct_size = sizeof copy;
  if (auto done = check_functions(where, copy); !done) return tl::make_unexpected(done.error());
  return copy;
}

Result<std::vector<trigger_service>> read_services(const trigger_plugin& plugin) {
  if (plugin.service_count == 0 || plugin.service_count > kMaxServices ||
      plugin.services == nullptr) {
    return fail("has {} services at {}; a plugin exports 1 to {}", plugin.service_count,
                place(plugin.services), kMaxServices);
  }
  std::vector<trigger_service> services;
  for (std::uint32_t i = 0; i < plugin.service_count; ++i) {
    auto service = read_service(fmt::format("services[{}]", i), plugin.services[i]);
    if (!service) return tl::make_unexpected(service.error());
    services.push_back(*service);
  }
  return services;
}

Result<> check_names(const std::vector<trigger_service>& services) {
  std::vector<std::string_view> names;
  for (const trigger_service& service : services) {
    if (auto done = check_name(fmt::format("services[{}]", names.size()), service.name); !done) {
      return done;
    }
    const std::string_view name(service.name.ptr, service.name.len);
    const auto same = std::find(names.begin(), names.end(), name);
    if (same != names.end()) {
      return fail("has services[{}] and services[{}] with the same name \"{}\"",
                  same - names.begin(), names.size(), name);
    }
    names.push_back(name);
  }
  return {};
}

}  // namespace

Result<PluginTable> read_plugin_table(const trigger_plugin* plugin) {
  if (plugin == nullptr) {
    return fail(
        "refuses this runtime: its entry function returned NULL for plugin ABI {}.{}; its log "
        "lines "
        "may say why",
        TRIGGER_ABI_MAJOR, TRIGGER_ABI_MINOR);
  }
  if (auto done = check_size("trigger_plugin", plugin->struct_size, kPluginSize10); !done) {
    return tl::make_unexpected(done.error());
  }
  if (plugin->abi_major != TRIGGER_ABI_MAJOR) {
    return fail("says plugin ABI major {}, this runtime has major {}; build it against that",
                plugin->abi_major, TRIGGER_ABI_MAJOR);
  }
  auto services = read_services(*plugin);
  if (!services) return tl::make_unexpected(services.error());
  auto name = read_text("name", plugin->name);
  if (!name) return tl::make_unexpected(name.error());
  auto version = read_text("version", plugin->version);
  if (!version) return tl::make_unexpected(version.error());
  if (auto done = check_names(*services); !done) return tl::make_unexpected(done.error());
  return PluginTable{std::move(*name), std::move(*version), plugin->abi_minor,
                     std::move(*services)};
}

}  // namespace triggerd::plugin
