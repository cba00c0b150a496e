// [aliases.NAME] with its last will.
#include <algorithm>

#include "base/program.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "config/names.hpp"
#include "config/password_command.hpp"
#include "config/password_file.hpp"
#include "config/sections.hpp"
#include "config/server_address.hpp"
#include "config/table_reader.hpp"
#include "config/topic_filter.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kMaxServers = 64;
constexpr std::size_t kMaxClientId = 1024;
constexpr std::size_t kMaxMqttField = 65'535;       // MQTT 3.1.1, section 1.5.3
constexpr std::uint64_t kMaxPacket = 256ULL << 20;  // just above MQTT's largest, section 2.2.3
constexpr std::int64_t kMaxInflight = 1'000;        // unconfirmed messages of one connection
constexpr std::int64_t kMaxFilters = 100;
constexpr std::uint64_t kLeastOutbox = 64ULL << 10;
constexpr std::uint64_t kLargestOutbox = 1ULL << 40;
constexpr Millis kLongestWait = std::chrono::hours(24);
constexpr Millis kLongestPasswordCommand = std::chrono::minutes(5);
constexpr Millis kLongestKeepAlive = std::chrono::seconds(65'535);  // section 3.1.2.10

void add_server(const SourceFile& file, std::string_view key, const Text& address, Alias& alias) {
  auto server = parse_server(address.value);
  if (server) {
    alias.servers.push_back(*std::move(server));
  } else {
    file.error(address.spot, "{}: {}", key, server.error().message);
  }
}

void read_servers(TableReader& reader, Alias& alias) {
  const SourceFile& file = reader.file();
  const bool host = reader.get("host") != nullptr;
  const bool hosts = reader.get("hosts") != nullptr;
  if (host && hosts) {
    file.error(reader.spot_of("hosts"), "host and hosts are mutually exclusive; write one of them");
  }
  if (!host && !hosts) reader.report_missing("host", "host = \"tcp://localhost:1883\"");
  if (const auto address = reader.text("host")) add_server(file, "host", *address, alias);
  const auto addresses = reader.texts("hosts");
  if (!addresses) return;
  if (reader.get("hosts")->as<Node::Array>()->empty()) {
    file.error(reader.spot_of("hosts"), "hosts is empty; write at least one address");
  }
  if (addresses->size() > kMaxServers) {
    file.error(reader.spot_of("hosts"), "hosts has more than {} addresses", kMaxServers);
    return;
  }
  for (const Text& address : *addresses) add_server(file, "hosts", address, alias);
  // The MQTT library keeps the transport it began with: after ws:// it never connects to tcp://
  // again.
  const auto websockets =
      static_cast<std::size_t>(std::count_if(alias.servers.begin(), alias.servers.end(),
                                             [](const Server& s) { return s.is_websocket(); }));
  if (websockets > 0 && websockets < alias.servers.size()) {
    file.error(reader.spot_of("hosts"),
               "hosts mixes WebSocket addresses with others; write ws:// or wss:// for all of "
               "them, or for none");
  }
}

void read_session(TableReader& reader, Alias& alias) {
  const SourceFile& file = reader.file();
  if (const auto client_id = reader.text("client_id")) {
    alias.client_id = client_id->value;
    if (alias.client_id.size() > kMaxClientId) {
      file.error(client_id->spot, "client_id is longer than {} bytes", kMaxClientId);
    }
  }
  reader.boolean("clean_session", alias.clean_session);
  read_protocol(reader, alias);
  Millis timeout{};
  if (reader.duration("connection_timeout", timeout, Millis(0), kLongestWait)) {
    alias.connection_timeout = timeout == Millis(0) ? std::nullopt : std::optional(timeout);
  }
  Millis keep_alive{};
  if (reader.duration("keep_alive", keep_alive, Millis(0), kLongestKeepAlive)) {
    alias.keep_alive = keep_alive;
    if (keep_alive % std::chrono::seconds(1) != Millis(0)) {
      file.error(reader.spot_of("keep_alive"), "keep_alive must be whole seconds, not {}",
                 format_duration(keep_alive));
    }
  }
  reader.size("max_packet_size", alias.max_packet_size, 1, kMaxPacket);
  if (std::uint16_t most = 0; reader.integer("max_inflight", most, 1, kMaxInflight)) {
    alias.max_inflight = most;
  }
  reader.integer("filters_per_packet", alias.filters_per_packet, 1, kMaxFilters);
}

void read_reconnect(TableReader& alias_reader, Alias& alias) {
  auto reader = alias_reader.table("reconnect");
  if (!reader) return;
  read_backoff(*reader, "min", "max", alias.reconnect);
  reader->report_unknown_keys();
}

// The content of the file that `key` names, which holds a secret. `file` becomes its path.
std::optional<std::string> read_secret_file(TableReader& reader, std::string_view key,
                                            std::filesystem::path& file) {
  const auto path = reader.path(key);
  if (!path) return std::nullopt;
  file = *path;
  auto content = read_password_file(*path);
  if (!content) {
    reader.file().error(reader.spot_of(key), "{}: {}", key, content.error().message);
    return std::nullopt;
  }
  return *std::move(content);
}

void read_password_command(TableReader& reader, PasswordCommand& command) {
  const SourceFile& file = reader.file();
  reader.duration("password_command_timeout", command.timeout, Millis(100),
                  kLongestPasswordCommand);
  const auto words = reader.texts("password_command");
  if (!words) {
    if (reader.get("password_command_timeout") != nullptr &&
        reader.get("password_command") == nullptr) {
      file.error(reader.spot_of("password_command_timeout"),
                 "password_command_timeout without password_command; add password_command");
    }
    return;
  }
  if (words->empty() || words->front().value.empty()) {
    file.error(reader.spot_of("password_command"),
               "password_command names no program; write [\"PROGRAM\", \"ARGUMENT\"...]");
    return;
  }
  for (const Text& word : *words) {
    if (auto expanded = expand_word(word.value, {}); !expanded) {
      file.error(word.spot, "password_command: {}", expanded.error().message);
    }
    command.words.push_back(word.value);
  }
  if (auto program = find_program(command.words.front()); !program) {
    file.error(words->front().spot, "password_command: {}", program.error().message);
  }
}

void read_credentials(TableReader& reader, Alias& alias) {
  const SourceFile& file = reader.file();
  read_password_command(reader, alias.password_command);
  const bool has_user_name = reader.get("user_name") != nullptr;
  const bool user_name_is_good = reader.string("user_name", alias.user_name);
  if (alias.user_name.size() > kMaxMqttField) {
    file.error(reader.spot_of("user_name"), "user_name is longer than {} bytes", kMaxMqttField);
  }
  const bool plain = reader.get("password") != nullptr;
  const bool from_file = reader.get("password_file") != nullptr;
  if (plain && from_file) {
    file.error(reader.spot_of("password_file"),
               "password and password_file are mutually exclusive; write one of them");
  }
  const bool from_command = reader.get("password_command") != nullptr;
  const std::string_view key = from_command ? "password_command"
                               : from_file  ? "password_file"
                                            : "password";
  std::string password;
  reader.string("password", password);
  if (auto content = read_secret_file(reader, "password_file", alias.password_file)) {
    password = *std::move(content);
  }
  if (from_command && (from_file || !password.empty())) {
    file.error(reader.spot_of("password_command"),
               "{} and password_command are mutually exclusive; write one of them",
               from_file ? "password_file" : "password");
  }
  if (password.size() > kMaxMqttField) {
    file.error(reader.spot_of(key), "{} holds more than {} bytes", key, kMaxMqttField);
  }
  // Both may come from empty variables: then there is no login.
  const bool no_user_name = !has_user_name || (user_name_is_good && alias.user_name.empty());
  if (no_user_name && (from_command || from_file || !password.empty())) {
    file.error(reader.spot_of(key), "{} without user_name; add user_name", key);
  }
  alias.password = Secret(std::move(password));
}

std::optional<std::string> read_payload(TableReader& reader, std::string_view key) {
  std::string payload;
  if (!reader.payload(key, payload)) return std::nullopt;
  if (payload.size() > kMaxMqttField) {
    reader.file().error(reader.spot_of(key), "{} is longer than {} bytes", key, kMaxMqttField);
  }
  return payload;
}

void read_last_will(TableReader& alias_reader, Alias& alias) {
  auto reader = alias_reader.table("last_will");
  if (!reader) return;
  LastWill will;
  if (reader->get("topic") == nullptr) reader->report_missing("topic", "topic = \"state/edge-1\"");
  if (const auto topic = reader->text("topic")) {
    will.topic = topic->value;
    if (const auto checked = check_topic_name(will.topic); !checked) {
      reader->file().error(topic->spot, "topic \"{}\" {}", topic->shown, checked.error().message);
    }
  }
  reader->boolean("enabled", will.enabled);
  reader->integer("qos", will.qos, 0, 2);
  reader->boolean("retained", will.retained);
  will.payload = read_payload(*reader, "payload").value_or("");
  will.on_connect_payload = read_payload(*reader, "on_connect_payload");
  will.on_disconnect_payload = read_payload(*reader, "on_disconnect_payload");
  reader->report_unknown_keys();
  alias.last_will = std::move(will);
}

void read_outbox(TableReader& alias_reader, Alias& alias) {
  auto reader = alias_reader.table("outbox");
  if (!reader) return;
  Outbox outbox;
  reader->size("max_size", outbox.max_size, kLeastOutbox, kLargestOutbox);
  outbox.max_size_place = reader->file().place(reader->spot_of("max_size"));
  reader->choice(
      "when_full", outbox.when_full,
      {{"refuse", Outbox::WhenFull::refuse}, {"drop-oldest", Outbox::WhenFull::drop_oldest}});
  reader->report_unknown_keys();
  alias.outbox = outbox;
}

}  // namespace

