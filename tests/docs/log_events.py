#!/usr/bin/env python3
"""docs/reference/logs.md has every event that the runtime logs, at its levels, and no other.

An event is a string literal "word.word" in runtime/, unless its end is that of a file's name.
"""
import pathlib
import re
import sys

FILE_ENDINGS = {"reserve", "cpp", "css", "d", "db", "h", "hpp", "html", "js", "json", "md", "pem", "sock", "so",
                "svg", "toml", "txt"}
LITERAL = re.compile(r'"([a-z][a-z_]*\.([a-z][a-z0-9_]*))"')
CALL = re.compile(r'\b(trace|debug|info|warn|error)\(\s*"([a-z][a-z_]*\.[a-z][a-z0-9_]*)"')
ROW = re.compile(r"^\| `([a-z_]+\.[a-z0-9_]+)` \| ([a-z, ]+) \|", re.MULTILINE)
# No events, though they look like it.
OTHERS = {"localhost.localdomain", "last_will.qos"}


def logged(folder):
    """event -> (where it is first, levels that are plain to see)"""
    events = {}
    for path in sorted(folder.rglob("*.[ch]pp")):
        text = path.read_text(encoding="utf-8")
        for match in LITERAL.finditer(text):
            if match.group(2) in FILE_ENDINGS or match.group(1) in OTHERS:
                continue
            line = text.count("\n", 0, match.start()) + 1
            events.setdefault(match.group(1), (f"{path}:{line}", set()))
        for match in CALL.finditer(text):
            if match.group(2) in events:
                events[match.group(2)][1].add(match.group(1))
    return events


def main():
    root = pathlib.Path(sys.argv[1])
    events = logged(root / "runtime")
    page = (root / "docs/reference/logs.md").read_text(encoding="utf-8")
    rows = ROW.findall(page)
    documented = {event: set(levels.split(", ")) for event, levels in rows}
    problems = []
    for event, (place, levels) in sorted(events.items()):
        if event not in documented:
            problems.append(f'{place}: docs/reference/logs.md has no row for "{event}"')
        elif not levels <= documented[event]:
            missing = ", ".join(sorted(levels - documented[event]))
            problems.append(f'{place}: docs/reference/logs.md does not say that "{event}" may be {missing}')
    for event in sorted(set(documented) - set(events)):
        problems.append(f'docs/reference/logs.md: nothing logs "{event}"')
    if len(rows) != len(documented):
        problems.append("docs/reference/logs.md: an event has two rows")
    if len(events) < 40:
        problems.append(f"only {len(events)} events found in runtime/: this test looks wrongly")
    print("\n".join(problems) or f"{len(events)} events")
    return 1 if problems else 0


sys.exit(main())
