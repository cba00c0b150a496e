// Which connections to a server were lost together.
//
// With 3.1.1 a server that ends a connection does not say why. When all connections to it end at
// once, the server was stopped, or the network failed; when one of them ends again and again, the
// reason lies with that one. Belongs to the supervisor; all connections of a runtime share it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.hpp"

namespace triggerd::mqtt {

class Losses {
 public:
  // The connections that were lost within half a second.
  struct Burst {
    Monotonic began;
    std::size_t connected = 0;        // how many there were when it began
    std::set<std::string> lost = {};  // client ids: one may come back and be lost again

    // There were others, and most of them were lost too. Known once the burst is over.
    bool of_the_server() const { return lost.size() > 1 && lost.size() * 2 > connected; }
    // There were others, and they stayed.
    bool of_one() const { return connected > 1 && !of_the_server(); }
  };

  void connected(const std::string& server) { ++servers_[server].connected; }
  // We ended it.
  void disconnected(const std::string& server) { forget_one(server); }
  std::shared_ptr<const Burst> lost(const std::string& server, const std::string& client_id,
                                    Monotonic now);

 private:
  static constexpr Millis kTogether{500};

  struct Server {
    std::size_t connected = 0;
    std::shared_ptr<Burst> burst;
  };

  void forget_one(const std::string& server) {
    const auto found = servers_.find(server);
    if (found != servers_.end() && --found->second.connected == 0) servers_.erase(found);
  }

  std::map<std::string, Server> servers_;  // those that somebody is connected to
};

inline std::shared_ptr<const Losses::Burst> Losses::lost(const std::string& server,
                                                         const std::string& client_id,
                                                         Monotonic now) {
  Server& of = servers_[server];
  if (!of.burst || now - of.burst->began > kTogether) {
    of.burst = std::make_shared<Burst>(Burst{.began = now, .connected = of.connected});
  }
  of.burst->lost.insert(client_id);
  std::shared_ptr<const Burst> burst = of.burst;
  forget_one(server);
  return burst;
}

}  // namespace triggerd::mqtt
