// Why a runtime is not ready: each cause once, with everything that it stops.
#pragma once

#include <string>
#include <vector>

#include "output.hpp"

namespace triggerctl {

class Causes {
 public:
  Causes() = default;
  // From what `status` says about readiness and health.
  explicit Causes(const Json& status);

  // An indented line for each; "" if there is none.
  std::string text() const;
  // Whether text() says it, so that it need not be repeated beside everything that it stops.
  bool tell(const std::string& reason) const;

 private:
  struct Cause {
    std::string reason;
    std::vector<std::string> stops;  // "alias plant", "trigger see-all"
  };
  void add(const std::string& line);

  std::vector<Cause> causes_;
};

}  // namespace triggerctl
