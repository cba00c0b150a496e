// Plugins without libraries and triggers without services: a test says what a build does, and sees
// which build serves whom.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/plugins/plugin_board.hpp"
#include "control/plugins/plugin_reloader.hpp"
#include "control/running/control_thread.hpp"
#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::control::test {

// A build is what is in its file; that is its digest and its version, too. Its private copy is a
// file that goes with it, as that of a real one does.
class ScriptedBuilds final : public PluginBuilds {
 public:
  explicit ScriptedBuilds(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The file of a plugin is built; it is not loaded yet.
  void build(const std::string& plugin, const std::string& content) { files_[plugin] = content; }
  // Builds it, and loads it for the first time.
  PluginBuild start_with(const std::string& plugin, const std::string& content) {
    build(plugin, content);
    const auto loaded = load_next(plugin, {}, [](const auto&, const auto&) { return Result<>(); });
    put_in_service(plugin, *loaded);
    loads.clear();
    return *loaded;
  }
  unsigned number_in_service(const std::string& plugin) const {
    return in_service_.at(plugin).number;
  }
  const std::string& content_in_service(const std::string& plugin) const {
    return in_service_.at(plugin).sha256;
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, build] : in_service_) names.push_back(name);
    return names;
  }
  std::optional<PluginBuild> in_service(const std::string& plugin) const override {
    const auto found = in_service_.find(plugin);
    if (found == in_service_.end()) return std::nullopt;
    return found->second;
  }
  std::string why_not_loaded(const std::string& plugin) const override {
    return "plugin \"" + plugin + "\" is not loaded";
  }
  Result<PluginBuild> load_next(const std::string& plugin, const std::filesystem::path& file,
                                const Verify& verify) override {
    const std::string content = file.empty() ? files_.at(plugin) : content_of(file);
    loads.push_back(plugin + ": " + content);
    const unsigned number = ++numbers_[plugin];
    const std::filesystem::path copy = folder_ / (plugin + "." + std::to_string(number) + ".so");
    std::ofstream(copy) << content;
    std::shared_ptr<void> loaded(nullptr, [copy](void*) { std::filesystem::remove(copy); });
    if (auto verified = verify(copy, content); !verified) {
      return tl::make_unexpected(verified.error());
    }
    if (while_loading) while_loading();
    if (content.empty() || refused.contains(content)) {
      return fail("{} is not a shared library", plugin);
    }
    return PluginBuild{.number = number,
                       .version = content,
                       .sha256 = content,
                       .file = file.empty() ? std::filesystem::path(plugin + ".so") : file,
                       .copy = copy,
                       .services = {"service"},
                       // Owns the copy, and points at nothing.
                       .generation = {std::move(loaded), nullptr}};
  }
  void put_in_service(const std::string& plugin, const PluginBuild& build) override {
    in_service_[plugin] = build;
  }
  void note_in_service(const std::string& plugin) const override { noted.push_back(plugin); }
  std::vector<std::string> drop_unused(
      const std::function<bool(const PluginBuild&)>& used) override {
    std::vector<std::string> dropped;
    for (const auto& [name, build] : in_service_) {
      if (!used(build)) dropped.push_back(name);
    }
    for (const std::string& name : dropped) in_service_.erase(name);
    return dropped;
  }
  std::vector<plugin::Watcher::Plugin> watched() const override { return {}; }
  unsigned leaked() const override { return leaks; }

  std::set<std::string> refused;  // contents that do not load
  std::function<void()> while_loading;
  unsigned leaks = 0;
  std::vector<std::string> loads;  // "PLUGIN: CONTENT", after the first
  mutable std::vector<std::string> noted;

 private:
  static std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const std::filesystem::path folder_;
  std::map<std::string, std::string> files_;
  std::map<std::string, unsigned> numbers_;
  std::map<std::string, PluginBuild> in_service_;
};

class ScriptedUser final : public PluginUser {
 public:
  ScriptedUser(std::string name, PluginBuild serving)
      : name_(std::move(name)), serving_(std::move(serving)) {}

  // What serves it, and whether it gets messages.
  const std::string& served_by() const { return serving_->sha256; }
  bool is_quiet() const { return quiet_; }
  bool has_successor() const { return successor_.has_value(); }
  bool has_predecessor() const { return predecessor_.has_value(); }
  bool uses(const PluginBuild& build) const { return serving_->copy == build.copy; }

