// tls/: truststores and keystores, from the files of the configuration to what the MQTT library
// takes, and why a handshake fails.
//
//   certificate.hpp   X.509 certificates, as far as messages and checks need them
//   validity.hpp      from when to when a certificate is valid
//   names.hpp         which host a certificate is issued for
//   truststore.hpp    whom to trust: a PEM bundle, a folder, or the system
//   keystore.hpp      who we are: PKCS#12 or PEM; the key is chosen by its alias
//   memory_file.hpp   files that only this process can open, because the library takes paths
//   tls_fwd.hpp       declarations alone
//   material.hpp      a truststore and a key, checked, for one connection alias; the current one
//   rotation.hpp      watches the files, and makes new material when they change
//   stores.hpp        all material of one configuration; what --check says about it
//   inventory.hpp     lists what is in each store
//   ssl_options.hpp   what the library is told
//   handshake.hpp     tries a handshake, to say in words why it fails
//
// Chain, time and host name are always verified; there is no switch to turn that off. Revocation is
// not checked. Material does not change once it is made, so any thread may use it; a connection
// takes the current one at each connect.
#pragma once

#include "mqtt/tls/material.hpp"
#include "mqtt/tls/stores.hpp"
