#include "publisher.hpp"

#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace exec_plugin {
namespace {

using trigger::Verdict;

void set_properties(const Publication& from, trigger::Properties& out) {
  if (from.is_text) out.payload_is_text();
  if (from.expiry) out.message_expiry(*from.expiry);
  if (from.content_type) out.content_type(*from.content_type);
  if (from.response_topic) out.response_topic(*from.response_topic);
  if (from.correlation) out.correlation_data(*from.correlation);
  for (const UserProperty& property : from.user) out.user(property.name, property.value);
}

// Several publishes, which together are a message's verdict. The first that fails decides. Any
// thread.
class Together {
 public:
  Together(std::size_t count, trigger::Completion completion)
      : left_(count), completion_(std::move(completion)) {}

  void finished(std::int32_t code, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    if (code != TRIGGER_OK && !failed_) failed_ = Verdict::from_publish(code, reason);
    if (--left_ > 0) return;
    completion_.complete(failed_ ? *failed_ : Verdict::ok());
  }

 private:
  std::mutex mutex_;
  std::size_t left_;
  trigger::Completion completion_;
  std::optional<Verdict> failed_;
};

}  // namespace

void publish(const trigger::Context& context, const Publication& publication,
             std::function<void(std::int32_t code, std::string_view reason)> done) {
  trigger::Properties properties;
  set_properties(publication, properties);
  trigger::Publish message{publication.topic, publication.payload, publication.qos,
                           publication.retain, publication.alias};
  message.set(properties);
  const auto shared = std::make_shared<decltype(done)>(std::move(done));
  const std::int32_t code = context.publish(
      message,
      [shared](std::int32_t result, std::string_view reason) { (*shared)(result, reason); });
  if (code != TRIGGER_OK) (*shared)(code, {});
}

void publish_then_complete(const trigger::Context& context,
                           const std::vector<Publication>& publications,
                           trigger::Completion completion) {
  const auto together = std::make_shared<Together>(publications.size(), std::move(completion));
  for (const Publication& publication : publications) {
    publish(context, publication, [together](std::int32_t code, std::string_view reason) {
      together->finished(code, reason);
    });
  }
}

}  // namespace exec_plugin
