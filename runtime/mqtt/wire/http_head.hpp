// The head of an answer in HTTP/1 (RFC 9112): bytes in, status and fields out. Pure: it has no
// socket and no thread.
//
// It takes what clients are told to take beside what servers may send: lines that end in a bare
// line feed, and fields that go on in a line that begins with blanks. Interim answers (1xx) are
// passed over, but for 101. A line that is no field is not the end of it: whoever asks for the
// status of a refusal gets it, and whoever needs more looks at malformed().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::mqtt::wire {

class HttpHead {
 public:
  // Of a head in bytes, with the interim answers before it.
  static constexpr std::size_t kMost = std::size_t{64} * 1024;
  enum class Fault { none, not_http, too_long };

  // Takes what belongs to the head off the front of `bytes`, in any cut; returns how much that is.
  // 0 once it is whole() or there is a fault().
  std::size_t take(std::string_view bytes);
  // The empty line behind it has come.
  bool whole() const { return whole_; }
  Fault fault() const { return fault_; }
  // Not HTTP: the first bytes that came, at most 64 and as they are.
  const std::string& came() const { return came_; }
  // 0: its first line has not come.
  int status() const { return status_; }
  // "403 Forbidden", fit for a log line.
  std::string status_text() const;
  // The values of the fields with this name, in lower case or not, with ", " between them; nullopt
  // where there is none. As they came: whoever shows them makes them printable.
  std::optional<std::string> field(std::string_view name) const;
  // The first line that is no field, or holds control characters; fit for a log line. Empty: none.
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

// Whether a and b are the same but for the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b);
// Without blanks and tabs at either end.
std::string_view trimmed(std::string_view text);

}  // namespace triggerd::mqtt::wire
