"""exec's side of the protocol, scripted: starts a command, writes lines, and reads its lines.

Every wait is for a line or for the end, and gives up after LONGEST seconds.
"""
import json
import os
import queue
import subprocess
import threading

LONGEST = float(os.environ.get("LONGEST", 60))


class Host:
    def __init__(self, command, settings=None, begin=True, **environment):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0,
                                        env={**os.environ, **environment})
        self.errors = []
        self._lines = queue.Queue()
        self._threads = [threading.Thread(target=read) for read in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()
        if begin:
            self.write(type="start", protocol=1, trigger="alarms", alias="plant", process=2,
                       in_flight=4, settings=settings or {}, unknown={"from": "a later version"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close_input()
        for thread in self._threads:
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def raw(self, data):
        while data:
            data = data[self.process.stdin.write(data):]

    def write(self, **known):
        self.raw(json.dumps(known).encode() + b"\n")

    def message(self, token, topic, payload="", **members):
        self.write(**self.of(token, topic, payload, **members), type="message")

    @staticmethod
    def of(token, topic, payload="", **members):
        content = {} if "payload_base64" in members else {"payload": payload}
        return {"token": token, "id": "id-" + token, "topic": topic, "qos": 1, "retained": False,
                "duplicate": False, "attempt": 1, "received": 1764490000123, "timeout_ms": 30000,
                **content, **members}

    def read(self):
        """The next object, or None at the end of the output."""
        line = self._lines.get(timeout=LONGEST)
        return None if line is None else json.loads(line)

    def rest(self):
        """Every object until the end."""
        return list(iter(self.read, None))

    def close_input(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()

    def stop(self):
        self.write(type="stop")
        self.close_input()

    def exit_code(self):
        code = self.process.wait(timeout=LONGEST)
        for thread in self._threads:
            thread.join(timeout=LONGEST)
        return code

    def error_text(self):
        """What came to standard error; whole after exit_code()."""
        return b"".join(self.errors).decode()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)
