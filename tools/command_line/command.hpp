// A program's command line: options, and commands with options of their own. It is parsed by CLI11,
// which command.cpp alone includes.
//
//   command_line::Program program("copies files", "copy");
//   command_line::Command root = program.root();
//   int jobs = 1;
//   root.option("--jobs", jobs, "how many at a time").range(1, 64).show_default();
//   if (const auto exit = program.parse(argc, argv)) return exit->print();
//
// Option and Command are pointers to what Program owns: cheap to copy, and valid as long as it
// exists. [one thread]
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace command_line {

struct OptionInfo;  // command_tree.hpp

class Option {
 public:
  Option() = default;  // none yet

  Option required();
  // The help shows its variable's current value as the default.
  Option show_default();
  // For a list: takes one value each time it is given, not all words up to the next option.
  Option one_value();
  // Both included.
  Option range(int min, int max);
  Option positive();
  Option non_negative();
  Option one_of(const std::vector<std::string>& words);
  // It may be given only without the other option, or only with it.
  Option excludes(Option other);
  Option needs(Option other);
  // In no help, manual page or completion.
  Option hidden();

  // Whether it was given, once the command line is parsed.
  bool given() const;

 private:
  friend class Command;
  explicit Option(CLI::Option* option) : option_(option) {}

  CLI::Option* option_ = nullptr;
};

class Command {
 public:
  // `names`: "-o,--output"; without dashes it is a positional. parse() writes the variable, which
  // must live until then.
  Option option(const std::string& names, std::string& value, const std::string& description);
  Option option(const std::string& names, int& value, const std::string& description);
  Option option(const std::string& names, std::uint32_t& value, const std::string& description);
  Option option(const std::string& names, std::uint64_t& value, const std::string& description);
  Option option(const std::string& names, double& value, const std::string& description);
  Option option(const std::string& names, std::vector<std::string>& values,
                const std::string& description);
  Option option(const std::string& names, std::vector<std::uint64_t>& values,
                const std::string& description);
  Option flag(const std::string& names, bool& value, const std::string& description = {});

  Command command(const std::string& name, const std::string& description);
  // One of its commands must be given.
  void require_command();
  // Options of the parent command may follow it.
  void fallthrough();
  // In no help, manual page or completion.
  void hidden();
  // Called at the end of parse(), if the command was given.
  void on_chosen(std::function<void()> call);

  // Whether it was given, once the command line is parsed.
  bool chosen() const;
  const std::string& name() const;
  std::string description() const;
  // Without hidden ones, in the order in which they were added.
  std::vector<OptionInfo> options() const;
  std::vector<Command> commands() const;

 private:
  friend class Program;
  explicit Command(CLI::App* app) : app_(app) {}

  CLI::App* app_;
};

// How a program ends right after parsing its command line.
struct EarlyExit {
  int code = 0;          // 0: help or the version was asked for; else the command line is wrong
  bool missing = false;  // a required option or command is missing
  std::string output;
  std::string error;

  // To standard output and standard error. Returns `code`.
  int print() const;
};

class Program {
 public:
  // `name`; if empty, the name by which it was called.
  explicit Program(const std::string& description, const std::string& name = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  Command root() const { return Command(app_.get()); }
  // What --version prints.
  void version(const std::string& text);
  // What errors begin with.
  void error_prefix(const std::string& prefix);
  // Sets the variables, and prints nothing. std::nullopt: the program continues.
  std::optional<EarlyExit> parse(int argc, const char* const* argv);

 private:
  const std::unique_ptr<CLI::App> app_;
};

}  // namespace command_line
