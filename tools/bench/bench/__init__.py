"""The running half of tools/bench: installs, starts, measures, and writes the report.

run            the command line
installation   what has to be there first
processes      one process under test: its start, its costs, its end
servers        the fake server, a real mosquitto, publishers
contenders     who is measured; a new one is added there
triggerd       triggerd, in each of its modes
measuring      cells, and their interleaved repetitions
scenarios/     what is measured, one file for each
statistics     median, spread, ratios
report, charts bench.md, bench.json, SVG
"""
