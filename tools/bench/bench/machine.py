"""What a figure depends on beside the program: machine, versions, how busy it was."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

from bench.contenders import package_version

# A share of the processors that others use at the start; above it the report says so.
BUSY_BOUND = 0.05


def _first(path, pattern):
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
        return found.group(1).strip().strip('"') if found else ''
    except OSError:
        return ''


def _output(*command, cwd=None):
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ''
    except OSError:
        return ''


def ticks():
    """Of all processors since the start of the machine: in all, idle, and stolen by the host."""
    fields = [int(word) for word in Path('/proc/stat').read_text().split('\n')[0].split()[1:9]]
    return {'all': sum(fields), 'idle': fields[3] + fields[4], 'steal': fields[7]}


def busy_share(seconds=1.0):
    """What is running here while nothing is measured."""
    before = ticks()
    time.sleep(seconds)
    after = ticks()
    return 1 - (after['idle'] - before['idle']) / max(1, after['all'] - before['all'])


def stolen_share(before, after):
    return (after['steal'] - before['steal']) / max(1, after['all'] - before['all'])


def describe(folder):
    memory = _first('/proc/meminfo', r'^MemTotal:\s*(\d+) kB')
    return {
        'processor': _first('/proc/cpuinfo', r'^model name\s*:\s*(.*)$') or platform.machine(),
        'processors': os.cpu_count(),
        'memory_bytes': int(memory) * 1024 if memory else 0,
        'system': _first('/etc/os-release', r'^PRETTY_NAME=(.*)$') or platform.system(),
        'kernel': platform.release(),
        'virtual_machine': _output('systemd-detect-virt', '--vm') or
        ('yes' if 'hypervisor' in _first('/proc/cpuinfo', r'^flags\s*:\s*(.*)$') else 'no'),
        'governor': _first('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', '(.*)'),
        'file_system': _output('df', '--output=fstype', str(folder)).rpartition('\n')[2],
    }


def versions(source, contenders):
    node = _output('node', '--version').lstrip('v')
    commit = _output('git', 'rev-parse', '--short=12', 'HEAD', cwd=source)
    if commit and _output('git', 'status', '--porcelain', '--untracked-files=no', cwd=source):
        commit += ', with changes'
    found = {
        'triggerd': commit or 'of a tree without git',
        'compiler': _output('c++', '--version').partition('\n')[0],
        'build': 'CMAKE_BUILD_TYPE=Release',
        'Paho in triggerd': package_version('libpaho-mqtt-dev'),
        'SQLite': package_version('libsqlite3-0'),
        'OpenSSL': package_version('libssl3'),
        'mosquitto': package_version('mosquitto'),
        'Node.js': node,
        **{contender.title: contender.version() for contender in contenders},
    }
    return {name: version for name, version in found.items() if version}
