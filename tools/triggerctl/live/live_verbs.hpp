// The verbs that ask a triggerd, each group in the file of its name.
#pragma once

#include "command_line.hpp"

namespace triggerctl {

void add_status_verbs(CommandLine& line);       // status
void add_alias_verbs(CommandLine& line);        // alias
void add_trigger_verbs(CommandLine& line);      // trigger
void add_live_plugin_verbs(CommandLine& line);  // plugin list, reload
void add_package_verbs(CommandLine& line);      // package
void add_store_verbs(CommandLine& line);        // store
void add_publish_verb(CommandLine& line);       // publish
void add_dead_letter_verbs(CommandLine& line);  // dead-letters
void add_runtime_verbs(CommandLine& line);      // match, tail, reload

}  // namespace triggerctl
