// service_test PLUGIN: drives the built plugin, without a server. Any test framework will do; this
// file needs none.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <trigger/testing.hpp>

namespace {

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const trigger::testing::Plugin plugin(argv[1]);
    auto instance = plugin.run("hello", {});
    expect(instance.send({"plant/a/visitors", "world"}).code() == TRIGGER_OK,
           "a visitor is greeted");
    expect(instance.log_lines().at(0).text == "hello world", "by name");
    expect(instance.send({"plant/a/visitors", ""}).reason() == "nobody to greet", "nobody");
    expect(instance.violations().empty(), "it keeps to the rules of plugin.h");
  } catch (const std::exception& error) {
    expect(false, error.what());
  }
}
