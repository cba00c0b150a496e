"""Finds the classes of C++ files, and where their functions are defined, without a compiler.

It reads declarations, one token after the other, and passes over bodies of functions and values of
variables. It takes both sides of an #if for code, and names in capital letters with parentheses for
annotations, as thread-safety analysis has them. That is enough for this tree; what it cannot follow
it reports instead of guessing.
"""
import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<skip>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<text>(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
      |(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"|(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
  | (?P<number>\.?\d(?:[\w.]|'\w|[eEpP][+-])*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign>::|->|\[\[|[^\s\w])
""", re.VERBOSE | re.DOTALL)
DIRECTIVE = re.compile(r"#(?:[^\n\\]|\\.)*", re.DOTALL)
ANNOTATION = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+$")
CLOSING = {"(": ")", "[": "]", "[[": "]", "{": "}"}
CLASS_KEYS = ("class", "struct", "union")
NO_MEMBER = {"using", "typedef", "friend", "static", "static_assert", "concept", "extern"}


class CannotFollow(Exception):
    """The code is not what this scanner knows."""


@dataclasses.dataclass
class Class:
    """A class that is defined in a file."""

    name: str  # with its namespaces: dispatch::Dispatcher; of an unnamed one, that is "(unnamed)"
    members: int = 0  # data that each object has
    is_record: bool = True  # all of it is public, and no function of it changes it


@dataclasses.dataclass
class File:
    """What a file defines."""

    classes: list = dataclasses.field(default_factory=list)
    functions: set = dataclasses.field(default_factory=set)  # classes whose functions it defines outside


def tokens_of(text):
    """Without comments and preprocessor lines. A string or a character is one token, a quote."""
    kept = []
    at = 0
    at_line_start = True  # but for blanks; not inside a comment or a string, which the others pass over
    while at < len(text):
        directive = DIRECTIVE.match(text, at) if at_line_start else None
        match = directive or TOKEN.match(text, at)
        if match is None:
            raise CannotFollow(f"line {text.count(chr(10), 0, at) + 1}: {text[at:at + 20]!r}")
        at = match.end()
        if directive:
            continue
        if match["skip"]:
            at_line_start = "\n" in match["skip"] or at_line_start and match["skip"].isspace()
        else:
            at_line_start = False
            kept.append('"' if match["text"] else match[0])
    return kept


def annotates(head):
    """Not where it begins a declaration: TEST_F(...) is a function."""
    return head[-1:] in (["alignas"], ["__attribute__"]) or (
        len(head) > 1 and ANNOTATION.match(head[-1]) is not None)


def is_class_head(head):
    return any(word in CLASS_KEYS or word == "enum" for word in head)


class Declaration:
    """One that is being read."""

    def __init__(self, scope, owner, access):
        self.scope = scope  # names of namespaces and classes around it
        self.owner = owner  # the Class around it, or None
        self.access = access
        self.head = []  # its tokens, where "<>" and "()" stand for brackets with what is in them
        self.parameters = None  # where in `head` those of a function are
        self.commas = 0
        self.initialized = False  # behind =, or the : of a bit field
        self.is_scope = False  # a namespace, which has been read with all that is in it

    def kind_of_braces(self):
        if self.initialized:
            return "value"
        words = [word for word in self.head if word != "inline"]
        if words[:1] == ["namespace"] or words == ["extern", '"']:
            return "scope"
        if self.parameters is not None:
            return "body"
        if "enum" in self.head:
            return "enum"
        return "class" if is_class_head(self.head) and "operator" not in self.head else "value"

    def note(self, file):
        """Counts it, once all of it was read."""
        if self.parameters is not None or "operator" in self.head:
            if self.owner is None:
                self.note_definition(file)
            else:
                self.note_function()
        elif self.owner is not None and self.is_member():
            self.owner.members += self.commas + 1
            self.owner.is_record &= self.access == "public"

    def is_member(self):
        head = self.head
        if head in ([], ["defined"]) or NO_MEMBER.intersection(head):
            return False
        if head[0] == "enum":
            return ":" not in head and head[1] not in CLASS_KEYS  # enum class X;
        if head[0] == "template":
            head = head[2:]
        forward = head[0] in CLASS_KEYS and all(
            re.match(r"\w" if i % 2 == 0 else "::", word) for i, word in enumerate(head[1:]))
        return not (forward and len(head) % 2 == 0)  # class X; class X::Y;

    def note_function(self):
        """One of its class. A record has constructors, and functions that leave it as it is."""
        name = self.head[:self.parameters]
        if NO_MEMBER.intersection(name):
            return
        constructs = name[-1:] == [self.owner.name.split("::")[-1]] and "~" not in name
        behind = self.head[len(name):]
        harmless = constructs or any(word in behind for word in ("const", "delete", "default"))
        if "virtual" in self.head or self.access != "public" or not harmless:
            self.owner.is_record = False

    def note_definition(self, file):
        """TYPE CLASS::NAME(...), outside of its class: the names before the last :: are the class's."""
        name = self.head[:self.parameters]
        if "operator" in name:
            name = name[:name.index("operator") + 1]
        name = [word for word in name if word not in ("~", "<>")]
        at = len(name) - 1
        classes = []
        while at >= 2 and name[at - 1] == "::" and re.match(r"\w", name[at - 2]):
            at -= 2
            classes.insert(0, name[at])
        if classes:
            file.functions.add("::".join(self.scope + classes))


class Scanner:
    """Reads the declarations of one file."""

    def __init__(self, text):
        self.tokens = tokens_of(text)
        self.at = 0
        self.file = File()

    def peek(self, ahead=0):
        where = self.at + ahead
        return self.tokens[where] if where < len(self.tokens) else ""

    def pass_over(self):
        """What stands in brackets, from the opening one to behind the closing one."""
        open_ones = [CLOSING[self.peek()]]
        while open_ones:
            self.at += 1
            token = self.peek()
            if token in CLOSING:
                open_ones.append(CLOSING[token])
                if token == "[[":
                    open_ones.append("]")
            elif token in (")", "]", "}"):
                if token != open_ones.pop():
                    raise CannotFollow(f"{token!r} closes nothing")
            elif token == "":
                raise CannotFollow(f"the end of the file, without {open_ones[-1]!r}")
        self.at += 1

    def pass_over_attribute(self):
        """[[...]]"""
        self.at += 1
        while self.peek() not in ("]", ""):
            if self.peek() in ("(", "[", "{"):
                self.pass_over()
            else:
                self.at += 1
        if (self.peek(), self.peek(1)) != ("]", "]"):
            raise CannotFollow("an attribute without its end")
        self.at += 2

    def template_end(self):
        """Behind the > that closes the < where it stands; None: that < compares."""
        depth = 0
        where = self.at
        while where < len(self.tokens):
            token = self.tokens[where]
            if token == "<":
                depth += 1
            elif token == ">":
                depth -= 1
                if depth == 0:
                    return where + 1
            elif token in CLOSING:
                before, self.at = self.at, where
                self.pass_over()
                where, self.at = self.at, before
                continue
            elif token in (";", ")", "]", "}"):
                return None
            where += 1
        return None

    def scan(self):
        self.declarations([], None, "")
        if self.at != len(self.tokens):
            raise CannotFollow("a } that closes nothing")
        return self.file

    def declarations(self, scope, owner, access):
        """Up to the } of a namespace or a class, or to the end of the file."""
        while self.peek() not in ("}", ""):
            if self.peek() in ("public", "private", "protected"):
                access = self.peek()
                self.at += 1
                while self.peek() not in (":", ""):  # "slots" and the like
                    self.at += 1
                self.at += 1
            else:
                self.declaration(scope, owner, access)

    def declaration(self, scope, owner, access):
        """One, up to behind its ; or its body."""
        read = Declaration(scope, owner, access)
        while True:
            token = self.peek()
            if token == "":
                if read.head:
                    raise CannotFollow("the end of the file within " + " ".join(read.head[:8]))
                return
            if token == "}":
                raise CannotFollow("a } within " + " ".join(read.head[:8]))
            if token == ";":
                self.at += 1
                break
            if token == "{":
                if self.braces(read):
                    break
            elif token == "(":
                self.parentheses(read)
            elif token == "[[":
                self.pass_over_attribute()
            elif token == "[":
                self.pass_over()
            elif token == "<" and read.head[-1:] != ["operator"]:
                self.angle(read)
            else:
                self.plain(read, token)
        if not read.is_scope:
            read.note(self.file)

    def parentheses(self, read):
        """Parameters, those of an annotation, or a declarator."""
        head = read.head
        if annotates(head):
            head.pop()
        elif read.initialized or read.parameters is not None or (
                head[-1:] == ["decltype"] or "declarator" in head):
            head.append("()")
        elif head[-1:] == ["operator"]:
            head.append("call")  # operator()
        elif self.is_declarator():
            head.append("declarator")
        else:
            read.parameters = len(head)
            head.append("()")
        self.pass_over()

    def angle(self, read):
        end = self.template_end()
        if end is None:
            self.at += 1
        else:
            read.head.append("<>")
            self.at = end

    def braces(self, read):
        """True: the declaration ends with them."""
        kind = read.kind_of_braces()
        if kind == "scope":
            read.is_scope = True
            self.namespace(read)
            return True
        if kind == "class":
            self.class_definition(read)
        else:
            self.pass_over()
        if kind == "body":
            if self.peek() == ";":
                self.at += 1
            return True
        if kind in ("class", "enum"):
            read.head = ["defined"]
        return False

    def plain(self, read, token):
        self.at += 1
        if token == ":" and read.parameters is not None:
            self.constructor_initializers()
            return
        if token == "," and read.parameters is None:
            read.commas += 1
            read.initialized = False
        elif "operator" not in read.head and (
                token == "=" or token == ":" and not is_class_head(read.head)):
            read.initialized = True
        if not read.initialized or token == "=":
            read.head.append(token)

    def is_declarator(self):
        """(*name) or (Class::*name) of a pointer to a function."""
        where = 1
        while re.match(r"\w|::", self.peek(where)):
            where += 1
        return self.peek(where) in ("*", "&", "^") and (where == 1 or self.peek(where - 1) == "::") and (
            re.match(r"\w", self.peek(where + 1)) is not None and self.peek(where + 2) in (")", "["))

    def constructor_initializers(self):
        """Behind the : of a constructor, up to its body."""
        while True:
            while self.peek() not in ("(", "{", ""):
                if self.peek() == "<" and self.template_end():
                    self.at = self.template_end()
                else:
                    self.at += 1
            if self.peek() == "":
                raise CannotFollow("a constructor without a body")
            self.pass_over()
            while self.peek() == ".":  # pack...
                self.at += 1
            if self.peek() == "{":
                return
            if self.peek() != ",":
                raise CannotFollow("initializers of a constructor, without a comma")
            self.at += 1

    def namespace(self, read):
        """Or extern "C"."""
        inner = read.scope
        if "namespace" in read.head:
            names = [word for word in read.head
                     if re.match(r"\w", word) and word not in ("inline", "namespace")]
            inner = inner + (names or ["(unnamed)"])
        self.at += 1
        self.declarations(inner, None, "")
        if self.peek() != "}":
            raise CannotFollow("a namespace without its end")
        self.at += 1

    def class_definition(self, read):
        key = next(i for i, word in enumerate(read.head) if word in CLASS_KEYS)
        words = read.head[key + 1:]
        bases = words.index(":") if ":" in words else len(words)
        named = [word for word in words[:bases]
                 if re.match(r"\w", word) and word != "final" and not ANNOTATION.match(word)]
        made = Class("::".join(read.scope + (named or ["(unnamed)"])))
        self.at += 1
        self.declarations(read.scope + named, made,
                          "private" if read.head[key] == "class" else "public")
        if self.peek() != "}":
            raise CannotFollow(f"{made.name} without its end")
        self.at += 1
        if named or read.owner is None or self.peek() != ";":
            self.file.classes.append(made)
            return
        # What an unnamed one has is its owner's; behind struct {...} name it is one member.
        read.owner.members += made.members
        read.owner.is_record &= made.is_record and read.access == "public"


def scan(text):
    """The File that has this text. Raises CannotFollow."""
    return Scanner(text).scan()
