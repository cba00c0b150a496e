// Publishes what a command asks for.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <trigger/plugin.hpp>
#include <vector>

#include "protocol.hpp"

namespace exec_plugin {

// Publishes one message. `done` is called once, with the result: on the completions thread, or at
// once if nothing was sent.
void publish(const trigger::Context& context, const Publication& publication,
             std::function<void(std::int32_t code, std::string_view reason)> done);

// Publishes all of them; the message is ok once the server has all.
void publish_then_complete(const trigger::Context& context,
                           const std::vector<Publication>& publications,
                           trigger::Completion completion);

}  // namespace exec_plugin
