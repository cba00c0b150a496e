// A worker without a process, in the hands of a test: its end of the rings and of the socket, and
// the host's socket.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/ring.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::plugin::isolation {

class WorkerEnd {
 public:
  WorkerEnd() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    fd_ = UniqueFd(ends[1]);
    host_socket_ = std::make_unique<HostSocket>(
        UniqueFd(ends[0]), [](std::uint32_t type) { return longest_frame(type, false); }, clock_);
    socket_ = std::make_unique<WorkerSocket>(fd_.get());
  }

  SharedLayout& shared() { return *shared_; }
  HostSocket& host_socket() { return *host_socket_; }
  WorkerSocket& socket() { return *socket_; }
  void close_socket() { fd_.reset(); }

  void write(std::uint32_t type, std::string_view record) {
    EXPECT_EQ(out_.write(type, record), RingWriter::Outcome::written);
  }
  void write(ToHost type, std::string_view record) {
    write(static_cast<std::uint32_t>(type), record);
  }
  void send(ToHost type, std::string_view bytes) {
    socket_->send(static_cast<std::uint32_t>(type), bytes);
  }
  void send_raw(std::string_view bytes) {
    EXPECT_EQ(::write(fd_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  // The next record in its ring; nullopt: there is none.
  std::optional<std::pair<ToWorker, std::string>> read() {
    std::uint32_t type = 0;
    std::string record;
    if (in_.read(type, record) != RingReader::Outcome::record) return std::nullopt;
    return std::pair(static_cast<ToWorker>(type), std::move(record));
  }
  // The topic of a message that is the next record; else empty.
  std::string read_topic() {
    auto record = read();
    OwnedMessage message;
    if (!record || record->first != ToWorker::message) return {};
    EXPECT_TRUE(decode_message(record->second, message));
    return {message.topic.ptr, message.topic.len};
  }
  // What the host has answered in a place of a call; nullopt: nothing.
  std::optional<std::int32_t> answer(std::uint32_t place) {
    CallPlace& call = shared_->calls[place];
    if (call.answered.exchange(0) == 0) return std::nullopt;
    return call.code.load();
  }

 private:
  test::FakeClock clock_;
  const std::unique_ptr<SharedLayout> shared_ = std::make_unique<SharedLayout>();
  RingReader in_{shared_->to_worker, shared_->to_worker_bytes};
  RingWriter out_{shared_->to_host, shared_->to_host_bytes};
  std::unique_ptr<HostSocket> host_socket_;
  UniqueFd fd_;
  std::unique_ptr<WorkerSocket> socket_;
};

}  // namespace triggerd::plugin::isolation
