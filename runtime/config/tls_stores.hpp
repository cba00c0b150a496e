// The truststores and keystores that aliases name.
#pragma once

#include <filesystem>
#include <string>

#include "config/place.hpp"
#include "config/secret.hpp"

namespace triggerd::config {

// Whom to trust: certificates, to one of which a server's own certificate must chain up.
struct Truststore {
  std::string name;
  Place place;
  bool system = false;         // file = "system": what the operating system trusts
  std::filesystem::path file;  // otherwise: a PEM bundle, or a folder of certificates
  Place file_place;
};

// Who we are: keys with their certificates, in one PKCS#12 file or a pair of PEM files.
struct Keystore {
  std::string name;
  Place place;
  std::filesystem::path file;  // PKCS#12; empty: the two PEM files below are used
  std::filesystem::path certificate;
  std::filesystem::path private_key;
  Place file_place;         // of `file` or `certificate`
  Place private_key_place;  // of `file` or `private_key`
  Secret password;
  std::filesystem::path password_file;  // where `password` came from, if any; read again later
};

}  // namespace triggerd::config
