// outside_test GREET_SO NOD_SO
#include <cstdio>
#include <exception>
#include <trigger/testing.hpp>

namespace {

int failures = 0;

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  ++failures;
}

void test(const char* greet_file, const char* nod_file) {
  const trigger::testing::Plugin greet(greet_file);
  auto greeter = greet.run();
  expect(greeter.send({"a", "world"}).code() == TRIGGER_OK, "greet says ok");
  expect(greeter.log_lines().at(0).text == "hello, world", "greet greets");

  const trigger::testing::Plugin nod(nod_file);
  auto nodder = nod.run();
  expect(nodder.send({"a", "x"}).code() == TRIGGER_OK, "nod says ok");
  expect(nodder.send({"a", ""}).code() == TRIGGER_REJECT, "nod rejects what is empty");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    test(argv[1], argv[2]);
  } catch (const std::exception& error) {
    expect(false, error.what());
  }
  return failures == 0 ? 0 : 1;
}
