#include "webmethods/members.hpp"

#include "webmethods/trigger_section.hpp"

namespace triggerd::webmethods {

void Members::write(Draft& draft, const std::string& package) {
  const Exported& exported = context_.exported;
  for (std::size_t i = 0; i < exported.aliases.size(); ++i) {
    const ExportedAlias& alias = exported.aliases[i];
    if (context_.plan.of(alias) != package) continue;
    write_alias(draft, context_, client_ids_, alias, context_.names.alias_names[i]);
  }
  for (std::size_t i = 0; i < exported.triggers.size(); ++i) {
    const ExportedTrigger& trigger = exported.triggers[i];
    if (context_.plan.of(trigger) != package) continue;
    write_trigger(draft, context_, trigger, context_.names.trigger_names[i]);
  }
}

}  // namespace triggerd::webmethods
