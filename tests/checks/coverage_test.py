#!/usr/bin/env python3
"""tools/coverage: what it makes of llvm-cov's output."""
import os
import pathlib
import sys
import tempfile
import textwrap
import unittest

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tools/build"))
import lcov  # noqa: E402


def in_folder(text):
    """llvm-cov's output of a tree in which rooms/x.hpp is a link to runtime/a/x.hpp, read."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("runtime/a", "rooms"):
            os.makedirs(f"{folder}/{name}")
        pathlib.Path(folder, "runtime/a/x.hpp").touch()
        os.symlink("../runtime/a/x.hpp", f"{folder}/rooms/x.hpp")
        return lcov.parse(textwrap.dedent(text).replace("TREE", folder), folder)


class Reading(unittest.TestCase):
    def test_lines_branches_and_functions(self):
        files = in_folder("""\
            SF:TREE/runtime/a/y.cpp
            FN:2,_Z1fi
            FNDA:1,_Z1fi
            DA:2,7
            DA:3,0
            BRDA:2,0,0,5
            BRDA:2,0,1,-
            LF:2
            LH:1
            end_of_record
            """)
        self.assertEqual(files, {"runtime/a/y.cpp": lcov.File(
            lines={2: 7, 3: 0}, branches={(2, 0, 0): 5, (2, 0, 1): 0}, functions={"_Z1fi": 2})})

    def test_a_header_seen_through_a_link_is_one_with_itself(self):
        files = in_folder("""\
            SF:TREE/rooms/x.hpp
            DA:1,0
            DA:2,4
            BRDA:1,0,0,3
            end_of_record
            SF:TREE/runtime/a/x.hpp
            DA:1,2
            DA:2,0
            DA:3,0
            BRDA:1,0,0,0
            end_of_record
            """)
        self.assertEqual(list(files), ["runtime/a/x.hpp"])
        self.assertEqual(files["runtime/a/x.hpp"].lines, {1: 2, 2: 4, 3: 0})
        self.assertEqual(files["runtime/a/x.hpp"].branches, {(1, 0, 0): 3})

    def test_missed_lines_belong_to_the_function_that_began_last(self):
        file = lcov.File(lines={2: 1, 3: 0, 4: 0, 8: 0, 10: 2}, functions={"f": 2, "g": 7, "h": 10})
        self.assertEqual(file.missed(), {"f": [3, 4], "g": [8]})


class Tables(unittest.TestCase):
    FILES = {
        "runtime/a/good.cpp": lcov.File(lines={1: 1, 2: 1}, branches={(1, 0, 0): 1}),
        "runtime/b/bad.cpp": lcov.File(lines={1: 0, 2: 1, 3: 0}, branches={(1, 0, 0): 0}),
        "runtime/b/half.cpp": lcov.File(lines={1: 0, 2: 1}),
    }

    def test_the_worst_comes_first(self):
        rows = lcov.rows(self.FILES, lambda name: name)
        self.assertEqual([name for _, _, name in rows],
                         ["runtime/b/bad.cpp", "runtime/b/half.cpp", "runtime/a/good.cpp"])

    def test_a_folder_is_the_sum_of_its_files(self):
        rows = lcov.rows(self.FILES, os.path.dirname)
        self.assertEqual(rows, [(lcov.Share(2, 5), lcov.Share(0, 1), "runtime/b"),
                                (lcov.Share(2, 2), lcov.Share(1, 1), "runtime/a")])

    def test_all_is_said_of_all_alone(self):
        self.assertEqual(str(lcov.Share(1999, 2000)).strip(), "99.9 %")
        self.assertEqual(str(lcov.Share(2000, 2000)).strip(), "100.0 %")
        self.assertEqual(str(lcov.Share(0, 0)).strip(), "-")

    def test_a_table(self):
        self.assertEqual(lcov.table("file", lcov.rows(self.FILES, os.path.dirname)).splitlines(), [
            "  lines          of  branches     of  file",
            " 40.0 %         5    0.0 %       1   runtime/b",
            "100.0 %         2  100.0 %       1   runtime/a"])

    def test_numbers_in_a_row_are_a_range(self):
        self.assertEqual(lcov.ranges([3, 4, 5, 9, 11, 12]), "3-5, 9, 11-12")
        self.assertEqual(lcov.ranges([]), "")


if __name__ == "__main__":
    unittest.main()
