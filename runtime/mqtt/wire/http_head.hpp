// Reads the head of an HTTP/1 response (RFC 9112): bytes in, status and fields out. Pure: it has no
// socket and no thread.
//
// Besides what servers may send it accepts what clients are told to accept: lines that end in a
// bare line feed, and fields that are continued on a line that begins with blanks. Interim
// responses (1xx) are passed over, except 101. A line that is not a field does not end it: the
// status is still told, and whoever needs more looks at malformed().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::mqtt::wire {

class HttpHead {
 public:
  // The limit for a head, with the interim responses before it, in bytes.
  static constexpr std::size_t kMost = std::size_t{64} * 1024;
  enum class Fault { none, not_http, too_long };

  // Takes what belongs to the head from the front of `bytes`, which may come in any pieces; returns
  // how much that is. 0 once it is whole() or there is a fault().
  std::size_t take(std::string_view bytes);
  // The empty line that ends it has come.
  bool whole() const { return whole_; }
  Fault fault() const { return fault_; }
  // If it is not HTTP: the first bytes that came, at most 64, as they are.
  const std::string& came() const { return came_; }
  // 0: its first line has not come.
  int status() const { return status_; }
  // "403 Forbidden", fit for a log line.
  std::string status_text() const;
  // The values of the fields with this name, in whatever case, with ", " between them; nullopt:
  // there is none. As they came: whoever shows them makes them printable.
  std::optional<std::string> field(std::string_view name) const;
  // The first line that is not a field, or has control characters; fit for a log line. Empty: there
  // is none.
  const std::string& malformed() const { return malformed_; }

 private:
  void end_line();
  void take_status_line();
  void take_field_line();
  void refuse(std::string_view came);

  Fault fault_ = Fault::none;
  bool whole_ = false;
  int status_ = 0;
  std::size_t size_ = 0;
  std::string line_;    // that has not ended
  std::string phrase_;  // behind the status
  std::string fields_;  // a line each, folded ones made one
  std::string malformed_;
  std::string came_;
};

// Whether a and b are equal, whatever the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b);
// Without blanks and tabs at either end.
std::string_view trimmed(std::string_view text);

}  // namespace triggerd::mqtt::wire
