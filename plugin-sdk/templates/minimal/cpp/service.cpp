// @NAME@: greets whoever a message names.
#include <string>
#include <trigger/plugin.hpp>

class Hello {
 public:
  explicit Hello(const trigger::Context& context) : context_(context) {
    context.settings().require_known({});
  }
  trigger::Verdict handle(const trigger::Message& message) {
    if (message.payload().empty()) return trigger::Verdict::reject("nobody to greet");
    context_.info("hello " + std::string(message.payload()));
    return trigger::Verdict::ok();
  }

 private:
  trigger::Context context_;
};

TRIGGER_PLUGIN("@NAME@", "0.1.0", trigger::service<Hello>("hello"));
