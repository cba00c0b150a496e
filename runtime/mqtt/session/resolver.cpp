#include "mqtt/session/resolver.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <system_error>
#include <thread>

#include "base/file.hpp"
#include "base/mutex.hpp"
#include "mqtt/session/addrinfo.hpp"
#include "mqtt/session/connect_trials.hpp"

namespace triggerd::mqtt {
namespace {

Result<Resolver::Addresses> addresses_of(const std::string& host) {
  AddrinfoList list;
  const int code = look_up(host, "", 0, list);
  if (code != 0) {
    return fail("cannot look up host \"{}\": {}", host,
                code == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(code));
  }
  Resolver::Addresses addresses;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text);
    }
  }
  if (addresses.empty()) return fail("host \"{}\" has no usable address", host);
  return addresses;
}

class SystemResolver final : public Resolver {
 public:
  SystemResolver(const Clock& clock, const tls::HandshakeLimits& limits) : trials_(clock, limits) {}

  void resolve(const std::string& host, Done done) override {
    AddrinfoList numeric;
    if (look_up(host, "", AI_NUMERICHOST, numeric) == 0) {
      done(Addresses{host});
      return;
    }
    {
      MutexLock lock(shared_->mutex);
      std::vector<Done>& waiting = shared_->waiting[host];
      waiting.push_back(std::move(done));
      if (waiting.size() > 1) return;
    }
    start([shared = shared_, host] { shared->answer(host, addresses_of(host)); },
          [shared = shared_, host](const std::string& why) {
            shared->answer(host, fail("cannot look up host \"{}\": {}", host, why));
          });
  }

  void explain(const Failed& failed, std::function<void(std::string)> done) override {
    trials_.start(failed, done);
  }

 private:
  // Outlives the resolver while a lookup runs.
  struct Shared {
    void answer(const std::string& host, const Result<Addresses>& addresses) {
      std::vector<Done> told;
      {
        MutexLock lock(mutex);
        told = std::move(waiting[host]);
        waiting.erase(host);
      }
      for (const Done& done : told) done(addresses);
    }
    Mutex mutex;
    std::map<std::string, std::vector<Done>> waiting TRIGGERD_GUARDED_BY(mutex);
  };

  // Detached on purpose: a lookup cannot be interrupted, and shutting down must not wait for DNS.
  static void start(const std::function<void()>& work,
                    const std::function<void(const std::string&)>& failed) {
    try {
      std::thread(work).detach();
    } catch (const std::system_error& error) {
      failed(error.what());
    }
  }

  ConnectTrials trials_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace

std::unique_ptr<Resolver> make_system_resolver(const Clock& clock,
                                               const tls::HandshakeLimits& limits) {
  return std::make_unique<SystemResolver>(clock, limits);
}

}  // namespace triggerd::mqtt
