// Who may make which requests.
//
// On the Unix socket nothing is checked: only its owner and root can open its file. If a token is
// configured, TCP callers have to send one; to listen beyond loopback, a token has to be
// configured. On loopback without a token, the user at the other end decides (peer_user.hpp): the
// runtime's own user and root may do whatever they may do on the socket, and all others may look.
// Foreign web pages may do neither. A page can make its visitor's browser send requests, by a form
// or by a host name of its own that resolves to 127.0.0.1 (DNS rebinding). Both show in Host,
// Origin or Sec-Fetch-Site, which a page cannot forge.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "admin/http.hpp"
#include "base/mutex.hpp"

namespace triggerd::admin {

// Thread-safe.
class Access {
 public:
  // A token that callers send. If `value` is empty there is no token, and `file` is never read.
  struct Token {
    std::string value;
    std::filesystem::path file;  // where it came from, if anywhere: read again when it has changed;
                                 // if it holds no token then, the old token stays valid
  };

  // `read_token` allows looking only. `listen_host` is the host in [admin] listen, which browsers
  // may use as the name of this host too.
  Access(const Token& token, const Token& read_token, std::string listen_host);

  // Sets `request.may`. Returns the reply that refuses the request if the caller may not do what it
  // `needs`, or if no token is configured and it comes from a foreign web page. A path that needs
  // nothing needs no token, but says less to those who may not look.
  std::optional<Reply> refuse(Request& request, May needs) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest_of(std::string_view text);

  // Keeps a digest of the token: how long a comparison of digests takes reveals nothing about it.
  class KnownToken {
   public:
    explicit KnownToken(const Token& token);
    bool is(const Digest& given);

   private:
    const std::filesystem::path file_;
    Mutex mutex_;
    std::optional<Digest> digest_ TRIGGERD_GUARDED_BY(mutex_);
    std::string fingerprint_ TRIGGERD_GUARDED_BY(mutex_);  // of the file as it was last read
  };

  May may_with_token(const Request& request) const;
  static std::optional<Reply> refuse_less(const Request& request, May needs,
                                          std::string_view otherwise);
  std::optional<Reply> refuse_foreign(const Request& request) const;

  const bool needs_token_;
  const bool changes_;  // there is a token that allows changes
  mutable KnownToken token_;
  mutable KnownToken read_token_;
  const std::string listen_host_;
};

// The host of "HOST:PORT", "[V6]:PORT", or either without a port; empty if it is malformed.
std::string_view host_of(std::string_view authority);
bool is_loopback_name(std::string_view host);

}  // namespace triggerd::admin
