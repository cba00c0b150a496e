// bench-mosquitto: the shortest client on libmosquitto as it is packaged.
#include <mosquitto.h>

#include <string>
#include <thread>

#include "common/contender.hpp"

namespace {

struct Client {
  const bench::ContenderOptions& options;
  bench::Arrivals& arrivals;
};

void check(int code, const std::string& what) {
  if (code != MOSQ_ERR_SUCCESS) bench::give_up(what + ": " + mosquitto_strerror(code));
}

void on_connect(mosquitto* handle, void* context, int code) {
  if (code != 0) bench::give_up(std::string("refused: ") + mosquitto_connack_string(code));
  const Client& client = *static_cast<Client*>(context);
  check(mosquitto_subscribe(handle, nullptr, "bench/#", client.options.qos),
        "cannot subscribe to bench/#");
}

void on_message(mosquitto*, void* context, const mosquitto_message* message) {
  static_cast<Client*>(context)->arrivals.add(
      {static_cast<const char*>(message->payload), static_cast<std::size_t>(message->payloadlen)});
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::ContenderOptions::parse(
      argc, argv, "The shortest client on libmosquitto as it is packaged.");
  bench::hold_signals();
  bench::Arrivals arrivals(options);
  Client client{options, arrivals};

  mosquitto_lib_init();
  mosquitto* handle = mosquitto_new(options.client_id.c_str(), !options.persistent, &client);
  if (handle == nullptr) bench::give_up("libmosquitto makes no client");
  mosquitto_connect_callback_set(handle, on_connect);
  mosquitto_message_callback_set(handle, on_message);
  if (options.tls) {
    check(mosquitto_tls_set(handle, options.ca.c_str(), nullptr, nullptr, nullptr, nullptr),
          "--ca " + options.ca);
  }
  check(mosquitto_connect(handle, options.host.c_str(), options.port, 60),
        "cannot connect to " + options.url);
  // Its own loop, which writes acknowledgements at once: without mosquitto_threaded_set() it is the
  // quickest that this library has. The end comes from the other thread.
  std::thread([handle] { mosquitto_loop_forever(handle, -1, 1); }).detach();
  bench::run_until_told(arrivals);
}
