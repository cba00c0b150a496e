"""bench.md, and what of it is worth saying in words."""

from bench import statistics
from bench.contenders import GUARANTEES
from bench.machine import BUSY_BOUND

FLAT_BOUND = 1.25  # of the cost of a message, over the range of a growth


# ---- Figures

def _three(value):
    """Three digits that mean something."""
    if value >= 1000:
        return f'{value:,.0f}'
    if value >= 100 or value == 0:
        return f'{value:.0f}'
    return f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def _scale(unit, value):
    """What to divide by, and the unit to write behind it."""
    if unit == 'messages/s':
        return (1000, ' k') if value >= 1000 else (1, '')
    if unit == 'us':
        return (1000, ' ms') if value >= 1000 else (1, ' µs')
    if unit == 's':
        return (1, ' s') if value >= 1 else (0.001, ' ms')
    if unit == 'bytes':
        return (1e6, ' MB') if value >= 1e6 else (1e3, ' kB')
    if unit == 'share':
        return 0.01, ' %'
    return 1, ''


def entry(figures, unit):
    """`174 k (170-181)`; `~` in front where the repetitions lie far apart."""
    if 'median' not in figures:
        return '-'
    divisor, suffix = _scale(unit, figures['median'])
    text = f'{_three(figures["median"] / divisor)}{suffix}'
    if figures['repetitions'] > 1:
        text += (f' ({_three(figures["min"] / divisor)} to {_three(figures["max"] / divisor)})')
    return ('~' if figures['noisy'] else '') + text


def ratio(figures):
    if not figures:
        return '-'
    text = _three(figures['median'])
    if figures['repetitions'] > 1:
        text += f' ({_three(figures["min"])} to {_three(figures["max"])})'
    return ('~' if figures['noisy'] else '') + text


# ---- Findings

def _cells(scenarios):
    for scenario in scenarios:
        for cell in scenario['cells']:
            yield scenario, cell


def failures(scenarios):
    found = []
    for _, cell in _cells(scenarios):
        for result in cell['results']:
            for failure in result['failures']:
                found.append(f'{cell["group"]}, {cell["title"]}: {result["title"]}, repetition '
                             f'{failure["repetition"] + 1}: {failure["reason"]}')
    return found


def _same_guarantee(cell, rival):
    """Our mode that a rival is to be compared with: the one that promises the same, or else the
    one that promises the least of those that promise more. At QoS 0 all promise the same."""
    ours = [result for result in cell['results'] if result['ours']]
    if cell['settings'].get('qos') == 0:
        return ours[0] if ours else None
    rank = GUARANTEES.index
    able = [mode for mode in ours if rank(mode['guarantee']) >= rank(rival['guarantee'])]
    return min(able, key=lambda mode: rank(mode['guarantee']), default=None)


def ahead(scenarios):
    """Where a rival is ahead of our mode with the same guarantee. `sure`: in every repetition."""
    found = []
    for scenario, cell in _cells(scenarios):
        metrics = {metric['name']: metric for metric in cell['metrics']}
        for rival in cell['results']:
            if rival['ours'] or rival['contender'] == 'discard':
                continue
            mode = _same_guarantee(cell, rival)
            for name, figures in (rival['ratios'].get(mode['contender'], {}) if mode else {}).items():
                if figures and figures['median'] < 1:
                    found.append({
                        'scenario': scenario['scenario'], 'cell': cell['cell'],
                        'where': f'{cell["group"]}, {cell["title"]}',
                        'metric': name, 'what': metrics[name]['title'],
                        'rival': rival['title'], 'mode': mode['title'],
                        'same_guarantee': mode['guarantee'] == rival['guarantee']
                        or cell['settings'].get('qos') == 0,
                        'ratio': figures,
                        'sure': figures['repetitions'] > 1 and figures['max'] < 1,
                    })
    return sorted(found, key=lambda each: not each['same_guarantee'])


