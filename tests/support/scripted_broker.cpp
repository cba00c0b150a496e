#include "support/scripted_broker.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace triggerd::test {
namespace {

using Ended = ConnectionRecord::Ended;

Monotonic now() {
  return std::chrono::steady_clock::now();
}

void wake_up(const UniqueFd& eventfd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = ::write(eventfd.get(), &one, sizeof one);
}

struct WillingAnswer {
  Reply operator()(const packet::Connect&) const { return Reply().send(packet::ConnAck{}); }
  Reply operator()(const packet::Publish& publish) const {
    if (publish.qos == 1) return Reply().send(packet::PubAck{publish.packet_id});
    if (publish.qos == 2) return Reply().send(packet::PubRec{publish.packet_id});
    return {};
  }
  Reply operator()(const packet::PubRec& pubrec) const {
    return Reply().send(packet::PubRel{pubrec.packet_id});
  }
  Reply operator()(const packet::PubRel& pubrel) const {
    return Reply().send(packet::PubComp{pubrel.packet_id});
  }
  Reply operator()(const packet::Subscribe& subscribe) const {
    packet::SubAck suback{subscribe.packet_id, {}};
    for (const packet::Filter& filter : subscribe.filters) {
      suback.return_codes.push_back(filter.qos);
    }
    return Reply().send(suback);
  }
  Reply operator()(const packet::Unsubscribe& unsubscribe) const {
    packet::UnsubAck unsuback{unsubscribe.packet_id};
    unsuback.reasons.resize(unsubscribe.filters.size());
    return Reply().send(unsuback);
  }
  Reply operator()(const packet::PingReq&) const { return Reply().send(packet::PingResp{}); }
  Reply operator()(const packet::Disconnect&) const { return Reply().close(); }
  template <class Other>
  Reply operator()(const Other&) const {
    return {};
  }
};

}  // namespace

Reply& Reply::send(std::string bytes) {
  steps_.emplace_back(std::move(bytes));
  return *this;
}

Reply& Reply::send(const packet::Any& packet) {
  steps_.emplace_back(packet);
  return *this;
}

Reply& Reply::send_split(std::string_view bytes, std::size_t at, Millis pause) {
  return send(std::string(bytes.substr(0, at))).wait(pause).send(std::string(bytes.substr(at)));
}

Reply& Reply::wait(Millis time) {
  steps_.emplace_back(time);
  return *this;
}

Reply& Reply::close() {
  steps_.emplace_back(Close{false});
  return *this;
}

Reply& Reply::reset() {
  steps_.emplace_back(Close{true});
  return *this;
}

std::string ConnectionRecord::bytes(bool from_client) const {
  std::string all;
  for (const Chunk& chunk : chunks) {
    if (chunk.from_client == from_client) all += chunk.bytes;
  }
  return all;
}

Reply willing(const packet::Any& packet) {
  return std::visit(WillingAnswer{}, packet);
}

Handler connack(bool session_present, std::uint8_t return_code) {
  return [=](const Received&) {
    Reply reply;
    reply.send(packet::ConnAck{session_present, return_code});
    return return_code == 0 ? reply : reply.close();
  };
}

Handler grant(std::vector<std::uint8_t> return_codes) {
  return [codes = std::move(return_codes)](const Received& received) {
    const auto& subscribe = std::get<packet::Subscribe>(received.packet);
    packet::SubAck suback{subscribe.packet_id, codes};
    suback.return_codes.resize(subscribe.filters.size(), codes.back());
    return Reply().send(suback);
  };
}

struct ScriptedBroker::Connection {
  using Output = std::variant<std::string, Reply::Close>;
  struct Running {
    Monotonic due;
    std::deque<Reply::Step> steps;
  };

  std::size_t id;
  UniqueFd fd;                        // empty once it has ended
  std::uint8_t level = packet::k311;  // as its CONNECT said
  std::string input;
  std::deque<Output> output;
  std::list<Running> running;
};

ScriptedBroker::ScriptedBroker()
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!listener_ || !wake_ ||
      ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), SOMAXCONN) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot listen on loopback");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

ScriptedBroker::~ScriptedBroker() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  wake_up(wake_);
  thread_.join();
}

void ScriptedBroker::on(packet::Type type, Handler handler) {
  MutexLock lock(mutex_);
  handlers_[type] = std::move(handler);
}

