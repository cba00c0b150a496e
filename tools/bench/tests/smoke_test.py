"""A run of moments, with the contenders that the build makes: that everything starts, is measured,
is stopped, and is in the report."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get('BENCH_BUILD', SOURCE.parent.parent / 'build'))
SCENARIOS = {'ingest', 'end-to-end', 'work', 'growth', 'footprint', 'reload', 'isolation',
             'languages', 'content', 'pacing', 'outbox', 'once'}


class Smoke(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.done = subprocess.run(
            [sys.executable, SOURCE / 'run', '--smoke', '--build', BUILD, '--output',
             cls.folder.name], capture_output=True, text=True, timeout=220, check=False)
        file = Path(cls.folder.name) / 'bench.json'
        cls.whole = json.loads(file.read_text()) if file.is_file() else None

    def setUp(self):
        self.assertEqual(self.done.returncode, 0, self.done.stdout + self.done.stderr)
        self.assertIsNotNone(self.whole)

    def cells(self):
        for scenario in self.whole['scenarios']:
            for cell in scenario['cells']:
                yield scenario, cell

    def test_every_scenario_is_there(self):
        self.assertEqual({scenario['scenario'] for scenario, _ in self.cells()}, SCENARIOS)

    def test_every_contender_has_all_figures(self):
        for _, cell in self.cells():
            self.assertTrue(cell['results'], cell['cell'])
            for result in cell['results']:
                where = f'{cell["cell"]}, {result["title"]}'
                self.assertEqual(result['failures'], [], where)
                for metric in cell['metrics']:
                    values = result['metrics'][metric['name']]['values']
                    self.assertEqual(len(values), self.whole['repetitions'], where)
                self.assertIn('median', result['metrics'][cell['metrics'][0]['name']], where)

    def test_every_scenario_has_seen_messages(self):
        # Of a scenario, not of each cell: in moments a busy machine may do nothing at all.
        for name in SCENARIOS:
            most = max(result['metrics'][cell['metrics'][0]['name']].get('median', 0)
                       for scenario, cell in self.cells() if scenario['scenario'] == name
                       for result in cell['results'])
            self.assertGreater(most, 0, name)

    def test_rivals_have_ratios_to_our_modes(self):
        seen = 0
        for _, cell in self.cells():
            ours = {result['contender'] for result in cell['results'] if result['ours']}
            self.assertTrue(ours, cell['cell'])
            for result in cell['results']:
                if not result['ours']:
                    self.assertEqual(set(result['ratios']), ours, cell['cell'])
                    seen += 1
        self.assertGreater(seen, 0)

    def test_cells_with_a_base_set_our_others_beside_it(self):
        seen = 0
        for _, cell in self.cells():
            for result in cell['results'] if cell['base'] else []:
                metrics = {metric['name'] for metric in cell['metrics'] if metric['better']}
                expected = set() if result['contender'] == cell['base'] else metrics
                self.assertEqual(set(result['beside_base']), expected, cell['cell'])
                seen += len(expected)
        self.assertGreater(seen, 0)

    def test_machine_and_versions_are_named(self):
        for name in ('processor', 'processors', 'kernel', 'busy_before', 'stolen'):
            self.assertIn(name, self.whole['machine'])
        for name in ('triggerd', 'compiler'):
            self.assertTrue(self.whole['versions'].get(name), name)

    def test_the_page_has_every_scenario_and_contender(self):
        page = (Path(self.folder.name) / 'bench.md').read_text()
        for scenario in self.whole['scenarios']:
            self.assertIn(f'## {scenario["title"]}', page)
        for _, cell in self.cells():
            for result in cell['results']:
                self.assertIn(result['title'], page)

    def test_nothing_is_left_running(self):
        for entry in Path('/proc').iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / 'cmdline').read_bytes().decode(errors='replace')
            except OSError:
                continue
            self.assertNotIn(self.folder.name, command.replace('\0', ' '))


if __name__ == '__main__':
    unittest.main()
