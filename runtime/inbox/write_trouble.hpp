// Why the writer cannot write, or should be given nothing more. [any]
#pragma once

#include <string>

namespace triggerd::inbox {

struct WriteTrouble {
  enum class Kind {
    none,
    failing,  // the transaction fails
    lost,     // a file is not at its name
    reader,   // somebody who reads keeps the WAL growing
    volume,   // the volume has no room
    size      // it holds more than it may
  };
  Kind kind = Kind::none;
  std::string reason{};  // in words; empty if there is none

  explicit operator bool() const { return kind != Kind::none; }
};

}  // namespace triggerd::inbox
