// The keys of an alias that depend on the version of MQTT it speaks.
#include "base/units.hpp"
#include "config/sections.hpp"
#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

// MQTT 5.0, section 3.1.2.11.2: 0xFFFFFFFF would mean for ever.
constexpr Millis kLongestSession = std::chrono::seconds(0xffff'fffe);

void read_session_expiry(TableReader& reader, Alias& alias) {
  const SourceFile& file = reader.file();
  Millis expiry{};
  if (!reader.duration("session_expiry", expiry, Millis(0), kLongestSession)) return;
  alias.session_expiry = std::chrono::duration_cast<std::chrono::seconds>(expiry);
  if (alias.session_expiry != expiry) {
    file.error(reader.spot_of("session_expiry"), "session_expiry must be whole seconds, not {}",
               format_duration(expiry));
  } else if (alias.clean_session) {
    file.error(reader.spot_of("session_expiry"),
               "session_expiry has no effect with clean_session = true; leave one of them out");
  } else if (expiry == Millis(0)) {
    file.error(reader.spot_of("session_expiry"),
               "session_expiry = 0 ends the session with the connection; write a longer one, or "
               "clean_session = true");
  }
}

}  // namespace

void read_protocol(TableReader& reader, Alias& alias) {
  const SourceFile& file = reader.file();
  const auto protocol = reader.text("protocol");
  const bool known = !protocol || protocol->value == "3.1.1" || protocol->value == "5";
  if (protocol && protocol->value == "5") alias.protocol = Protocol::v5;
  if (!known) {
    file.error(protocol->spot, "protocol = \"{}\" is not known; write \"3.1.1\" or \"5\"",
               protocol->shown);
  }
  read_session_expiry(reader, alias);
  reader.integer("receive_maximum", alias.receive_maximum, 1, 65'535);
  reader.integer("topic_aliases", alias.topic_aliases, 0, 1'000);
  // A wrong `protocol` was reported above; which keys would go with it is unknown.
  if (!known || alias.protocol == Protocol::v5) return;
  if (!protocol && reader.get("protocol") != nullptr) return;
  for (const std::string_view key : {"session_expiry", "receive_maximum", "topic_aliases"}) {
    if (reader.get(key) == nullptr) continue;
    file.error(reader.spot_of(key), "{} needs protocol = \"5\"; this alias speaks 3.1.1", key);
  }
}

}  // namespace triggerd::config
