#include "control/plugins/probation.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <system_error>

namespace triggerd::control {
namespace {

// A build is sent back where more than half of its verdicts, and at least so many, are no success,
// and the one before did better.
constexpr std::uint64_t kFailures = 10;

void remove_file(const std::filesystem::path& file) {
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
}

}  // namespace

void Probation::begin(const std::string& plugin, const std::filesystem::path& previous,
                      Standings at_swap) {
  builds_[plugin] = {
      .until = clock_.now() + duration_, .previous = previous, .at_swap = std::move(at_swap)};
}

std::filesystem::path Probation::previous(const std::string& plugin) const {
  const auto found = builds_.find(plugin);
  return found == builds_.end() ? std::filesystem::path() : found->second.previous;
}

Probation::Record Probation::record_of(const Build& build, const Standings& now) {
  Record record;
  for (const auto& [trigger, then] : build.at_swap) {
    const auto found = now.find(trigger);
    if (found == now.end()) continue;
    const Verdicts& today = found->second;
    record.before.good += then.good;
    record.before.bad += then.bad;
    record.since.good += today.good - then.good;
    record.since.bad += today.bad - then.bad;
  }
  return record;
}

bool Probation::is_doing_well(const std::string& plugin, const Standings& now) const {
  const auto found = builds_.find(plugin);
  if (found == builds_.end()) return true;
  const Verdicts since = record_of(found->second, now).since;
  return since.good > 0 && !since.mostly_bad();
}

Probation::Judgement Probation::judge(const std::string& plugin, const Standings& now) {
  const auto found = builds_.find(plugin);
  if (found == builds_.end()) return {.kind = Judgement::Kind::trusted};
  const auto [before, since] = record_of(found->second, now);
  if (since.bad >= kFailures && since.mostly_bad() && !before.mostly_bad()) {
    Judgement failed{
        .kind = Judgement::Kind::failed,
        .previous = found->second.previous,
        .reason = fmt::format("{} of {} verdicts are failures", since.bad, since.bad + since.good)};
    builds_.erase(found);
    return failed;
  }
  if (clock_.now() < found->second.until) return {};
  forget(plugin);
  return {.kind = Judgement::Kind::trusted};
}

void Probation::forget(const std::string& plugin) {
  const auto found = builds_.find(plugin);
  if (found == builds_.end()) return;
  remove_file(found->second.previous);
  builds_.erase(found);
}

void Probation::forget_trigger(const std::string& trigger) {
  for (auto& [plugin, build] : builds_) build.at_swap.erase(trigger);
}

}  // namespace triggerd::control
