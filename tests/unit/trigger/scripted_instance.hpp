// An instance whose calls come to what a test says. It writes them down, with what it is called.
#pragma once

#include <cstdlib>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "plugin/instance.hpp"

namespace triggerd::trigger {

// What is done to instances, in order: "a.start", "b.restore 7", ...
using Script = std::vector<std::string>;

// What the calls of an instance come to.
struct Behaviour {
  bool starts = true;
  int starts_at_most = std::numeric_limits<int>::max();  // and fails from then on
  bool runs = true;                                      // its workers start
  bool returns = true;                                   // its workers come back
  bool saves = true;
  bool restores = true;
  std::string state;  // that it saves; empty: none
  bool has_probe = false;
};

class ScriptedInstance final : public plugin::Instance {
 public:
  ScriptedInstance(std::string name, Behaviour behaviour, Script& script)
      : name_(std::move(name)), behaviour_(std::move(behaviour)), script_(script) {}
  ~ScriptedInstance() override { note("gone"); }

  Result<> start() override {
    return done("start", behaviour_.starts && ++starts_ <= behaviour_.starts_at_most);
  }
  Result<> run_workers(plugin::WorkSource& source, unsigned count) override {
    source_ = &source;
    return done("run " + std::to_string(count), behaviour_.runs);
  }
  bool join_workers(Monotonic) override {
    note("join");
    return behaviour_.returns;
  }
  void stop() override { note("stop"); }
  void abandon() override {
    note("abandon");
    abandoned_ = true;
  }
  bool abandoned() const override { return abandoned_; }
  void destroy() override { note("destroy"); }
  Result<std::optional<plugin::SavedState>> save() override {
    if (auto saved = done("save", behaviour_.saves); !saved) {
      return tl::make_unexpected(saved.error());
    }
    if (behaviour_.state.empty()) return std::nullopt;
    return plugin::SavedState{.bytes = behaviour_.state};
  }
  Result<> restore(const plugin::SavedState& state) override {
    return done("restore " + state.bytes, behaviour_.restores);
  }
  const plugin::Generation& generation() const override { std::abort(); }
  std::string_view service_name() const override { return name_; }
  bool can_be_probed() const override { return behaviour_.has_probe; }
  std::size_t max_batch() const override { return 1; }
  std::vector<plugin::Metric> metrics() const override { return {{.name = name_}}; }

  // Where its workers would take messages.
  plugin::WorkSource& source() const { return *source_; }

 private:
  void note(const std::string& what) { script_.push_back(name_ + "." + what); }
  Result<> done(const std::string& what, bool ok) {
    note(what);
    if (!ok) return fail("{} {} failed", name_, what);
    return {};
  }

  const std::string name_;
  const Behaviour behaviour_;
  Script& script_;
  plugin::WorkSource* source_ = nullptr;
  int starts_ = 0;
  bool abandoned_ = false;
};

}  // namespace triggerd::trigger
