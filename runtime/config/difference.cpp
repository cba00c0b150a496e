// Every comparison names all members of what it compares, by structured bindings: a member that is
// added does not compile until somebody decides here whether it matters.
#include "config/difference.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace triggerd::config {
namespace {

template <class T, class Same>
bool all_same(const std::vector<T>& a, const std::vector<T>& b, Same same) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

auto of(const Backoff& backoff) {
  const auto& [min, max, factor] = backoff;
  return std::tie(min, max, factor);
}

auto of(const Server& server) {
  const auto& [scheme, host, port, path] = server;
  return std::tie(scheme, host, port, path);
}

// A password file is read again whenever it is used, so its content is not compared.
bool same_password(const Secret& a, const std::filesystem::path& a_file, const Secret& b,
                   const std::filesystem::path& b_file) {
  return a_file == b_file && (!a_file.empty() || a.reveal() == b.reveal());
}

bool same_proxy(const std::optional<Proxy>& a, const std::optional<Proxy>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  const auto& [scheme, host, port, user_name, password, password_file] = *a;
  return scheme == b->scheme && host == b->host && port == b->port && user_name == b->user_name &&
         same_password(password, password_file, b->password, b->password_file);
}

auto of(const LastWill& will) {
  const auto& [enabled, topic, qos, retained, payload, on_connect, on_disconnect] = will;
  return std::tie(enabled, topic, qos, retained, payload, on_connect, on_disconnect);
}

auto of(const Outbox& outbox) {
  const auto& [max_size, place, when_full] = outbox;
  (void)place;
  return std::tie(max_size, when_full);
}

auto of(const Topic& topic) {
  const auto& [filter, qos, no_local, retain_as_published, retain_handling, id] = topic;
  return std::tie(filter, qos, no_local, retain_as_published, retain_handling, id);
}

auto of(const Order& order) {
  const auto& [by, level, pointer] = order;
  return std::tie(by, level, pointer);
}

auto of(const Pacing& pacing) {
  const auto& [max_rate, delay] = pacing;
  const auto& [count, per] = max_rate;
  return std::tie(count, per, delay);
}

auto of(const Deduplicate& deduplicate) {
  const auto& [by, pointer, topic, window, max] = deduplicate;
  return std::tie(by, pointer, topic, window, max);
}

auto of(const content::Options& content) {
  const auto& [when, transform, split, schema, input, on_error, timeout, max_size] = content;
  return std::tie(when, transform, split, schema, input, on_error, timeout, max_size);
}

auto of(const Setting& setting) {
  const auto& [key, value, type] = setting;
  return std::tie(key, value, type);
}

constexpr auto kSame = [](const auto& a, const auto& b) { return of(a) == of(b); };

template <class T>
bool same_optional(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a || kSame(*a, *b));
}

bool same_store(const Truststore* a, const Truststore* b) {
  if (a == nullptr || b == nullptr) return a == b;
  const auto& [name, place, system, file, file_place] = *a;
  (void)place;
  (void)file_place;
  return name == b->name && system == b->system && file == b->file;
}

bool same_store(const Keystore* a, const Keystore* b) {
  if (a == nullptr || b == nullptr) return a == b;
  const auto& [name, place, file, certificate, private_key, file_place, key_place, password,
               password_file] = *a;
  (void)place;
  (void)file_place;
  (void)key_place;
  return name == b->name && file == b->file && certificate == b->certificate &&
         private_key == b->private_key &&
         same_password(password, password_file, b->password, b->password_file);
}

template <class T, class Same>
Changes changes_of(const std::vector<T>& before, const std::vector<T>& after, Same same) {
  Changes changes;
  std::unordered_map<std::string_view, const T*> old;
  for (const T& item : before) old.emplace(item.name, &item);
  for (const T& item : after) {
    const auto found = old.find(item.name);
    if (found == old.end()) {
      changes.added.push_back(item.name);
      continue;
    }
    if (!same(*found->second, item)) changes.changed.push_back(item.name);
    old.erase(found);
  }
  for (const T& item : before) {
    if (old.contains(item.name)) changes.removed.push_back(item.name);
  }
  return changes;
}

