// What of a message's content decides whether a service sees it, and what it gets.
#include "content/evaluator.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "content/content.hpp"

namespace triggerd::content {
namespace {

using Kind = Evaluation::Kind;
using namespace std::string_literals;

std::unique_ptr<Evaluator> evaluator_of(const Options& options) {
  auto made = Evaluator::make(options);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

Evaluation evaluate(const Options& options, const Subject& subject) {
  return evaluator_of(options)->evaluate(subject);
}

Subject with(std::string_view payload) {
  return {.topic = "plant/a/boiler", .payload = payload};
}

Kind when(const std::string& program, std::string_view payload) {
  const Evaluation evaluation = evaluate({.when = program}, with(payload));
  EXPECT_FALSE(evaluation.payloads);
  return evaluation.kind;
}

// The one payload that `program` makes; what went wrong otherwise.
std::string transformed(const std::string& program, std::string_view payload) {
  const Evaluation evaluation = evaluate({.transform = program}, with(payload));
  if (evaluation.kind == Kind::filter) return "(filtered)";
  if (evaluation.kind == Kind::fail) return "(" + evaluation.reason + ")";
  EXPECT_EQ(evaluation.payloads->size(), 1U);
  return evaluation.payloads->at(0);
}

// ---- when ----

TEST(EvaluatorWhen, ChoosesByThePayload) {
  EXPECT_EQ(when(".temperature > 80", R"({"temperature":81})"), Kind::handle);
  EXPECT_EQ(when(".temperature > 80", R"({"temperature":80})"), Kind::filter);
  EXPECT_EQ(when(".temperature > 80", "{}"), Kind::filter);  // null is less than any number
}

TEST(EvaluatorWhen, OnlyNullFalseAndNothingMeanNo) {
  for (const char* yes : {"true", "0", "\"\"", "[]", "{}", "1, false", "first(range(3))"}) {
    EXPECT_EQ(when(yes, "1"), Kind::handle) << yes;
  }
  for (const char* no : {"false", "null", "empty", "select(. == 2)", "false, true"}) {
    EXPECT_EQ(when(no, "1"), Kind::filter) << no;
  }
}

TEST(EvaluatorWhen, AnEmptyPayloadIsNull) {
  EXPECT_EQ(when(". == null", ""), Kind::handle);
}

TEST(EvaluatorWhen, SaysWhatCannotBeEvaluated) {
  const auto reason = [](const std::string& program, std::string_view payload) {
    const Evaluation evaluation = evaluate({.when = program}, with(payload));
    EXPECT_EQ(evaluation.kind, Kind::fail);
    return evaluation.reason;
  };
  EXPECT_EQ(reason(".a > 1", "ON").find("payload: no JSON at byte 1: "), 0U);
  EXPECT_EQ(reason(".a > 1", "1 2").find("payload: no JSON at byte "), 0U);
  EXPECT_EQ(reason(".a.b", R"({"a":"text"})").find("when: Cannot index string with "), 0U);
  EXPECT_EQ(reason("error({code: 7})", "1"), R"(when: {"code":7})");
  EXPECT_EQ(reason(".", "\"\xff\"").find("payload: no JSON"), 0U);
  EXPECT_EQ(reason(".", std::string(257, '[')), "payload: JSON is nested deeper than 256 levels");
}

TEST(EvaluatorWhen, SeesWhatCameWithThePayload) {
  const Subject::Property properties[] = {{.id = 0x03, .value = "text/plain"},
                                          {.id = 0x08, .value = "answers"},
                                          {.id = 0x09, .value = std::string_view("\x00\xff", 2)},
                                          {.id = 0x01, .number = 1},
                                          {.id = 0x02, .number = 60},
                                          {.id = 0x26, .name = "unit", .value = "C"},
                                          {.id = 0x26, .name = "unit", .value = "F"}};
  const Subject subject{.topic = "plant/a//boiler",
                        .payload = "1",
                        .qos = 2,
                        .retained = true,
                        .received_unix_ns = 1'764'490'000'500'000'000,
                        .properties = properties};
  const auto seen = [&](const std::string& program) {
    const Evaluation evaluation = evaluate({.transform = program}, subject);
    EXPECT_TRUE(evaluation.payloads) << evaluation.reason;
    return evaluation.payloads ? evaluation.payloads->at(0) : std::string();
  };
  EXPECT_EQ(seen("$topic"), "plant/a//boiler");
  EXPECT_EQ(seen("$levels"), R"(["plant","a","","boiler"])");
  EXPECT_EQ(seen("[$qos, $retain]"), "[2,true]");
  EXPECT_EQ(seen("$received"), "1764490000.5");
  EXPECT_EQ(seen("$received | floor | todate"), "2025-11-30T08:06:40Z");
  EXPECT_EQ(seen("$properties | [.content_type, .response_topic, .correlation_data_base64, "
                 ".payload_format, .message_expiry, .user.unit]"),
            R"(["text/plain","answers","AP8=",1,60,"C"])");
  EXPECT_EQ(seen("[.] | tojson"), "[1]");
}

// ---- transform ----

TEST(EvaluatorTransform, MakesAnotherPayload) {
  EXPECT_EQ(transformed("{id: .device, celsius: .temperature}",
                        R"({"temperature":21.50,"device":"b7","more":[1,2]})"),
            R"({"id":"b7","celsius":21.5})");
  EXPECT_EQ(transformed("def twice: . * 2;\n# doubled\n.n | twice", R"({"n":4})"), "8");
}

TEST(EvaluatorTransform, WritesTextAsItIsAndEverythingElseAsJson) {
  EXPECT_EQ(transformed(".", R"("21.5 \"C\" ü")"), "21.5 \"C\" ü");
  EXPECT_EQ(transformed("tojson", R"("a\"b")"), R"("a\"b")");
  EXPECT_EQ(transformed(".", R"({"b":[true,false,null],"a":"x\"\\\n\u0001ü"})"),
            R"({"b":[true,false,null],"a":"x\"\\\n\u0001ü"})");
  EXPECT_EQ(transformed("{}, empty", "1"), "{}");
  EXPECT_EQ(transformed(R"jq("room=\(.room) value=\(.t)")jq", R"({"room":"a","t":2.5})"),
            "room=a value=2.5");
  EXPECT_EQ(transformed("\"\"", "1"), "");
  EXPECT_EQ(transformed(".", "\"a\\u0000b\""), "a\0b"s);
}

TEST(EvaluatorTransform, NoResultIsNoMessage) {
  EXPECT_EQ(transformed("empty", "1"), "(filtered)");
  EXPECT_EQ(transformed(".[]", "[]"), "(filtered)");
}

TEST(EvaluatorTransform, AnErrorWithoutAMessageIsOneToo) {
  EXPECT_EQ(transformed("error(null)", "1"), "(transform: null)");
  EXPECT_EQ(transformed("null | error", "1"), "(transform: null)");
  const Options split{.transform = ".[] | if . then . else error(.) end", .split = true};
  EXPECT_EQ(evaluate(split, with("[1,null,3]")).reason, "transform: null");
  EXPECT_EQ(evaluate({.when = "error(null)"}, with("1")).reason, "when: null");
}

TEST(EvaluatorTransform, SeveralResultsAreSeveralMessagesOnlyWhereAskedFor) {
  EXPECT_EQ(transformed(".[]", "[1,2]"),
            "(transform: it has more than one result; write split = true, or put them into an "
            "array)");
  const Evaluation split = evaluate({.transform = ".[]", .split = true}, with(R"([1,"two",[3]])"));
  EXPECT_EQ(split.kind, Kind::handle);
  EXPECT_EQ(split.payloads, (std::vector<std::string>{"1", "two", "[3]"}));
}

TEST(EvaluatorTransform, GetsTextWhereThePayloadIsNoJson) {
  const Options options{.transform = "{state: ascii_downcase}", .input = Input::text};
  EXPECT_EQ(evaluate(options, with("ON")).payloads->at(0), R"({"state":"on"})");
  const Evaluation binary = evaluate(options, with("\xff"));
  EXPECT_EQ(binary.kind, Kind::fail);
  EXPECT_EQ(binary.reason, "payload: it is not UTF-8");
}

TEST(EvaluatorTransform, RunsOnlyForWhatIsWanted) {
  const Options options{.when = ".n > 1", .transform = "error(\"ran\")"};
  EXPECT_EQ(evaluate(options, with(R"({"n":1})")).kind, Kind::filter);
  EXPECT_EQ(evaluate(options, with(R"({"n":2})")).reason, "transform: ran");
}

TEST(EvaluatorTransform, IsAsGoodAfterAnError) {
  const auto evaluator = evaluator_of({.transform = "1 / .n"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(evaluator->evaluate(with(R"({"n":0})")).kind, Kind::fail);
    EXPECT_EQ(evaluator->evaluate(with(R"({"n":4})")).payloads->at(0), "0.25");
  }
}

// ---- Numbers ----

TEST(EvaluatorNumbers, KeepTheirDigits) {
  for (const char* number : {"0", "-0.5", "21.5", "1764490000123", "9007199254740993",
                             "-9223372036854775808", "18446744073709551615",
                             "123456789012345678901234567890", "3.14159265358979323846", "0.1"}) {
    EXPECT_EQ(transformed(".", number), number);
    EXPECT_EQ(transformed("{a: .[1]}", "[1,"s + number + "]"), R"({"a":)"s + number + "}");
  }
  EXPECT_EQ(transformed(".", "1.50"), "1.5");
  EXPECT_EQ(transformed(".", "100000000000000000000"), "100000000000000000000");
}

TEST(EvaluatorNumbers, DifferentOnesStayDifferent) {
  const std::string ids = "[9007199254740992,9007199254740993,9007199254740994,9007199254740993]";
  EXPECT_EQ(transformed(".", ids), ids);
  EXPECT_EQ(transformed("[.[0] == .[1], .[1] == .[2], .[1] == .[3]]", ids), "[false,false,true]");
  EXPECT_EQ(transformed("unique", ids), "[9007199254740992,9007199254740993,9007199254740994]");
}

TEST(EvaluatorNumbers, ManyThatAreNearlyTheSameCostNoMoreThanOthers) {
  std::string many = "[9007199254740993";
  for (int i = 0; i < 40'000; ++i) many += ",9007199254740993." + std::to_string(10'000 + i);
  const Evaluation evaluation = evaluate({.when = "length == 40001"}, with(many + "]"));
  EXPECT_EQ(evaluation.kind, Kind::handle) << evaluation.reason;
}

TEST(EvaluatorNumbers, AreComputedAsDoubles) {
  EXPECT_EQ(transformed(". + 1", "41"), "42");
  EXPECT_EQ(transformed("0.1 + 0.2", "1"), "0.30000000000000004");
  EXPECT_EQ(transformed("[nan, infinite]", "1"), "[null,1.7976931348623157e+308]");
  EXPECT_EQ(transformed("[. * 1000, 1e-7]", "1e20"), "[1e+23,1e-07]");
}

TEST(EvaluatorNumbers, AreNotMixedUpBetweenMessages) {
  const auto evaluator = evaluator_of({.transform = "."});
  EXPECT_EQ(evaluator->evaluate(with("9007199254740993")).payloads->at(0), "9007199254740993");
  EXPECT_EQ(evaluator->evaluate(with("9007199254740992")).payloads->at(0), "9007199254740992");
}

// ---- Bounds ----

TEST(EvaluatorBounds, ARunawayProgramIsStopped) {
  Options options{.when = "def f: f; f", .timeout = Millis(20)};
  EXPECT_EQ(evaluate(options, with("1")).reason,
            "when: it took longer than 20ms of processor time");
  options = {.transform = "[range(1e12)] | length", .timeout = Millis(20)};
  const auto evaluator = evaluator_of(options);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(evaluator->evaluate(with("1")).reason,
              "transform: it took longer than 20ms of processor time");
  }
}

TEST(EvaluatorBounds, AProgramThatWasStoppedRunsAgain) {
  const auto evaluator =
      evaluator_of({.transform = "if .n then .n else (def f: f; f) end", .timeout = Millis(20)});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(evaluator->evaluate(with("{}")).kind, Kind::fail);
    EXPECT_EQ(evaluator->evaluate(with(R"({"n":7})")).payloads->at(0), "7");
  }
}

TEST(EvaluatorBounds, OnlyTheOneThatTakesLongIsStopped) {
  const auto runaway = evaluator_of({.when = "def f: f; f", .timeout = Millis(30)});
  std::thread elsewhere([&] { EXPECT_EQ(runaway->evaluate(with("1")).kind, Kind::fail); });
  const auto evaluator = evaluator_of({.when = ".n > 0", .timeout = Millis(30'000)});
  for (int i = 0; i < 2000; ++i) {
    EXPECT_EQ(evaluator->evaluate(with(R"({"n":1})")).kind, Kind::handle);
  }
  elsewhere.join();
}

TEST(EvaluatorBounds, SizesAreLimited) {
  Options options{.transform = ".", .max_size = 100};
  const std::string just = "\"" + std::string(98, 'x') + "\"";
  EXPECT_EQ(evaluate(options, with(just)).kind, Kind::handle);
  EXPECT_EQ(evaluate(options, with(just + " ")).reason, "payload: it is larger than 100B");
  options.transform = ". + .";
  EXPECT_EQ(evaluate(options, with(just)).reason,
            "transform: the result is larger than 100B, or nested too deeply");
  options.transform = "[., .]";
  EXPECT_EQ(evaluate(options, with(just)).kind, Kind::fail);
  options = {.transform = "range(1000) | \"\"", .split = true, .max_size = 1000};
  EXPECT_EQ(evaluate(options, with("1")).kind, Kind::fail);
}

TEST(EvaluatorBounds, ADeepResultIsNotWritten) {
  EXPECT_EQ(transformed("reduce range(300) as $i (1; [.])", "1"),
            "(transform: the result is larger than 1MiB, or nested too deeply)");
}

TEST(EvaluatorBounds, NothingLeavesTheProgram) {
  ASSERT_EQ(::setenv("EVALUATOR_TEST_SECRET", "found", 1), 0);
  EXPECT_EQ(transformed("[env, $ENV] | tojson | contains(\"found\")", "1"), "false");
  for (const char* program : {"input", "inputs", "halt", "halt_error", "halt_error(1)",
                              "\"a\" | modulemeta", "get_search_list"}) {
    EXPECT_NE(transformed(program, "1").find(" is not available here)"), std::string::npos)
        << program;
  }
  EXPECT_EQ(transformed("debug | stderr | [input_filename, input_line_number]", "1"), "[null,0]");
  EXPECT_EQ(transformed("[-1] | implode", "1"),
            "(transform: implode needs an array of code points)");
  EXPECT_EQ(transformed("[97, 252] | implode", "1"), "aü");
  EXPECT_EQ(transformed("\"nan\" | tonumber", "1"), "(transform: no number)");
  EXPECT_EQ(transformed("\"nan\" | fromjson", "1"), "(transform: no number)");
  EXPECT_EQ(transformed("\"[7]\" | fromjson | .[0]", "1"), "7");
  for (const char* program :
       {"todate", "todateiso8601", "date", "strftime(\"%Y\")", "strflocaltime(\"%Y\")"}) {
    EXPECT_EQ(transformed(program, "1764490000000000000"),
              "(transform: no time: seconds since 1970 are needed)")
        << program;
  }
  EXPECT_EQ(transformed("todate", "1764490000"), "2025-11-30T08:06:40Z");
  EXPECT_EQ(transformed("[index(\"\"), rindex(\"\"), indices(\"\")]", "\"abc\""),
            "[null,null,null]");
  EXPECT_EQ(transformed("[index(\"b\"), rindex(\"b\"), indices(\"b\")]", "\"abcb\""),
            "[1,3,[1,3]]");
  EXPECT_EQ(transformed("[index(1), indices([1, 2])]", "[0,1,2,1,2]"), "[1,[1,3]]");
  EXPECT_EQ(transformed("\"-2.5\" | tonumber", "1"), "-2.5");
  EXPECT_EQ(transformed("0 | strftime(7)", "1"), "(transform: strftime needs a format)");
  EXPECT_EQ(transformed("0 | strflocaltime(null)", "1"),
            "(transform: strflocaltime needs a format)");
  EXPECT_EQ(transformed("0 | strftime(\"%Y\")", "1"), "1970");
}

// ---- Programs that are none ----

TEST(CheckProgram, SaysWhatIsWrongAndInWhichLine) {
  const auto fault = [](const std::string& text) {
    const auto checked = check_program(text);
    return checked ? "" : checked.error().message;
  };
  EXPECT_EQ(fault(".temperature > 80"), "");
  EXPECT_EQ(fault("$topic, $levels, $properties, $qos, $retain, $received"), "");
  EXPECT_EQ(fault(".a |\n foo(1)"), "line 2: foo/1 is not defined");
  EXPECT_EQ(fault("$payload"), "line 1: $payload is not defined");
  EXPECT_EQ(fault(".a | foo(").find("line 1: syntax error, unexpected "), 0U);
  EXPECT_EQ(fault(".a) | (.b").find("line 1: syntax error, unexpected "), 0U);
  for (const char* reads :
       {"import \"a\" as a; .", " # a\n\tinclude \"a\"; .", "module {}; .", "import"}) {
    EXPECT_EQ(fault(reads), "modules are not available here") << reads;
  }
  EXPECT_EQ(fault("included"), "line 1: included/0 is not defined");
  EXPECT_NE(fault(".a # comment (\n | )"), "");
  EXPECT_EQ(fault(".a # a comment ("), "");
  EXPECT_EQ(fault("."s + '\0'), "U+0000 is in it");
  EXPECT_EQ(fault(".a |\n foo(1)"), "line 2: foo/1 is not defined");  // and again
}

}  // namespace
}  // namespace triggerd::content
