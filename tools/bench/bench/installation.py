"""What has to be there before anything is measured: packages, a build, the contenders on Node.js."""

import hashlib
import os
import shutil
import subprocess


class InstallationError(Exception):
    """What failed, and what to do."""


def _run(command, cwd, what):
    print(f'bench: {what}', flush=True)
    done = subprocess.run([str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise InstallationError(f'{what} failed: {" ".join(str(word) for word in command)}\n'
                                + '\n'.join(done.stdout.splitlines()[-20:]))


TARGETS = ('triggerd', 'exec', 'http-forward', 'bench', 'bench_broker', 'bench_discard',
           'bench_micro', 'bench_mosquitto', 'bench_paho', 'bench_publish')


def packages(root):
    _run([root / 'tools/setup', 'bench'], root, 'installing packages, where some are missing')


def build(root, folder):
    _run(['cmake', '--preset', 'release', '-B', folder], root, f'configuring {folder}')
    _run(['ninja', '-C', folder, *TARGETS], root, f'building in {folder}')


def node_modules(paths):
    """From the npm registry, as package-lock.json has them: versions, and digests of all. What is
    there already is not installed again."""
    source = paths.source / 'npm'
    paths.npm.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        shutil.copy(file, paths.npm)
    digest = hashlib.sha256((source / 'package-lock.json').read_bytes()).hexdigest()
    mark = paths.npm / 'node_modules/.installed'
    if mark.is_file() and mark.read_text() == digest:
        return
    # No scripts of packages: none of these needs one.
    _run(['npm', 'ci', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'],
         paths.npm, 'installing MQTT.js and Node-RED from the npm registry')
    mark.write_text(digest)


def missing(paths):
    """Programs of the build that are not there."""
    files = [paths.build / 'bin/triggerd', paths.programs / 'bench.so',
             paths.plugins / 'exec.so', paths.plugins / 'http-forward.so',
             *(paths.programs / f'bench-{name}'
               for name in ('broker', 'discard', 'micro', 'mosquitto', 'paho', 'publish'))]
    return [file for file in files if not os.path.isfile(file)]
