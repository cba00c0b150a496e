"""What tests of documents need to try them: processes of one folder, and messages for a server."""
import socket
import subprocess
import time

PATIENCE = 60


HELD = []  # sockets, until this process ends


def free_port():
    """One that the kernel gives to nobody else while this process lives: a bound socket holds it, beside
    which a server that sets SO_REUSEADDR, as all of these do, may listen."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    HELD.append(holder)
    return holder.getsockname()[1]


def run(*command, **options):
    """What it printed; it has to exit with 0."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} exits with {done.returncode}:\n{done.stdout}")
    return done.stdout


def eventually(what, look):
    """The first true value of look(); it may throw until then."""
    last = None
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            found = look()
            if found:
                return found
            last = None
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"not in {PATIENCE} s: {what}" + (f" ({last})" if last else ""))


class Processes:
    """Each writes to NAME.log in `folder`, where it is started."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, name, *command, env=None):
        # pylint: disable=consider-using-with
        log = open(self.folder / f"{name}.log", "w", encoding="utf-8")
        self.running.append(subprocess.Popen([str(part) for part in command], stdout=log,
                                             stderr=subprocess.STDOUT, cwd=self.folder, env=env))
        log.close()

    def start_mosquitto(self, program):
        """Its port."""
        port = free_port()
        (self.folder / "mosquitto.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        self.start("mosquitto", program, "-c", self.folder / "mosquitto.conf")
        return port

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def publish(port, topic, *payloads):
    """With QoS 1, each acknowledged by the server when this returns."""
    with socket.create_connection(("127.0.0.1", port), 10) as server:
        server.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03pub")
        received(server, 4)
        for number, payload in enumerate(payloads, 1):
            rest = (len(topic).to_bytes(2, "big") + topic.encode() + number.to_bytes(2, "big") +
                    payload.encode())
            server.sendall(b"\x32" + remaining_length(len(rest)) + rest)
            received(server, 4)
        server.sendall(b"\xe0\x00")


class Subscriber:
    """Of one filter, QoS 0."""

    def __init__(self, port, topic):
        self.server = socket.create_connection(("127.0.0.1", port), 10)
        self.server.settimeout(PATIENCE)
        self.server.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03sub")
        received(self.server, 4)
        rest = b"\x00\x01" + len(topic).to_bytes(2, "big") + topic.encode() + b"\x00"
        self.server.sendall(b"\x82" + remaining_length(len(rest)) + rest)
        received(self.server, 5)

    def next(self):
        """"TOPIC PAYLOAD" of the next message."""
        received(self.server, 1)
        length = shift = 0
        more = True
        while more:
            byte = received(self.server, 1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            more = byte >= 0x80
        body = received(self.server, length)
        end = 2 + int.from_bytes(body[:2], "big")
        return f"{body[2:end].decode()} {body[end:].decode()}"

    def close(self):
        self.server.close()


def remaining_length(count):
    """As MQTT writes it."""
    out = b""
    while count >= 0x80:
        out += bytes([count & 0x7F | 0x80])
        count >>= 7
    return out + bytes([count])


def received(server, count):
    got = b""
    while len(got) < count:
        more = server.recv(count - len(got))
        if not more:
            raise OSError("the server has closed the connection")
        got += more
    return got


class Subscriber:
    """Of one topic, QoS 0."""

    def __init__(self, port, topic):
        self.server = socket.create_connection(("127.0.0.1", port), 10)
        self.server.settimeout(60)
        self.server.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03sub")
        received(self.server, 4)
        rest = b"\x00\x01" + len(topic).to_bytes(2, "big") + topic.encode() + b"\x00"
        self.server.sendall(bytes([0x82, len(rest)]) + rest)
        received(self.server, 5)

    def next(self):
        """"TOPIC PAYLOAD" of the next message, which is short."""
        header = received(self.server, 2)
        body = received(self.server, header[1])
        end = 2 + int.from_bytes(body[:2], "big")
        return f"{body[2:end].decode()} {body[end:].decode()}"

    def close(self):
        self.server.close()
