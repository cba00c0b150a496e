// trigger/plugin.hpp alone is enough for a plugin in C++.
#include <trigger/plugin.hpp>

namespace {

class Nothing {
 public:
  explicit Nothing(const trigger::Context&) {}
  trigger::Verdict handle(const trigger::Message&) { return trigger::Verdict::ok(); }
};

}  // namespace

TRIGGER_PLUGIN("nothing", "1.0.0", trigger::service<Nothing>("one"),
               trigger::service<Nothing>("two"));
