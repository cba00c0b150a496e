"""What every scenario is built from."""

from dataclasses import dataclass
from pathlib import Path

from bench import contenders, triggerd
from bench.servers import Tls


@dataclass(frozen=True)
class Paths:
    source: Path  # tools/bench
    build: Path
    output: Path

    @property
    def programs(self):
        return self.build / 'tools/bench'

    @property
    def plugins(self):
        """Those that ship."""
        return self.build / 'plugins'

    @property
    def npm(self):
        return self.build / 'bench/npm'

    @property
    def work(self):
        return self.output / 'work'


class Setting:
    """`profile` is 'full', 'quick' or 'smoke': how much of everything."""

    def __init__(self, paths, profile):
        self.paths = paths
        self.profile = profile
        self.tls = None  # from prepare() on
        self.why_no_tls = ''
        self.modes = triggerd.modes(paths)
        self.default = self.modes[0]
        self.rivals = contenders.rivals(paths)
        self.ceiling = contenders.ceiling(paths)
        if profile == 'smoke':  # what needs nothing but this tree's build
            self.rivals = [rival for rival in self.rivals
                           if isinstance(rival, contenders.Native)]

    def prepare(self):
        """Once everything is built, and before scenarios are made of it."""
        self.tls = Tls(self.paths.work)
        self.why_no_tls = self.default.why_no_tls(self.paths.work, self.tls)

    def pick(self, full, quick, smoke=None):
        return {'full': full, 'quick': quick, 'smoke': quick if smoke is None else smoke}[
            self.profile]

    def named(self, *names):
        """Contenders in the order of the tables; names that this profile leaves out are left
        out."""
        every = [*self.modes, *self.rivals, self.ceiling]
        return [contender for contender in every if contender.name in names]

    @property
    def everybody(self):
        return [*self.modes, *self.rivals]