def growth_lines(scenarios):
    """Of each growth: by how much the cost of a message grows over its range."""
    groups, reasons = {}, {}
    for scenario, cell in _cells(scenarios):
        reasons.update(scenario['reasons'])
        if scenario['scenario'] == 'growth' and cell['metrics'][0]['name'] == 'cpu':
            figures = cell['results'][0]['metrics']['cpu']
            if 'median' in figures:
                groups.setdefault(cell['group'], []).append((cell['title'], figures))
    lines = []
    for group, costs in groups.items():
        if len(costs) < 2:
            continue
        (first, base), (most, cost) = costs[0], max(costs, key=lambda each: each[1]['median'])
        flat = cost['median'] <= FLAT_BOUND * base['median']
        verdict = 'flat' if flat else 'the noise hides whether it is flat'
        if not flat and cost['min'] > base['max']:
            verdict = '**not flat**'
        line = (f'- {group}: {verdict}: {_three(base["median"])} µs at {first}, at most '
                f'{_three(cost["median"])} µs, at {most}.')
        why = reasons.get(group, 'Why is not known.') if verdict == '**not flat**' else ''
        lines.append(f'{line} {why}'.rstrip())
    return lines


# ---- The page

def _table(head, rows):
    lines = ['| ' + ' | '.join(head) + ' |', '| ' + ' | '.join('---' for _ in head) + ' |']
    return lines + ['| ' + ' | '.join(row) + ' |' for row in rows] + ['']


def _by_name(cell):
    return {result['contender']: result for result in cell['results']}


def _in_order(cells, whole):
    """Every contender of these cells once: name and title."""
    there = {result['contender'] for cell in cells for result in cell['results']}
    return {each['name']: each['title'] for each in whole['contenders'] if each['name'] in there}


def _figure_tables(cells, whole, notes):
    def text(cell, contender, metric):
        result = _by_name(cell).get(contender)
        if result is None:
            return ''
        figures = entry(result['metrics'][metric['name']], metric['unit'])
        if result['failures']:
            reason = f'{result["title"]}: {result["failures"][-1]["reason"]}'
            if reason not in notes:
                notes.append(reason)
            number = f'[{notes.index(reason) + 1}]'
            figures = f'failed {number}' if figures == '-' else f'{figures} {number}'
        return figures

    contenders, metrics = _in_order(cells, whole), cells[0]['metrics']
    titles = [metric['title'] for metric in metrics]
    if len(cells) == 1:  # one row has room for all of its figures
        yield _table([cells[0]['title'], *titles],
                     [[title, *(text(cells[0], contender, metric) for metric in metrics)]
                      for contender, title in contenders.items()])
        return
    if len(contenders) == 1:
        for contender, title in contenders.items():
            yield _table([title, *titles],
                         [[cell['title'], *(text(cell, contender, metric) for metric in metrics)]
                          for cell in cells])
        return
    for metric in metrics:
        yield _table([metric['title'], *(cell['title'] for cell in cells)],
                     [[title, *(text(cell, contender, metric) for cell in cells)]
                      for contender, title in contenders.items()])


def _ratio_table(cells, whole):
    default = whole['default']
    metric = cells[0]['metrics'][0]
    rivals = {contender: title for contender, title in _in_order(cells, whole).items()
              if contender != 'discard'
              and any(_by_name(cell).get(contender, {}).get('ratios') for cell in cells)}
    if not rivals or not metric['better']:
        return []
    rows = [[title, *(ratio(_by_name(cell).get(contender, {}).get('ratios', {})
                            .get(default, {}).get(metric['name'])) for cell in cells)]
            for contender, title in rivals.items()]
    return [f'How many times better triggerd is, as it is by default ({metric["title"]}; each '
            'ratio is of one repetition):', '',
            *_table(['against', *(cell['title'] for cell in cells)], rows)]


def _beside_tables(cells, whole):
    """How our contenders stand beside the one that a cell has for that."""
    lines, titles = [], _in_order(cells, whole)
    beside = {contender: title for contender, title in titles.items()
              if any(_by_name(cell).get(contender, {}).get('beside_base') for cell in cells)}
    if not beside:
        return []
    lines += [f'Beside {titles[cells[0]["base"]]}, whose figure is 1; each ratio is of one '
              'repetition:', '']
    for metric in cells[0]['metrics']:
        if metric['better']:
            lines += _table(
                [metric['title'], *(cell['title'] for cell in cells)],
                [[title, *(ratio(_by_name(cell).get(contender, {}).get('beside_base', {})
                                 .get(metric['name'])) for cell in cells)]
                 for contender, title in beside.items()])
    return lines


