// republish: forwards each message under another topic, through the same alias or another one. A
// message is ok once the server has its copy.
#include <cstdint>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>
#include <utility>

#include "common/settings.hpp"
#include "common/topic_template.hpp"

namespace {

class Republish {
 public:
  // Nothing changes after construction.
  static constexpr bool concurrent = true;

  explicit Republish(const trigger::Context& context)
      : context_(context),
        topic_("topic", context.settings().text("topic")),
        alias_(context.settings().text("alias", "")),
        qos_(plugin_common::qos_setting(context.settings(), "qos", 1)),
        retain_(context.settings().boolean("retain", false)) {
    context.settings().require_known({"topic", "alias", "qos", "retain"});
  }

  trigger::Verdict handle(const trigger::Message& message) {
    const auto [topic, problem] = topic_.expand(message);
    if (!topic) return trigger::Verdict::reject(problem);
    const trigger::Publish copy{*topic, message.payload(), qos_, retain_, alias_};
    const std::int32_t code = context_.publish(
        copy,
        [completion = message.completion()](std::int32_t result, std::string_view reason) mutable {
          completion.complete(trigger::Verdict::from_publish(result, reason));
        });
    if (code != TRIGGER_OK) return trigger::Verdict::from_publish(code);
    return trigger::Verdict::pending();
  }

 private:
  const trigger::Context context_;
  const plugin_common::TopicTemplate topic_;
  const std::string alias_;
  const int qos_;
  const bool retain_;
};

}  // namespace

TRIGGER_PLUGIN("republish", "1.0.0", trigger::service<Republish>("republish"));
