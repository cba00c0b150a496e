"""What python_test.py drives: each topic is one thing that a service may do."""
import asyncio
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.environ["SDK"])
from trigger_service import (Properties, Publish, PublishError, Service, SettingError,  # noqa: E402
                             ok, reject, retry, run, unavailable)

print("printed while it is loaded")


class Everything(Service):
    name = "everything"
    version = "1.2.0"

    def __init__(self):
        self.held = {}
        self.opened = threading.Event()

    def start(self, context):
        self.context = context
        context.log("debug", "starting")
        context.metric("starts_total", help="Starts.")
        context.publish("early", "after ready")
        if "fail" in context.settings:
            raise SettingError(context.settings.text("fail"))
        try:
            context.publish_wait("never")
        except RuntimeError:
            context.log("debug", "start cannot wait")

    def stop(self):
        self.context.log("info", "stopped")
        if "last words" in self.context.settings:
            try:
                self.context.publish_wait("never")
            except PublishError as error:
                self.context.log("info", str(error))

    def handle(self, message):
        return getattr(self, message.topic.replace("/", "_"))(message)

    def echo(self, message):
        self.context.publish(Publish("echo", message.payload, 2, True, "other",
                                     message.properties))
        return ok()

    def members(self, message):
        return reject(repr((message.token, message.id, message.topic, message.payload, message.qos,
                            message.retained, message.duplicate, message.attempt,
                            message.received_ms, 0 < message.remaining() <= 30,
                            message.properties, self.context.trigger, self.context.alias,
                            self.context.process, self.context.in_flight,
                            self.context.settings)))

    def verdict(self, message):
        return {"ok": ok(), "retry": retry("later"), "retry_after": retry("soon", after=1.5),
                "reject": reject("never"), "unavailable": unavailable("away", after=0.25),
                "nothing": None}[message.text()]

    def publishing(self, message):
        return ok(publish=[Publish("a", "text"), Publish("b", b"\xff\x00", qos=0, retain=True),
                           Publish("c", properties=Properties(user=[("unit", "C")],
                                                              correlation_data=b"\x01"))])

    def reply(self, message):
        return ok(publish=[message.reply("42")])

    def too_much(self, message):
        return ok(publish=[Publish("a", "x" * (64 << 20))])

    def raises(self, message):
        raise OSError("the disk is full")

    def wait(self, message):
        self.context.publish_wait("waited", message.payload)
        return ok()

    def wait_briefly(self, message):
        self.context.publish_wait("waited", timeout=0.001)
        return ok()

    def wait_in_callback(self, message):
        completion = message.defer()

        def done(future):
            try:
                self.context.publish_wait("never")
            except RuntimeError as error:
                completion.complete(reject(str(error)))

        self.context.publish_future("first").add_done_callback(done)
        return completion

    def wait_elsewhere(self, message):
        completion = message.defer()
        self.context.publish_future("first").add_done_callback(
            lambda future: completion.complete(ok()))
        return completion

    def hold(self, message):
        self.held[message.text()] = message.defer()

    def release(self, message):
        completion = self.held.pop(message.text())
        thread = threading.Thread(target=self._complete, args=[completion])
        thread.start()
        thread.join()
        return ok()

    def _complete(self, completion):
        first = completion.complete(reject("held"))
        self.context.log("info", f"{first} {completion.complete(ok())}")

    def drop(self, message):
        message.defer()

    def extend(self, message):
        message.extend(60000)
        return ok() if message.remaining() > 50 else reject("the deadline is where it was")

    def metric(self, message):
        self.context.metric("readings_total", help="Readings.")
        self.context.metric("readings_total", 2, help="Readings.")
        self.context.metric("level", -0.5, kind="gauge")
        for wrong in ("Name", "a b"):
            try:
                self.context.metric(wrong)
            except ValueError:
                pass
        return ok()

    def log(self, message):
        self.context.log("warn", "half \ud800 of a pair, and \u20ac\n")
        return ok()

    def printing(self, message):
        print("stray")
        os.write(1, b"by number\n")
        subprocess.run(["echo", "by a child"], check=True)
        if sys.stdin.read() != "":
            return reject("standard input is the protocol's")
        return ok()

    def wait_for_signal(self, message):
        self.context.log("info", "waiting")
        before = message.remaining()
        while self.context._session.closing is False and before - message.remaining() < 60:
            time.sleep(0)
        return ok()

    def flood(self, message):
        self.wait_for_signal(message)
        try:
            self.context.log("info", "x" * (1 << 20))
        finally:
            self.context.log("info", "after it")

    def hang(self, message):
        self.context.log("info", "hanging")
        self.opened.wait()


class Batches(Everything):
    def handle_batch(self, messages):
        first = messages[0].text()
        if first == "raise":
            raise PublishError("not_connected", "cut off")
        if first == "short":
            return [ok()]
        self.held["last"] = messages[-1].defer()
        return [reject(message.text()) for message in messages[:-1]] + [None]


class Concurrent:
    """All of it async: a message with "go" lets the one that waits go on."""

    async def start(self, context):
        self.gate = asyncio.Event()
        self.context = context

    async def handle(self, message):
        if message.topic == "go":
            self.gate.set()
            return ok()
        if message.topic == "publish":
            await self.context.publish_async("waited", message.payload)
        elif message.topic == "publish briefly":
            await self.context.publish_async("waited", timeout=0.001)
        elif message.topic == "raise":
            raise ValueError("in a task")
        else:
            self.context.log("info", "waiting")
            await self.gate.wait()
        return ok()

    async def stop(self):
        self.context.log("info", "stopped")
        try:
            await self.context.publish_async("never")
        except PublishError as error:
            self.context.log("info", str(error))


def function(message):
    message.context.log("info", "a function")
    return ok()


run({"everything": Everything, "batches": Batches, "concurrent": Concurrent,
     "function": function}[sys.argv[1]])
print("run has returned")