  const std::string& name() const override { return name_; }
  Verdicts verdicts() const override { return handled; }
  Result<> make_successor(const PluginBuild& old, const PluginBuild& next) override {
    EXPECT_TRUE(uses(old));
    ++touched;
    if (cannot_be_made.contains(next.sha256)) return fail("{} has no such service", next.sha256);
    successor_ = next;
    return {};
  }
  void drop_successor() override { successor_.reset(); }
  bool quiesce(Monotonic deadline) override {
    ++touched;
    if (while_quiescing) while_quiescing(deadline);
    quiet_ = !busy;
    return quiet_;
  }
  void unquiesce() override { quiet_ = false; }
  void revoke_pending() override { busy = false; }
  Result<> hand_over(Monotonic, bool with_state) override {
    EXPECT_TRUE(quiet_) << name_;
    if (does_not_start.contains(successor_->sha256)) {
      return fail("{} does not start for {}", successor_->sha256, name_);
    }
    got_state = with_state;
    predecessor_ = std::exchange(serving_, std::exchange(successor_, std::nullopt));
    return {};
  }
  void take_back(Monotonic) override {
    EXPECT_TRUE(quiet_) << name_;
    successor_ = std::exchange(serving_, std::exchange(predecessor_, std::nullopt));
  }
  void forget_predecessor() override { predecessor_.reset(); }

  Verdicts handled;  // since it was made
  std::set<std::string> cannot_be_made;
  std::set<std::string> does_not_start;
  bool busy = false;  // its service does not finish a message
  std::function<void(Monotonic deadline)> while_quiescing;
  bool got_state = false;
  int touched = 0;
  std::vector<plugin::Metric> metrics;

 private:
  const std::string name_;
  std::optional<PluginBuild> serving_;
  std::optional<PluginBuild> successor_;
  std::optional<PluginBuild> predecessor_;
  bool quiet_ = false;
};

class ScriptedUsers final : public PluginUsers {
 public:
  List of(const PluginBuild& build) const override {
    List users;
    for (const auto& user : all) {
      if (user->uses(build)) users.push_back(user);
    }
    return users;
  }
  std::vector<plugin::Metric> metrics(const std::string& trigger) const override {
    for (const auto& user : all) {
      if (user->name() == trigger) return user->metrics;
    }
    return {};
  }

  std::vector<std::shared_ptr<ScriptedUser>> all;
};

// Plugin "p" with the build "old", which serves two triggers.
class ScriptedPlugins : public testing::Test {
 protected:
  ScriptedPlugins() {
    control_.after_each([this] { board_.refresh(); });
    const PluginBuild old = builds_.start_with("p", "old");
    a_ = add_user("a", old);
    b_ = add_user("b", old);
    board_.refresh();
  }
  std::shared_ptr<ScriptedUser> add_user(const std::string& name, const PluginBuild& build) {
    return users_.all.emplace_back(std::make_shared<ScriptedUser>(name, build));
  }
  // The file of "p" changes, the watcher sees it, and control does what there is to do.
  void change_file(const std::string& content) {
    builds_.build("p", content);
    reloader_.file_changed("p");
    control_.run_due();
  }
  // Time goes by, second by second.
  void wait(Millis time) {
    for (Millis left = time; left > Millis(0); left -= Millis(1'000)) {
      clock_.advance(Millis(1'000));
      control_.run_due();
    }
  }
  management::PluginStatus shown() const { return board_.plugins().at(0); }
  std::vector<std::filesystem::path> kept_files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      if (entry.path().string().ends_with(".previous.so")) files.push_back(entry.path());
    }
    return files;
  }
  bool all_served_by(const std::string& content) const {
    return a_->served_by() == content && b_->served_by() == content && !a_->is_quiet() &&
           !b_->is_quiet() && builds_.content_in_service("p") == content;
  }
  bool nothing_is_left_over() const {
    return !a_->has_successor() && !b_->has_successor() && !a_->has_predecessor() &&
           !b_->has_predecessor();
  }

  static constexpr Millis kProbation{30'000};
  triggerd::test::TempDir dir_;
  triggerd::test::FakeClock clock_;
  triggerd::test::CaptureLog log_;
  ControlThread control_{clock_};
  ScriptedBuilds builds_{dir_.path()};
  ScriptedUsers users_;
  PluginReloader reloader_{builds_, users_, control_, {.probation = kProbation}, log_};
  PluginBoard board_{builds_, users_, reloader_, clock_};
  std::shared_ptr<ScriptedUser> a_;
  std::shared_ptr<ScriptedUser> b_;
};

}  // namespace triggerd::control::test
