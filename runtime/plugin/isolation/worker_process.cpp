#include "plugin/isolation/worker_process.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <utility>

#include "base/passing.hpp"

namespace triggerd::plugin::isolation {
namespace {

// While the worker may have something to say and does not wake its host.
constexpr Millis kOwnEnd{100};
constexpr Millis kSoon{1};
// How often a worker's memory is checked, where it has a limit.
constexpr Millis kMemoryCheck{100};

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const std::filesystem::path& program,
                                                            const Setup& setup, const Clock& clock,
                                                            WorkerOutput::Receivers receivers) {
  auto doorbell = Doorbell::make();
  if (!doorbell) return tl::make_unexpected(doorbell.error());
  auto memory = SharedMemory::make();
  if (!memory) return tl::make_unexpected(memory.error());
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_with(errno, "cannot create a socket for a worker process");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  auto child = Child::start(program, theirs.get(), doorbell->bell(), memory->fd());
  if (!child) return tl::make_unexpected(child.error());
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(setup, clock, std::move(*memory),
                                                          std::move(ours), std::move(*doorbell),
                                                          std::move(*child), std::move(receivers)));
}

WorkerProcess::WorkerProcess(const Setup& setup, const Clock& clock, SharedMemory memory,
                             UniqueFd socket, Doorbell doorbell, Child child,
                             WorkerOutput::Receivers receivers)
    : setup_(setup),
      clock_(clock),
      memory_(std::move(memory)),
      socket_(
          std::move(socket),
          [this](std::uint32_t type) { return longest_frame(type, state_expected_); }, clock),
      doorbell_(std::move(doorbell)),
      child_(std::move(child)),
      messages_(*memory_, socket_),
      output_(*memory_, socket_, setup, std::move(receivers)) {}

void WorkerProcess::ask_for_metrics() {
  if (!socket_.has_unsent()) send(ToWorker::metrics, {});
}

bool WorkerProcess::read(const WorkerOutput::Turn& turn) {
  if (!protocol_error().empty()) return false;
  const bool had_something = output_.read(turn);
  if (UniqueFd calls = output_.take_system_calls(); calls && !judge_) {
    judge_.emplace(std::move(calls), child_.pid(), setup_.memory);
  }
  return had_something;
}

void WorkerProcess::feed(WorkSource& source) {
  if (protocol_error().empty()) messages_.feed(source, output_.busy_ns());
}

bool WorkerProcess::wait(int doorbell, Millis at_most) {
  if (setup_.memory > 0) at_most = std::min(at_most, kMemoryCheck);
  if (!messages_.drained()) at_most = std::min(at_most, kSoon);
  const auto watch = [](int fd, bool out = false) {
    return pollfd{
        .fd = fd, .events = static_cast<short>(out ? POLLIN | POLLOUT : POLLIN), .revents = 0};
  };
  std::array<pollfd, 5> watched{watch(doorbell), watch(socket_.fd(), socket_.has_unsent()),
                                watch(child_.pidfd()), watch(doorbell_.fd()),
                                watch(judge_ ? judge_->fd() : -1)};
  memory_->host_sleeps.store(1);
  // As in HostWriter::wake_host(): either the worker sees that we sleep, or we see what it wrote.
  // Without the fence some processors may look into the ring first.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!output_.ring_is_empty()) at_most = Millis(0);
  const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(at_most.count()));
  memory_->host_sleeps.store(0);
  if (ready <= 0) return false;
  if (watched[1].revents != 0) socket_.flush();
  if (watched[2].revents != 0) has_ended_ = true;
  if (watched[3].revents != 0) doorbell_.heard();
  if ((watched[4].revents & POLLIN) != 0) judge_->answer_one();
  return watched[0].revents != 0;
}

// A worker whose socket is closed is about to end, and its exit status says more than our signal.
std::string WorkerProcess::kill() {
  if (has_ended()) static_cast<void>(child_.wait(clock_.now() + kOwnEnd, clock_));
  return child_.end();
}

std::string WorkerProcess::fault(Millis patience) {
  if (!protocol_error().empty()) {
    return fmt::format("worker protocol violation ({})", protocol_error());
  }
  const auto since = socket_.unfinished_since();
  if (since && clock_.now() > *since + patience) return "it sent an incomplete frame";
  return memory_fault();
}

// RLIMIT_DATA bounds only what is the process's alone; shared memory is seen only by checking.
std::string WorkerProcess::memory_fault() {
  const Monotonic now = clock_.now();
  if (setup_.memory == 0 || now < memory_checked_ + kMemoryCheck) return {};
  memory_checked_ = now;
  const std::uint64_t used = memory_of(child_.pid());
  if (used <= setup_.memory) return {};
  return fmt::format("it uses {} KiB of memory, more than isolation_memory, {} KiB", used >> 10,
                     setup_.memory >> 10);
}

std::string_view WorkerProcess::protocol_error() const {
  const std::string_view written = output_.protocol_error();
  return written.empty() ? messages_.protocol_error() : written;
}

}  // namespace triggerd::plugin::isolation
