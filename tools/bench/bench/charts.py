"""Charts for people, as SVG, drawn by gnuplot: ratio bars, latency curves, growth."""

import shutil
import subprocess

OURS = '#0a6c5d'
COLOURS = {
    'mosquitto': '#3b6fb6', 'paho': '#d9822b', 'mqttjs': '#a8479a', 'node-red': '#c23b3b',
    'mosquitto_sub': '#7a7a7a', 'triggerd-durable-disk': OURS, 'triggerd-durable-process':
    '#2f9e8a', 'triggerd-finished': '#67b99a', 'triggerd-received': '#a3d5bd',
    'triggerd-durable-disk-brief': '#5a4fcf', 'triggerd-finished-brief': '#8d85e0',
    'triggerd-received-brief': '#bdb8ee',
}
INK = '#24292f'

HEAD = f'''\
set terminal svg size 1100,{{height}} dynamic font "Helvetica,Arial,sans-serif,15" background "#ffffff"
set encoding utf8
set output "{{file}}"
set label 1 "{{title}}" at screen 0.5, 0.94 center font ",18" textcolor rgb "{INK}"
set tmargin 4
set border 3 linecolor rgb "#8c959f"
set tics nomirror textcolor rgb "{INK}"
set grid y linecolor rgb "#d8dee4" linewidth 1
set ylabel "{{ylabel}}" textcolor rgb "{INK}"
set key Left reverse textcolor rgb "{INK}" samplen 2
set lmargin 11
'''


def _head(output, name, title, ylabel, height=520):
    return HEAD.format(file=output / f'{name}.svg', title=title, ylabel=ylabel, height=height)


def _text(words):
    return words.replace('"', "'").replace('_', '\\\\_')


def _figures(cell, contender, metric):
    for result in cell['results']:
        if result['contender'] == contender and 'median' in result['metrics'][metric]:
            return result['metrics'][metric]
    return None


def _titles(cells):
    return {result['contender']: result['title'] for cell in cells for result in cell['results']}


# ---- Ratio bars

def _ratio_bars(name, title, cells, default, output):
    """A bar for each rival in each cell, from 1 to how many times better triggerd is."""
    rivals = [rival for rival in COLOURS if rival in _titles(cells) and any(
        result['contender'] == rival and result['ratios'].get(default)
        for cell in cells for result in cell['results'])]
    metric = cells[0]['metrics'][0]['name']
    width = 0.86 / max(1, len(rivals))
    blocks, plots, most, least = [], [], 1.0, 1.0
    for index, rival in enumerate(rivals):
        rows = []
        for place, cell in enumerate(cells):
            figures = next((result['ratios'].get(default, {}).get(metric)
                            for result in cell['results'] if result['contender'] == rival), None)
            if not figures:
                continue
            x = place - 0.43 + width * (index + 0.5)
            rows.append(f'{x:.4f} {figures["median"]:.6g} {width * 0.45:.4f} '
                        f'{figures["min"]:.6g} {figures["max"]:.6g} {_times(figures["median"])}')
            most, least = max(most, figures['max']), min(least, figures['min'])
        if not rows:
            continue
        block = f'$bars{index}'
        blocks.append('\n'.join([f'{block} << END', *rows, 'END']))
        plots += [
            f'{block} using 1:2:($1-$3):($1+$3):($2<1?$2:1):($2<1?1:$2) with boxxyerror '
            f'fillstyle solid 0.9 noborder linecolor rgb "{COLOURS[rival]}" '
            f'title "{_text(_titles(cells)[rival])}"',
            f'{block} using 1:4:(0):($5-$4) with vectors nohead linewidth 1.4 '
            f'linecolor rgb "{INK}" notitle',
            f'{block} using 1:($5>1?$5*1.13:1.13):6 with labels font ",11" '
            f'textcolor rgb "{INK}" notitle',
        ]
    if not plots:
        return None
    tics = ', '.join(f'"{_text(cell["title"]).replace(", ", chr(92) + "n")}" {place}'
                     for place, cell in enumerate(cells))
    return '\n'.join([
        _head(output, name, title, 'times as fast (log scale)'),
        'set key at screen 0.5, 0.03 center bottom horizontal maxrows 1', 'set bmargin 6',
        'set logscale y', f'set xrange [-0.6:{len(cells) - 0.4}]',
        f'set yrange [{min(0.7, least * 0.8):.3g}:{most * 1.6:.4g}]',
        'set ytics (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)',
        f'set xtics ({tics}) scale 0', *blocks,
        f'plot 1 with lines linewidth 1.5 linecolor rgb "{INK}" notitle, \\',
        ', \\\n'.join(plots), ''])


def _times(value):
    if value >= 10:
        return f'{value:.0f}×'
    return f'{value:.1f}×' if value >= 1 else f'{value:.2f}'


# ---- Latency curves

# The rest is in the table: nine curves are not read.
NOT_DRAWN = ('triggerd-durable-process',)
PERCENTILES = (('50 %', 'p50'), ('90 %', 'p90'), ('99 %', 'p99'), ('99.9 %', 'p999'))


