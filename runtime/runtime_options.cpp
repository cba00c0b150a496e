#include "runtime_options.hpp"

#include "config/load.hpp"
#include "package/package.hpp"
#include "package_commands.hpp"
#include "version.hpp"

namespace triggerd {

control::RuntimeOptions runtime_options(const std::string& file) {
  const config::Environment environment = config::process_environment();
  control::RuntimeOptions options;
  options.probe_program = "/proc/self/exe";
  options.version = kVersion;
  options.config_file = file;
  options.load = [file, environment](const std::optional<std::string>& managed) {
    return config::load(file, environment, package::source(), managed);
  };
  options.packages = package_changes(file);
  return options;
}

admin::AdminOptions admin_options(const config::AdminSection& section,
                                  const std::filesystem::path& state_dir) {
  admin::AdminOptions options;
  options.listen = section.listen;
  if (!section.socket.empty()) options.socket = state_dir / section.socket;
  options.token = section.token.reveal();
  options.read_token = section.read_token.reveal();
  options.token_file = section.token_file;
  options.read_token_file = section.read_token_file;
  return options;
}

}  // namespace triggerd
