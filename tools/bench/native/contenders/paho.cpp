// bench-paho: the shortest client on Paho MQTT C as it is packaged, the shared library.
#include <MQTTAsync.h>

#include <string_view>

#include "common/contender.hpp"

namespace {

struct Client {
  const bench::ContenderOptions& options;
  bench::Arrivals& arrivals;
  MQTTAsync handle = nullptr;
};

int on_message(void* context, char* topic, int, MQTTAsync_message* message) {
  static_cast<Client*>(context)->arrivals.add(
      {static_cast<const char*>(message->payload), static_cast<std::size_t>(message->payloadlen)});
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

void on_connect_failure(void* context, MQTTAsync_failureData* data) {
  const char* reason = data->message != nullptr ? data->message : "the library does not say why";
  bench::give_up("cannot connect to " + static_cast<Client*>(context)->options.url + ": " + reason);
}

void on_subscribe_failure(void*, MQTTAsync_failureData*) {
  bench::give_up("the server refused the subscription to bench/#");
}

void on_connected(void* context, MQTTAsync_successData*) {
  Client& client = *static_cast<Client*>(context);
  MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
  response.onFailure = on_subscribe_failure;
  response.context = context;
  if (MQTTAsync_subscribe(client.handle, "bench/#", client.options.qos, &response) !=
      MQTTASYNC_SUCCESS) {
    bench::give_up("cannot subscribe to bench/#");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::ContenderOptions::parse(
      argc, argv, "The shortest client on Paho MQTT C as it is packaged.");
  bench::hold_signals();
  bench::Arrivals arrivals(options);
  Client client{options, arrivals};

  MQTTAsync_init_options init = MQTTAsync_init_options_initializer;
  init.do_openssl_init = 1;
  MQTTAsync_global_init(&init);
  if (MQTTAsync_create(&client.handle, options.url.c_str(), options.client_id.c_str(),
                       MQTTCLIENT_PERSISTENCE_NONE, nullptr) != MQTTASYNC_SUCCESS) {
    bench::give_up("Paho makes no client for " + options.url);
  }
  MQTTAsync_setCallbacks(client.handle, &client, nullptr, on_message, nullptr);
  MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
  MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
  ssl.trustStore = options.ca.empty() ? nullptr : options.ca.c_str();
  ssl.enableServerCertAuth = 1;
  ssl.verify = 1;
  if (options.tls) connect.ssl = &ssl;
  connect.keepAliveInterval = 60;
  connect.cleansession = options.persistent ? 0 : 1;
  connect.MQTTVersion = MQTTVERSION_3_1_1;
  connect.onSuccess = on_connected;
  connect.onFailure = on_connect_failure;
  connect.context = &client;
  if (MQTTAsync_connect(client.handle, &connect) != MQTTASYNC_SUCCESS) {
    bench::give_up("Paho does not try to connect to " + options.url);
  }
  bench::run_until_told(arrivals);
}
