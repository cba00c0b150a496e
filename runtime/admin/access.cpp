#include "admin/access.hpp"

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

#include <algorithm>

#include "admin/problem.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "config/password_file.hpp"

namespace triggerd::admin {
namespace {

bool equal_but_for_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string_view host_of(std::string_view authority) {
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return {};
    const std::string_view rest = authority.substr(end + 1);
    if (!rest.empty() && (rest.front() != ':' || !all_digits(rest.substr(1)))) return {};
    return authority.substr(1, end - 1);
  }
  const std::size_t colon = authority.find(':');
  if (colon == std::string_view::npos) return authority;
  return all_digits(authority.substr(colon + 1)) ? authority.substr(0, colon) : std::string_view();
}

bool is_loopback_name(std::string_view host) {
  return equal_but_for_case(host, "localhost") || host == "127.0.0.1" || host == "::1";
}

Access::Access(const Token& token, const Token& read_token, std::string listen_host)
    : needs_token_(!token.value.empty() || !read_token.value.empty()),
      changes_(!token.value.empty()),
      token_(token),
      read_token_(read_token),
      listen_host_(std::move(listen_host)) {}

Access::KnownToken::KnownToken(const Token& token)
    : file_(token.file),
      digest_(token.value.empty() ? std::nullopt : std::optional(digest_of(token.value))) {}

bool Access::KnownToken::is(const Digest& given) {
  MutexLock lock(mutex_);
  if (!digest_) return false;
  if (!file_.empty()) {
    if (std::string fingerprint = fingerprint_of_file(file_); fingerprint != fingerprint_) {
      // Where it cannot be read now, it is tried again with the next request.
      if (const auto read = config::read_token_file(file_)) {
        digest_ = digest_of(*read);
        fingerprint_ = std::move(fingerprint);
      }
    }
  }
  return CRYPTO_memcmp(given.data(), digest_->data(), given.size()) == 0;
}

Access::Digest Access::digest_of(std::string_view text) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

May Access::may_with_token(const Request& request) const {
  const std::string_view header = request.header("authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (!equal_but_for_case(header.substr(0, kScheme.size()), kScheme)) return May::nothing;
  std::string_view given = header.substr(kScheme.size());
  while (!given.empty() && given.front() == ' ') given.remove_prefix(1);
  const Digest digest = digest_of(given);
  if (token_.is(digest)) return May::change;
  return read_token_.is(digest) ? May::look : May::nothing;
}

std::optional<Reply> Access::refuse_foreign(const Request& request) const {
  const std::string_view authority = request.header("host");
  const std::string_view host = host_of(authority);
  if (!is_loopback_name(host) && (host.empty() || !equal_but_for_case(host, listen_host_))) {
    return problem(403, fmt::format("\"{}\" is not a name of this host; use localhost, 127.0.0.1 "
                                    "or [::1], or set [admin] token_file",
                                    printable(authority)));
  }
  const std::string_view origin = request.header("origin");
  if (!origin.empty() && !equal_but_for_case(origin, fmt::format("http://{}", authority)) &&
      !equal_but_for_case(origin, fmt::format("https://{}", authority))) {
    return problem(403,
                   fmt::format("requests from pages of {} are not allowed", printable(origin)));
  }
  // A page may still have a link to the console.
  const std::string_view site = request.header("sec-fetch-site");
  if ((site == "cross-site" || site == "same-site") &&
      request.header("sec-fetch-mode") != "navigate") {
    return problem(403, "requests from pages of other sites are not allowed");
  }
  return std::nullopt;
}

// Whoever may do nothing was told so before.
std::optional<Reply> Access::refuse_less(const Request& request, May needs,
                                         std::string_view otherwise) {
  if (request.may >= needs) return std::nullopt;
  return problem(403,
                 fmt::format("{} {} makes a change, and this caller has read access only: {}",
                             printable(request.method, 32), printable(request.target), otherwise));
}

std::optional<Reply> Access::refuse(Request& request, May needs) const {
  if (request.via == Via::unix_socket) {
    request.may = May::change;
    return std::nullopt;
  }
  if (needs_token_) {
    request.may = may_with_token(request);
    if (request.may == May::nothing && needs != May::nothing) {
      return problem(401, fmt::format("send \"Authorization: Bearer TOKEN\" with the token of "
                                      "[admin] {}",
                                      changes_ ? "token_file" : "read_token_file"));
    }
    return refuse_less(request, needs,
                       changes_ ? "use the token of [admin] token_file"
                                : "set [admin] token_file and use its token");
  }
  // Elsewhere without a token nothing listens; should it ever, nobody is let in.
  if (request.via != Via::loopback) return problem(401, "set [admin] token_file");
  if (auto refused = refuse_foreign(request)) return refused;
  request.may = request.is_own_user ? May::change : May::look;
  return refuse_less(
      request, needs,
      "without a token, only root and the user that triggerd runs as may make changes; run "
      "triggerctl as that user, or set [admin] token_file and use its token");
}

}  // namespace triggerd::admin
