/* service_test PLUGIN: drives the built plugin, without a server. Any test framework will do; this
 * file needs none. */
#define _POSIX_C_SOURCE 200809L
#include <trigger/testing.h>

static void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "not so: %s\n", what);
  exit(1);
}

/* A started instance that publishes after `every` numbers. */
static trigger_test* run(const char* plugin, const char* every) {
  trigger_test* const test = trigger_test_open(plugin);
  trigger_test_set(test, "topic", "sums", TRIGGER_SETTING_STRING);
  trigger_test_set(test, "every", every, TRIGGER_SETTING_INTEGER);
  expect(trigger_test_run(test, "sum") == TRIGGER_OK, test->reason);
  return test;
}

static void adds_and_publishes(const char* plugin) {
  trigger_test* const test = run(plugin, "2");
  const trigger_test_attempt* second = NULL;
  expect(trigger_test_send(test, "n", "20")->code == TRIGGER_OK, "the first is only added");
  second = trigger_test_send(test, "n", "22");
  expect(second->code == TRIGGER_PENDING, "the second waits for the server");
  expect(strcmp(test->publishes[0].topic, "sums") == 0, "the sum's topic");
  expect(strcmp(test->publishes[0].payload, "42") == 0, "the sum");
  trigger_test_finish_publish(test, 0, TRIGGER_OK, "");
  expect(second->code == TRIGGER_OK, "the server has it");
  expect(trigger_test_value(test, "numbers_total") == 2, "both are counted");
  expect(test->violation_count == 0, "it keeps to the rules of plugin.h");
  trigger_test_close(test);
}

static void what_goes_wrong_becomes_a_verdict(const char* plugin) {
  trigger_test* const test = run(plugin, "1");
  const trigger_test_attempt* attempt = trigger_test_send(test, "n", "many");
  expect(attempt->code == TRIGGER_REJECT, "what is no number");
  attempt = trigger_test_send(test, "n", "1");
  trigger_test_finish_publish(test, 0, TRIGGER_E_NOT_CONNECTED, "cut off");
  expect(attempt->code == TRIGGER_UNAVAILABLE, "a sum that the server did not get");
  expect(strcmp(attempt->reason, "not published: cut off") == 0, "and why");
  attempt = trigger_test_send(test, "n", "1");
  trigger_test_advance(test, 30000);
  expect(strcmp(attempt->reason, "its deadline has passed") == 0, "a server that does not answer");
  test->refuse_publishes = TRIGGER_E_FULL;
  expect(trigger_test_send(test, "n", "1")->code == TRIGGER_UNAVAILABLE, "too much in flight");
  trigger_test_close(test);
}

static void a_number_counts_once_however_often_it_comes(const char* plugin) {
  trigger_test* const test = run(plugin, "2");
  const trigger_test_attempt* second = NULL;
  trigger_test_send_as(test, "first", "n", "20");
  second = trigger_test_send_as(test, "second", "n", "22");
  trigger_test_finish_publish(test, 0, TRIGGER_E_NOT_CONNECTED, "cut off");
  expect(second->code == TRIGGER_UNAVAILABLE, "the server did not get the sum");
  expect(trigger_test_value(test, "numbers_total") == 1, "only the first is counted");
  test->refuse_publishes = TRIGGER_E_FULL;
  second = trigger_test_send_as(test, "second", "n", "22");
  expect(second->code == TRIGGER_UNAVAILABLE, "too much in flight");
  test->refuse_publishes = TRIGGER_OK;
  second = trigger_test_send_as(test, "second", "n", "22");
  expect(second->code == TRIGGER_PENDING, "what was not published is not ok");
  expect(strcmp(test->publishes[1].payload, "42") == 0, "the same sum as before");
  trigger_test_finish_publish(test, 1, TRIGGER_OK, "");
  expect(second->code == TRIGGER_OK, "now the server has it");
  expect(trigger_test_value(test, "numbers_total") == 2, "both are counted, once");
  trigger_test_close(test);
}

static void an_answer_that_is_late_counts_nothing(const char* plugin) {
  trigger_test* const test = run(plugin, "1");
  const trigger_test_attempt* again = NULL;
  trigger_test_send_as(test, "first", "n", "42");
  trigger_test_advance(test, 30000); /* past its deadline */
  again = trigger_test_send_as(test, "first", "n", "42");
  expect(strcmp(test->publishes[1].payload, "42") == 0, "the first attempt is not in the sum");
  trigger_test_finish_publish(test, 0, TRIGGER_OK, "");
  expect(trigger_test_value(test, "numbers_total") == 0, "the answer to the first was late");
  trigger_test_finish_publish(test, 1, TRIGGER_OK, "");
  expect(again->code == TRIGGER_OK, "that to the second was in time");
  expect(trigger_test_value(test, "numbers_total") == 1, "and so it counts");
  trigger_test_close(test);
}

