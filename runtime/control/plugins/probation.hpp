// Builds that have taken over lately, and which of them do so badly that the one before comes back.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "control/plugins/build_swap.hpp"

namespace triggerd::control {

// Keeps, for each of them, a copy of what served before, which has no other name any more: removed
// once the new build is trusted. No lock; [control].
class Probation {
 public:
  // How long a build is looked at. The clock outlives it.
  Probation(const Clock& clock, Millis duration) : clock_(clock), duration_(duration) {}

  // Another build of `plugin` has taken over, and `previous` is the copy that would come back. If
  // one is on probation already, this replaces it; its copy stays if it is the same.
  void begin(const std::string& plugin, const std::filesystem::path& previous, Standings at_swap);
  bool contains(const std::string& plugin) const { return builds_.contains(plugin); }
  // The copy that would come back; empty where `plugin` is not on probation.
  std::filesystem::path previous(const std::string& plugin) const;
  // Whether it has handled messages, and most of them well. True where `plugin` is not on
  // probation.
  bool is_doing_well(const std::string& plugin, const Standings& now) const;

  // What becomes of a build that is on probation.
  struct Judgement {
    enum class Kind {
      stays,    // on probation
      trusted,  // its time is over; also where it was not on probation
      failed,   // the one before is to come back
    };
    Kind kind = Kind::stays;
    // Of one that has failed: the copy of the one before, now the caller's to remove; and why.
    std::filesystem::path previous{};
    std::string reason{};
  };
  Judgement judge(const std::string& plugin, const Standings& now);

  // The plugin is not loaded any more, or what would come back cannot be kept.
  void forget(const std::string& plugin);
  // The trigger is about to go: what it made of its messages does not count any more.
  void forget_trigger(const std::string& trigger);

 private:
  struct Build {
    Monotonic until{};
    std::filesystem::path previous;
    Standings at_swap;
  };
  struct Record {
    Verdicts before;  // of what served before it
    Verdicts since;   // of what is on probation
  };
  static Record record_of(const Build& build, const Standings& now);

  const Clock& clock_;
  const Millis duration_;
  std::map<std::string, Build> builds_;  // by plugin
};

}  // namespace triggerd::control