void ScriptedBroker::expect(packet::Type type, PacketPredicate suits, Reply reply) {
  MutexLock lock(mutex_);
  expectations_.push_back({type, std::move(suits), std::move(reply)});
}

bool ScriptedBroker::wait_until_met(Millis timeout) {
  const Monotonic deadline = now() + timeout;
  MutexLock lock(mutex_);
  while (!expectations_.empty()) {
    if (changed_.wait_until(mutex_, deadline) == std::cv_status::timeout) {
      return expectations_.empty();
    }
  }
  return true;
}

void ScriptedBroker::send(std::size_t connection, Reply reply) {
  {
    MutexLock lock(mutex_);
    commands_.push_back({connection, std::move(reply)});
  }
  wake_up(wake_);
}

std::optional<Received> ScriptedBroker::wait_for_packet(
    const std::function<bool(const Received&)>& suits, std::size_t from, Millis timeout) {
  const Monotonic deadline = now() + timeout;
  std::size_t next = from;
  bool in_time = true;
  MutexLock lock(mutex_);
  for (;;) {
    for (; next < packets_.size(); ++next) {
      if (suits(packets_[next])) return packets_[next];
    }
    if (!in_time) return std::nullopt;
    in_time = changed_.wait_until(mutex_, deadline) == std::cv_status::no_timeout;
  }
}

std::optional<Ended> ScriptedBroker::wait_for_end(std::size_t connection, Millis timeout) {
  const Monotonic deadline = now() + timeout;
  bool in_time = true;
  MutexLock lock(mutex_);
  for (;;) {
    if (connection < records_.size() && records_[connection].ended != Ended::no) {
      return records_[connection].ended;
    }
    if (!in_time) return std::nullopt;
    in_time = changed_.wait_until(mutex_, deadline) == std::cv_status::no_timeout;
  }
}

std::vector<Received> ScriptedBroker::packets() const {
  MutexLock lock(mutex_);
  return packets_;
}

std::vector<ConnectionRecord> ScriptedBroker::connections() const {
  MutexLock lock(mutex_);
  return records_;
}

void ScriptedBroker::run() {
  for (;;) {
    if (!take_commands()) return;
    for (Connection& connection : open_) advance(connection);
    open_.remove_if([](const Connection& connection) { return !connection.fd; });

    std::vector<pollfd> waits = {{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    Monotonic due = Monotonic::max();
    for (const Connection& connection : open_) {
      const int events = POLLIN | (connection.output.empty() ? 0 : POLLOUT);
      waits.push_back({connection.fd.get(), static_cast<short>(events), 0});
      for (const Connection::Running& running : connection.running) {
        due = std::min(due, running.due);
      }
    }
    int timeout = -1;
    if (due != Monotonic::max()) {
      timeout = static_cast<int>(
          std::max<Millis::rep>(0, std::chrono::ceil<Millis>(due - now()).count()));
    }
    if (::poll(waits.data(), waits.size(), timeout) < 0) continue;

    std::size_t index = 2;
    for (Connection& connection : open_) {
      const int ready = waits[index++].revents;
      if ((ready & POLLOUT) != 0) write_to(connection);
      if (connection.fd && (ready & (POLLIN | POLLHUP | POLLERR)) != 0) read_from(connection);
    }
    if (waits[1].revents != 0) accept_all();
  }
}

// False: the broker is to stop.
bool ScriptedBroker::take_commands() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
  MutexLock lock(mutex_);
  for (Command& command : commands_) {
    const auto connection = std::find_if(
        open_.begin(), open_.end(),
        [&command](const Connection& candidate) { return candidate.id == command.connection; });
    if (connection == open_.end()) continue;
    connection->running.push_back({now(), std::move(command.reply.steps_)});
  }
  commands_.clear();
  return !stop_;
}

void ScriptedBroker::accept_all() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    MutexLock lock(mutex_);
    open_.push_back({records_.size(), std::move(fd), packet::k311, {}, {}, {}});
    records_.push_back({now(), Ended::no, {}, {}});
    changed_.notify_all();
  }
}

