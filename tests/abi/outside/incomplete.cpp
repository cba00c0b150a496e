#include <trigger/plugin.hpp>

void defined_nowhere();

namespace {

class Incomplete {
 public:
  explicit Incomplete(const trigger::Context&) {}
  trigger::Verdict handle(const trigger::Message&) {
    defined_nowhere();
    return trigger::Verdict::ok();
  }
};

}  // namespace

TRIGGER_PLUGIN("incomplete", "0.1.0", trigger::service<Incomplete>("incomplete"));