void compare_sections(const Config& before, const Config& after, Difference& found) {
  const auto fixed = [&found](const char* key, bool same) {
    if (!same) found.needs_restart.emplace_back(key);
  };
  {
    const auto& [name, state_dir, state_dir_place, plugin_dirs, packages_dir, drain, hot] =
        before.runtime;
    (void)state_dir_place;
    const RuntimeSection& b = after.runtime;
    fixed("[runtime] name", name == b.name);
    fixed("[runtime] state_dir", state_dir == b.state_dir);
    fixed("[runtime] hot_reload", hot == b.hot_reload);
    found.other = found.other || plugin_dirs != b.plugin_dirs || packages_dir != b.packages_dir ||
                  drain != b.drain_timeout;
  }
  {
    const auto& [level, format, plugins] = before.log;
    (void)plugins;  // already in the log_level of each trigger
    fixed("[log] level", level == after.log.level);
    fixed("[log] format", format == after.log.format);
  }
  {
    const auto& [sync, max_size] = before.inbox;
    fixed("[inbox] sync", sync == after.inbox.sync_to_disk);
    fixed("[inbox] max_size", max_size == after.inbox.max_size);
  }
  {
    const auto& [listen, socket, token_file, token, read_token_file, read_token, manage,
                 manage_files] = before.admin;
    const AdminSection& b = after.admin;
    const auto text = [](const std::optional<ListenAddress>& address) {
      return address ? to_string(*address) : std::string();
    };
    fixed("[admin] listen", text(listen) == text(b.listen));
    fixed("[admin] socket", socket == b.socket);
    (void)token;  // the files are read again whenever a caller shows a token
    (void)read_token;
    fixed("[admin] token_file", token_file == b.token_file);
    fixed("[admin] read_token_file", read_token_file == b.read_token_file);
    found.other = found.other || manage != b.manage || manage_files != b.manage_files;
  }
}

}  // namespace

bool runs_the_same(const Alias& a, const Alias& b) {
  const auto& [name, package, place, description, enabled, servers, client_id, protocol, clean,
               session_expiry, receive_maximum, topic_aliases, max_inflight, filters_per_packet,
               connection_timeout, keep_alive, reconnect, max_packet_size, user_name, password,
               password_file, password_command, proxy, last_will, outbox, truststore,
               truststore_place, keystore, keystore_place, key_alias, key_alias_place, alpn,
               written] = a;
  (void)place;
  (void)description;
  (void)truststore_place;
  (void)keystore_place;
  (void)key_alias_place;
  (void)written;
  return name == b.name && package == b.package && enabled == b.enabled &&
         all_same(servers, b.servers, kSame) && client_id == b.client_id &&
         protocol == b.protocol && clean == b.clean_session && session_expiry == b.session_expiry &&
         receive_maximum == b.receive_maximum && topic_aliases == b.topic_aliases &&
         max_inflight == b.max_inflight && filters_per_packet == b.filters_per_packet &&
         connection_timeout == b.connection_timeout && keep_alive == b.keep_alive &&
         kSame(reconnect, b.reconnect) && max_packet_size == b.max_packet_size &&
         user_name == b.user_name &&
         same_password(password, password_file, b.password, b.password_file) &&
         password_command == b.password_command && same_proxy(proxy, b.proxy) &&
         same_optional(last_will, b.last_will) && same_optional(outbox, b.outbox) &&
         truststore == b.truststore && keystore == b.keystore && key_alias == b.key_alias &&
         alpn == b.alpn;
}

bool runs_the_same(const Trigger& a, const Trigger& b) {
  const auto& [name, package, place, description, enabled, alias, topics, shared_group, plugin,
               service, service_place, concurrency, concurrency_place, brief, order, deduplicate,
               queue_capacity, pacing, acknowledge, timeout, retained, retry, on_exhausted,
               dead_letter_topic, content, schema_file, monitor_plugin, monitor_service,
               monitor_place, monitor_interval, isolation, isolation_memory, isolation_place,
               log_level, settings, written] = a;
  (void)place;
  (void)description;
  (void)service_place;
  (void)concurrency_place;
  (void)monitor_place;
  (void)isolation_place;
  (void)written;
  (void)schema_file;  // what was in it counts
  const auto& [max_attempts, backoff] = retry;
  const auto& [json, flat] = settings;
  return name == b.name && package == b.package && enabled == b.enabled && alias == b.alias &&
         all_same(topics, b.topics, kSame) && shared_group == b.shared_group &&
         plugin == b.plugin && service == b.service && concurrency == b.concurrency &&
         brief == b.brief && kSame(order, b.order) && same_optional(deduplicate, b.deduplicate) &&
         queue_capacity == b.queue_capacity && kSame(pacing, b.pacing) &&
         acknowledge == b.acknowledge && timeout == b.timeout && retained == b.retained &&
         max_attempts == b.retry.max_attempts && kSame(backoff, b.retry.backoff) &&
         on_exhausted == b.on_exhausted && dead_letter_topic == b.dead_letter_topic &&
         kSame(content, b.content) && monitor_plugin == b.monitor_plugin &&
         monitor_service == b.monitor_service && monitor_interval == b.monitor_interval &&
         isolation == b.isolation && isolation_memory == b.isolation_memory &&
         log_level == b.log_level && json == b.settings.json &&
         all_same(flat, b.settings.flat, kSame);
}

Difference difference(const Config& before, const Config& after) {
  Difference found;
  found.aliases = changes_of(before.aliases, after.aliases, [&](const Alias& a, const Alias& b) {
    return runs_the_same(a, b) &&
           same_store(before.find_truststore(a.truststore), after.find_truststore(b.truststore)) &&
           same_store(before.find_keystore(a.keystore), after.find_keystore(b.keystore));
  });
  found.triggers =
      changes_of(before.triggers, after.triggers,
                 [](const Trigger& a, const Trigger& b) { return runs_the_same(a, b); });
  compare_sections(before, after, found);
  return found;
}

}  // namespace triggerd::config
