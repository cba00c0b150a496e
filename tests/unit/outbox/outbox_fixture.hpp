// An outbox on a real inbox and its writer, a modelled server, and a clock that the test turns.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inbox/inbox.hpp"
#include "inbox/inbox_file.hpp"
#include "inbox/writer.hpp"
#include "outbox/outbox.hpp"
#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"
#include "unit/outbox/modelled_server.hpp"

namespace triggerd::outbox {

// A process that has the outbox of alias "a".
class OneProcess {
 public:
  OneProcess(const std::filesystem::path& folder, const config::Outbox& options, const Clock& clock,
             Log& log, bool writes = true)
      : loop_(std::make_shared<EventLoop>(clock)) {
    auto opened =
        inbox::Inbox::open(folder / "inbox.db", {.vfs = {}, .set_aside = {}, .clock = &clock});
    EXPECT_TRUE(opened) << opened.error().message;
    inbox_ = *std::move(opened);
    // One that does not write by itself does so when it is told to.
    writer_ = std::make_unique<inbox::Writer>(
        *inbox_,
        inbox::Writer::Options{
            .sync_to_disk = false, .grace = writes ? Millis{0} : Millis{3'600'000}, .mended = {}},
        [](const std::optional<std::string>&) {});
    auto made = Outbox::open(
        {.stored = inbox_->outgoing(), .writer = *writer_, .supervisor = loop_, .log = log}, "a",
        "edge", options);
    EXPECT_TRUE(made) << made.error().message;
    outbox_ = *std::move(made);
  }
  ~OneProcess() {
    loop_->run_due();
    outbox_->end();
    writer_.reset();
    outbox_.reset();
  }
  OneProcess(const OneProcess&) = delete;
  OneProcess& operator=(const OneProcess&) = delete;

  Outbox& outbox() { return *outbox_; }
  inbox::Inbox& inbox() { return *inbox_; }
  inbox::Writer& writer() { return *writer_; }
  std::size_t run() { return loop_->run_due(); }
  // What is queued is on the disk, and what follows from that was done.
  void write() {
    EXPECT_TRUE(writer_->flush(system_clock().now() + std::chrono::minutes(1)));
    run();
  }
  // The files as a kill would leave them now: whole transactions.
  void copy_to(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    const MutexLock lock(inbox_->file().mutex());
    for (const char* part : {"", "-wal"}) {
      const auto from = inbox_->file().folder() / (std::string("inbox.db") + part);
      if (std::filesystem::exists(from)) {
        std::filesystem::copy_file(from, folder / from.filename(),
                                   std::filesystem::copy_options::overwrite_existing);
      }
    }
  }

 private:
  std::shared_ptr<EventLoop> loop_;
  std::unique_ptr<inbox::Inbox> inbox_;
  std::unique_ptr<inbox::Writer> writer_;
  std::shared_ptr<Outbox> outbox_;
};

class OutboxStage {
 public:
  OutboxStage() { start(); }
  ~OutboxStage() {
    *alive_ = false;
    process_.reset();
  }
  OutboxStage(const OutboxStage&) = delete;
  OutboxStage& operator=(const OutboxStage&) = delete;

  void start(bool writes = true) {
    process_.reset();
    alive_ = std::make_shared<std::atomic<bool>>(true);
    process_ = std::make_unique<OneProcess>(folder_.path(), options_, clock_, log_, writes);
  }
  // As kill -9: what is not written is lost.
  void kill() {
    *alive_ = false;  // nobody hears any more what it says
    const std::filesystem::path copy = folder_ / "copy";
    process_->copy_to(copy);
    process_.reset();
    server_.cut();
    for (const char* part : {"inbox.db", "inbox.db-wal", "inbox.db-shm"}) {
      std::filesystem::remove(folder_ / part);
    }
    for (const auto& file : std::filesystem::directory_iterator(copy)) {
      std::filesystem::rename(file.path(), folder_ / file.path().filename());
    }
    start();
  }
  Outbox& outbox() { return process_->outbox(); }

  tl::expected<void, mqtt::PublishError> publish(const std::string& payload, int qos = 1,
                                                 std::vector<mqtt::Property> properties = {},
                                                 bool retained = false) {
    return outbox().publish(
        {.topic = "up",
         .payload = {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()},
         .qos = qos,
         .retained = retained,
         .properties = properties},
        [this, payload, alive = alive_](const Result<>& outcome) {
          if (!*alive) return;
          const MutexLock lock(told_mutex_);
          (outcome ? safe_ : failed_).push_back(payload);
          if (!outcome) reasons_.push_back(outcome.error().message);
        });
  }
  std::vector<std::string> safe() const {
    const MutexLock lock(told_mutex_);
    return safe_;
  }
  std::vector<std::string> failed() const {
    const MutexLock lock(told_mutex_);
    return failed_;
  }
  std::string last_reason() const {
    const MutexLock lock(told_mutex_);
    return reasons_.empty() ? std::string() : reasons_.back();
  }
  void connect() { outbox().on_line(server_, server_.connect()); }
  void cut() {
    server_.cut();
    outbox().off_line(server_);
  }
  void answer() {
    server_.take_all();
    outbox().on_answers(server_.take_answers());
  }
  // Until nothing moves any more.
  void settle() {
    for (int i = 0; i < 100; ++i) {
      process_->write();
      answer();
      process_->run();
      if (outbox().stats().messages == 0 && outbox().stats().in_flight == 0) break;
    }
    process_->write();
  }
  // Returns how many messages were removed.
  std::uint64_t clear() {
    auto cleared = std::async(std::launch::async, [this] {
      return outbox().clear(system_clock().now() + std::chrono::minutes(1));
    });
    while (cleared.wait_for(Millis{1}) != std::future_status::ready) process_->run();
    const auto messages = cleared.get();
    EXPECT_TRUE(messages) << messages.error().message;
    return messages.value_or(0);
  }
  std::vector<std::string> delivered() const {
    std::vector<std::string> payloads;
    for (const auto& one : server_.delivered) payloads.push_back(one.payload);
    return payloads;
  }
  std::uint64_t rows() {
    process_->write();
    return process_->inbox().outgoing().total("a")->messages;
  }

 protected:
  test::TempDir folder_;
  test::FakeClock clock_;
  test::CaptureLog log_;
  config::Outbox options_;
  ModelledServer server_;
  std::shared_ptr<std::atomic<bool>> alive_;
  std::unique_ptr<OneProcess> process_;

 private:
  mutable Mutex told_mutex_;
  std::vector<std::string> safe_ TRIGGERD_GUARDED_BY(told_mutex_);
  std::vector<std::string> failed_ TRIGGERD_GUARDED_BY(told_mutex_);
  std::vector<std::string> reasons_ TRIGGERD_GUARDED_BY(told_mutex_);
};

class OutboxTest : public testing::Test, protected OutboxStage {};

}  // namespace triggerd::outbox
