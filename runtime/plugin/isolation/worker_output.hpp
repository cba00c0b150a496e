// Judges everything that a worker writes, and passes on what is sound: verdicts to the source,
// calls to the host, log lines, metrics, replies.
//
// The worker may be anything by the time it writes, so nothing is believed that was not checked
// after it was copied. The first thing that the protocol does not allow is the last that is read.
//
// [link], without a lock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.hpp"
#include "base/log.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/host_calls.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/ring.hpp"
#include "plugin/isolation/worker_metrics.hpp"

namespace triggerd::plugin::isolation {

class WorkerOutput {
 public:
  // What it passes things on to. All of them outlive it.
  struct Receivers {
    InstanceHost& host;
    Log& log;
    WorkerMetrics& metrics;
    std::shared_ptr<Mailbox> mailbox;
  };
  // `setup` is what the worker was given. All of these outlive it too.
  WorkerOutput(SharedLayout& shared, HostSocket& socket, const Setup& setup, Receivers receivers);

  // What holds for everything that is read in one turn.
  struct Turn {
    WorkSource* source = nullptr;  // null: it does not serve, and verdicts are dropped
    bool calls_allowed = false;    // of host functions
  };
  // Reads what there is, in bounds so that others get their turn. True: there may be more.
  bool read(const Turn& turn);

  // What the worker wrote that the protocol does not allow; empty: nothing.
  std::string_view protocol_error() const { return protocol_error_; }
  // The worker has closed its end of the socket.
  bool closed() const { return closed_; }
  bool ring_is_empty() const { return ring_.empty(); }
  // The reply to the last order, if it has come.
  std::optional<Reply> take_reply() { return std::exchange(reply_, std::nullopt); }
  // The descriptor of the system calls that are to be judged, once it has come.
  UniqueFd take_system_calls() { return std::exchange(system_calls_, UniqueFd()); }
  bool handled_a_message() const { return handled_a_message_; }
  // How long the service takes for a message on average; 0: not known.
  std::uint64_t busy_ns() const { return busy_ns_; }

 private:
  bool read_ring(const Turn& turn);
  bool read_socket(const Turn& turn);
  std::string_view judge_record(std::uint32_t type, const Turn& turn);
  std::string_view judge_frame(const Frame& frame, const Turn& turn);
  std::string_view take_verdict(const Turn& turn);
  std::string_view keep_reply(std::string_view bytes);
  std::string_view keep_metrics(std::string_view bytes);
  std::string_view write_log(std::string_view bytes);

  RingReader ring_;
  HostSocket& socket_;
  const Setup& setup_;
  Log& log_;
  WorkerMetrics& metrics_;
  HostCalls calls_;
  std::string record_;  // the one that is judged; kept for its memory
  std::string_view protocol_error_;
  std::optional<Reply> reply_;
  UniqueFd system_calls_;
  std::uint64_t busy_ns_ = 0;
  unsigned turns_ = 0;
  bool closed_ = false;
  bool handled_a_message_ = false;
};

}  // namespace triggerd::plugin::isolation
