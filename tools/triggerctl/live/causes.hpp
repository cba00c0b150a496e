// Why a runtime is not ready: each cause once, with all that it stops.
#pragma once

#include <string>
#include <vector>

#include "output.hpp"

namespace triggerctl {

class Causes {
 public:
  Causes() = default;
  // Of `status`, from what it says of readiness and health.
  explicit Causes(const Json& status);

  // A line for each, set in; "" where there is none.
  std::string text() const;
  // Whether text() says it: then it need not be said again beside each thing that it stops.
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
