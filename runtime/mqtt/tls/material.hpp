// What one connection alias connects with: a truststore, and for mutual TLS a key of a keystore.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "config/config_fwd.hpp"
#include "config/place.hpp"
#include "mqtt/tls/memory_file.hpp"
#include "mqtt/tls/tls_fwd.hpp"
#include "mqtt/tls/validity.hpp"

namespace triggerd::mqtt::tls {

struct Truststore;
struct Key;

// Something worth knowing about a certificate. `level` is info or warn.
struct Remark {
  LogLevel level;
  config::Place place;
  std::string text;
};

// Does not change once it is made. Any thread.
class Material {
 public:
  // `key` may be null. An error is the machine's, not the configuration's.
  static Result<std::shared_ptr<const Material>> make(const config::Config& config,
                                                      const config::Alias& alias,
                                                      const Truststore& truststore, const Key* key);

  // Paths for the MQTT library; the files exist as long as this object.
  const std::string& truststore_file() const { return truststore_file_.path(); }    // "": system's
  const std::string& certificate_file() const { return certificate_file_.path(); }  // "": none
  const std::string& key_file() const { return key_file_.path(); }
  const std::string& alpn() const { return alpn_; }  // as RFC 7301 encodes it; may be empty

  // For messages: "plant-ca"; "key \"edge-1\" of keystore \"edge\" (CN=edge-1)", or empty.
  const std::string& truststore_name() const { return truststore_name_; }
  const std::string& key_name() const { return key_name_; }
  // When our own certificate expires; nullopt: there is none.
  std::optional<Wall> not_after() const;
  std::vector<Remark> remarks(Wall now) const;

  // Equal digests are equal certificates and keys.
  const std::string& digest() const { return digest_; }

 private:
  struct Dated {
    config::Place place;
    std::string what;
    Validity validity;
    bool own = false;
  };

  MemoryFile truststore_file_;
  MemoryFile certificate_file_;
  MemoryFile key_file_;
  std::string alpn_;
  std::string truststore_name_;
  std::string key_name_;
  std::string digest_;
  std::vector<Dated> dated_;
  std::vector<Remark> lasting_;  // remarks whatever the time
};

// Reads the files that `alias` names, a password_file included. Wants: `alias` has TLS.
tl::expected<MaterialPtr, config::Diagnostic> load_material(const config::Config& config,
                                                            const config::Alias& alias);

// The newest good material of an alias. Any thread, with a lock of its own.
class Current {
 public:
  explicit Current(MaterialPtr material) : material_(std::move(material)) {}

  MaterialPtr get() const;
  // Calls everybody who asked with on_change(), on this thread.
  void set(MaterialPtr material);
  // `call` is called with every set(), until `owner` is gone.
  void on_change(std::weak_ptr<const void> owner, std::function<void()> call);
  // How many are called, including those that are gone and not forgotten yet.
  std::size_t listeners() const;

 private:
  struct Listener {
    std::weak_ptr<const void> owner;
    std::function<void()> call;
  };
  void forget_those_gone() TRIGGERD_REQUIRES(mutex_);

  mutable Mutex mutex_;
  MaterialPtr material_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<Listener> listeners_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::mqtt::tls
