#!/usr/bin/env python3
"""tools/build/classes: what it counts, and when it fails."""
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tools/build"))
import cpp_classes  # noqa: E402


def classes(text):
    """Of this code: name -> how many members."""
    return {found.name: found.members for found in cpp_classes.scan(text).classes}


def members(body):
    """Of a class with this body."""
    return classes(f"struct X {{\n{body}\n}};")["X"]


class Counting(unittest.TestCase):
    def test_data_in_each_way_to_write_it(self):
        for declaration, number in {
                "int a;": 1,
                "int a, *b, &c;": 3,
                "int a = 1, b = f(2, 3), c{4};": 3,
                "mutable Mutex mutex_;": 1,
                "bool first : 1; bool second : 1 = true;": 2,
                "int values[3][4] = {{1}, {2}};": 1,
                "std::map<std::string, std::pair<int, int>> a;": 1,
                "std::function<void(int, bool)> told_;": 1,
                "std::vector<int> a{1, 2, 3};": 1,
                "std::size_t a = sizeof(int) < 3 ? 1 : 2;": 1,
                "int (*called)(void*, int) = nullptr;": 1,
                "void (*called)(const char* const*,\n  std::size_t) = nullptr;": 1,
                "int (Other::*member)(int);": 1,
                "decltype(f(1)) a;": 1,
                "alignas(64) std::atomic<int> a = 0;": 1,
                "[[no_unique_address]] Empty empty;": 1,
                "std::deque<int> queue_ TRIGGERD_GUARDED_BY(mutex_);": 1,
                "Monotonic due_ TRIGGERD_GUARDED_BY(mutex_) = Monotonic::max();": 1,
                "struct Other* next;": 1,
                "struct ns::Other other;": 1,
                "struct { int a; int b; } inner;": 1,
                "union { int a; float b; };": 2,
                "enum class E { one, two } kind;": 1,
                "enum Old kind = one;": 1,
                'const char* text = "} int b; {";': 1,
                "char c = '}'; char d = '\\'';": 2,
                'std::string s = R"x(" } ; { )" )x";': 1,
                "std::uint64_t big = 1'000'000;": 1,
                "#if ONE\nint a;\n#else\nint b;\n#endif\nint c;": 3,
                "int a;\n#define LONG { \\\n  {\nint b;": 2,
                "std::array<int, (3 > 2)> a;": 1,
                "std::function<void()> a = [] { int x; };": 1,
        }.items():
            with self.subTest(declaration):
                self.assertEqual(members(declaration), number)

    def test_what_is_no_data_of_an_object(self):
        for declaration in [
                "static int a;",
                "static constexpr int kA = 1, kB = 2;",
                "inline static const std::string kName{\"x\"};",
                "using Map = std::map<int, int>;",
                "typedef int Number;",
                "friend class Other;",
                "friend bool operator==(const X&, const X&) = default;",
                "static_assert(sizeof(int) == 4, \"int\");",
                "class Other;",
                "struct Outer::Other;",
                "enum class E : int;",
                "enum class E { one = 1, two };",
                "X(); explicit X(int a); ~X(); X(const X&) = delete;",
                "X(int a) : a_{a}, b_(f({1, 2})), Base<int>{} { int c; c = 1; }",
                "X& operator=(X&&) noexcept = default;",
                "bool operator()(int a) const { return a < 1; }",
                "bool operator<(const X&) const; bool operator<=>(const X&) const = default;",
                "explicit operator bool() const { return true; }",
                "template <typename T, int n = 3> T get(T a = {}) const;",
                "template <typename T> class Other;",
                "virtual void run() = 0;",
                "void run() TRIGGERD_REQUIRES(mutex_) { if (a) { b(); } }",
                "[[nodiscard]] bool join(Monotonic deadline = {});",
                "std::map<int, int> all() const { std::map<int, int> a; return a; };",
                "auto f() -> std::vector<int>;",
                "void f(void (*called)(int), int a[3]);",
                "public: private: protected: ;",
                "// int a;\n/* int b; */",
                "#define MEMBER int a;",
        ]:
            with self.subTest(declaration):
                self.assertEqual(members(declaration), 0)

    def test_members_of_a_class_inside_are_its_own(self):
        self.assertEqual(
            classes("namespace a::b { namespace { class X { struct In { int one, two; }; In in; }; } }"),
            {"a::b::(unnamed)::X::In": 2, "a::b::(unnamed)::X": 1})

    def test_names(self):
        self.assertEqual(list(classes("""
            extern "C" { struct InC { int a; }; }
            inline namespace v1 { class TRIGGERD_CAPABILITY("mutex") Mutex final : public Base<int> {}; }
            template <> struct std::hash<Id> : Other { int a; };
            struct Writer::Statements { int a; };
            class alignas(64) [[nodiscard]] Wide {};
            """)), ["InC", "v1::Mutex", "std::hash", "Writer::Statements", "Wide"])

    def test_a_record_is_public_and_stays_as_it_is(self):
        for body, is_record in {
                "int a; bool is_a() const { return true; } X(); X(int a); static X of(int);": True,
                "int a; bool operator==(const X&) const = default; X(const X&) = delete;": True,
                "int a; void change() { a = 1; }": False,
                "int a; private: int b;": False,
                "int a; virtual bool is_a() const;": False,
                "int a; ~X();": False,
                "int a; private: void f() const;": False,
        }.items():
            with self.subTest(body):
                self.assertEqual(cpp_classes.scan(f"struct X {{ {body} }};").classes[0].is_record,
                                 is_record)
        self.assertFalse(cpp_classes.scan("class X { int a; };").classes[0].is_record)

    def test_whose_functions_a_source_defines(self):
        self.assertEqual(cpp_classes.scan("""
            #include "x.hpp"
            namespace a {
            namespace { int helper(X& x) { return X::kOne; } }
            X::X(int a) : a_{a}, b_(1) { Y::run(); }
            X::~X() = default;
            std::vector<ns::Value> X::In::all() const { return {}; }
            bool X::operator()(int a) { return a > 1; }
            bool Z::operator==(const Z& other) const = default;
            template <typename T> T Template<T>::get() { return {}; }
            const int V::kValue = 1;
            ns::Value made(const ns::Value& of) { return of; }
            TEST_F(Some, Case) { Other::call(); }
            TEST_F(Some, OtherCase) { Other::call(); }
            }""").functions, {"a::X", "a::X::In", "a::Z", "a::Template"})

    def test_what_it_cannot_follow_is_an_error(self):
        for text in ["struct X {", "struct X { int a };", "namespace a { }}", "void f() { (] }",
                     "X::X() : a{1} b", '"open']:
            with self.subTest(text), self.assertRaises(cpp_classes.CannotFollow):
                cpp_classes.scan(text)


