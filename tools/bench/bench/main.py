"""The command line."""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from bench import charts, installation, machine, measuring, micro, report
from bench.processes import Failure
from bench.scenarios import (content, end_to_end, footprint, growth, ingest, isolation, languages,
                             once, outbox, pacing, reload, work)
from bench.scenarios.setting import Paths, Setting

SOURCE = Path(__file__).resolve().parent.parent
ROOT = SOURCE.parent.parent
SCENARIOS = ('ingest', 'end-to-end', 'work', 'growth', 'footprint', 'reload', 'isolation',
             'languages', 'content', 'pacing', 'outbox', 'once')


def arguments():
    parser = argparse.ArgumentParser(
        prog='tools/bench/run',
        description='Measures triggerd side by side with what people would use instead, and '
                    'writes bench.md, bench.json and charts.')
    parser.add_argument('--quick', action='store_true', help='less of everything: under 3 minutes')
    parser.add_argument('--only', action='append', metavar='SCENARIO[:CELL]', default=[],
                        help='one of ' + ', '.join(SCENARIOS) + '; with CELL only the cell '
                             'of that name, or those whose names contain it; may be given more than once')
    parser.add_argument('--output', type=Path, metavar='DIR', help='default: bench/ in the build')
    parser.add_argument('--build', type=Path, metavar='DIR', default=ROOT / 'build',
                        help='the build tree; default: build/')
    parser.add_argument('--repetitions', type=int, metavar='N', help='of each cell; default: 3')
    parser.add_argument('--list', action='store_true', help='names scenarios and cells, and ends')
    # For the test of this program: native contenders, as they are built, for moments.
    parser.add_argument('--smoke', action='store_true', help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.repetitions is not None and chosen.repetitions < 1:
        parser.error('--repetitions: must be at least 1')
    for only in chosen.only:
        if only.partition(':')[0] not in SCENARIOS:
            parser.error(f'--only {only}: there is no such scenario; there are '
                         + ', '.join(SCENARIOS))
    return chosen


def plan(setting, only):
    """Scenarios with the cells that were asked for."""
    scenarios = [module.scenario(setting)
                 for module in (ingest, end_to_end, work, growth, footprint, reload, isolation,
                                languages, content, pacing, outbox, once)]
    if only:
        for scenario in scenarios:
            asked = [each.partition(':')[2] for each in only
                     if each.partition(':')[0] == scenario.name]
            names = [cell.name for cell in scenario.cells]
            scenario.cells = [cell for cell in scenario.cells
                              if any(cell.name == part or (part not in names and part in cell.name)
                                     for part in asked)]
    return [scenario for scenario in scenarios if scenario.cells]


def install(chosen, paths):
    if not chosen.smoke:
        installation.packages(ROOT)
        installation.build(ROOT, paths.build)
        installation.node_modules(paths)
    missing = installation.missing(paths)
    if missing:
        raise installation.InstallationError(
            'not built: ' + ', '.join(str(file) for file in missing) + '; build the tree first')


def measure(scenarios, repetitions, paths):
    cells = sum(len(scenario.cells) for scenario in scenarios)
    number = 0
    results = []
    for scenario in scenarios:
        done = []
        for cell in scenario.cells:
            number += 1
            print(f'bench: [{number}/{cells}] {cell.group}: {cell.title}', flush=True)
            done.append(measuring.measure_cell(cell, repetitions, paths.work,
                                               lambda line: print(f'    {line}', flush=True)))
        results.append({'scenario': scenario.name, 'title': scenario.title,
                        'about': scenario.about, 'reasons': scenario.reasons, 'cells': done})
    return results


def main():
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended
    profile = 'smoke' if chosen.smoke else 'quick' if chosen.quick else 'full'
    build = chosen.build.resolve()
    paths = Paths(SOURCE, build, (chosen.output or build / 'bench').resolve())
    setting = Setting(paths, profile)
    scenarios = plan(setting, chosen.only)  # for a look; the build may still change it
    if chosen.list:
        for scenario in scenarios:
            print(f'{scenario.name:12} {scenario.title}')
            for cell in scenario.cells:
                print(f'  {cell.name:20} {cell.group}: {cell.title}')
        return 0
    if not any(scenario.cells for scenario in scenarios):
        print(f'bench: no cell is called that; see {Path(sys.argv[0]).name} --list',
              file=sys.stderr)
        return 2
    try:
        return run(chosen, setting)
    except (installation.InstallationError, Failure) as error:
        print(f'bench: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run(chosen, setting):
    paths = setting.paths
    paths.output.mkdir(parents=True, exist_ok=True)
    install(chosen, paths)
    shutil.rmtree(paths.work, ignore_errors=True)
    paths.work.mkdir()
    setting.prepare()
    scenarios = plan(setting, chosen.only)
    repetitions = chosen.repetitions or (1 if chosen.smoke else 3)

    busy = machine.busy_share(0.1 if chosen.smoke else 1.0)
    if busy > machine.BUSY_BOUND:
        print(f'bench: the processors are {busy:.0%} busy with something else: figures will be '
              'worse than they could be, and noisy', flush=True)
    ticks, began, date = machine.ticks(), time.monotonic(), time.strftime('%Y-%m-%d', time.gmtime())
    results = measure(scenarios, repetitions, paths)
    pieces = [] if chosen.only else micro.measure(setting)
    whole = {
        'format': 1,
        'date': date,
        'profile': setting.profile,
        'only': chosen.only,
        'repetitions': repetitions,
        'seconds': round(time.monotonic() - began, 1),
        'machine': {**machine.describe(paths.work), 'busy_before': round(busy, 4),
                    'stolen': round(machine.stolen_share(ticks, machine.ticks()), 4)},
        'versions': machine.versions(ROOT, setting.rivals),
        'default': setting.default.name,
        'contenders': [{'name': each.name, 'title': each.title, 'guarantee': each.guarantee}
                       for each in [*setting.everybody, *end_to_end.brief(setting),
                                    isolation.contender(setting),
                                    *languages.contenders(setting),
                                    *content.contenders(setting), *pacing.contenders(setting),
                                    *outbox.contenders(setting), *once.contenders(setting),
                                    setting.ceiling]],
        'scenarios': results,
        'pieces': pieces,
        'ahead': report.ahead(results),
    }
    write(paths.output, whole, chosen.smoke)
    shutil.rmtree(paths.work / 'state', ignore_errors=True)
    return 0


def write(output, whole, smoke):
    # A reader never finds half a file.
    def replace(name, text):
        (output / f'{name}.new').write_text(text)
        os.replace(output / f'{name}.new', output / name)

    replace('bench.json', json.dumps(whole, indent=1) + '\n')
    drawn = [] if smoke else charts.draw(whole, output)
    replace('bench.md', report.markdown(whole, drawn))
    failed = report.failures(whole['scenarios'])
    for line in failed:
        print(f'bench: failed: {line}')
    print(f'bench: {whole["seconds"]:.0f} s; {output / "bench.md"}, bench.json'
          + (f', {len(drawn)} charts' if drawn else ''))
