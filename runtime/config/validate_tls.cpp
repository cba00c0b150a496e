// The truststores and keystores that aliases name.
#include "config/validate.hpp"

namespace triggerd::config {
namespace {

template <class Store>
void check_reference(const std::vector<Store>& stores, std::string_view kind,
                     const std::string& name, const std::string& shown, const Place& place,
                     Diagnostics& diagnostics) {
  if (name.empty()) return;
  std::vector<std::string_view> candidates;
  for (const Store& store : stores) {
    if (store.name == name) return;
    candidates.push_back(store.name);
  }
  diagnostics.add(
      place, fmt::format("there is no {} \"{}\"{}", kind, shown, did_you_mean(shown, candidates)));
}

}  // namespace

void validate_tls(const Sections& sections, Diagnostics& diagnostics) {
  if (!sections.complete) return;  // it may be defined in the file that could not be read
  for (const AliasDraft& draft : sections.aliases) {
    check_reference(sections.truststores, "truststore", draft.alias.truststore,
                    draft.truststore_shown, draft.alias.truststore_place, diagnostics);
    check_reference(sections.keystores, "keystore", draft.alias.keystore, draft.keystore_shown,
                    draft.alias.keystore_place, diagnostics);
  }
}

}  // namespace triggerd::config