def _scenario(scenario, whole, drawn, notes):
    lines = [f'## {scenario["title"]}', '', ' '.join(scenario['about'].split()), '']
    for chart in drawn:
        if chart['scenario'] == scenario['scenario']:
            lines += [f'![{chart["title"]}]({chart["file"]})', '']
    groups = {}
    for cell in scenario['cells']:
        groups.setdefault(cell['group'], []).append(cell)
    for group, cells in groups.items():
        lines += [f'### {group[0].upper()}{group[1:]}', '']
        for table in _figure_tables(cells, whole, notes):
            lines += table
        lines += _ratio_table(cells, whole)
        lines += _beside_tables(cells, whole)
        absent = {title: f'{title}: {why}.' for cell in cells
                  for title, why in cell['absent'].items()}
        if absent:
            lines += ['Not measured here: ' + ' '.join(absent.values()), '']
    if scenario['scenario'] == 'growth':
        lines += growth_lines(whole['scenarios']) + ['']
    return lines


def _pieces(whole):
    if not whole['pieces']:
        return []
    rows = [[each['name'], entry({'median': each['ns'] / 1000, 'repetitions': 1, 'noisy': False},
                                 'us'),
             entry({'median': each['items_per_second'], 'repetitions': 1, 'noisy': False},
                   'messages/s') if each['items_per_second'] else '']
            for each in whole['pieces']]
    return ['## The pieces', '', 'Each hot piece by itself, without a server: `bench-micro`, which '
            'has a number at the end of a name where it is about so many messages, or filters, at '
            'once.', '', *_table(['piece', 'one round', 'messages, or filters, a second'], rows)]


def _ahead_lines(whole):
    if not whole['ahead']:
        return ['No contender is ahead of the mode of triggerd that promises the same, in any '
                'figure that was compared.', '']
    lines = ['Where a contender is ahead of the mode of triggerd that promises the same, or, where '
             'that was not measured, of the nearest one that promises more:', '']
    rows = [[each['where'], each['what'], each['rival'],
             each['mode'] + ('' if each['same_guarantee'] else ' (promises more)'),
             ratio(each['ratio']), 'yes' if each['sure'] else 'within the noise']
            for each in whole['ahead']]
    return lines + _table(['where', 'figure', 'ahead', 'of', 'triggerd is so many times better',
                           'in every repetition'], rows)


def markdown(whole, drawn):
    machine, notes = whole['machine'], []
    lines = [
        '# Benchmark', '',
        f'Measured by `tools/bench/run` on {whole["date"]}, '
        + {'full': 'all of it', 'quick': '`--quick`', 'smoke': 'a test run'}[whole['profile']]
        + (f', only {", ".join(whole["only"])}' if whole['only'] else '')
        + f', in {whole["seconds"]:.0f} s. Each figure is the median of {whole["repetitions"]} '
        'interleaved repetitions, with the least and the most in parentheses; `~` marks those '
        f'whose repetitions lie more than {statistics.NOISE_BOUND:.0%} of the median apart. '
        'Machines differ, so look at the ratios.', '',
    ]
    rows = [['processor', f'{machine["processor"]}, {machine["processors"]} of them, which '
             'everything that takes part shares'],
            ['memory, file system', f'{machine["memory_bytes"] / 1e9:.1f} GB, '
             f'{machine["file_system"]}'],
            ['system', f'{machine["system"]}, Linux {machine["kernel"]}, virtual machine: '
             f'{machine["virtual_machine"]}'],
            ['busy before the run', f'{machine["busy_before"]:.0%}'
             + (' - **too much: take these figures as a hint**'
                if machine['busy_before'] > BUSY_BOUND else '')],
            ['taken by other virtual machines', f'{machine["stolen"]:.1%} of the processors']]
    rows += [[name, version] for name, version in whole['versions'].items()]
    lines += _table(['', ''], rows)
    lines += ['## Where triggerd is behind', '', *_ahead_lines(whole)]
    lines += ['What a contender promises for QoS 1 is when it acknowledges a message. At once: '
              'libmosquitto, Node-RED, mosquitto_sub, triggerd `received`. When it is handled: '
              'Paho C, MQTT.js, triggerd `finished`. When it is handled or on disk, so that a slow '
              'service does not hold up the server: triggerd `durable`, the default. At QoS 2 all '
              'other clients have a message in memory alone once they have answered with PUBREC, '
              'so what they promise is `received`.', '']
    for scenario in whole['scenarios']:
        lines += _scenario(scenario, whole, drawn, notes)
    lines += _pieces(whole)
    if notes:
        lines += ['## Failures', '']
        lines += [f'{number}. {note}' for number, note in enumerate(notes, 1)] + ['']
    return '\n'.join(lines)
