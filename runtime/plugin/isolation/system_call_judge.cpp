#include "plugin/isolation/system_call_judge.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <string_view>
#include <utility>

#include "base/file.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/isolation/system_call_filter.hpp"

namespace triggerd::plugin::isolation {

namespace {

std::vector<std::uint64_t> room_for(std::size_t bytes) {
  return std::vector<std::uint64_t>((bytes + 7) / 8);
}

}  // namespace

SystemCallJudge::SystemCallJudge(UniqueFd calls, pid_t worker, std::uint64_t memory)
    : calls_(std::move(calls)), worker_(worker), memory_(memory) {
  seccomp_notif_sizes sizes{};
  static_cast<void>(::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
  request_ = room_for(std::max<std::size_t>(sizes.seccomp_notif, sizeof(seccomp_notif)));
  response_ = room_for(std::max<std::size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)));
}

// Not with libseccomp, whose functions work only where it has loaded the filter itself.
void SystemCallJudge::answer_one() {
  std::fill(request_.begin(), request_.end(), 0);  // as the kernel wants it
  std::fill(response_.begin(), response_.end(), 0);
  // Whoever called may be gone again; then there is nobody to answer.
  if (::ioctl(calls_.get(), SECCOMP_IOCTL_NOTIF_RECV, request_.data()) != 0) return;
  const auto& call = *reinterpret_cast<const seccomp_notif*>(request_.data());
  const int error = verdict(call);
  auto& response = *reinterpret_cast<seccomp_notif_resp*>(response_.data());
  response.id = call.id;
  response.error = -error;
  response.flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0U;
  static_cast<void>(::ioctl(calls_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_.data()));
}

int SystemCallJudge::verdict(const seccomp_notif& call) const {
  const auto number = [&](std::size_t i) { return static_cast<int>(call.data.args[i]); };
  const auto verdict_on_negative = [&](int group) {  // of INT_MIN there is no opposite
    return group == std::numeric_limits<int>::min() ? EPERM : verdict_on_group(-group);
  };
  switch (call.data.nr) {
    case SYS_kill:
      if (number(1) == 0 && number(0) > 0) return 0;  // whether it is there, anybody may ask
      return number(0) > 0 ? verdict_on_process(number(0)) : verdict_on_negative(number(0));
    case SYS_prlimit64:
      if (call.data.args[2] == 0) return 0;  // only asked for
      return verdict_on_process(number(0));
    case SYS_setpriority:
      if (number(0) == PRIO_PGRP) return verdict_on_group(number(1));
      return verdict_on_process(number(1));
    case SYS_ioprio_set:
      if (number(0) == kIoprioWhoGroup) return verdict_on_group(number(1));
      return verdict_on_process(number(1));
    case SYS_fcntl:
      return number(2) > 0 ? verdict_on_process(number(2)) : verdict_on_negative(number(2));
    case SYS_mmap:
    case SYS_shmget:
      return verdict_on_memory(call.data.args[1]);
    default:
      return verdict_on_process(number(0));
  }
}

// A thread's number is as good as its process's.
int SystemCallJudge::verdict_on_process(int pid) const {
  if (pid <= 0) return EPERM;
  const pid_t group = ::getpgid(pid);
  if (group < 0) return ESRCH;
  return group == worker_ ? 0 : EPERM;
}

int SystemCallJudge::verdict_on_group(int group) const {
  return group == worker_ ? 0 : EPERM;
}

int SystemCallJudge::verdict_on_memory(std::uint64_t bytes) const {
  const std::uint64_t has = memory_of(worker_);
  return bytes > memory_ || has > memory_ - bytes ? ENOMEM : 0;
}

std::uint64_t memory_of(pid_t process) {
  const auto status = read_file(fmt::format("/proc/{}/status", process), 65'536);
  if (!status) return 0;
  std::uint64_t kib = 0;
  // Each from the beginning of its line: the first line has the name that the process gave itself.
  for (const std::string_view name : {"\nRssAnon:", "\nRssShmem:", "\nVmSwap:"}) {
    const auto line = status->find(name);
    if (line == std::string::npos) continue;
    const auto digits = status->find_first_of("0123456789", line + name.size());
    if (digits == std::string::npos) continue;
    std::uint64_t value = 0;
    std::from_chars(status->data() + digits, status->data() + status->size(), value);
    kib += value;
  }
  const std::uint64_t bytes = kib << 10;
  return bytes > sizeof(SharedLayout) ? bytes - sizeof(SharedLayout) : 0;  // ours, not its own
}

}  // namespace triggerd::plugin::isolation
