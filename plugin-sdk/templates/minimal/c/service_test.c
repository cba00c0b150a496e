/* service_test PLUGIN: drives the built plugin, without a server. Any test framework will do; this
 * file needs none. */
#define _POSIX_C_SOURCE 200809L
#include <trigger/testing.h>

static void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "not so: %s\n", what);
  exit(1);
}

int main(int argc, char** argv) {
  trigger_test* test = NULL;
  const trigger_test_attempt* attempt = NULL;
  if (argc != 2) return 2;
  test = trigger_test_open(argv[1]);
  expect(trigger_test_run(test, "hello") == TRIGGER_OK, test->reason);
  attempt = trigger_test_send(test, "plant/a/visitors", "world");
  expect(attempt->code == TRIGGER_OK, "a visitor is greeted");
  expect(strcmp(test->log[0].text, "hello world") == 0, "by name");
  attempt = trigger_test_send(test, "plant/a/visitors", "");
  expect(strcmp(attempt->reason, "nobody to greet") == 0, "nobody");
  expect(test->violation_count == 0, "it keeps to the rules of plugin.h");
  trigger_test_close(test);
  return 0;
}
