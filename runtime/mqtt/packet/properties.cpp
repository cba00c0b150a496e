#include "mqtt/packet/properties.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "config/topic_filter.hpp"

namespace triggerd::mqtt {
namespace {

constexpr std::size_t kLongestText = 65'535;  // MQTT 5.0, section 1.5.4

void put_number(std::string& bytes, std::uint64_t number, unsigned size) {
  for (unsigned i = size; i-- > 0;) bytes += static_cast<char>(number >> (8 * i) & 0xff);
}

// MQTT 5.0, section 1.5.5.
void put_variable(std::string& bytes, std::uint64_t number) {
  for (int digits = 0; digits < 4; ++digits) {
    const bool more = digits < 3 && number >= 0x80;
    bytes += static_cast<char>((number & 0x7f) | (more ? 0x80U : 0U));
    if (!more) break;
    number >>= 7;
  }
}

void put_text(std::string& bytes, std::string_view text) {
  text = text.substr(0, kLongestText);
  put_number(bytes, text.size(), 2);
  bytes += text;
}

// Takes values off the front; after the first that is not all there everything is nothing.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }
  bool good() const { return good_; }
  std::string_view rest() const { return rest_; }

  std::uint64_t number(unsigned size) {
    std::uint64_t value = 0;
    for (const char byte : take(size)) value = value << 8 | static_cast<std::uint8_t>(byte);
    return value;
  }
  std::uint64_t variable() {
    std::uint64_t value = 0;
    for (unsigned digits = 0; digits < 4; ++digits) {
      const std::uint64_t digit = number(1);
      value |= (digit & 0x7f) << (7 * digits);
      if ((digit & 0x80) == 0) return value;
    }
    good_ = false;
    return 0;
  }
  std::string_view text() { return take(number(2)); }

 private:
  std::string_view take(std::size_t size) {
    if (!good_ || size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool good_ = true;
};

Result<> check_one(const Property& property) {
  switch (property.id) {
    case property::kPayloadFormat:
      if (property.number > 1) return fail("payload format {} is neither 0 nor 1", property.number);
      return {};
    case property::kMessageExpiry:
      if (property.number > 0xffff'ffff) {
        return fail("message expiry {} does not fit in 32 bits", property.number);
      }
      return {};
    case property::kContentType:
      if (!is_text(property.value)) return fail("the content type is not UTF-8 text");
      return {};
    case property::kResponseTopic:
      if (auto checked = config::check_topic_name(property.value); !checked) {
        return fail("the response topic {}", checked.error().message);
      }
      return {};
    case property::kCorrelationData:
      if (property.value.size() > kLongestText) return fail("the correlation data is too long");
      return {};
    case property::kUser:
      if (!is_text(property.name) || !is_text(property.value)) {
        return fail("a user property is not UTF-8 text");
      }
      return {};
    default:
      return fail("clients cannot publish property 0x{:02x}", property.id);
  }
}

}  // namespace

bool is_text(std::string_view text) {
  return text.size() <= kLongestText && text.find('\0') == std::string_view::npos && is_utf8(text);
}

std::optional<PropertyType> property_type(std::uint32_t id) {
  switch (id) {
    case 0x01:
    case 0x17:
    case 0x19:
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2a:
      return PropertyType::byte;
    case 0x13:
    case 0x21:
    case 0x22:
    case 0x23:
      return PropertyType::two_bytes;
    case 0x02:
    case 0x11:
    case 0x18:
    case 0x27:
      return PropertyType::four_bytes;
    case 0x0b:
      return PropertyType::variable;
    case 0x09:
    case 0x16:
      return PropertyType::binary;
    case 0x03:
    case 0x08:
    case 0x12:
    case 0x15:
    case 0x1a:
    case 0x1c:
    case 0x1f:
      return PropertyType::text;
    case 0x26:
      return PropertyType::text_pair;
    default:
      return std::nullopt;
  }
}

void encode_property(std::string& bytes, const Property& property) {
  const auto type = property_type(property.id);
  if (!type) return;
  put_variable(bytes, property.id);
  switch (*type) {
    case PropertyType::byte:
      put_number(bytes, property.number, 1);
      break;
    case PropertyType::two_bytes:
      put_number(bytes, property.number, 2);
      break;
    case PropertyType::four_bytes:
      put_number(bytes, property.number, 4);
      break;
    case PropertyType::variable:
      put_variable(bytes, property.number);
      break;
    case PropertyType::binary:
    case PropertyType::text:
      put_text(bytes, property.value);
      break;
    case PropertyType::text_pair:
      put_text(bytes, property.name);
      put_text(bytes, property.value);
      break;
  }
}

Result<std::vector<Property>> decode_properties(std::string_view bytes) {
  std::vector<Property> found;
  Reader reader(bytes);
  while (!reader.at_end()) {
    Property property{.id = static_cast<std::uint32_t>(reader.variable())};
    const auto type = property_type(property.id);
    if (!type) return fail("0x{:02x} is not an MQTT 5 property", property.id);
    switch (*type) {
      case PropertyType::byte:
        property.number = reader.number(1);
        break;
      case PropertyType::two_bytes:
        property.number = reader.number(2);
        break;
      case PropertyType::four_bytes:
        property.number = reader.number(4);
        break;
      case PropertyType::variable:
        property.number = reader.variable();
        break;
      case PropertyType::binary:
      case PropertyType::text:
        property.value = reader.text();
        break;
      case PropertyType::text_pair:
        property.name = reader.text();
        property.value = reader.text();
        break;
    }
    if (!reader.good()) return fail("it ends in the middle of property 0x{:02x}", property.id);
    found.push_back(property);
  }
  return found;
}

std::optional<std::size_t> take_variable(std::string_view& bytes) {
  Reader reader(bytes);
  const std::uint64_t value = reader.variable();
  if (!reader.good()) return std::nullopt;
  bytes = reader.rest();
  return static_cast<std::size_t>(value);
}

std::size_t variable_size(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

const Property* find_property(std::span<const Property> properties, std::uint32_t id) {
  const auto found = std::find_if(properties.begin(), properties.end(),
                                  [id](const Property& property) { return property.id == id; });
  return found == properties.end() ? nullptr : &*found;
}

std::optional<std::string> user_property(std::string_view bytes, std::string_view name) {
  const auto properties = decode_properties(bytes);
  if (!properties) return std::nullopt;
  for (const Property& property : *properties) {
    if (property.id == property::kUser && property.name == name) {
      return std::string(property.value);
    }
  }
  return std::nullopt;
}

Result<> check_publish_properties(std::span<const Property> properties) {
  std::set<std::uint32_t> seen;
  for (const Property& property : properties) {
    if (auto checked = check_one(property); !checked) return checked;
    if (!seen.insert(property.id).second && property.id != property::kUser) {
      return fail("property 0x{:02x} appears twice", property.id);
    }
  }
  return {};
}

std::vector<Property> publishable(std::span<const Property> properties) {
  std::vector<Property> kept;
  for (const Property& property : properties) {
    if (check_one(property) && property.id != property::kMessageExpiry) kept.push_back(property);
  }
  return kept;
}

}  // namespace triggerd::mqtt
