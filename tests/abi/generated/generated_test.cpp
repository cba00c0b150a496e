// The plugins of the projects that tools/plugin-new made, in the hands of the runtime.
#include <set>

#include "loaded.hpp"

namespace triggerd::plugin {
namespace {

class Generated : public LoadedTest, public testing::WithParamInterface<const char*> {
 protected:
  std::string name() const { return std::string("my-") + GetParam(); }
  std::filesystem::path file() const {
    return std::filesystem::path(GENERATED_DIR) / GetParam() / (name() + ".so");
  }
};

TEST_P(Generated, ServesTheRuntime) {
  {
    const auto generation = load(name(), file());
    ASSERT_TRUE(generation);
    EXPECT_EQ(generation->version(), "0.1.0");
    EXPECT_EQ(generation->service_names(), std::vector<std::string>{"sum"});
    const auto refused = create(*generation, "sum", {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "service \"" + name() +
                  ":sum\" cannot be created: setting \"topic\" is missing; it must be a string "
                  "(create returned -1)");

    auto made = create(*generation, "sum", {{"topic", "sums"}, {"every", "2"}});
    ASSERT_TRUE(made) << made.error().message;
    Instance& instance = **made;
    EXPECT_TRUE(instance.can_be_probed());
    ASSERT_TRUE(instance.start());
    OneByOne messages;
    ASSERT_TRUE(instance.run_workers(messages, 1));
    EXPECT_EQ(messages.handle("n", "20").code, TRIGGER_OK);
    EXPECT_EQ(messages.handle("n", "many").code, TRIGGER_REJECT);
    EXPECT_EQ(messages.handle("n", "22").code, TRIGGER_PENDING);
    const auto published = host_.published(1);
    ASSERT_EQ(published.size(), 1u);
    EXPECT_EQ(published[0].topic, "sums");
    EXPECT_EQ(published[0].payload, "42");
    published[0].done(TRIGGER_OK, "");
    EXPECT_TRUE(instance.join_workers(soon()));
    instance.stop();  // done has run when this returns
    const auto completed = host_.completed();
    ASSERT_EQ(completed.size(), 1u);
    EXPECT_EQ(completed[0].token, 3u);
    EXPECT_EQ(completed[0].answer.code, TRIGGER_OK);
    const auto metrics = instance.metrics();
    ASSERT_EQ(metrics.size(), 1u);
    EXPECT_EQ(metrics[0].name, "numbers_total");
    EXPECT_EQ(metrics[0].value, 2);
  }
  EXPECT_TRUE(all_gone());
}

TEST_P(Generated, ComesAndGoes) {
  for (int round = 0; round < 20; ++round) {
    const auto generation = load(name(), file());
    ASSERT_TRUE(generation);
    auto made = create(*generation, "sum", {{"topic", "sums"}});
    ASSERT_TRUE(made);
    ASSERT_TRUE((*made)->start());
    OneByOne messages;
    ASSERT_TRUE((*made)->run_workers(messages, 2));
    EXPECT_EQ(messages.handle("n", "1").code, TRIGGER_OK);
    EXPECT_TRUE((*made)->join_workers(soon()));
  }
  EXPECT_TRUE(all_gone());
}

INSTANTIATE_TEST_SUITE_P(PluginNew, Generated, testing::Values("c", "cpp", "rust"),
                         [](const auto& info) { return std::string(info.param); });

// A plugin in Rust that panics wherever it can.
class Panics : public LoadedTest {
 protected:
  std::filesystem::path file() const { return PANICS; }
};

TEST_F(Panics, StayInside) {
  {
    const auto generation = load("panics", file());
    ASSERT_TRUE(generation);
    const auto refused = create(*generation, "panics", {{"place", "create"}});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.starts_with(
        "service \"panics:panics\" cannot be created: in create (src/lib.rs:"))
        << refused.error().message;
    auto starts = create(*generation, "panics", {{"place", "start"}});
    ASSERT_TRUE(starts);
    EXPECT_FALSE((*starts)->start());

    auto made = create(*generation, "panics", {{"place", "stop"}});
    ASSERT_TRUE(made);
    ASSERT_TRUE((*made)->start());
    OneByOne messages;
    ASSERT_TRUE((*made)->run_workers(messages, 1));
    const Answer panicked = messages.handle("panic", "");
    EXPECT_EQ(panicked.code, TRIGGER_RETRY);
    EXPECT_TRUE(panicked.reason.starts_with("in handle (src/lib.rs:")) << panicked.reason;
    EXPECT_EQ(messages.handle("to its own thread", "").code, TRIGGER_OK);
    EXPECT_TRUE(log_.wait_for("to its own thread"));
    EXPECT_EQ(messages.handle("panic in done", "").code, TRIGGER_OK);
    host_.published(1).at(0).done(TRIGGER_OK, "");
    EXPECT_EQ(messages.handle("panic in thread", "").code, TRIGGER_OK);
    EXPECT_TRUE((*made)->join_workers(soon()));
    (*made)->stop();
    made->reset();
    ASSERT_TRUE(create(*generation, "panics", {{"place", "drop"}}));
  }
  std::set<std::string> wrong;  // they come from several threads
  for (const LogLine& line : log_.lines("plugin.log")) {
    if (line.level == LogLevel::error) wrong.insert(line.text.substr(0, line.text.find(" (")));
  }
  EXPECT_EQ(wrong, (std::set<std::string>{"a publish callback panicked: in done", "in a thread",
                                          "stop panicked: in stop", "its drop panicked: in drop"}));
  EXPECT_TRUE(log_.texts("plugin.exception").empty());
  EXPECT_TRUE(all_gone());
}

}  // namespace
}  // namespace triggerd::plugin