void read_alias(const SourceFile& file, const Member& member, Sections& sections) {
  if (member.value.as<Node::Table>() == nullptr) {
    file.error(member.key_spot, "\"{}\" in [aliases] must be a table, not {}; write [aliases.NAME]",
               printable(member.key), type_name(member.value));
    return;
  }
  const std::string shown = printable(member.key);
  if (!is_name(member.key)) {
    file.error(member.key_spot,
               "\"{}\" is not a valid alias name; use at most {} letters, digits, \"_\", \".\" and "
               "\"-\", starting with a letter or digit",
               shown, kMaxName);
  }
  TableReader reader(file, member.value, fmt::format("[aliases.{}]", shown));
  AliasDraft draft;
  Alias& alias = draft.alias;
  alias.name = member.key;
  alias.package = file.package;
  alias.place = file.place(member.key_spot);
  alias.written = std::make_shared<Node>(member.value);
  reader.string("description", alias.description);
  reader.boolean("enabled", alias.enabled);
  read_servers(reader, alias);
  read_session(reader, alias);
  read_reconnect(reader, alias);
  read_credentials(reader, alias);
  read_proxy(reader, alias);
  read_last_will(reader, alias);
  read_outbox(reader, alias);
  read_alias_tls(reader, draft);
  reader.report_unknown_keys();
  draft.client_id_place = file.place(reader.spot_of("client_id"));
  sections.aliases.push_back(std::move(draft));
}

}  // namespace triggerd::config
