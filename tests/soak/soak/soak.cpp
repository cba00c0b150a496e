// The plugin of the soak test: "record" appends one line for each call to the file of its setting,
//
//   TOPIC NUMBER ID ATTEMPT VERDICT;
//
// and does what soak/numbered.hpp has for that message. A line is there before its verdict is said,
// so what the runtime knows to be handled is always written down.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <trigger/plugin.hpp>

#include "soak/numbered.hpp"

namespace {

using triggerd::soak::Deed;

class Record {
 public:
  static constexpr bool concurrent = true;

  explicit Record(const trigger::Context& context) : file_(context.settings().text("file")) {}
  ~Record() { stop(); }

  void start() {
    fd_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) throw std::runtime_error("cannot open " + file_);
  }
  void stop() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  trigger::Verdict handle(const trigger::Message& message) {
    const auto known = triggerd::soak::read_message(message.topic(), message.payload());
    if (!known) {
      write(message, "?", "corrupt");
      return trigger::Verdict::reject("not a message of the soak test");
    }
    const Deed deed = triggerd::soak::deed_for(*known, message.attempt());
    std::this_thread::sleep_for(
        std::chrono::milliseconds(triggerd::soak::milliseconds_for(*known, deed)));
    write(message, std::to_string(known->number), triggerd::soak::name_of(deed));
    if (deed == Deed::exception) throw std::runtime_error("thrown for the soak test");
    if (deed == Deed::retry) return trigger::Verdict::retry("not yet");
    if (deed == Deed::reject) return trigger::Verdict::reject("not to be handled");
    return trigger::Verdict::ok();
  }

 private:
  // One write: lines of several workers do not mix. The newline in front ends what a process that
  // was killed inside its write may have left.
  void write(const trigger::Message& message, const std::string& number, const char* verdict) {
    const std::string line = "\n" + std::string(message.topic()) + " " + number + " " +
                             std::string(message.id()) + " " + std::to_string(message.attempt()) +
                             " " + verdict + ";\n";
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      throw std::runtime_error("cannot write to " + file_);
    }
  }

  const std::string file_;
  int fd_ = -1;
};

}  // namespace

TRIGGER_PLUGIN("soak", "1.0.0", trigger::service<Record>("record"));
