#include "dispatch/json_key.hpp"

#include <nlohmann/json.hpp>

namespace triggerd::dispatch {

std::optional<JsonKey> json_key(const std::string& pointer, std::span<const std::uint8_t> payload) {
  const auto parsed = nlohmann::json::parse(payload.begin(), payload.end(), nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  try {
    const nlohmann::json& value = parsed.at(nlohmann::json::json_pointer(pointer));
    // An array or an object is no key; and dumping one recurses as deep as a sender likes.
    if (!value.is_primitive()) return std::nullopt;
    const bool is_text = value.is_string() && !value.get_ref<const std::string&>().empty();
    return JsonKey{.text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                   .is_id = is_text || value.is_number_integer()};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // no such value, or a pointer that does not fit this document
  }
}

}  // namespace triggerd::dispatch
