// Hosts of another minor than this tree's: an older one, whose structs end where ABI 1.0 ended,
// with an unreadable page behind each; and a newer one, whose structs go on with what nobody here
// knows.
#pragma once

#include <dlfcn.h>
#include <sys/mman.h>
#include <trigger/plugin.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/testing/host.hpp>
#include <trigger/testing/settings.hpp>
#include <vector>

#include "../layout_v1.h"

namespace other_host {

// What the structs of ABI 1.0 have, by layout_v1.h, whatever sizeof says today.
#define OTHER_HOST_SIZE(type, minor, last, size) \
  if (minor == 0 && name == #type) return size;
inline std::size_t size_1_0(std::string_view name) {
  LAYOUT_GROWING(OTHER_HOST_SIZE)
  throw std::logic_error("layout_v1.h has no such struct");
}
#undef OTHER_HOST_SIZE

enum class Age { older, newer };

// A struct as a host of that age hands it over. The older one's lies at the end of a page, and the
// next page cannot be read; the newer one's has 64 bytes more, which are no zeroes.
template <class Struct>
class Foreign {
 public:
  Foreign(Age age, std::string_view name, const Struct& today)
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        size_(age == Age::older ? size_1_0(name) : sizeof(Struct) + 64) {
    memory_ =
        ::mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::runtime_error("no memory");
    std::byte* const end = static_cast<std::byte*>(memory_) + page_;
    std::memset(memory_, 0xA5, page_);
    at_ = end - size_;
    std::memcpy(at_, &today, size_ < sizeof(Struct) ? size_ : sizeof(Struct));
    const auto said = static_cast<std::uint32_t>(size_);
    std::memcpy(at_, &said, sizeof said);  // struct_size comes first
    if (::mprotect(end, page_, PROT_NONE) != 0) throw std::runtime_error("no guard");
  }
  ~Foreign() { ::munmap(memory_, 2 * page_); }
  Foreign(const Foreign&) = delete;
  Foreign& operator=(const Foreign&) = delete;

  Struct* get() { return reinterpret_cast<Struct*>(at_); }

 private:
  const std::size_t page_;
  const std::size_t size_;
  void* memory_ = nullptr;
  std::byte* at_ = nullptr;
};

template <class Struct>
Struct with_size() {
  Struct made{};
  made.struct_size = sizeof made;
  return made;
}

class Result : public Foreign<trigger_result> {
 public:
  explicit Result(Age age) : Foreign(age, "trigger_result", with_size<trigger_result>()) {}
  std::string reason() { return get()->reason; }
};

// A plugin, and one instance of its first service, in the hands of such a host.
class Host {
 public:
  Host(Age age, const char* file, const trigger::testing::Settings& settings)
      : age_(age), recording_(TRIGGER_LOG_TRACE), host_(age, "trigger_host", recording_.table()) {
    host_.get()->abi_minor = age == Age::older ? 0 : 99;
    library_ = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) throw std::runtime_error("cannot be loaded");
    const auto entry =
        reinterpret_cast<trigger_plugin_entry>(::dlsym(library_, TRIGGER_ENTRY_NAME));
    service_ = entry(host_.get())->services[0];

    std::vector<trigger_setting> rows;
    for (const auto& setting : settings) rows.push_back(row(setting));
    const std::string json = trigger::testing::detail::to_json(settings);
    auto config = with_size<trigger_instance_config>();
    config.concurrency = 1;
    config.trigger = {"t", 1};
    config.alias = {"plant", 5};
    config.settings_json = {json.data(), json.size()};
    config.settings = rows.data();
    config.setting_count = rows.size();
    Foreign<trigger_instance_config> given(age, "trigger_instance_config", config);
    Result error(age);
    if (service_->create(host_.get(), given.get(), &instance_, error.get()) != TRIGGER_OK) {
      throw std::runtime_error(error.reason());
    }
  }
  ~Host() {
    if (instance_ != nullptr) service_->destroy(instance_);
    if (library_ != nullptr) ::dlclose(library_);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const trigger_service& service() const { return *service_; }
  void* instance() const { return instance_; }
  trigger::testing::detail::RecordingHost& seen() { return recording_; }

  std::int32_t start() {
    recording_.set_started(true);
    Result error(age_);
    return service_->start(instance_, error.get());
  }
  std::int32_t handle(const char* topic, std::string_view payload) {
    Foreign<trigger_message> message(age_, "trigger_message", message_of(topic, payload));
    Result result(age_);
    return service_->handle(instance_, message.get(), result.get());
  }
  // The code of each.
  std::vector<std::int32_t> handle_batch(const char* topic, std::string_view payload) {
    Foreign<trigger_message> first(age_, "trigger_message", message_of(topic, payload));
    Foreign<trigger_message> second(age_, "trigger_message", message_of(topic, payload));
    Result one(age_);
    Result other(age_);
    one.get()->code = other.get()->code = TRIGGER_RETRY;
    const trigger_message* const messages[] = {first.get(), second.get()};
    trigger_result* const results[] = {one.get(), other.get()};
    service_->handle_batch(instance_, messages, results, 2);
    return {one.get()->code, other.get()->code};
  }
  void stop() {
    recording_.stopping();
    service_->stop(instance_);
    recording_.stopped();
  }

 private:
  static trigger_setting row(const trigger::testing::Setting& setting) {
    using trigger::testing::detail::to_abi;
    return {to_abi(setting.key), to_abi(setting.value), setting.type, 0};
  }
  static trigger_message message_of(const char* topic, std::string_view payload) {
    auto message = with_size<trigger_message>();
    message.token = 1;
    message.id = {"id-1", 4};
    message.topic = {topic, std::strlen(topic)};
    message.trigger = {"t", 1};
    message.payload = trigger::testing::detail::bytes_to_abi(payload);
    message.attempt = 1;
    message.qos = 1;
    return message;
  }

  const Age age_;
  trigger::testing::detail::RecordingHost recording_;
  Foreign<trigger_host> host_;
  void* library_ = nullptr;
  const trigger_service* service_ = nullptr;
  void* instance_ = nullptr;
};

}  // namespace other_host
