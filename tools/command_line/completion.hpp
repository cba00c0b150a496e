// Completion scripts for bash, zsh and fish. To complete names of things, they call "PROGRAM
// __names KIND WORD..." with the words of the line so far, which prints one name per line.
#pragma once

#include <string>

#include "command_line/command_tree.hpp"

namespace command_line {

std::string bash_completion(const CommandInfo& program);
std::string zsh_completion(const CommandInfo& program);
std::string fish_completion(const CommandInfo& program);

// All names of options that take a value, each once: "--alias|--config".
std::string valued_options(const CommandInfo& program, const std::string& separator);
// Quoted with single quotes, for all three shells.
std::string shell_quoted(const std::string& text);

}  // namespace command_line
