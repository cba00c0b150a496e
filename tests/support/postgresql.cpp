#include "support/postgresql.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace triggerd::test {
namespace {

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

Connection connect(const std::string& to) {
  Connection connection(PQconnectdb(to.c_str()), &PQfinish);
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  return connection;
}

}  // namespace

PostgresqlServer::PostgresqlServer() {
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");  // NOLINT(concurrency-mt-unsafe): one thread
    if (user == nullptr) throw std::runtime_error("there is no user \"postgres\" to run it as");
    if (::chown(dir_.path().c_str(), user->pw_uid, user->pw_gid) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot give the folder away");
    }
  }
  const std::filesystem::path made = POSTGRESQL_CLUSTER;
  if (std::filesystem::exists(made)) {
    copy(made, dir_ / "data");
  } else {
    run_to_its_end(
        as_its_user({POSTGRESQL_BIN_DIR "/initdb", "-D", (dir_ / "data").string(), "-U", "postgres",
                     "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"}));
    // For the next test, whole or not at all; another one may have been as quick.
    const std::filesystem::path copied = fmt::format("{}.{}", made.string(), ::getpid());
    std::filesystem::remove_all(copied);  // of a test that was ended while it copied
    copy(dir_ / "data", copied);
    std::error_code there;
    std::filesystem::rename(copied, made, there);
    if (there) std::filesystem::remove_all(copied);
  }
  start();
}

// With its owner.
void PostgresqlServer::copy(const std::filesystem::path& from, const std::filesystem::path& to) {
  run_to_its_end({"/bin/cp", "--archive", "--reflink=auto", from.string(), to.string()});
}

void PostgresqlServer::run_to_its_end(const std::vector<std::string>& command) {
  Process process(command, ProcessOptions{dir_.path(), {}});
  if (process.wait(Millis(120'000)) != Exit{}) {
    throw std::runtime_error(command.front() + " failed: " + process.output());
  }
}

// A killed one would leave its shared memory behind.
PostgresqlServer::~PostgresqlServer() {
  if (!process_) return;
  process_->signal(SIGQUIT);
  process_->wait();
}

std::string PostgresqlServer::connection() const {
  return "host=" + dir_.path().string() + " user=postgres dbname=postgres";
}

void PostgresqlServer::start() {
  const auto launch = [this] {
    // Nobody needs its data after the end of the test, but a killed server has to find it again:
    // that is in the operating system's hands, without fsync too.
    process_ = std::make_unique<Process>(
        as_its_user({POSTGRESQL_BIN_DIR "/postgres", "-D", (dir_ / "data").string(), "-k",
                     dir_.path().string(), "-c", "listen_addresses=", "-c", "fsync=off", "-c",
                     "shared_buffers=16MB", "-c", "max_connections=30"}),
        ProcessOptions{dir_.path(), {}});
  };
  launch();
  const bool ready = eventually([&] {
    if (process_->running()) return PQstatus(connect(connection()).get()) == CONNECTION_OK;
    // Processes of one that was killed have not all seen it yet.
    if (process_->output().find("still in use") == std::string::npos) return true;
    launch();
    return false;
  });
  if (ready && process_->running()) return;
  throw std::runtime_error("PostgreSQL does not answer; it said:\n" + process_->output());
}

void PostgresqlServer::stop() {
  process_->signal(SIGINT);
  if (process_->wait() != Exit{}) {
    throw std::runtime_error("PostgreSQL did not stop in good order; it said:\n" +
                             process_->output());
  }
}

// Those that serve connections are in sessions of their own, and end when they see it gone.
void PostgresqlServer::kill() {
  process_->kill();
  process_->wait();
}

std::string PostgresqlServer::run(const std::string& sql) const {
  const Connection client = connect(connection());
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(client.get(), sql.c_str()),
                                                             &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error("\"" + sql + "\" failed: " + PQerrorMessage(client.get()));
  }
  std::string rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (column > 0) rows += '|';
      rows += PQgetvalue(result.get(), row, column);
    }
    rows += '\n';
  }
  return rows;
}

std::vector<std::string> PostgresqlServer::as_its_user(std::vector<std::string> command) const {
  if (::geteuid() != 0) return command;
  // --pdeathsig: a change of user takes back what Process asked for.
  std::vector<std::string> whole{SETPRIV_PROGRAM, "--reuid=postgres", "--regid=postgres",
                                 "--init-groups", "--pdeathsig=KILL", "--"};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

}  // namespace triggerd::test
