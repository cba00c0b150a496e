// A hand-written MQTT library, resolver and session memory for Connection: the test sees every call
// and gives every answer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mqtt/session/connection.hpp"

namespace triggerd::mqtt::test {

// What was asked of the library, in order. The client itself lives inside the connection.
struct Asked {
  struct Connect {
    ConnectAttempt attempt;
    ConnectRequest request;
  };
  std::vector<Connect> connects;
  std::vector<std::vector<config::Topic>> subscribes;
  std::vector<std::vector<std::string>> unsubscribes;
  std::vector<ConnectAttempt> disconnects;
  std::size_t given_up = 0;
  struct Publish {
    std::string topic;
    std::string payload;
    int qos;
    bool retained;
    std::size_t properties;  // how many
    PublishDone done;
  };
  std::vector<Publish> publishes;
  MessageListener* messages = nullptr;
  ClientEvents* events = nullptr;
  bool refuse_connect = false;
  bool refuse_publish = false;
  int refuse_publish_code = 0;
  std::vector<std::string> sent;           // with send()
  std::function<void()> while_publishing;  // called before a publish is taken or refused

  ConnectAttempt attempt() const { return connects.back().attempt; }
};

class FakeClient final : public Client {
 public:
  explicit FakeClient(Asked& asked) : asked_(asked) {}
  Result<> connect(ConnectAttempt attempt, const ConnectRequest& request) override {
    asked_.connects.push_back({attempt, request});
    if (asked_.refuse_connect) return fail("the library is out of order");
    return {};
  }
  Result<> subscribe(ConnectAttempt, const std::vector<config::Topic>& topics) override {
    asked_.subscribes.push_back(topics);
    return {};
  }
  Result<> unsubscribe(ConnectAttempt, const std::vector<std::string>& filters) override {
    asked_.unsubscribes.push_back(filters);
    return {};
  }
  Result<> disconnect(ConnectAttempt attempt) override {
    asked_.disconnects.push_back(attempt);
    return {};
  }
  void give_up_connect() override { ++asked_.given_up; }
  void pause_reading() override {}
  void resume_reading() override {}
  void flush_acknowledgements() override {}
  bool send(std::string_view packets, const std::vector<std::size_t>&) override {
    asked_.sent.emplace_back(packets);
    return true;
  }
  std::size_t unsent() const override { return 0; }
  Result<> publish(const PublishRequest& request, PublishDone done) override {
    if (asked_.while_publishing) asked_.while_publishing();
    if (asked_.refuse_publish) {
      return tl::make_unexpected(Error{"refused", asked_.refuse_publish_code});
    }
    asked_.publishes.push_back(
        {std::string(request.topic),
         std::string(reinterpret_cast<const char*>(request.payload.data()), request.payload.size()),
         request.qos, request.retained, request.properties.size(), std::move(done)});
    return {};
  }

 private:
  Asked& asked_;
};

class FakeResolver final : public Resolver {
 public:
  void resolve(const std::string& host, Done done) override {
    resolved.push_back(host);
    const auto found = addresses.find(host);
    if (found == addresses.end()) {
      done(fail("cannot look up host \"{}\": no such host", host));
    } else {
      done(found->second);
    }
  }
  void explain(const Failed& failed, std::function<void(std::string)> done) override {
    explained.push_back(failed.address);
    explained_proxy = failed.proxy;
    done(reason);
  }

  std::map<std::string, Addresses> addresses;
  std::string reason = "Connection refused";
  std::vector<std::string> resolved;
  std::vector<std::string> explained;
  std::optional<config::Proxy> explained_proxy;  // of the last
};

// Prints what the test says, and at once unless it is to wait.
class FakePasswordCommands final : public PasswordCommands {
 public:
  void get(const Words& words, Millis timeout, Done done) override {
    asked.push_back(words);
    last_timeout = timeout;
    if (waits) {
      waiting = std::move(done);
    } else {
      done(prints);
    }
  }
  void refused(const Words& words, const config::Secret& password) override {
    refusals.push_back(words.front() + " " + password.reveal());
  }

  Result<config::Secret> prints = fail("nothing is to be printed");
  bool waits = false;
  Done waiting;
  std::vector<Words> asked;
  Millis last_timeout{0};
  std::vector<std::string> refusals;
};

class FakeSessions final : public SessionMemory {
 public:
  std::optional<std::vector<std::string>> filters(const std::string& client_id) override {
    const auto found = kept.find(client_id);
    if (found == kept.end()) return std::nullopt;
    return found->second;
  }
  void remember(const std::string& client_id, const std::vector<std::string>& filters) override {
    kept[client_id] = filters;
  }
  void forget(const std::string& client_id) override { kept.erase(client_id); }

  std::map<std::string, std::vector<std::string>> kept;
};

class FakeListener final : public ConnectionListener {
 public:
  void on_message(Message&& message) override { topics.emplace_back(message.topic); }
  void on_refused(Message&& message) override { refused.emplace_back(message.topic); }
  void on_pubrel(std::uint16_t packet_id, Receipt) override { pubrels.push_back(packet_id); }
  void on_session_lost() override { ++sessions_lost; }
  void on_status(const ConnectionStatus& status) override { statuses.push_back(status); }
  const ConnectionStatus& status() const { return statuses.back(); }
  void on_line(PublishLine& its_line, const PublishLine::Terms& its_terms) override {
    line = &its_line;
    terms = its_terms;
  }
  void on_answers(const std::vector<PublishAnswer>& some) override { answers += some.size(); }
  void off_line(PublishLine&) override {
    line = nullptr;
    ++lines_lost;
  }

  PublishLine* line = nullptr;
  PublishLine::Terms terms;
  std::size_t answers = 0;
  int lines_lost = 0;
  std::vector<std::string> topics;
  std::vector<std::string> refused;
  std::vector<std::uint16_t> pubrels;
  int sessions_lost = 0;
  std::vector<ConnectionStatus> statuses;
};

}  // namespace triggerd::mqtt::test
