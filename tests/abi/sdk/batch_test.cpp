// handle_batch: independent verdicts, and none is lost.
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>

#include "under_test.hpp"

namespace {

using trigger::Batch;
using trigger::Context;
using trigger::Message;
using trigger::Verdict;

std::optional<trigger::Completion> kept_completion;

// Does with each message what its payload says.
struct Obedient {
  explicit Obedient(const Context&) {}
  Verdict handle(const Message&) { return Verdict::ok(); }
  void handle_batch(Batch& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto order = batch[i].payload();
      if (order == "ok") batch.answer(i, Verdict::ok());
      if (order == "reject") batch.answer(i, Verdict::reject("as told"));
      if (order == "throw") throw std::runtime_error("no luck");
      if (order == "twice") {
        batch.answer(i, Verdict::ok());
        batch.answer(i, Verdict::reject("second thoughts"));
      }
      if (order == "pending") {
        kept_completion.emplace(batch[i].completion());
        batch.answer(i, Verdict::pending());
      }
      if (order == "keep") kept_completion.emplace(batch[i].completion());
    }
  }
};

class SdkBatch : public ::testing::Test {
 protected:
  void TearDown() override { kept_completion.reset(); }
  trigger::testing::Instance instance_ = under_test::plugin_of<Obedient>().run();
};

TEST_F(SdkBatch, GivesEachItsVerdict) {
  const auto attempts = instance_.send_batch({{"a", "ok"}, {"b", "reject"}, {"c", "twice"}});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[1].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[1].reason(), "as told");
  EXPECT_EQ(attempts[2].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[2].reason(), "");
  EXPECT_TRUE(instance_.send_batch({}).empty());
}

TEST_F(SdkBatch, RetriesWhatIsNotAnswered) {
  const auto attempts = instance_.send_batch({{"a", "ok"}, {"b", "forget"}, {"c", "ok"}});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[1].code(), TRIGGER_RETRY);
  EXPECT_EQ(attempts[2].code(), TRIGGER_OK);
}

TEST_F(SdkBatch, KeepsVerdictsThatCameBeforeAnException) {
  const auto attempts =
      instance_.send_batch({{"a", "ok"}, {"b", "reject"}, {"c", "throw"}, {"d", "ok"}});
  EXPECT_EQ(attempts[0].code(), TRIGGER_OK);
  EXPECT_EQ(attempts[1].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[1].reason(), "as told");
  EXPECT_EQ(attempts[2].code(), TRIGGER_RETRY);
  EXPECT_EQ(attempts[2].reason(), "no luck");
  EXPECT_EQ(attempts[3].code(), TRIGGER_RETRY);
  EXPECT_EQ(attempts[3].reason(), "no luck");
}

TEST_F(SdkBatch, LetsOneBePending) {
  const auto attempts = instance_.send_batch({{"a", "pending"}, {"b", "ok"}});
  EXPECT_TRUE(attempts[0].pending());
  EXPECT_EQ(attempts[1].code(), TRIGGER_OK);
  EXPECT_TRUE(kept_completion->complete(Verdict::reject("later")));
  EXPECT_EQ(attempts[0].reason(), "later");
}

TEST_F(SdkBatch, KillsACompletionWithoutPending) {
  const auto attempts = instance_.send_batch({{"a", "keep"}});
  EXPECT_EQ(attempts[0].code(), TRIGGER_RETRY);
  EXPECT_FALSE(kept_completion->complete(Verdict::ok()));
  EXPECT_EQ(attempts[0].code(), TRIGGER_RETRY);
  EXPECT_TRUE(instance_.violations().empty());
}

}  // namespace
