// A generation: its private copy, its services, several side by side, and its end.
#include <fstream>

#include "hostile_fixture.hpp"

namespace triggerd::plugin {
namespace {

class GenerationTest : public HostileTest {
 protected:
  // Runs one message through an instance.
  void handle_one(Instance& instance, const std::string& topic) {
    FakeSource messages;
    ASSERT_TRUE(instance.run_workers(messages, 1));
    messages.push(topic);
    messages.answers(1);
    ASSERT_TRUE(instance.join_workers(soon()));
  }
};

TEST_F(GenerationTest, KnowsWhatItLoaded) {
  const auto generation = load(source("naughty", 4));
  ASSERT_TRUE(generation);
  EXPECT_EQ(generation->name(), "naughty");
  EXPECT_EQ(generation->number(), 4u);
  EXPECT_EQ(generation->version(), "6.6.6");
  EXPECT_EQ(generation->sha256().size(), 64u);
  EXPECT_EQ(generation->service_names(), (std::vector<std::string>{"naughty", "naughty-crowd"}));
  EXPECT_FALSE(generation->abandoned());
  const auto lines = log_.lines("plugin.loaded");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].fields.at("plugin"), "naughty");
  EXPECT_EQ(lines[0].fields.at("version"), "6.6.6");
  EXPECT_EQ(lines[0].fields.at("generation"), "4");
  EXPECT_EQ(lines[0].fields.at("sha256"), generation->sha256().substr(0, 12));
}

TEST_F(GenerationTest, FindsAServiceOrSaysWhatThereIs) {
  const auto several = load(source("naughty"));
  ASSERT_TRUE(several);
  const auto found = several->find_service("naughty-crowd");
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->flags, TRIGGER_SERVICE_CONCURRENT);
  EXPECT_EQ(several->find_service("").error().message,
            "plugin \"naughty\" has several services (naughty, naughty-crowd); say which one: "
            "service = \"naughty:naughty\"");
  EXPECT_EQ(several->find_service("naugthy").error().message,
            "plugin \"naughty\" has no service \"naugthy\"; did you mean \"naughty\"? it has "
            "naughty, naughty-crowd");
  EXPECT_EQ(several->find_service("thermostat").error().message,
            "plugin \"naughty\" has no service \"thermostat\"; it has naughty, naughty-crowd");
}

TEST_F(GenerationTest, IsLoadedFromACopyThatGoesWithIt) {
  auto generation = load(source("naughty"));
  ASSERT_TRUE(generation);
  const auto copy = stage() / fmt::format("naughty.1.{}.so", generation->sha256().substr(0, 12));
  EXPECT_TRUE(std::filesystem::exists(copy));
  EXPECT_TRUE(is_mapped(copy));
  EXPECT_FALSE(is_mapped(hostile_plugin("naughty")));
  generation.reset();
  EXPECT_FALSE(is_mapped(copy));
  EXPECT_TRUE(stage_is_empty());
  EXPECT_TRUE(log_.texts("plugin.still_loaded").empty());
}

TEST_F(GenerationTest, TheBuiltFileMayBeOverwrittenMeanwhile) {
  Generation::Source built = source("naughty");
  built.file = dir_ / "naughty.so";
  std::filesystem::copy_file(hostile_plugin("naughty"), built.file);
  const auto generation = load(built);
  ASSERT_TRUE(generation);
  // In place, as a careless copy does: pages not touched yet would now be zeroes, or SIGBUS.
  std::ofstream(built.file, std::ios::trunc) << "half a lib";
  auto instance = create(generation, make_trigger());
  ASSERT_TRUE(instance->start());
  handle_one(*instance, "a");
  instance->stop();
  instance.reset();
  EXPECT_EQ(said(), (std::vector<std::string>{"entry", "create", "start", "handle a 1", "stop",
                                              "destroy"}));
}

TEST_F(GenerationTest, TwoOfTheSamePluginShareNothing) {
  auto old_one = load(source("naughty", 1));
  auto new_one = load(source("naughty", 2));
  ASSERT_TRUE(old_one && new_one);
  auto old_instance = create(old_one, make_trigger("", "old"));
  auto new_instance = create(new_one, make_trigger("", "new"));
  ASSERT_TRUE(old_instance->start());
  ASSERT_TRUE(new_instance->start());
  handle_one(*old_instance, "a");
  handle_one(*old_instance, "b");
  handle_one(*new_instance, "c");
  old_instance->stop();
  old_instance.reset();
  old_one.reset();
  EXPECT_FALSE(is_mapped(stage() / "naughty.1."));
  EXPECT_TRUE(is_mapped(stage() / "naughty.2."));
  handle_one(*new_instance, "d");
  new_instance->stop();
  // The counter at the end is the library's own.
  EXPECT_EQ(said(), (std::vector<std::string>{"entry", "entry", "create", "create", "start",
                                              "start", "handle a 1", "handle b 2", "handle c 1",
                                              "stop", "destroy", "handle d 2", "stop"}));
}

TEST_F(GenerationTest, AnInstanceKeepsItsGenerationAlive) {
  auto generation = load(source("naughty"));
  ASSERT_TRUE(generation);
  auto instance = create(generation, make_trigger());
  generation.reset();
  EXPECT_TRUE(is_mapped(stage()));
  ASSERT_TRUE(instance->start());
  handle_one(*instance, "a");
  instance.reset();
  EXPECT_FALSE(is_mapped(stage()));
}

TEST_F(GenerationTest, TheSameGenerationTwiceIsRefused) {
  const auto generation = load(source("naughty"));
  ASSERT_TRUE(generation);
  EXPECT_EQ(
      load_error(source("naughty")),
      fmt::format(
          "plugin \"naughty\": {} is already loaded, as generation 1 ({})",
          hostile_plugin("naughty").string(),
          (stage() / fmt::format("naughty.1.{}.so", generation->sha256().substr(0, 12))).string()));
}

TEST_F(GenerationTest, OneThatStaysMappedIsReported) {
  auto generation = load(source("sticky"));
  ASSERT_TRUE(generation);
  generation.reset();
  EXPECT_TRUE(is_mapped(stage() / "sticky.1."));
  const auto lines = log_.lines("plugin.still_loaded");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].level, LogLevel::warn);
  EXPECT_EQ(lines[0].fields.at("plugin"), "sticky");
  EXPECT_TRUE(stage_is_empty()) << "its copy is not needed any more";
}

TEST_F(GenerationTest, ConcurrencyNeedsAServiceThatAllowsIt) {
  const auto generation = load(source("naughty"));
  ASSERT_TRUE(generation);
  config::Trigger trigger = make_trigger();
  trigger.concurrency = 2;
  EXPECT_EQ(generation->create(trigger, host_).error().message,
            "service \"naughty\" handles one message at a time; write concurrency = 1");
  trigger.service = "naughty-crowd";
  EXPECT_TRUE(generation->create(trigger, host_));
}

}  // namespace
}  // namespace triggerd::plugin
