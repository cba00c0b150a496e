// PostgresqlServer: a real PostgreSQL of the test's own, on a Unix socket, in a folder of its own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {

// It refuses to be run by root: then it is run as the user "postgres", whom the package brings.
//
// Threads: the test's own (see Process).
class PostgresqlServer {
 public:
  // Starts a cluster of its own: a copy of the one that the first test has made, which takes
  // longer. Here as in start(): on return it answers; otherwise this throws, with what it said.
  PostgresqlServer();
  ~PostgresqlServer();
  PostgresqlServer(const PostgresqlServer&) = delete;
  PostgresqlServer& operator=(const PostgresqlServer&) = delete;

  // A connection string of libpq, the same after every restart.
  std::string connection() const;

  void start();
  void stop();  // SIGINT: it ends connections and what they are at
  void kill();  // SIGKILL
  void restart() {
    stop();
    start();
  }

  // Runs one or more statements as a client. The rows, columns joined by '|', each with its end of
  // line. Throws where one fails.
  std::string run(const std::string& sql) const;

 private:
  std::vector<std::string> as_its_user(std::vector<std::string> command) const;
  void copy(const std::filesystem::path& from, const std::filesystem::path& to);
  void run_to_its_end(const std::vector<std::string>& command);

  TempDir dir_;
  std::unique_ptr<Process> process_;
};

}  // namespace triggerd::test
