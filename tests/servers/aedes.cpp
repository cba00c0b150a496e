#include <stdexcept>

#include "servers/standalone.hpp"

namespace triggerd::test::servers {
namespace {

// The registry may be slow.
constexpr Millis kInstallPatience{180'000};

class Aedes final : public StandaloneServer {
 public:
  explicit Aedes(const Certificates& certificates)
      : StandaloneServer("aedes", "ready: aedes (\\S+)"), certificates_(certificates) {
    Process install({AEDES_SOURCE_DIR "/install", AEDES_INSTALL_DIR});
    if (install.wait(kInstallPatience) != Exit{}) {
      throw std::runtime_error("aedes cannot be installed from the npm registry:\n" +
                               install.output());
    }
    start();
  }

  std::optional<std::uint16_t> websocket_port() const override { return websocket_.number(); }

 private:
  std::unique_ptr<Process> launch() override {
    return std::make_unique<Process>(
        std::vector<std::string>{NODE_PROGRAM, AEDES_SOURCE_DIR "/server.js",
                                 std::to_string(port()), std::to_string(tls_port()),
                                 std::to_string(mutual_port()), std::to_string(websocket_.number()),
                                 certificates_.dir.path().string(), kUser, kPassword},
        ProcessOptions{dir_.path(), {{"NODE_PATH", AEDES_INSTALL_DIR "/node_modules"}}});
  }

  const Certificates& certificates_;
  ReservedPort websocket_;
};

}  // namespace

std::unique_ptr<Server> start_aedes(const Certificates& certificates) {
  return std::make_unique<Aedes>(certificates);
}

}  // namespace triggerd::test::servers
