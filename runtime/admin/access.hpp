// Who may ask.
//
// The Unix socket asks nothing: its file is its owner's alone. Where there is a token one is
// needed, and elsewhere than on loopback there has to be one. On loopback without a token the user
// at the other end decides (peer_user.hpp): the runtime's own and root may do what they may on the
// socket, all others may look. A web page may do neither: it can make its visitor's browser ask, by
// a form or by a name of its own that leads to 127.0.0.1 (DNS rebinding). Both show in Host, Origin
// or Sec-Fetch-Site, which a page cannot forge.
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
  // A token that callers show. Without a value there is none, for as long as this lives.
  struct Token {
    std::string value;
    std::filesystem::path file;  // where it came from, if anywhere: read again when it has changed;
                                 // one that holds no token then changes nothing
  };

  // `read_token` may look and no more. `listen_host`: as in [admin] listen, which a browser may use
  // as a name too.
  Access(const Token& token, const Token& read_token, std::string listen_host);

  // Sets `request.may`. A reply: the request is refused with it, since it `needs` more. A path that
  // needs nothing is for everybody, and says less to those who may not look.
  std::optional<Reply> refuse(Request& request, May needs) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest_of(std::string_view text);

  // Keeps a digest: comparing digests tells nothing about where they differ.
  class KnownToken {
   public:
    explicit KnownToken(const Token& token);
    bool is(const Digest& given);

   private:
    const std::filesystem::path file_;
    Mutex mutex_;
    std::optional<Digest> digest_ TRIGGERD_GUARDED_BY(mutex_);
    std::string fingerprint_ TRIGGERD_GUARDED_BY(mutex_);  // of the file, when it was read
  };

  May may_with_token(const Request& request) const;
  static std::optional<Reply> refuse_less(const Request& request, May needs,
                                          std::string_view otherwise);
  std::optional<Reply> refuse_foreign(const Request& request) const;

  const bool needs_token_;
  const bool changes_;  // there is a token with which one may
  mutable KnownToken token_;
  mutable KnownToken read_token_;
  const std::string listen_host_;
};

// The host of "HOST:PORT", "[V6]:PORT", or either without port; empty where it is none.
std::string_view host_of(std::string_view authority);
bool is_loopback_name(std::string_view host);

}  // namespace triggerd::admin
