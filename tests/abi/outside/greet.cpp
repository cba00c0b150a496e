#include <string>
#include <trigger/plugin.hpp>

#include "words.hpp"

namespace {

// Inline statics of templates are what a library must not leave behind.
template <class>
struct Count {
  inline static int greetings = 0;
};

class Greet {
 public:
  explicit Greet(const trigger::Context& context) : context_(context) {}

  trigger::Verdict handle(const trigger::Message& message) {
    ++Count<int>::greetings;
    context_.info(greeting(std::string(message.payload())));
    return trigger::Verdict::ok();
  }

 private:
  trigger::Context context_;
};

}  // namespace

TRIGGER_PLUGIN("greet", "0.1.0", trigger::service<Greet>("greet"));