void ScriptedBroker::read_from(Connection& connection) {
  char block[65536];
  const ssize_t got = ::recv(connection.fd.get(), block, sizeof block, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return end(connection, Ended::by_client);
  const std::string_view bytes(block, static_cast<std::size_t>(got));
  {
    MutexLock lock(mutex_);
    records_[connection.id].chunks.push_back({true, now(), std::string(bytes)});
  }
  connection.input += bytes;
  std::size_t used = 0;
  for (;;) {
    auto decoded =
        packet::decode(std::string_view(connection.input).substr(used), connection.level);
    if (!decoded) return end(connection, Ended::by_broker, decoded.error().message);
    if (!*decoded) break;
    used += (*decoded)->size;
    handle(connection, std::move((*decoded)->packet));
  }
  connection.input.erase(0, used);
}

void ScriptedBroker::handle(Connection& connection, packet::Any packet) {
  if (const auto* connect = std::get_if<packet::Connect>(&packet)) {
    connection.level = connect->level;
  }
  Received received{0, connection.id, now(), std::move(packet)};
  {
    MutexLock lock(mutex_);
    received.index = packets_.size();
    packets_.push_back(received);
  }
  Reply reply = reply_to(received);
  connection.running.push_back({received.at, std::move(reply.steps_)});
  // Only now, so that whoever waits for the packet or for an expectation finds both done.
  MutexLock lock(mutex_);
  changed_.notify_all();
}

Reply ScriptedBroker::reply_to(const Received& received) {
  const packet::Type type = packet::type_of(received.packet);
  Handler handler;
  {
    MutexLock lock(mutex_);
    for (auto one = expectations_.begin(); one != expectations_.end(); ++one) {
      if (one->type != type || (one->suits && !one->suits(received.packet))) continue;
      Reply reply = std::move(one->reply);
      expectations_.erase(one);
      return reply;
    }
    if (const auto found = handlers_.find(type); found != handlers_.end()) handler = found->second;
  }
  // Without the lock, as a handler may call send().
  return handler ? handler(received) : willing(received.packet);
}

// Does what is due of the connection's replies.
void ScriptedBroker::advance(Connection& connection) {
  const Monotonic time = now();
  for (auto running = connection.running.begin(); running != connection.running.end();) {
    while (!running->steps.empty() && running->due <= time) {
      const Reply::Step step = std::move(running->steps.front());
      running->steps.pop_front();
      if (const auto* pause = std::get_if<Millis>(&step)) {
        write_to(connection);  // the pause begins once what is before it has left
        if (!connection.fd) return;
        running->due = now() + *pause;
      } else if (const auto* bytes = std::get_if<std::string>(&step)) {
        if (!bytes->empty()) connection.output.emplace_back(*bytes);
      } else if (const auto* packet = std::get_if<packet::Any>(&step)) {
        connection.output.emplace_back(packet::encode(*packet, connection.level));
      } else {
        connection.output.emplace_back(std::get<Reply::Close>(step));
      }
    }
    running = running->steps.empty() ? connection.running.erase(running) : std::next(running);
  }
  if (!connection.output.empty()) write_to(connection);
}

void ScriptedBroker::write_to(Connection& connection) {
  while (!connection.output.empty()) {
    if (const auto* close = std::get_if<Reply::Close>(&connection.output.front())) {
      if (close->reset) {
        const linger at_once{1, 0};
        ::setsockopt(connection.fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      }
      return end(connection, Ended::by_broker);
    }
    std::string& bytes = std::get<std::string>(connection.output.front());
    const ssize_t sent = send_recorded(connection, bytes);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent < 0) return end(connection, Ended::by_client);
    bytes.erase(0, static_cast<std::size_t>(sent));
    if (!bytes.empty()) return;  // poll says when there is room again
    connection.output.pop_front();
  }
}

void ScriptedBroker::end(Connection& connection, Ended how, std::string fault) {
  connection.fd.reset();
  connection.running.clear();
  connection.output.clear();
  MutexLock lock(mutex_);
  records_[connection.id].ended = how;
  records_[connection.id].fault = std::move(fault);
  changed_.notify_all();
}

// Under the lock, so that nobody who got the bytes finds them missing from the record.
ssize_t ScriptedBroker::send_recorded(const Connection& connection, std::string_view bytes) {
  MutexLock lock(mutex_);
  const Monotonic at = now();
  const ssize_t sent = ::send(connection.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent > 0) {
    const std::string_view gone = bytes.substr(0, static_cast<std::size_t>(sent));
    records_[connection.id].chunks.push_back({false, at, std::string(gone)});
  }
  return sent;
}

}  // namespace triggerd::test
