#include "plugin_verbs.hpp"

#include <memory>

#include "offline/generator.hpp"
#include "offline/probe.hpp"
#include "offline/run.hpp"

namespace triggerctl {
namespace {

void add_new(CommandLine& line, Command group) {
  const auto project = std::make_shared<Project>();
  Command verb = line.verb(group, "new", "create a project for a plugin, with tests and the SDK",
                           [project] { return make_project(*project); });
  verb.option("DIR", project->dir, "the folder of the new project; it must be new or empty")
      .required();
  verb.option("--lang", project->language,
              "the language of the service: c, cpp or rust, or python or node for a program that "
              "the plugin exec runs")
      .required();
  verb.option(
      "--name", project->name,
      "the plugin's name, of a-z, 0-9 and -, starting with a letter; default: the name of DIR");
  verb.flag("--minimal", project->minimal,
            "start with a service that only greets, instead of one that shows everything there is");
}

void add_probe(CommandLine& line, Command group) {
  const auto file = std::make_shared<std::string>();
  Command verb =
      line.verb(group, "probe", "load a plugin in a separate process, and print what it contains",
                [file] { return probe_plugin(*file); });
  verb.option("FILE", *file, "the plugin's file").required();
}

void add_run(CommandLine& line, Command group) {
  const auto options = std::make_shared<RunOptions>();
  Command verb =
      line.verb(group, "run", "call a service with a message, without a server or a runtime",
                [options] { return run_plugin(*options); });
  verb.option("FILE", options->service,
              "the plugin's file, or FILE:SERVICE if it has several services")
      .required();
  verb.option("--topic", options->topic, "the message's topic").required();
  const Option payload = verb.option("--payload", options->payload, "its payload");
  verb.option("--payload-file", options->payload_file,
              "a file with its payload; - is standard input")
      .excludes(payload);
  verb.option("--qos", options->qos, "its QoS").range(0, 2).show_default();
  verb.flag("--retain", options->retain, "mark it as retained");
  verb.option("--property", options->properties,
              "NAME=VALUE, a user property of MQTT 5; may be given many times")
      .one_value();
  verb.option("--content-type", options->content_type, "its content type (MQTT 5)");
  verb.option("--response-topic", options->response_topic, "its response topic (MQTT 5)");
  verb.option("--settings", options->settings, "the trigger's settings, as a JSON object");
  verb.option(
          "--set", options->set,
          "KEY=VALUE, one of the settings; may be given many times, and together with --settings")
      .one_value();
  verb.option("--times", options->times, "how many messages, one after another")
      .range(1, 1'000'000)
      .show_default();
  verb.option("--attempt", options->attempt, "the number of the attempt")
      .range(1, 1'000'000)
      .show_default();
  verb.option("--timeout", options->timeout, "how long to wait for each verdict").show_default();
}

}  // namespace

void add_plugin_verbs(CommandLine& line) {
  Command group = line.group("plugin", "plugins: create, probe and try them");
  add_new(line, group);
  add_probe(line, group);
  add_run(line, group);
}

}  // namespace triggerctl
