// tls/: truststores and keystores, from the files of the configuration to what the MQTT library
// takes, and why a handshake fails.
//
//   certificate.hpp   X.509 certificates, as far as messages and checks need them
//   validity.hpp      how long they are good
//   names.hpp         which host one is made out to
//   truststore.hpp    whom to trust: a PEM bundle, a folder, or the system
//   keystore.hpp      who we are: PKCS#12 or PEM, the key chosen by its alias
//   memory_file.hpp   files that only this process can open: the library takes paths
//   tls_fwd.hpp       the names alone
//   material.hpp      both together, checked, for one connection alias; and the current one
//   rotation.hpp      looks whether the files changed, and makes new material of them
//   stores.hpp        all of them for one configuration; what --check says
//   inventory.hpp     all of them as a list: what is in each, who uses it, until when it is good
//   ssl_options.hpp   what the library is told
//   handshake.hpp     tries a handshake to tell in words why it fails
//
// Chain, time and host name are always verified, and there is no switch for that. Material is made
// once and not changed afterwards, so any thread may use it; a connection takes what is current at
// each connect. Revocation is not looked at.
#pragma once

#include "mqtt/tls/material.hpp"
#include "mqtt/tls/stores.hpp"