static void sums_may_overlap(const char* plugin) {
  trigger_test* const test = run(plugin, "1");
  trigger_test_send(test, "n", "1");
  trigger_test_send(test, "n", "2");
  expect(strcmp(test->publishes[1].payload, "3") == 0, "the sum has what is on its way");
  trigger_test_finish_publish(test, 1, TRIGGER_OK, "");
  trigger_test_finish_publish(test, 0, TRIGGER_OK, "");
  trigger_test_send(test, "n", "3");
  expect(strcmp(test->publishes[2].payload, "6") == 0, "and nothing twice");
  trigger_test_close(test);
}

static void what_is_no_number_is_not_tried_again(const char* plugin) {
  static const char* const payloads[] = {
      "", " 1", "4 2", "0x2a", "1000000000000", "-1000000000000"};
  trigger_test* const test = run(plugin, "1");
  size_t i = 0;
  for (; i < sizeof(payloads) / sizeof(payloads[0]); ++i) {
    expect(trigger_test_send(test, "n", payloads[i])->code == TRIGGER_REJECT, payloads[i]);
  }
  trigger_test_close(test);
}

static void a_batch_has_verdicts_of_its_own(const char* plugin) {
  static const char* const payloads[] = {"1", "x", "3"};
  const trigger_test_attempt* attempts[3];
  trigger_test* const test = run(plugin, "2");
  trigger_test_send_batch(test, "n", payloads, 3, attempts);
  expect(attempts[0]->code == TRIGGER_OK, "the first");
  expect(attempts[1]->code == TRIGGER_REJECT, "the one between");
  expect(attempts[2]->code == TRIGGER_PENDING, "the last waits for the server to have the sum");
  trigger_test_finish_publish(test, 0, TRIGGER_OK, "");
  expect(attempts[2]->code == TRIGGER_OK, "now it has");
  trigger_test_close(test);
}

static void silence_is_noticed(const char* plugin) {
  trigger_test* const test = run(plugin, "10");
  expect(trigger_test_probe(test) == TRIGGER_OK, "well at first");
  trigger_test_advance(test, 61000);
  expect(trigger_test_probe(test) == TRIGGER_E_FAILED, "not well after a while");
  expect(strcmp(test->reason, "no number has come for a while") == 0, "and why");
  trigger_test_send(test, "n", "1");
  expect(trigger_test_probe(test) == TRIGGER_OK, "well again");
  trigger_test_close(test);
}

static void the_successor_goes_on(const char* plugin) {
  trigger_test_state state;
  trigger_test* const before = run(plugin, "10");
  trigger_test* const after = trigger_test_open(plugin);
  trigger_test_send(before, "n", "40");
  trigger_test_stop(before);
  expect(trigger_test_save(before, &state) == TRIGGER_OK, before->reason);
  trigger_test_set(after, "topic", "sums", TRIGGER_SETTING_STRING);
  trigger_test_set(after, "every", "2", TRIGGER_SETTING_INTEGER);
  expect(trigger_test_create(after, "sum") == TRIGGER_OK, after->reason);
  expect(trigger_test_restore(after, before->service->state_version, &state) == TRIGGER_OK,
         after->reason);
  expect(trigger_test_start(after) == TRIGGER_OK, after->reason);
  trigger_test_send(after, "n", "2");
  expect(strcmp(after->publishes[0].payload, "42") == 0, "the sum of both");
  trigger_test_close(before);
  trigger_test_close(after);
  free(state.bytes);
}

static void the_total_is_an_extension(const char* plugin) {
  typedef struct sum_total {
    uint32_t struct_size;
    uint32_t reserved;
    int64_t total;
  } sum_total;
  trigger_test* const test = run(plugin, "10");
  const sum_total* const shown = test->service->extension(test->instance, "sum.total/1");
  expect(test->service->extension(test->instance, "sum.total/2") == NULL, "no such extension");
  trigger_test_send(test, "n", "42");
  expect(TRIGGER_HAS(sum_total, shown, total) && shown->total == 42, "the total so far");
  trigger_test_close(test);
}

static void wrong_settings_are_named(const char* plugin) {
  trigger_test* const test = trigger_test_open(plugin);
  expect(trigger_test_create(test, "sum") == TRIGGER_E_FAILED, "without a topic");
  expect(strcmp(test->reason, "setting \"topic\" is missing; it must be a string") == 0,
         test->reason);
  trigger_test_close(test);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  adds_and_publishes(argv[1]);
  what_goes_wrong_becomes_a_verdict(argv[1]);
  a_number_counts_once_however_often_it_comes(argv[1]);
  an_answer_that_is_late_counts_nothing(argv[1]);
  sums_may_overlap(argv[1]);
  what_is_no_number_is_not_tried_again(argv[1]);
  a_batch_has_verdicts_of_its_own(argv[1]);
  silence_is_noticed(argv[1]);
  the_successor_goes_on(argv[1]);
  the_total_is_an_extension(argv[1]);
  wrong_settings_are_named(argv[1]);
  return 0;
}
