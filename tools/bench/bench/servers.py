"""What contenders are measured against: the fake server, a real mosquitto, and publishers."""

import os
import pwd
import random
import shutil
import time
from pathlib import Path

from bench.processes import Failure, Process, run

SUBSCRIBED_WITHIN = 30.0  # seconds; Node-RED takes some of them on a busy machine


class FakeServer(Process):
    """bench-broker; it ends by itself."""

    def __init__(self, programs, folder, *, seconds, warmup, tls=None, **options):
        self._seconds = seconds + warmup
        command = [programs / 'bench-broker', '--seconds', seconds, '--warmup', warmup,
                   '--patience', SUBSCRIBED_WITHIN]
        if tls:
            command += ['--tls-certificate', tls.certificate, '--tls-key', tls.key]
        for name, value in options.items():
            command += [f'--{name.replace("_", "-")}', value]
        super().__init__('bench-broker', command, folder)
        self.port = int(self.wait_for('port ', 10).split()[1])
        self.url = f'{"ssl" if tls else "tcp"}://127.0.0.1:{self.port}'

    def result(self, contender, more=0.0):
        """Its figures, once it has ended. Failure where the contender ends before it, or where it
        takes longer than it should, by `more` seconds."""
        deadline = time.monotonic() + SUBSCRIBED_WITHIN + self._seconds + 10 + more
        while self.running():
            if not contender.running():
                contender.finish(1)
                raise Failure(f'{contender.name} ended in the middle: {contender.last_words()}')
            if time.monotonic() > deadline:
                raise Failure(f'the fake server was not done in time with {contender.name}: '
                              f'{contender.last_words()}')
            time.sleep(0.002)
        try:
            self.finish(1)
        except Failure as failure:
            raise Failure(f'{failure}; {contender.name} said last: {contender.last_words()}') from None
        return self.report()


class Mosquitto(Process):
    """A real mosquitto on a port that was free a moment ago, with room for what a slow contender
    leaves: no limit of queued messages, 1000 in flight, the same for all."""

    SETTINGS = ('max_queued_messages 0', 'max_inflight_messages 1000', 'set_tcp_nodelay true',
                'persistence false', 'allow_anonymous true')

    def __init__(self, folder):
        program = shutil.which('mosquitto', path=os.environ.get('PATH', '') + ':/usr/sbin')
        if program is None:
            raise Failure('there is no mosquitto; run tools/setup')
        self.kill = lambda: None  # until one runs
        for _ in range(20):
            self.port = random.randint(20000, 32000)
            config = Path(folder) / 'mosquitto.conf'
            config.write_text('\n'.join([
                f'listener {self.port} 127.0.0.1', *self.SETTINGS,
                f'user {pwd.getpwuid(os.getuid()).pw_name}', 'log_dest stderr',
                'log_type error', 'log_type warning', 'log_type notice', 'log_type information',
                'log_type subscribe', '']))
            del self.kill
            super().__init__('mosquitto', [program, '-c', config], folder)
            try:
                self.wait_for(' running', 10, self.err)
                break
            except Failure:
                self.kill()
                if 'in use' not in self.text():
                    raise
        else:
            raise Failure('mosquitto found no free port in 20 attempts')
        self.url = f'tcp://127.0.0.1:{self.port}'

    def wait_for_subscriber(self, contender):
        deadline = time.monotonic() + SUBSCRIBED_WITHIN
        while True:
            if 'bench/#' in self.err.read_text(errors='replace'):
                return time.monotonic()
            if not contender.running():
                contender.finish(1)
                raise Failure(f'{contender.name} ended before it subscribed: '
                              f'{contender.last_words()}')
            if time.monotonic() > deadline:
                raise Failure(f'{contender.name} did not subscribe within '
                              f'{SUBSCRIBED_WITHIN:g} s: {contender.last_words()}')
            time.sleep(0.001)

    WARM_UP = 500

    def warm_up(self, folder):
        """Messages without a time at their front, so that no contender counts them among its
        latencies: the first ones find cold caches, and code that is not compiled yet."""
        lines = Path(folder) / 'warm-up'
        # All different, for a contender that handles each message once.
        lines.write_text(''.join(f'no time {number}\n' for number in range(self.WARM_UP)))
        run(['sh', '-c', f'exec mosquitto_pub -h 127.0.0.1 -p {self.port} -q 1 -l -t bench/0 '
                         '< "$1"', 'sh', lines], folder, 30)
        return self.WARM_UP


def publish_beside(programs, folder, server, **options):
    """bench-publish, running."""
    command = [programs / 'bench-publish', '--port', server.port]
    for name, value in options.items():
        command += [f'--{name}', value]
    return Process('bench-publish', command, folder)


def publish(programs, folder, server, *, seconds, **options):
    """bench-publish, to its end; what it says, and the seconds it really took."""
    with publish_beside(programs, folder, server, seconds=seconds, **options) as process:
        process.finish(seconds + 30)
        return process.report(), time.monotonic() - process.began


class Tls:
    """A certificate for 127.0.0.1 that is its own authority, made now."""

    def __init__(self, folder):
        self.certificate = Path(folder) / 'certificate.pem'
        self.key = Path(folder) / 'key.pem'
        run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
             '-nodes', '-days', '1', '-subj', '/CN=bench', '-addext',
             'subjectAltName=IP:127.0.0.1', '-keyout', self.key, '-out', self.certificate],
            folder, 30)
