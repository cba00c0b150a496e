"""Cells, and how they are measured: several repetitions, interleaved.

A repetition of a cell measures each of its contenders once, one after the other, each time in
another order. A ratio is of two figures from one repetition, so what slows the machine down for a
while slows both."""

import shutil
import time
from dataclasses import dataclass, field

from bench import statistics
from bench.processes import Failure

GIVE_UP_AFTER = 2  # failures of one contender in one cell


@dataclass(frozen=True)
class Metric:
    name: str
    title: str
    unit: str  # 'messages/s', 'us', 's', 'bytes', 'share', or what is counted
    better: str | None = None  # 'higher', 'lower'; None: nothing to compare


@dataclass
class Cell:
    """`measure(contender, folder)` returns a figure for each of `metrics`, the first of which is
    the one that ratios are made of; or raises Failure."""
    name: str
    title: str
    metrics: list
    contenders: list
    measure: object
    group: str = ''  # cells of one group make one table
    settings: dict = field(default_factory=dict)
    absent: dict = field(default_factory=dict)  # title of a contender -> why it is not measured
    base: str = ''  # name of one of our own contenders, which our others are set beside


@dataclass
class Scenario:
    name: str
    title: str
    about: str  # for the report: what is measured, and how to read it
    cells: list
    reasons: dict = field(default_factory=dict)  # group -> why its cost is not flat


def measure_cell(cell, repetitions, folder, say):
    """The cell as it goes into bench.json."""
    runs = {contender.name: [] for contender in cell.contenders}
    failures = {contender.name: [] for contender in cell.contenders}
    for repetition in range(repetitions):
        turn = repetition % len(cell.contenders) if cell.contenders else 0
        for contender in cell.contenders[turn:] + cell.contenders[:turn]:
            figures = None
            if len(failures[contender.name]) < GIVE_UP_AFTER:
                began = time.monotonic()
                figures = _measure_once(cell, contender, repetition, folder, failures)
                say(f'{contender.title}: {_told(cell, figures, failures[contender.name])}, '
                    f'{time.monotonic() - began:.1f} s')
            runs[contender.name].append(figures)
    return _result(cell, runs, failures)


def _measure_once(cell, contender, repetition, folder, failures):
    work = folder / f'{cell.name}-{contender.name}-{repetition}'
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        figures = cell.measure(contender, work)
        missing = [metric.name for metric in cell.metrics if metric.name not in figures]
        if missing:
            raise Failure(f'no figure for {", ".join(missing)}')
    except Failure as failure:
        reason = str(failure).replace(f'{work}/', '')
        failures[contender.name].append({'repetition': repetition, 'reason': reason})
        return None  # its folder stays, for whoever looks into it
    shutil.rmtree(work, ignore_errors=True)
    return figures


def _told(cell, figures, failures):
    if figures is None:
        return f'failed: {failures[-1]["reason"]}'
    return ', '.join(f'{metric.name} {figures[metric.name]:.6g}' for metric in cell.metrics
                     if figures[metric.name] is not None)


def _result(cell, runs, failures):
    def values(name, metric):
        return [None if figures is None else figures[metric.name] for figures in runs[name]]

    ours = [contender.name for contender in cell.contenders if contender.ours]
    results = []
    for contender in cell.contenders:
        metrics = {}
        for metric in cell.metrics:
            of_all = values(contender.name, metric)
            metrics[metric.name] = {'values': of_all, **(statistics.summary(of_all) or {})}
        results.append({
            'contender': contender.name,
            'title': contender.title,
            'guarantee': contender.guarantee_at(cell.settings.get('qos')),
            'ours': contender.ours,
            'metrics': metrics,
            'failures': failures[contender.name],
            'ratios': {} if contender.ours else {
                mode: {metric.name: statistics.ratios(values(mode, metric),
                                                      values(contender.name, metric),
                                                      metric.better)
                       for metric in cell.metrics if metric.better}
                for mode in ours},
            'beside_base': _beside_base(cell, contender, values),
        })
    return {
        'cell': cell.name,
        'title': cell.title,
        'group': cell.group,
        'settings': cell.settings,
        'metrics': [vars(metric) for metric in cell.metrics],
        'results': results,
        'absent': cell.absent,
        'base': cell.base,
    }


def _beside_base(cell, contender, values):
    """Of one of ours: each figure divided by that of `base` from the same repetition."""
    if not cell.base or not contender.ours or contender.name == cell.base:
        return {}
    return {metric.name: statistics.ratios(values(contender.name, metric),
                                           values(cell.base, metric))
            for metric in cell.metrics if metric.better}