class Limits(unittest.TestCase):
    """In a tree made for it, with its own list."""

    LIST = """\
        [members]
        limit = 2
        [members.over]
        "a::Known" = 4  # why
        [lines]
        limit = 3
        [lines.over]
        [sources]
        limit = 1
        [sources.over]
        """

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.list = self.root / "tools/build/classes.toml"
        self.write("tools/build/classes.toml", textwrap.dedent(self.LIST))
        self.write("runtime/a/known.hpp", "namespace a { class Known { int a, b, c, d; }; }\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_it(self, *arguments):
        return subprocess.run([sys.executable, "-B", TREE / "tools/build/classes", "--tree", self.root,
                               *arguments], stdout=subprocess.PIPE, text=True)

    def expect(self, *parts):
        """It fails, and says one thing that has these parts."""
        done = self.run_it()
        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(len(lines), 2, done.stdout)
        for part in parts:
            self.assertIn(part, lines[0])

    def test_what_the_list_allows_passes(self):
        done = self.run_it()
        self.assertEqual((done.returncode, done.stdout),
                         (0, "1 classes; 1 exceptions left in tools/build/classes.toml\n"))

    def test_a_class_with_too_many_members(self):
        self.write("plugins/new.hpp", "class New { int a, b, c; };")
        self.expect("plugins/new.hpp: New has 3 data members, and may have 2")

    def test_one_in_a_source_too(self):
        self.write("tools/new.cpp", "namespace { class New { int a, b, c; }; }")
        self.expect("tools/new.cpp: (tools/new.cpp)::New has 3 data members")

    def test_a_record_may_be_long(self):
        self.write("runtime/a/record.hpp", "struct Record { int a, b, c, d, e; };\n")
        self.assertEqual(self.run_it().returncode, 0)

    def test_a_listed_class_that_grows(self):
        self.write("runtime/a/known.hpp", "namespace a { class Known { int a, b, c, d, e; }; }\n")
        self.expect("a::Known has 5 data members, and may have 4")

    def test_a_listed_class_that_shrank(self):
        self.write("runtime/a/known.hpp", "namespace a { class Known { int a, b, c; }; }\n")
        self.expect("a::Known has 3 data members now, and the list still allows 4", "--lower")
        self.assertEqual(self.run_it("--lower").returncode, 0)
        self.assertIn('"a::Known" = 3  # why\n', self.list.read_text())

    def test_an_entry_that_is_not_needed(self):
        self.write("runtime/a/known.hpp", "namespace a { class Known { int a, b; }; }\n")
        self.expect("members.over has a::Known, which is within the limit of 2", "--lower")
        self.assertEqual(self.run_it("--lower").returncode, 0)
        self.assertEqual(self.list.read_text(),
                         textwrap.dedent(self.LIST).replace('"a::Known" = 4  # why\n', ""))

    def test_lower_raises_nothing(self):
        self.write("runtime/a/known.hpp", "namespace a { class Known { int a, b, c, d, e; }; }\n")
        self.assertEqual(self.run_it("--lower").returncode, 1)
        self.assertEqual(self.list.read_text(), textwrap.dedent(self.LIST))

    def test_a_long_header_of_the_runtime(self):
        self.write("runtime/a/long.hpp", "//\n" * 4)
        self.expect("runtime/a/long.hpp has 4 lines, and may have 3")

    def test_other_files_may_be_longer(self):
        self.write("plugins/long.hpp", "//\n" * 4)
        self.write("runtime/a/long.cpp", "//\n" * 4)
        self.assertEqual(self.run_it().returncode, 0)

    def test_a_class_spread_over_two_sources(self):
        self.write("runtime/a/spread.hpp", "namespace a { class Spread { void f(); void g(); }; }\n")
        self.write("runtime/a/spread.cpp", "namespace a { void Spread::f() {} }\n")
        self.write("runtime/a/free.cpp", "namespace a { void spread(Spread& of) { of.f(); } }\n")
        self.assertEqual(self.run_it().returncode, 0)
        self.write("runtime/a/whatever.cpp", "namespace a { void Spread::g() {} }\n")
        self.expect("runtime/a/spread.hpp: a::Spread has 2 sources that define its functions")

    def test_what_cannot_be_followed_fails(self):
        self.write("runtime/a/odd.hpp", "class Odd {\n")
        self.expect("runtime/a/odd.hpp: tools/build/cpp_classes.py cannot follow it")


if __name__ == "__main__":
    unittest.main()
