#!/usr/bin/env python3
"""CONTRIBUTING.md has every label that tests have, and no other; and every test has one.

    labels.py TREE BUILD CTEST
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TREE, BUILD, CTEST = sys.argv[1:4]
ROW = re.compile(r"^\| `([a-z0-9]+)` \|", re.MULTILINE)
# With a sanitizer they are not built, and without a browser there is no console.
MAY_BE_MISSING = {"bench", "console", "servers"}


def labels_of_tests():
    """name -> labels"""
    # From a folder of its own: in BUILD it would write over the log of the ctest that runs this.
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "CTestTestfile.cmake").write_text(f'subdirs("{BUILD}")\n')
        listed = subprocess.run([CTEST, "--test-dir", folder, "--show-only=json-v1"], check=True,
                                stdout=subprocess.PIPE).stdout
    return {test["name"]: {label for known in test["properties"] if known["name"] == "LABELS"
                           for label in known["value"]}
            for test in json.loads(listed)["tests"]}


def main():
    page = pathlib.Path(TREE, "CONTRIBUTING.md").read_text(encoding="utf-8")
    documented = set(ROW.findall(page))
    tests = labels_of_tests()
    used = set().union(*tests.values())
    problems = [f"{name} has no label" for name, labels in sorted(tests.items()) if not labels]
    problems += [f'CONTRIBUTING.md has no row for the label "{label}"'
                 for label in sorted(used - documented)]
    problems += [f'CONTRIBUTING.md: no test has the label "{label}"; was all of it built?'
                 for label in sorted(documented - used - MAY_BE_MISSING)]
    print("\n".join(problems) or f"{len(tests)} tests, {len(used)} labels")
    return 1 if problems else 0


sys.exit(main())
