// The inbox: one batch of accepted messages becomes rows, in one transaction; the rows of the batch
// before go in the same one, as they do where services finish what was written. Twice: with the
// sync of `sync = "disk"`, and without. The file is in a folder of TMPDIR, so that is the disk.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inbox/writer.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace triggerd;

class Row final : public inbox::Entry {
 public:
  bool begin_write() override { return true; }
  inbox::MessageView view() const override {
    return {.trigger = "bench",
            .message_id = "0123456789abcdef-0123456789",
            .topic = "bench/0",
            .payload = payload_,
            .qos = 1,
            .retained = false,
            .packet_id = 7,
            .attempts = 0,
            .received = Wall(Millis(1'700'000'000'123))};
  }
  void written(std::optional<std::int64_t> number) override { number_ = number; }
  void not_written() override { number_.reset(); }
  void flush_acknowledgement() override {}
  // Its number, once: read after flush(), when the writer is done with it.
  std::optional<std::int64_t> take_number() { return std::exchange(number_, std::nullopt); }

 private:
  const std::string payload_ = std::string(64, 'x');
  std::optional<std::int64_t> number_;
};

void inbox_batch(benchmark::State& state, bool sync_to_disk) {
  const test::TempDir dir;
  auto opened = inbox::Inbox::open(dir / "inbox.db");
  if (!opened) return state.SkipWithError(opened.error().message.c_str());
  inbox::Writer writer(**opened, {.sync_to_disk = sync_to_disk}, [](const auto&) {});
  std::vector<std::shared_ptr<Row>> rows;
  std::vector<inbox::EntryPtr> entries;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    rows.push_back(std::make_shared<Row>());
    entries.push_back(rows.back());
  }
  for (auto _ : state) {
    for (const auto& row : rows) {
      if (const auto number = row->take_number()) writer.remove(*number);
    }
    writer.accept(entries);
    if (!writer.flush(std::chrono::steady_clock::now() + std::chrono::seconds(60))) {
      return state.SkipWithError("the disk did not take it within a minute");
    }
  }
  const auto written = static_cast<std::int64_t>(writer.stats().messages);
  if (written != state.iterations() * state.range(0)) state.SkipWithError("not all were written");
  state.SetItemsProcessed(written);
}
BENCHMARK_CAPTURE(inbox_batch, disk, true)->Arg(1)->Arg(100)->Arg(1000)->UseRealTime();
BENCHMARK_CAPTURE(inbox_batch, process, false)->Arg(1)->Arg(100)->Arg(1000)->UseRealTime();

}  // namespace
