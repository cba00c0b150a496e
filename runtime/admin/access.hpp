// Who may ask.
//
// The Unix socket asks nothing: its file is its owner's alone. Where there is a token it is needed,
// and elsewhere than on loopback there has to be one. On loopback without a token, whoever can open
// a socket on this machine may ask, and a web page must not: it can make its visitor's browser do
// so, by a form or by a name of its own that leads to 127.0.0.1 (DNS rebinding). Both show in Host,
// Origin or Sec-Fetch-Site, which a page cannot forge.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "admin/http.hpp"

namespace triggerd::admin {

// Thread-safe: constant after construction.
class Access {
 public:
  // `listen_host`: as in [admin] listen, which a browser may use as a name too.
  Access(std::string_view token, std::string listen_host);

  // Sets `request.authorized`. A reply: the request is refused with it. `open`: the path is for
  // everybody, and says less to those without a token.
  std::optional<Reply> refuse(Request& request, bool open) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest_of(std::string_view text);
  bool has_token(const Request& request) const;
  std::optional<Reply> refuse_foreign(const Request& request) const;

  const bool needs_token_;
  const Digest token_;  // of the token: comparing digests tells nothing about where they differ
  const std::string listen_host_;
};

// The host of "HOST:PORT", "[V6]:PORT", or either without port; empty where it is none.
std::string_view host_of(std::string_view authority);
bool is_loopback_name(std::string_view host);

}  // namespace triggerd::admin
