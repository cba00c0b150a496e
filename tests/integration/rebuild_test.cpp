// Hot reload with a real build: a project is built anew by CMake and Ninja, with one linker and
// with the other, while messages come. A linker writes the file in its own way, over the old one or
// beside it, in pieces, and the build may take a while.
#include <gtest/gtest.h>

#include <thread>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/process.hpp"

namespace triggerd::test {
namespace {

constexpr Millis kBuildPatience{120'000};

class RebuildTest : public testing::TestWithParam<const char*> {
 protected:
  // What the service says of itself with every message.
  void write_source(int revision) const {
    std::ofstream(dir_ / "project/numbered.cpp") << fmt::format(
        R"(#include <cstdio>
#include <string>
#include <trigger/plugin.hpp>

class Numbered {{
 public:
  static constexpr std::uint32_t state_version = 1;
  explicit Numbered(const trigger::Context& context)
      : file_(std::fopen(context.settings().text("file").c_str(), "ae")) {{}}
  ~Numbered() {{ std::fclose(file_); }}
  Numbered(const Numbered&) = delete;
  Numbered& operator=(const Numbered&) = delete;
  trigger::Verdict handle(const trigger::Message& message) {{
    std::fprintf(file_, "%d %ld %s\n", {}, ++count_, std::string(message.payload()).c_str());
    std::fflush(file_);
    return trigger::Verdict::ok();
  }}
  std::string save() {{ return std::to_string(count_); }}
  void restore(std::uint32_t, std::string_view state) {{ count_ = std::stol(std::string(state)); }}

 private:
  std::FILE* const file_;
  long count_ = 0;
}};

TRIGGER_PLUGIN("numbered", "1.0.0", trigger::service<Numbered>("numbered"));
)",
        revision);
  }
  void write_project() const {
    std::filesystem::create_directories(dir_ / "project");
    std::ofstream(dir_ / "project/CMakeLists.txt") << fmt::format(
        "cmake_minimum_required(VERSION 3.20)\nproject(numbered LANGUAGES CXX)\n"
        "add_subdirectory({}/plugin-sdk sdk)\n"
        "trigger_add_plugin(numbered SOURCES numbered.cpp)\n"
        "target_link_options(numbered PRIVATE -fuse-ld={})\n"
        "set_target_properties(numbered PROPERTIES LIBRARY_OUTPUT_DIRECTORY\n"
        "                      ${{PROJECT_BINARY_DIR}}/plugins)\n",
        REPOSITORY, GetParam());
  }
  void run(const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{CMAKE_PROGRAM};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process process(command, {.cwd = dir_ / "project"});
    const auto exit = process.wait(kBuildPatience);
    ASSERT_TRUE(exit && *exit == (Exit{0, 0})) << process.output();
  }
  void build() const { run({"--build", "build", "--target", "numbered"}); }

  struct Line {
    int revision = 0;
    std::size_t count = 0;
    std::size_t payload = 0;
  };
  std::vector<Line> lines() const {
    std::vector<Line> found;
    std::ifstream in(dir_ / "records");
    for (Line line; in >> line.revision >> line.count >> line.payload;) found.push_back(line);
    return found;
  }

  TempDir dir_;
  MosquittoServer server_;
};

TEST_P(RebuildTest, ABuildUnderTrafficLosesNothing) {
  write_project();
  write_source(1);
  ASSERT_NO_FATAL_FAILURE(run({"-S", ".", "-B", "build", "-G", "Ninja",
                               fmt::format("-DCMAKE_CXX_COMPILER={}", CXX_COMPILER)}));
  ASSERT_NO_FATAL_FAILURE(build());
  const std::string plugins = (dir_ / "project/build/plugins").string();
  TriggerdProcess triggerd(
      fmt::format("[runtime]\nplugin_dirs = [\"{}\"]\nhot_reload = true\n", plugins) +
      alias_table("a", server_.port()) +
      trigger_table("t", "a", "\"x\"", dir_ / "records", "service = \"numbered\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();

  std::atomic<bool> stop{false};
  std::size_t sent = 0;
  std::thread traffic([&] {
    TestClient client(server_.port());
    while (!stop) {
      for (int i = 0; i < 5; ++i) client.publish_later("x", std::to_string(++sent));
      EXPECT_TRUE(client.wait_published());
      std::this_thread::sleep_for(Millis(5));
    }
  });
  const auto end_traffic = [&] {
    stop = true;
    if (traffic.joinable()) traffic.join();
  };
  std::size_t from = 0;
  for (int revision = 2; revision <= 3; ++revision) {
    write_source(revision);
    build();
    const auto reloaded = triggerd.wait_for_event("plugin.reloaded", {"plugin=numbered"}, from);
    EXPECT_TRUE(reloaded) << triggerd.output();
    if (HasFailure() || !reloaded) break;
    from = reloaded->index + 1;
    EXPECT_TRUE(eventually([&] {
      const auto now = lines();
      return !now.empty() && now.back().revision == revision;
    })) << "the new one is in service";
  }
  end_traffic();
  ASSERT_TRUE(eventually([&] { return lines().size() >= sent; })) << triggerd.output();
  const auto all = lines();
  ASSERT_EQ(all.size(), sent) << "none twice";
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].payload, i + 1) << "none lost, none out of order";
    ASSERT_EQ(all[i].count, i + 1) << "the state went along";
  }
  EXPECT_EQ(all.back().revision, 3);
}

INSTANTIATE_TEST_SUITE_P(, RebuildTest, testing::Values("bfd", "lld"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace triggerd::test
