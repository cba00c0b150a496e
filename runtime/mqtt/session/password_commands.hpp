// Passwords that programs print: tokens that end after a while, for example.
//
// A password is kept until the server refuses it, or the program's own time for it is nearly over.
// Connections that would run the same command with the same arguments share one run, and its
// password.
//
// The program prints the password and nothing else, or a JSON object with "password" and, if it
// likes, "expires_in" in seconds.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/secret.hpp"

namespace triggerd::mqtt {

class PasswordCommands {
 public:
  using Words = std::vector<std::string>;  // the program and its arguments
  using Done = std::function<void(const Result<config::Secret>&)>;
  virtual ~PasswordCommands() = default;
  // `done` is called once, on any thread, possibly before this returns.
  virtual void get(const Words& words, Millis timeout, Done done) = 0;
  // The server has refused this one: the next get() runs the program again, unless another one was
  // printed meanwhile.
  virtual void refused(const Words& words, const config::Secret& password) = 0;
};

// Runs a few programs at a time; the others wait. Ends what runs when it is destroyed, and answers
// with an error then. `clock` outlives it. Threads: any.
std::unique_ptr<PasswordCommands> make_password_commands(const Clock& clock);

// What a program has printed. The error never shows it. [any]
struct PrintedPassword {
  config::Secret password;
  Millis good_for = Millis::max();  // max(): until it is refused
};
Result<PrintedPassword> read_printed_password(std::string printed);

}  // namespace triggerd::mqtt
