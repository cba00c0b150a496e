#include "plugin/process/sudden_end.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "plugin/abi_text.hpp"
#include "plugin/process/current_call.hpp"

namespace triggerd::plugin {

constinit thread_local const CurrentCall* CurrentCall::current_ = nullptr;

namespace {

// As much as runtimes of other languages want where they find one.
constexpr std::size_t kStack = std::size_t{64} << 10;
// The other threads that crash meanwhile wait so long for the first one to end the process.
constexpr timespec kOthersWait{5, 0};

struct Fatal {
  int number;
  const char* name;
};
constexpr std::array kFatal{Fatal{SIGSEGV, "SIGSEGV"}, Fatal{SIGBUS, "SIGBUS"},
                            Fatal{SIGFPE, "SIGFPE"},   Fatal{SIGILL, "SIGILL"},
                            Fatal{SIGABRT, "SIGABRT"}, Fatal{SIGTRAP, "SIGTRAP"},
                            Fatal{SIGSYS, "SIGSYS"}};

// Written before the handlers are there, and constant from then on.
SuddenEndOptions* options = nullptr;
pid_t runtime_process = 0;
std::array<struct sigaction, kFatal.size()> before{};

std::atomic<bool> good_order{false};
std::atomic_flag one_has_begun = ATOMIC_FLAG_INIT;

// Text in memory of its own: nothing here allocates. What does not fit is left out.
class Line {
 public:
  Line& operator<<(std::string_view text) {
    for (const char c : text) {
      if (size_ < text_.size()) text_[size_++] = c;
    }
    return *this;
  }
  Line& operator<<(const char* text) { return *this << std::string_view(text); }
  // In decimal, with at least so many digits.
  Line& number(std::uint64_t value, unsigned digits = 1, unsigned base = 10) {
    std::array<char, 20> reversed{};
    unsigned count = 0;
    for (; value != 0 || count < digits; value /= base) {
      reversed[count++] = "0123456789abcdef"[value % base];
    }
    while (count > 0) *this << std::string_view(&reversed[--count], 1);
    return *this;
  }
  Line& word(std::string_view text) { return *this << (text.empty() ? "-" : text) << " "; }
  void write_to(int fd) const {
    for (std::size_t done = 0; fd >= 0 && done < size_;) {
      const ssize_t wrote = ::write(fd, text_.data() + done, size_ - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return;
      done += static_cast<std::size_t>(wrote);
    }
  }

 private:
  std::array<char, 2'048> text_;
  std::size_t size_ = 0;
};

timespec now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

// As base/log.cpp has it, in UTC; the date by Howard Hinnant's civil_from_days.
void add_time(Line& line) {
  const timespec time = now();
  const std::int64_t days = time.tv_sec / 86'400;
  const std::int64_t second = time.tv_sec % 86'400;
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = shifted / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const auto part = [&](std::int64_t value, unsigned digits, const char* behind) {
    line.number(static_cast<std::uint64_t>(value), digits) << behind;
  };
  part(year, 4, "-");
  part(month, 2, "-");
  part(day, 2, "T");
  part(second / 3'600, 2, ":");
  part(second / 60 % 60, 2, ":");
  part(second % 60, 2, ".");
  part(time.tv_nsec / 1'000'000, 3, "Z");
}

// Ids are letters and digits.
const trigger_message* only_message(const CurrentCall* call) {
  return call != nullptr && call->messages().size() == 1 ? call->messages().front() : nullptr;
}

// "in handle of plugin:service", or what else is known.
void add_place(Line& line, const CurrentCall* call) {
  if (call == nullptr || call->site() == nullptr) {
    std::array<char, 16> name{};
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    line << "outside of any call of a service, on thread ";
    for (const char c : std::string_view(name.data())) {
      const bool plain = c > ' ' && c < 0x7f && c != '"' && c != '\\';
      line << std::string_view(plain ? &c : "?", 1);
    }
    return;
  }
  line << "in " << call->function() << " of " << call->site()->plugin;
  if (!call->site()->service.empty()) line << ":" << call->site()->service;
  if (call->messages().size() > 1) {
    line << " with ";
    line.number(call->messages().size()) << " messages";
  }
}

struct Field {
  const char* key;
  std::string_view value;
};

std::array<Field, 3> fields_of(const CurrentCall* call) {
  std::array<Field, 3> fields{};
  if (call == nullptr || call->site() == nullptr) return fields;
  fields[0] = {"plugin", call->site()->plugin};
  fields[1] = {"trigger", call->site()->trigger};
  if (const trigger_message* message = only_message(call))
    fields[2] = {"message", view(message->id)};
  return fields;
}

// A line of the log, as base/log.cpp writes them.
void log_line(std::string_view event, std::string_view what, std::string_view in,
              const CurrentCall* call, std::string_view behind) {
  Line line;
  if (options->json) {
    line << R"({"time":")";
    add_time(line);
    line << R"(","level":"error","runtime":)" << options->runtime << R"(,"event":")" << event
         << "\"";
    for (const Field& field : fields_of(call)) {
      if (!field.value.empty()) line << ",\"" << field.key << "\":\"" << field.value << "\"";
    }
    line << R"(,"text":")" << what << in;
    add_place(line, call);
    line << behind << "\"}\n";
  } else {
    add_time(line);
    line << " error " << event;
    for (std::size_t i = event.size(); i < 22; ++i) line << " ";
    line << " " << what << in;
    add_place(line, call);
    line << behind;
    const char* separator = "  [";
    for (const Field& field : fields_of(call)) {
      if (field.value.empty()) continue;
      line << separator << field.key << "=" << field.value;
      separator = " ";
    }
    line << (std::string_view(separator) == " " ? "]\n" : "\n");
  }
  line.write_to(STDOUT_FILENO);
}

void record_crash(const char* signal, const CurrentCall* call, const trigger_message* message) {
  Line line;
  line << "crash ";
  line.number(static_cast<std::uint64_t>(now().tv_sec)) << " ";
  line.word(signal);
  const CallSite* const site = call == nullptr ? nullptr : call->site();
  line.word(site == nullptr ? "" : std::string_view(site->plugin));
  line.word(site == nullptr ? "" : std::string_view(site->service));
  line.word(site == nullptr ? "" : std::string_view(site->trigger));
  line.word(call == nullptr ? "" : call->function());
  line.word(message == nullptr ? "" : view(message->id));
  if (message != nullptr && message->qos > 0 && site != nullptr) {
    line.number(identity_of(options->identity_key, site->trigger, view(message->topic),
                            view(message->payload)),
                16, 16);
  } else {
    line << "-";
  }
  line << " ";
  line.number(call == nullptr ? 0 : call->messages().size()) << "\n";
  line.write_to(options->record);
}

extern "C" void tell_crash(int number, siginfo_t* info, void*) {
  std::size_t which = 0;
  while (which + 1 < kFatal.size() && kFatal[which].number != number) ++which;
  if (one_has_begun.test_and_set()) {
    ::nanosleep(&kOthersWait, nullptr);
  } else if (::getpid() == runtime_process) {
    // The record first: who reads the log may not read just now.
    const CurrentCall* const call = CurrentCall::get();
    if (call == nullptr || call->messages().empty()) {
      record_crash(kFatal[which].name, call, nullptr);
    } else {
      for (const trigger_message* const message : call->messages()) {
        record_crash(kFatal[which].name, call, message);
      }
    }
    log_line("runtime.crashed", kFatal[which].name, " ", call, " ends the runtime");
    // A trigger is isolated, perhaps, and the core dump is to be there all the same.
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
  ::sigaction(number, &before[which], nullptr);
  // A fault comes again when this returns; what somebody has sent does not, nor what says that an
  // instruction or a system call is over.
  if (info == nullptr || info->si_code <= 0 || number == SIGTRAP || number == SIGSYS) {
    ::raise(number);
  }
}

void tell_exit() {
  if (good_order || ::getpid() != runtime_process) return;
  // Once: exit() in a destructor that this one runs would come here again.
  if (one_has_begun.test_and_set()) ::_exit(options->failure);
  log_line("runtime.exited", "exit() was called", " ", CurrentCall::get(),
           ", which ends the runtime with all that it runs");
  ::_exit(options->failure);
}

extern "C" void on_exit_called(int, void*) {
  tell_exit();
}

extern "C" void on_quick_exit() {
  tell_exit();
}

}  // namespace

void watch_for_sudden_end(SuddenEndOptions given) {
  options = new SuddenEndOptions(std::move(given));  // stays, for handlers
  options->runtime = in_quotes(options->runtime);
  runtime_process = ::getpid();
  for (std::size_t i = 0; i < kFatal.size(); ++i) {
    struct sigaction action {};
    action.sa_sigaction = tell_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(kFatal[i].number, &action, &before[i]);
  }
  ::on_exit(on_exit_called, nullptr);
  ::at_quick_exit(on_quick_exit);
}

void end_in_good_order() {
  good_order = true;
}

SignalStack::SignalStack() {
  stack_t now{};
  if (::sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;
  void* const memory =
      ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  const stack_t stack{.ss_sp = memory, .ss_flags = 0, .ss_size = kStack};
  if (::sigaltstack(&stack, nullptr) == 0) {
    memory_ = memory;
  } else {
    ::munmap(memory, kStack);
  }
}

SignalStack::~SignalStack() {
  if (memory_ == nullptr) return;
  stack_t now{};
  if (::sigaltstack(nullptr, &now) == 0 && now.ss_sp == memory_) {
    const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
    ::sigaltstack(&none, nullptr);
  }
  ::munmap(memory_, kStack);
}

}  // namespace triggerd::plugin