def _latency_curves(name, title, cell, output):
    contenders = [each for each in COLOURS
                  if each not in NOT_DRAWN and _figures(cell, each, 'p50')]
    if not contenders:
        return None
    blocks, plots = [], []
    for index, contender in enumerate(contenders):
        rows = []
        for place, (_, metric) in enumerate(PERCENTILES):
            figures = _figures(cell, contender, metric)
            rows.append(f'{place} {figures["median"] / 1000:.6g} {figures["min"] / 1000:.6g} '
                        f'{figures["max"] / 1000:.6g}')
        blocks.append('\n'.join([f'$curve{index} << END', *rows, 'END']))
        ours = contender.startswith('triggerd')
        colour = COLOURS[contender]
        plots += [f'$curve{index} using 1:2 with linespoints pointtype {7 if ours else 5} '
                  f'pointsize 0.7 linewidth {3 if ours else 2} dashtype {1 if ours else 2} '
                  f'linecolor rgb "{colour}" title "{_text(_titles([cell])[contender])}"',
                  f'$curve{index} using 1:3:(0):($4-$3) with vectors nohead linewidth 1 '
                  f'linecolor rgb "{colour}" notitle']
    # A percent sign begins a format there.
    tics = ', '.join(f'"{text.replace("%", "%%")}" {place}'
                     for place, (text, _) in enumerate(PERCENTILES))
    return '\n'.join([
        _head(output, name, title, 'milliseconds (log scale)'), 'set logscale y',
        'set key outside right center vertical', 'set bmargin 5',
        'set xrange [-0.2:3.2]', 'set format y "%g"',
        f'set xtics ({tics})',
        f'set xlabel "share of messages that took no longer" textcolor rgb "{INK}"',
        *blocks, 'plot ' + ', \\\n'.join(plots), ''])


# ---- Growth

def _growth_curves(name, title, groups, output):
    """Cost of a message against the size of things, each as a multiple of its first."""
    blocks, plots = [], []
    for index, (group, colour) in enumerate(zip(groups, (OURS, '#d9822b'))):
        rows, base = [], None
        for cell in groups[group]:
            figures = cell['results'][0]['metrics']['cpu']
            if 'median' not in figures:
                continue
            base = base or figures['median']
            size = next(value for value in cell['settings'].values())
            rows.append(f'{size} {figures["median"] / base:.4g} {figures["min"] / base:.4g} '
                        f'{figures["max"] / base:.4g}')
        if len(rows) < 2:
            continue
        blocks.append('\n'.join([f'$growth{index} << END', *rows, 'END']))
        plots += [f'$growth{index} using 1:2 with linespoints pointtype 7 linewidth 3 '
                  f'linecolor rgb "{colour}" title "{_text(group.partition(": ")[2])}"',
                  f'$growth{index} using 1:3:(0):($4-$3) with vectors nohead '
                  f'linecolor rgb "{colour}" notitle']
    if not plots:
        return None
    return '\n'.join([
        _head(output, name, title, 'processor time of a message, first = 1', 460),
        'set key top left', f'set xlabel "how many (log scale)" textcolor rgb "{INK}"',
        'set logscale x', 'set yrange [0:*]', 'set xrange [0.8:*]', *blocks,
        f'plot 1 with lines linewidth 1.5 linecolor rgb "{INK}" notitle, \\',
        ', \\\n'.join(plots), ''])


# ---- All of them

def _groups(scenario):
    found = {}
    for cell in scenario['cells']:
        found.setdefault(cell['group'], []).append(cell)
    return found


def _scripts(whole, output):
    """(scenario, name, title, gnuplot's script or None)"""
    for scenario in whole['scenarios']:
        groups = _groups(scenario)
        if scenario['scenario'] == 'ingest':
            for number, (group, cells) in enumerate(groups.items(), 1):
                name = f'ingest-ratios-{number}'
                title = f'{group[0].upper()}{group[1:]}: how much faster triggerd is, durable on disk'
                yield 'ingest', name, title, _ratio_bars(name, title, cells, whole['default'],
                                                         output)
        elif scenario['scenario'] == 'end-to-end':
            for cell in scenario['cells']:
                if any(metric['name'] == 'p999' for metric in cell['metrics']):
                    name = f'latency-{cell["cell"]}'
                    title = f'From publisher to service through mosquitto, {cell["title"]}, QoS 1'
                    yield 'end-to-end', name, title, _latency_curves(name, title, cell, output)
        elif scenario['scenario'] == 'growth':
            chosen = {group: cells for group, cells in groups.items()
                      if group.endswith(('triggers', 'of one trigger'))}
            title = 'Growth: triggers, and filters of one trigger'
            yield 'growth', 'growth', title, _growth_curves('growth', title, chosen, output)


def draw(whole, output):
    """What was drawn: [{scenario, title, file}]. The charts of earlier runs go."""
    for old in output.glob('*.svg'):
        old.unlink()
    drawn = []
    if shutil.which('gnuplot') is None:
        print('bench: no gnuplot, no charts; run tools/setup bench')
        return drawn
    for scenario, name, title, script in _scripts(whole, output):
        if script is None:
            continue
        done = subprocess.run(['gnuplot'], input=script, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            print(f'bench: gnuplot did not draw {name}: {done.stderr.strip()[-300:]}')
            continue
        drawn.append({'scenario': scenario, 'title': title, 'file': f'{name}.svg'})
    return drawn
