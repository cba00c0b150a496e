#include "mqtt/paho_persistence.hpp"

#include <MQTTAsync.h>

#include <charconv>
#include <cstring>

#include "mqtt/wire/wire.hpp"

namespace triggerd::mqtt {
namespace {

StagedMessages& staged_of(void* handle) {
  return *static_cast<StagedMessages*>(handle);
}

bool is_received(std::string_view key) {
  return key.starts_with("r-") || key.starts_with("r5-");
}

std::uint16_t id_of(std::string_view key) {
  const std::string_view digits = key.substr(key.find('-') + 1);
  unsigned id = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), id);
  return static_cast<std::uint16_t>(id);
}

char* copy_for_paho(std::string_view bytes) {
  auto* copy = static_cast<char*>(MQTTAsync_malloc(bytes.size() + 1));
  if (copy == nullptr) return nullptr;
  std::memcpy(copy, bytes.data(), bytes.size());
  copy[bytes.size()] = '\0';
  return copy;
}

int open(void** handle, const char*, const char*, void* context) {
  *handle = context;
  return 0;
}
int close(void*) {
  return 0;
}

int put(void* handle, char* key, int count, char* buffers[], int lengths[]) {
  if (!is_received(key)) return 0;
  std::string packet;
  for (int i = 0; i < count; ++i) packet.append(buffers[i], static_cast<std::size_t>(lengths[i]));
  Receipt receipt;
  if (const auto link = wire::current()) {
    const auto ticket = link->hold({wire::AckKind::pubrec, id_of(key)});
    receipt = Receipt(link, wire::AckKind::pubrec, ticket);
  }
  staged_of(handle).put(key, std::move(packet), std::move(receipt));
  return 0;
}

int get(void* handle, char* key, char** buffer, int* length) {
  const std::optional<std::string> packet = staged_of(handle).get(key);
  if (!packet) return MQTTCLIENT_PERSISTENCE_ERROR;
  *buffer = copy_for_paho(*packet);
  *length = static_cast<int>(packet->size());
  return *buffer == nullptr ? MQTTCLIENT_PERSISTENCE_ERROR : 0;
}

// After the message was handed over, which removes it together with its becoming an inbox row.
int remove(void*, char*) {
  return 0;
}

int keys(void* handle, char*** keys, int* count) {
  const std::vector<std::string> all = staged_of(handle).keys();
  *keys = nullptr;
  *count = 0;
  if (all.empty()) return 0;
  *keys = static_cast<char**>(MQTTAsync_malloc(all.size() * sizeof(char*)));
  if (*keys == nullptr) return MQTTCLIENT_PERSISTENCE_ERROR;
  for (const std::string& key : all) (*keys)[(*count)++] = copy_for_paho(key);
  return 0;
}

int clear(void* handle) {
  staged_of(handle).session_lost();
  return 0;
}

int contains(void* handle, char* key) {
  return staged_of(handle).get(key) ? 0 : MQTTCLIENT_PERSISTENCE_ERROR;
}

}  // namespace

PahoPersistence::PahoPersistence(StagedMessages& staged)
    : interface_{.context = &staged,
                 .popen = &open,
                 .pclose = &close,
                 .pput = &put,
                 .pget = &get,
                 .premove = &remove,
                 .pkeys = &keys,
                 .pclear = &clear,
                 .pcontainskey = &contains} {}

}  // namespace triggerd::mqtt
