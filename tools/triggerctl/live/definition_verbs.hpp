// What aliases and triggers have in common on the command line.
#pragma once

#include <functional>
#include <string>

#include "live/definition.hpp"

namespace triggerctl {

// list, show. `text` makes the table of all, `print` shows one.
void add_list_and_show(CommandLine& line, Command group, Kind kind,
                       std::function<std::string(const Json&)> text,
                       std::function<void(const Json&)> print);
// create, edit, delete
void add_changes(CommandLine& line, Command group, Kind kind);
// enable, disable, suspend, resume: `verb` is the path's last part, `done` the participle.
void add_switch(CommandLine& line, Command group, Kind kind, const std::string& verb,
                const std::string& description, const std::string& done);

}  // namespace triggerctl
