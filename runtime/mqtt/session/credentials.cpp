#include "mqtt/session/credentials.hpp"

#include <algorithm>
#include <utility>

#include "base/file.hpp"
#include "config/password_file.hpp"

namespace triggerd::mqtt {

Credentials::Credentials(const ConnectionOptions& options, const ConnectionLog& log) : log_(log) {
  const config::PasswordCommandNames names{options.alias, options.client_id, options.user_name};
  for (const std::string& word : options.password_command.words) {
    command_.push_back(config::expand_word(word, names).value_or(word));
  }
  passwords_[kServer] = {.file = options.password_file, .value = options.password};
  if (options.proxy) {
    passwords_[kProxy] = {.file = options.proxy->password_file, .value = options.proxy->password};
  }
  for (Password& password : passwords_) {
    if (!password.file.empty()) password.fingerprint = fingerprint_of_file(password.file);
  }
}

const config::Secret& Credentials::read(Password& password) {
  if (password.file.empty()) return password.value;
  password.fingerprint = fingerprint_of_file(password.file);
  auto read = config::read_password_file(password.file);
  if (read) {
    password.value = config::Secret(*std::move(read));
    password.problem.clear();
  } else if (password.problem != read.error().message) {
    password.problem = read.error().message;
    log_.warn("password.unreadable", "the previous password stays in use: {}", password.problem);
  }
  return password.value;
}

bool Credentials::in_files() const {
  return std::any_of(passwords_.begin(), passwords_.end(),
                     [](const Password& password) { return !password.file.empty(); });
}

std::optional<std::filesystem::path> Credentials::changed_file() {
  for (Password& password : passwords_) {
    if (password.file.empty()) continue;
    const std::string now = fingerprint_of_file(password.file);
    if (std::exchange(password.fingerprint, now) != now) return password.file;
  }
  return std::nullopt;
}

}  // namespace triggerd::mqtt
