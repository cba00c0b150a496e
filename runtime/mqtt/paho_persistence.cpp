#include "mqtt/paho_persistence.hpp"

#include <MQTTAsync.h>

#include <charconv>
#include <cstring>

#include "mqtt/wire/wire.hpp"

namespace triggerd::mqtt {
namespace {

constexpr std::string_view kReceived5 = "r5-";

bool is_received(std::string_view key) {
  return key.starts_with("r-") || key.starts_with(kReceived5);
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

}  // namespace

// Paho's functions; the handle is the PahoPersistence.
struct PahoPersistence::Functions {
  static PahoPersistence& of(void* handle) { return *static_cast<PahoPersistence*>(handle); }

  static int open(void** handle, const char*, const char*, void* context) {
    *handle = context;
    return 0;
  }
  static int close(void*) { return 0; }

  static int put(void* handle, char* key, int count, char* buffers[], int lengths[]) {
    if (!is_received(key)) return 0;
    PahoPersistence& self = of(handle);
    std::string packet;
    for (int i = 0; i < count; ++i) packet.append(buffers[i], static_cast<std::size_t>(lengths[i]));
    Receipt receipt;
    if (const auto link = wire::current()) {
      const auto ticket = link->hold({wire::AckKind::pubrec, id_of(key)});
      receipt = Receipt(link, wire::AckKind::pubrec, ticket);
    }
    if (std::string_view(key).starts_with(kReceived5)) {
      self.aliases_.learn(packet);
      self.arriving_ = Arriving{id_of(key), receipt};
    }
    MutexLock lock(self.mutex_);
    if (self.staged_ == nullptr) return MQTTCLIENT_PERSISTENCE_ERROR;
    self.staged_->put(key, std::move(packet), std::move(receipt));
    return 0;
  }

  static int get(void* handle, char* key, char** buffer, int* length) {
    const std::optional<std::string> packet = of(handle).packet(key);
    if (!packet) return MQTTCLIENT_PERSISTENCE_ERROR;
    *buffer = copy_for_paho(*packet);
    *length = static_cast<int>(packet->size());
    return *buffer == nullptr ? MQTTCLIENT_PERSISTENCE_ERROR : 0;
  }

  // On 3.1.1 the message was handed over, which removes it together with its becoming an inbox row.
  // On 5 its PUBREL came, or the session is gone: on_repeated_pubrel() and session_lost() say so.
  static int remove(void*, char*) { return 0; }

  static int keys(void* handle, char*** keys, int* count) {
    const std::vector<std::string> all = of(handle).all_keys();
    *keys = nullptr;
    *count = 0;
    if (all.empty()) return 0;
    *keys = static_cast<char**>(MQTTAsync_malloc(all.size() * sizeof(char*)));
    if (*keys == nullptr) return MQTTCLIENT_PERSISTENCE_ERROR;
    for (const std::string& key : all) (*keys)[(*count)++] = copy_for_paho(key);
    return 0;
  }

  static int clear(void* handle) {
    of(handle).session_lost();
    return 0;
  }

  static int contains(void* handle, char* key) {
    return of(handle).packet(key) ? 0 : MQTTCLIENT_PERSISTENCE_ERROR;
  }
};

PahoPersistence::PahoPersistence(StagedMessages& staged, TopicAliases& aliases)
    : staged_(&staged),
      aliases_(aliases),
      interface_{.context = this,
                 .popen = &Functions::open,
                 .pclose = &Functions::close,
                 .pput = &Functions::put,
                 .pget = &Functions::get,
                 .premove = &Functions::remove,
                 .pkeys = &Functions::keys,
                 .pclear = &Functions::clear,
                 .pcontainskey = &Functions::contains} {}

std::optional<std::string> PahoPersistence::packet(const std::string& key) const {
  MutexLock lock(mutex_);
  return staged_ == nullptr ? std::nullopt : staged_->get(key);
}

std::vector<std::string> PahoPersistence::all_keys() const {
  MutexLock lock(mutex_);
  return staged_ == nullptr ? std::vector<std::string>() : staged_->keys();
}

void PahoPersistence::session_lost() {
  MutexLock lock(mutex_);
  if (staged_ != nullptr) staged_->session_lost();
}

void PahoPersistence::detach() {
  MutexLock lock(mutex_);
  staged_ = nullptr;
}

std::optional<Receipt> PahoPersistence::take_arriving(std::uint16_t packet_id) {
  const std::optional<Arriving> arriving = std::exchange(arriving_, std::nullopt);
  if (!arriving || arriving->packet_id != packet_id) return std::nullopt;
  return arriving->receipt;
}

}  // namespace triggerd::mqtt
