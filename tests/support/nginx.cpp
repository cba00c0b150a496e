#include "support/nginx.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace triggerd::test {

NginxServer::NginxServer(const NginxOptions& options) {
  write_config(options);
  start();
}

void NginxServer::write_config(const NginxOptions& options) {
  const bool tls = !options.certificate.empty();
  std::string config = "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr warn;\n";
  config += "events {}\nhttp {\n";
  for (const char* module : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    config += fmt::format("  {}_temp_path {};\n", module, (dir_ / module).string());
  }
  // A body is known to the log once it was passed on, so the server passes it to itself.
  config +=
      "  log_format sent '$server_protocol\\t$connection\\t$request_method\\t$http_ce_subject\\t"
      "$content_type\\t$request_uri\\t$request_body';\n"
      "  client_body_buffer_size 2m;\n  client_max_body_size 16m;\n  access_log off;\n";
  const std::string sink = "unix:" + (dir_ / "sink.sock").string();
  config += fmt::format("  server {{\n    listen {}{}{};\n", fmt::format("127.0.0.1:{}", port()),
                        tls ? " ssl" : "", options.http2 ? " http2" : "");
  if (tls) {
    dir_.write("server.pem", options.certificate);
    dir_.write("server.key", options.key);
    config += "    ssl_certificate server.pem;\n    ssl_certificate_key server.key;\n";
  }
  if (!options.client_authority.empty()) {
    dir_.write("client-ca.pem", options.client_authority);
    config += "    ssl_verify_client on;\n    ssl_client_certificate client-ca.pem;\n";
  }
  config += options.extra_config + "\n";
  config += fmt::format(
      "    location / {{\n      access_log {} sent;\n      proxy_pass http://{};\n    }}\n  }}\n",
      (dir_ / "requests.log").string(), sink);
  config += fmt::format("  server {{ listen {}; location / {{ return 200; }} }}\n}}\n", sink);
  dir_.write("nginx.conf", config);
}

void NginxServer::start() {
  std::filesystem::remove(dir_ / "sink.sock");  // a killed one leaves it
  process_ = std::make_unique<Process>(
      std::vector<std::string>{NGINX_PROGRAM, "-p", dir_.path().string() + "/", "-c", "nginx.conf",
                               "-e", "stderr"},
      ProcessOptions{dir_.path(), {}});
  const bool ready =
      eventually([this] { return !process_->running() || connect_loopback(port(), Millis(1000)); });
  if (ready && process_->running()) return;
  kill();
  throw std::runtime_error("nginx does not answer; it said:\n" + process_->output());
}

void NginxServer::kill() {
  process_->kill();
  process_->wait();
}

std::vector<NginxRequest> NginxServer::requests() const {
  std::vector<NginxRequest> found;
  std::ifstream in(dir_ / "requests.log");
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::array<std::string, 7> field;
    for (std::string& text : field) std::getline(fields, text, '\t');
    found.push_back({field[0], field[1], field[2], field[3], field[4], field[5], field[6]});
  }
  return found;
}

std::vector<NginxRequest> NginxServer::wait_for_requests(std::size_t count) const {
  std::vector<NginxRequest> found;
  static_cast<void>(eventually([&] { return (found = requests()).size() >= count; }));
  return found;
}

}  // namespace triggerd::test
