"""What tests ran through, as `llvm-cov export -format=lcov` says it, and tables of that."""
import collections
import dataclasses
import os


@dataclasses.dataclass
class File:
    """One source or header."""

    lines: dict = dataclasses.field(default_factory=dict)  # number -> how often it ran
    branches: dict = dataclasses.field(default_factory=dict)  # (line, block, number) -> how often
    functions: dict = dataclasses.field(default_factory=dict)  # name -> its first line

    def missed(self):
        """Lines that nothing ran through, with the function that they are in: name -> [numbers]."""
        starts = sorted((line, name) for name, line in self.functions.items())
        found = collections.defaultdict(list)
        for number, count in sorted(self.lines.items()):
            if count == 0:
                before = [name for line, name in starts if line <= number]
                found[before[-1] if before else ""].append(number)
        return dict(found)


@dataclasses.dataclass
class Share:
    """So many of so many."""

    covered: int = 0
    total: int = 0

    def add(self, counts):
        for count in counts:
            self.covered += count > 0
            self.total += 1

    def percent(self):
        return 100.0 if self.total == 0 else 100.0 * self.covered / self.total

    def __str__(self):
        # Rounded down: 100.0 % is all of it.
        return "      -" if self.total == 0 else f"{int(self.percent() * 10) / 10:>5.1f} %"


def parse(text, tree):
    """Name below the folder `tree` -> File. Files that are seen through several links are one."""
    files = {}
    file = File()
    for line in text.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            name = os.path.relpath(os.path.realpath(rest), os.path.realpath(tree))
            file = files.setdefault(name, File())
        elif kind == "DA":
            number, count = map(int, rest.split(",")[:2])
            file.lines[number] = max(count, file.lines.get(number, 0))
        elif kind == "BRDA":
            *at, taken = rest.split(",")
            key = tuple(map(int, at))
            file.branches[key] = max(0 if taken == "-" else int(taken), file.branches.get(key, 0))
        elif kind == "FN":
            number, name = rest.split(",", 1)
            file.functions[name] = int(number)
    return files


def rows(files, name_of):
    """(lines, branches, name) of files together that have one name, worst first."""
    shares = {}
    for name, file in files.items():
        lines, branches = shares.setdefault(name_of(name), (Share(), Share()))
        lines.add(file.lines.values())
        branches.add(file.branches.values())
    return sorted(((lines, branches, name) for name, (lines, branches) in shares.items()),
                  key=lambda row: (row[0].percent(), row[2]))


def table(title, found):
    text = [f"  lines          of  branches     of  {title}"]
    for lines, branches, name in found:
        text.append(f"{lines}  {lines.total:>8}  {branches}  {branches.total:>6}   {name}")
    return "\n".join(text)


def ranges(numbers):
    """[3, 4, 5, 9] -> "3-5, 9"."""
    groups = []
    for number in numbers:
        if groups and number == groups[-1][1] + 1:
            groups[-1][1] = number
        else:
            groups.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in groups)
