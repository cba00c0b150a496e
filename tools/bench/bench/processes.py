"""One process under test: its start, what it costs, its clean end."""

import ctypes
import json
import os
import signal
import subprocess
import time
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
STOP_WITHIN = 20.0  # seconds


class Failure(Exception):
    """A measurement that gave no figure, and why: it is reported as such."""


class Process:
    """Started in a session and process group of its own, which ends with this program. Its output
    goes to the files NAME.out and NAME.err in `folder`."""

    def __init__(self, name, command, folder, environment=None):
        self.name = name
        self.out = Path(folder) / f'{name}.out'
        self.err = Path(folder) / f'{name}.err'
        self.began = time.monotonic()
        with open(self.out, 'wb') as out, open(self.err, 'wb') as err:
            self._process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, **(environment or {})}, start_new_session=True,
                preexec_fn=_end_with_parent)
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    # ---- Its output

    def text(self):
        return self.out.read_text(errors='replace') + self.err.read_text(errors='replace')

    def wait_for(self, text, within, file=None):
        """The first line with `text`."""
        deadline = time.monotonic() + within
        while True:
            ended = self._process.poll() is not None
            for line in (file or self.out).read_text(errors='replace').splitlines():
                if text in line:
                    return line
            if ended:
                raise Failure(f'{self.name} ended with {self.code_text()}: {self.last_words()}')
            if time.monotonic() > deadline:
                raise Failure(f'{self.name} did not say "{text}" within {within:g} s: '
                              f'{self.last_words()}')
            time.sleep(0.002)

    def last_words(self):
        lines = [line for line in self.text().splitlines() if line.strip()]
        return lines[-1][:300] if lines else 'it said nothing'

    def report(self):
        """The last line of its output that is an object of JSON."""
        for line in reversed(self.out.read_text(errors='replace').splitlines()):
            if line.startswith('{'):
                try:
                    return json.loads(line)
                except json.JSONDecodeError:
                    break
        raise Failure(f'{self.name} reported nothing: {self.last_words()}')

    # ---- What it costs: all processes of its session, as what it starts may have another group

    def members(self):
        found = []
        for entry in os.listdir('/proc'):
            if not entry.isdigit():
                continue
            try:
                if os.getsid(int(entry)) == self.pid:
                    found.append(int(entry))
            except ProcessLookupError:
                pass
        return found

    def cpu_seconds(self):
        """Of all threads that there are or were, and of children that have ended. By the clock of
        each process, which counts what the utime and stime of /proc/PID/stat count, but in
        nanoseconds and not in hundredths of a second."""
        total = 0.0
        for pid in self.members():
            try:
                total += time.clock_gettime((~pid << 3) | 2)
                fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
                total += (int(fields[13]) + int(fields[14])) / os.sysconf('SC_CLK_TCK')
            except (OSError, IndexError):
                pass
        return total

    def memory(self, field='VmRSS'):
        """Resident bytes: now (VmRSS), or the most there were (VmHWM)."""
        total = 0
        for pid in self.members():
            try:
                for line in Path(f'/proc/{pid}/status').read_text().splitlines():
                    if line.startswith(field + ':'):
                        total += int(line.split()[1]) * 1024
            except OSError:
                pass
        return total

    # ---- Its end

    def running(self):
        return self._process.poll() is None

    def wait(self, within):
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise Failure(f'{self.name} did not end within {within:g} s') from None

    def code_text(self):
        code = self._process.returncode
        return f'signal {-code}' if code is not None and code < 0 else f'exit code {code}'

    def finish(self, within):
        """Waits for its own end; Failure where that is not exit code 0."""
        if self.wait(within) != 0:
            raise Failure(f'{self.name} ended with {self.code_text()}: {self.last_words()}')

    def stop(self, within=STOP_WITHIN):
        """SIGTERM, to the whole group; returns how long the end took. Failure where it was not a
        clean one."""
        began = time.monotonic()
        if self.running():
            os.killpg(self.pid, signal.SIGTERM)
        try:
            self.finish(within)
        finally:
            self.kill()
        return time.monotonic() - began

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


def _end_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def run(command, folder, within):
    """Runs a command to its end; what it printed. Failure where it fails."""
    with Process(Path(str(command[0])).name, command, folder) as process:
        process.finish(within)
        return process.out.read_text(errors='replace')
