// The aliases and triggers of one package after the other.
#pragma once

#include <string>

#include "webmethods/alias_section.hpp"
#include "webmethods/context.hpp"
#include "webmethods/draft.hpp"

namespace triggerd::webmethods {

class Members {
 public:
  explicit Members(const Context& context) : context_(context) {}

  // Writes those of `package`; if it is empty, those of no package.
  void write(Draft& draft, const std::string& package);

 private:
  const Context context_;
  ClientIds client_ids_;  // of what is written
};

}  // namespace triggerd::webmethods
