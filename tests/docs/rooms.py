#!/usr/bin/env python3
"""docs/architecture.md draws the rooms of runtime/ as CMake enforces them.

Its table names for each room the rooms that its headers and its sources may include. That is held
against KNOWS and USES_ROOMS of the room's CMakeLists.txt, which decide what compiles. A room may
know those above it in the table and no others, so arrows go one way.
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\| `([a-z/]+)/` \|[^|]+\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
WORDS = {"SOURCES", "KNOWS", "USES_ROOMS", "USES", "PRECOMPILED"}


def rooms_of_cmake(runtime):
    """room -> (rooms its headers know, rooms that its sources use besides)"""
    rooms = {}
    for path in sorted(runtime.rglob("CMakeLists.txt")):
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        for match in re.finditer(r"^triggerd_room\(\s*(\S+)(.*?)\)$", text, re.DOTALL | re.MULTILINE):
            lists, current = {word: set() for word in WORDS}, None
            for word in match.group(2).split():
                if word in WORDS:
                    current = word
                elif current:
                    lists[current].add(word)
            rooms[match.group(1)] = (lists["KNOWS"], lists["USES_ROOMS"])
    return rooms


def names(cell):
    return set(re.findall(r"`([a-z/]+)`", cell))


def main():
    root = pathlib.Path(sys.argv[1])
    cmake = rooms_of_cmake(root / "runtime")
    page = (root / "docs/architecture.md").read_text(encoding="utf-8")
    rows = {room: (names(knows), names(uses)) for room, knows, uses in ROW.findall(page)}
    problems = []
    for room in sorted(cmake.keys() | rows.keys()):
        if rows.get(room) != cmake.get(room):
            problems.append(f"{room}: docs/architecture.md says {rows.get(room)}, and CMake {cmake.get(room)}")
    above = set()
    for room, (knows, uses) in rows.items():
        for other in sorted((knows | uses) - above):
            problems.append(f"{room} knows {other}, which is not above it in the table")
        above.add(room)
    if len(cmake) < 15:
        problems.append(f"only {len(cmake)} rooms found in runtime/: this test looks wrongly")
    print("\n".join(problems) or f"{len(cmake)} rooms")
    return 1 if problems else 0


sys.exit(main())
