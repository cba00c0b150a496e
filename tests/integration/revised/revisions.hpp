// The builds of the plugin "revised", and a folder where one of them is the plugin.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "integration/recorded.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {

// As revised.cpp has them.
enum Revision {
  kFirst = 1,
  kSecond,
  kCrashesInConstructor,
  kDoesNotStart,
  kDoesNotRestore,
  kRefusesItsSettings,
  kRejectsAll,
  kCompletesNothing,
  kDoesNotSave,
  kStaysLoaded,
  kStaysLoadedToo,
  kFailsAll
};

inline std::filesystem::path built(Revision revision) {
  return std::filesystem::path(TEST_PLUGIN_DIR) / "revised" /
         fmt::format("revised_{}.so", static_cast<int>(revision));
}

struct Counted {
  int revision = 0;
  std::uint64_t count = 0;
  std::string payload;
  friend bool operator==(const Counted&, const Counted&) = default;
};

class RevisedPlugin {
 public:
  explicit RevisedPlugin(Revision revision) { replace(revision); }

  std::filesystem::path dir() const { return dir_ / "plugins"; }
  std::filesystem::path file() const { return dir() / "revised.so"; }
  // In one step, as a good build does.
  void replace(Revision revision) const {
    std::filesystem::create_directories(dir());
    const auto next = dir_ / "next";
    std::filesystem::copy_file(built(revision), next);
    std::filesystem::rename(next, file());
  }

  std::string config(std::uint16_t port, const std::string& runtime = {},
                     const std::string& trigger = {}) const {
    return fmt::format("[runtime]\nplugin_dirs = [\"{}\"]\n{}\n", dir().string(), runtime) +
           alias_table("a", port) +
           trigger_table("t", "a", "\"x\"", records_file(),
                         "service = \"revised:count\"\n" + trigger);
  }
  std::filesystem::path records_file() const { return dir_ / "records"; }
  std::vector<Counted> counted() const {
    std::vector<Counted> found;
    std::ifstream in(records_file());
    for (Counted one; in >> one.revision >> one.count >> one.payload;) found.push_back(one);
    return found;
  }
  [[nodiscard]] bool wait_for(std::size_t messages, Millis timeout = kPatience) const {
    return eventually([&] { return counted().size() >= messages; }, timeout);
  }

 private:
  TempDir dir_;
};

}  // namespace triggerd::test
