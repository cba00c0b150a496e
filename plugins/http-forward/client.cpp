#include "client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "common/all_signals_blocked.hpp"
#include "transfer.hpp"

namespace http_forward {

using plugin_common::AllSignalsBlocked;

// libcurl counts its users, which may be several copies of this plugin, and other plugins.
class Client::LibraryUse {
 public:
  LibraryUse() {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      throw std::runtime_error("libcurl cannot be initialized");
    }
  }
  ~LibraryUse() { curl_global_cleanup(); }
  LibraryUse(const LibraryUse&) = delete;
  LibraryUse& operator=(const LibraryUse&) = delete;
};

// The thread and what it works with.
class Client::Loop {
 public:
  explicit Loop(const Client& client)
      : client_(client),
        roles_differ_(Transfer::roles_differ(client.settings_)),
        multi_(curl_multi_init(), &curl_multi_cleanup) {
    if (!multi_) throw std::runtime_error("libcurl has no memory for its connections");
    curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    const AllSignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
  }
  ~Loop() {
    if (thread_.joinable()) end();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void submit(std::unique_ptr<Exchange> exchange) {
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      wake = inbox_.empty();
      inbox_.push_back(std::move(exchange));
    }
    if (wake) curl_multi_wakeup(multi_.get());
  }

  std::vector<std::unique_ptr<Exchange>> end() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_.get());
    thread_.join();
    std::vector<std::unique_ptr<Exchange>> left = std::move(inbox_);
    std::move(held_.begin(), held_.end(), std::back_inserter(left));
    for (auto& [easy, transfer] : running_) {
      curl_multi_remove_handle(multi_.get(), easy);
      left.push_back(transfer->take_exchange());
    }
    running_.clear();
    return left;
  }

 private:
  // No exception leaves the thread.
  template <class Call>
  void quietly(Call&& call) noexcept {
    try {
      std::forward<Call>(call)();
    } catch (const std::exception& error) {
      client_.context_.error(error.what());
    }
  }

  void run() {
    // A wake-up before the wait ends it at once, so this limit is only a safeguard.
    constexpr int most_ms = 10'000;
    std::vector<std::unique_ptr<Exchange>> arrived;
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        arrived.swap(inbox_);
      }
      for (auto& exchange : arrived) {
        // Without memory an exchange is dropped without a verdict, so its message is a retry.
        quietly([&] { begin(std::move(exchange)); });
      }
      arrived.clear();
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      int left = 0;
      while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        quietly([&] { ended(message->easy_handle, message->data.result); });
      }
      curl_multi_poll(multi_.get(), nullptr, 0, most_ms, nullptr);
    }
  }

  void begin(std::unique_ptr<Exchange> exchange) {
    if (!roles_differ_) return begin(std::move(exchange), Transfer::Role::either);
    if (exchange->kind == Exchange::Kind::probe) {
      begin(std::move(exchange), Transfer::Role::opens);  // its own, which says nothing of others
    } else if (opening_) {
      held_.push_back(std::move(exchange));
    } else {
      opening_ = !connected_;
      begin(std::move(exchange), connected_ ? Transfer::Role::shares : Transfer::Role::opens);
    }
  }

  void begin(std::unique_ptr<Exchange> exchange, Transfer::Role role) {
    std::unique_ptr<Transfer> transfer;
    if (spare_.empty()) {
      transfer = std::make_unique<Transfer>(client_.settings_, sockets_);
    } else {
      transfer = std::move(spare_.back());
      spare_.pop_back();
    }
    client_.requests_.add();
    if (!transfer->begin(std::move(exchange), role) || !add(*transfer)) {
      return tell(std::move(transfer));
    }
    CURL* const easy = transfer->easy();
    running_.emplace(easy, std::move(transfer));
    // More than libcurl's own guess: every request in flight may leave a connection.
    most_running_ = std::max(most_running_, running_.size());
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(most_running_));
  }

  bool add(Transfer& transfer) {
    const CURLMcode code = curl_multi_add_handle(multi_.get(), transfer.easy());
    if (code != CURLM_OK) transfer.fail(curl_multi_strerror(code));
    return code == CURLM_OK;
  }

  void ended(CURL* easy, CURLcode code) {
    curl_multi_remove_handle(multi_.get(), easy);
    auto node = running_.extract(easy);
    std::unique_ptr<Transfer> transfer = std::move(node.mapped());
    if (transfer->found_no_connection()) return begin_again(std::move(transfer));
    client_.connections_.add(static_cast<double>(transfer->connections_opened()));
    if (!transfer->follows(code)) {
      transfer->end(code);
    } else if (add(*transfer)) {
      node.mapped() = std::move(transfer);
      running_.insert(std::move(node));
      return;
    }
    tell(std::move(transfer));
  }

  void begin_again(std::unique_ptr<Transfer> transfer) {
    std::unique_ptr<Exchange> exchange = transfer->take_exchange();
    transfer->clear();
    spare_.push_back(std::move(transfer));
    connected_ = false;
    begin(std::move(exchange));
  }

  // The exchange that was to open a connection has ended. Those that wait for it continue, or end
  // with it, since each of them would wait as long as it did.
  void opened(const Outcome& outcome) {
    opening_ = false;
    connected_ = outcome.status != 0;
    for (auto& exchange : std::exchange(held_, {})) {
      if (connected_) {
        begin(std::move(exchange));
      } else {
        client_.unanswered_.add();
        quietly([&] { exchange->finished(outcome); });
      }
    }
  }

  void tell(std::unique_ptr<Transfer> transfer) {
    if (transfer->outcome().status == 0) client_.unanswered_.add();
    const std::unique_ptr<Exchange> exchange = transfer->take_exchange();
    if (transfer->role() == Transfer::Role::opens && exchange->kind == Exchange::Kind::forward) {
      opened(transfer->outcome());
    }
    quietly([&] { exchange->finished(transfer->outcome()); });
    transfer->clear();
    spare_.push_back(std::move(transfer));
  }

  const Client& client_;
  const bool roles_differ_;
  Sockets sockets_;
  const std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi_;

  // The thread's own while it runs.
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> running_;
  std::size_t most_running_ = 0;
  bool opening_ = false;
  bool connected_ = false;                       // as far as known
  std::vector<std::unique_ptr<Exchange>> held_;  // until the connection is open
  std::vector<std::unique_ptr<Transfer>> spare_;

  std::mutex mutex_;
  // Protected by mutex_.
  std::vector<std::unique_ptr<Exchange>> inbox_;
  bool stopping_ = false;

  std::thread thread_;
};

Client::Client(const Settings& settings, const trigger::Context& context)
    : settings_(settings),
      context_(context),
      requests_(context.counter("http_requests_total", "Requests that were begun.")),
      unanswered_(context.counter("http_unanswered_total",
                                  "Requests that ended without a complete answer.")),
      connections_(context.counter("http_connections_total", "Connections that were opened.")) {}

Client::~Client() = default;

void Client::start() {
  library_ = std::make_unique<LibraryUse>();
  loop_ = std::make_unique<Loop>(*this);
}

std::vector<std::unique_ptr<Exchange>> Client::stop() {
  std::vector<std::unique_ptr<Exchange>> left = loop_->end();
  loop_.reset();
  library_.reset();
  return left;
}

void Client::submit(std::unique_ptr<Exchange> exchange) {
  loop_->submit(std::move(exchange));
}

}  // namespace http_forward
