"""A service for triggerd's plugin `exec`, in Python 3.9 or newer. One file, no dependencies.

    from trigger_service import Message, Service, Verdict, ok, reject, run

    class Greeter(Service):
        def handle(self, message: Message) -> Verdict:
            if not message.payload:
                return reject("nobody to greet")
            self.context.log("info", "hello " + message.text())
            return ok()

    if __name__ == "__main__":
        run(Greeter)

`run` speaks version 1 of the protocol (docs/reference/exec-protocol.md in triggerd's sources) on
standard input and output, and `TestHost` calls a service without triggerd and without a server.

Threads: a service's functions are called on the thread that calls `run`, one at a time. With
`async def handle` they are tasks of one event loop there, as many at a time as messages are in
hand. A thread of the SDK reads standard input. Context, Message and Completion may be used on any
thread.
"""
from __future__ import annotations

import asyncio
import base64
import difflib
import inspect
import itertools
import json
import math
import os
import queue
import re
import signal
import sys
import threading
import time
import traceback
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Callable, Coroutine, Iterable, Mapping, Sequence, Union

__all__ = ["Completion", "Context", "Message", "Properties", "Publish", "PublishError", "Service",
           "SettingError", "Settings", "TestHost", "Verdict", "ok", "reject", "retry", "run",
           "unavailable"]

Payload = Union[str, bytes, bytearray, memoryview]
_LONGEST_LINE = 64 << 20  # bytes; exec ends a process that writes a longer one
_LONGEST_MS = 2**32 - 1
_LONGEST_REASON = 1000  # characters; the log shows 255 bytes


class SettingError(ValueError):
    """A setting is missing or wrong. Raised in `start`, it ends the process with its text."""


class PublishError(Exception):
    """The server did not get a message. `error` is a word of the protocol's page, `reason` words
    for people. Where `handle` lets it escape, the message gets `verdict()`."""

    def __init__(self, error: str, reason: str = "") -> None:
        super().__init__(f"{error}: {reason}" if reason else error)
        self.error = error
        self.reason = reason

    def verdict(self) -> Verdict:
        """`unavailable` without a connection or with too much on its way, `reject` where it can
        never succeed, otherwise `retry`."""
        if self.error in ("invalid", "not_found", "unsupported"):
            return reject(str(self))
        if self.error == "not_connected":
            return unavailable(str(self))
        return unavailable(str(self), after=0.1) if self.error == "full" else retry(str(self))


@dataclass(frozen=True)
class Properties:
    """Properties of MQTT 5. None, or an empty `user`: the message does not have it."""

    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    payload_format: int | None = None  # 0: bytes, 1: UTF-8
    message_expiry: int | None = None  # seconds
    user: Sequence[tuple[str, str]] = ()  # in the sender's order; a name may come several times

    def first(self, name: str) -> str | None:
        """The value of the first user property of that name, or None."""
        return next((value for known, value in self.user if known == name), None)

    @staticmethod
    def _of(read: Mapping[str, Any]) -> Properties:
        data = read.get("correlation_data_base64")
        return Properties(read.get("content_type"), read.get("response_topic"),
                          None if data is None else base64.b64decode(data, validate=True),
                          read.get("payload_format"), read.get("message_expiry"),
                          tuple((name, value) for name, value in read.get("user", ())))

    def _written(self) -> dict[str, Any]:
        data = self.correlation_data
        every = {"content_type": self.content_type, "response_topic": self.response_topic,
                 "correlation_data_base64": None if data is None else _base64(data),
                 "payload_format": self.payload_format, "message_expiry": self.message_expiry,
                 "user": [list(pair) for pair in self.user] or None}
        return {name: value for name, value in every.items() if value is not None}


@dataclass(frozen=True)
class Publish:
    """A message to publish. ValueError for a topic or a QoS that no server would take."""

    topic: str  # without wildcards
    payload: Payload = b""  # a str is sent as UTF-8
    qos: int = 1  # 0, 1 or 2
    retain: bool = False
    alias: str | None = None  # None: the trigger's own
    properties: Properties | None = None  # only for an alias of MQTT 5

    def __post_init__(self) -> None:
        if not isinstance(self.topic, str) or not self.topic or re.search("[+#\0]", self.topic):
            raise ValueError(f"{self.topic!r} is not a topic to publish to")
        if self.qos not in (0, 1, 2):
            raise ValueError(f"{self.qos!r} is not a QoS: 0, 1 or 2")
        if not isinstance(self.payload, (str, bytes, bytearray, memoryview)):
            raise ValueError(f"a payload is str or bytes, not {type(self.payload).__name__}")

    def _written(self) -> dict[str, Any]:
        known: dict[str, Any] = {"topic": self.topic, "qos": int(self.qos),
                                 "retain": bool(self.retain)}
        if self.alias is not None:
            known["alias"] = self.alias
        if self.properties is not None:
            known["properties"] = self.properties._written()
        try:
            text = self.payload if isinstance(self.payload, str) else str(self.payload, "utf-8")
            known["payload"] = text
        except UnicodeDecodeError:
            known["payload_base64"] = _base64(self.payload)  # type: ignore[arg-type]
        return known


@dataclass(frozen=True)
class Verdict:
    """What becomes of a message. Made by `ok`, `retry`, `reject` and `unavailable`."""

    verdict: str  # "ok", "retry", "reject" or "unavailable"
    reason: str = ""
    after: float | None = None  # seconds
    publish: tuple[Publish, ...] = ()


def ok(publish: Iterable[Publish] = ()) -> Verdict:
    """The message is finished, once the server has everything in `publish`. If it does not get
    that, the first failure decides as `PublishError.verdict` does."""
    every = tuple(publish)
    if not all(isinstance(one, Publish) for one in every):
        raise TypeError("ok(publish=...) takes objects of Publish")
    return Verdict("ok", publish=every)


def retry(reason: str = "", after: float | None = None) -> Verdict:
    """The message is tried again, after so many seconds or the trigger's backoff. ValueError for
    more than exec takes: 2**32 - 1 milliseconds."""
    return Verdict("retry", str(reason), _seconds(after))


def reject(reason: str = "") -> Verdict:
    """The message will never succeed: it becomes a dead letter at once, with the reason."""
    return Verdict("reject", str(reason))


def unavailable(reason: str = "", after: float | None = None) -> Verdict:
    """Something that the service needs is away: the trigger waits, and no attempt is counted.
    `after` as in `retry`."""
    return Verdict("unavailable", str(reason), _seconds(after))


_REQUIRED: Any = object()


class Settings(dict):  # type: ignore[type-arg]
    """The table [triggers.settings.service], a dict with its types. The functions below also check
    the type; without a default the setting has to be there. They raise SettingError."""

    def text(self, key: str, default: str = _REQUIRED) -> str:
        return self._get(key, default, str, "a string")

    def integer(self, key: str, default: int = _REQUIRED) -> int:
        return self._get(key, default, int, "a whole number")

    def number(self, key: str, default: float = _REQUIRED) -> float:
        return self._get(key, default, (int, float), "a number")

    def boolean(self, key: str, default: bool = _REQUIRED) -> bool:
        return self._get(key, default, bool, "true or false")

    def require_known(self, *keys: str) -> None:
        """SettingError for a key that is not one of these, so that no misspelt one is ignored."""
        for key in self:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                raise SettingError(f'setting "{key}" is unknown' +
                                   (f'; did you mean "{near[0]}"?' if near else ""))

    def _get(self, key: str, default: Any, kind: Any, words: str) -> Any:
        value = self.get(key, default)
        if value is _REQUIRED:
            raise SettingError(f'setting "{key}" is missing; it must be {words}')
        if key in self and (not isinstance(value, kind) or
                            (isinstance(value, bool) and kind is not bool)):
            raise SettingError(f'setting "{key}" must be {words}')
        return value


class Context:
    """The runtime, as the service sees it. Any thread. All of it may be used from `start` on; what
    `start` publishes and counts is sent when it has returned."""

    trigger: str  # the name of the trigger
    alias: str  # the name of its alias
    process: int  # which of the trigger's processes this is, counted from 0
    in_flight: int  # how many messages may be in hand at once
    settings: Settings

    def __init__(self, session: _Session, start: Mapping[str, Any]) -> None:
        self._session = session
        self._helped: set[str] = set()
        self.trigger = start.get("trigger", "")
        self.alias = start.get("alias", "")
        self.process = start.get("process", 0)
        self.in_flight = start.get("in_flight", 1)
        self.settings = Settings(start.get("settings", {}))

    def log(self, level: str, text: str) -> None:
        """A line in triggerd's log. `level`: trace, debug, info, warn or error."""
        if level not in ("trace", "debug", "info", "warn", "error"):
            raise ValueError(f"{level!r} is not a level: trace, debug, info, warn or error")
        self._session.write(_line({"type": "log", "level": level, "text": str(text)}), early=True)

    def metric(self, name: str, add: float = 1, kind: str = "counter", help: str = "") -> None:
        """Adds to a metric. `kind`: counter (only upwards) or gauge; `help` is needed once."""
        if not re.fullmatch("[a-z_][a-z0-9_]*", name) or kind not in ("counter", "gauge"):
            raise ValueError(f"{kind} {name!r}: no such kind, or no name for a metric")
        if not math.isfinite(add) or (kind == "counter" and add < 0):
            raise ValueError(f"{add!r} cannot be added to a {kind}")
        known = {"type": "metric", "name": name, "kind": kind, "add": add}
        if help and name not in self._helped:
            self._helped.add(name)
            known["help"] = help
        self._session.write(_line(known))

    def publish(self, topic: str | Publish, payload: Payload = b"", qos: int = 1,
                retain: bool = False, alias: str | None = None,
                properties: Properties | None = None) -> None:
        """Publishes and does not wait; a failure is only logged. Instead of a topic and the rest,
        a Publish. ValueError for what cannot be published."""
        message = _publish_of(topic, payload, qos, retain, alias, properties)
        self._session.write(_line({"type": "publish", **message._written()}))

    def publish_future(self, topic: str | Publish, payload: Payload = b"", qos: int = 1,
                       retain: bool = False, alias: str | None = None,
                       properties: Properties | None = None) -> Future[None]:
        """As `publish`; done once the server has the message, or with a PublishError. Its
        callbacks are called on the thread that reads standard input, and must not wait. Once that
        has ended (from `stop` on) no answer comes: then it fails at once with "cancelled", and
        nothing is sent. What needs no answer, `publish` still sends."""
        message = _publish_of(topic, payload, qos, retain, alias, properties)
        return self._session.publish(message)

    def publish_wait(self, topic: str | Publish, payload: Payload = b"", qos: int = 1,
                     retain: bool = False, alias: str | None = None,
                     properties: Properties | None = None, timeout: float = 10) -> None:
        """As `publish`, and returns once the server has the message. PublishError if it does not
        get it; after `timeout` seconds a PublishError "failed", and it may have it all the same.
        RuntimeError in `start` and in a callback, where the answer could not be read. From `stop`
        on nothing can be waited for: a PublishError "cancelled"."""
        self._session.require_answers()
        future = self.publish_future(topic, payload, qos, retain, alias, properties)
        try:
            future.result(timeout)
        except PublishError:
            raise
        except Exception:  # before Python 3.11, this TimeoutError is not the built-in one
            raise _late(timeout) from None

    async def publish_async(self, topic: str | Publish, payload: Payload = b"", qos: int = 1,
                            retain: bool = False, alias: str | None = None,
                            properties: Properties | None = None, timeout: float = 10) -> None:
        """`publish_wait` for coroutines: the event loop goes on meanwhile."""
        self._session.require_answers()
        future = self.publish_future(topic, payload, qos, retain, alias, properties)
        try:
            await asyncio.wait_for(asyncio.wrap_future(future), timeout)
        except asyncio.TimeoutError:
            raise _late(timeout) from None


class Message:
    """One attempt at a message. Any thread."""

    def __init__(self, session: _Session, context: Context, read: Mapping[str, Any]) -> None:
        self._session = session
        self._answered = False
        self._deferred = False
        self._deadline = time.monotonic() + read.get("timeout_ms", 0) / 1000
        self.context = context
        self.expired = False  # its time is over: the verdict does not count any more
        self.token: str = read["token"]  # names this attempt
        self.id: str = read.get("id", "")  # the same over all attempts, unique over all runtimes
        self.topic: str = read["topic"]
        self.qos: int = read.get("qos", 0)
        self.retained: bool = read.get("retained", False)
        self.duplicate: bool = read.get("duplicate", False)  # it may have been delivered before
        self.attempt: int = read.get("attempt", 1)
        self.received_ms: int = read.get("received", 0)  # since 1970-01-01 UTC
        properties = read.get("properties")  # None over MQTT 3.1.1
        self.properties = None if properties is None else Properties._of(properties)
        self.payload: bytes = (read["payload"].encode() if "payload" in read else
                               base64.b64decode(read["payload_base64"], validate=True))

    def text(self) -> str:
        """The payload as UTF-8. ValueError if it is not: usually a reason to reject."""
        return self.payload.decode()

    def json(self) -> Any:
        """The payload as JSON. ValueError if it is not: usually a reason to reject."""
        return json.loads(self.payload)

    def remaining(self) -> float:
        """How many seconds are left for the verdict; negative when it is late."""
        return self._deadline - time.monotonic()

    def extend(self, ms: int) -> None:
        """Moves the deadline to so many milliseconds from now: 1 to 2**32 - 1, or ValueError."""
        if not 1 <= ms <= _LONGEST_MS:
            raise ValueError(f"{ms!r} is not a time in milliseconds")
        self._deadline = time.monotonic() + ms / 1000
        self._session.write(_line({"type": "extend", "token": self.token, "ms": int(ms)}))

    def defer(self) -> Completion:
        """The right to give the verdict later, from any thread: `handle` returns it, or None. The
        next message comes meanwhile if `in_flight` allows more than one."""
        self._deferred = True
        return Completion(self)

    def reply(self, payload: Payload, qos: int = 1) -> Publish:
        """The answer to a request of MQTT 5: `ok(publish=[message.reply("42")])`. ValueError if
        the message has no response topic."""
        asked = self.properties
        if asked is None or not asked.response_topic:
            raise ValueError("the message has no response topic")
        return Publish(asked.response_topic, payload, qos,
                       properties=Properties(correlation_data=asked.correlation_data))


class Completion:
    """The right to give one message its verdict, once, from any thread. One that is dropped
    without having given it says retry."""

    def __init__(self, message: Message) -> None:
        self.message = message

    def complete(self, verdict: Verdict) -> bool:
        """Gives the verdict. False: the message had one already, or its time was over."""
        if not isinstance(verdict, Verdict):
            raise TypeError(f"a verdict is needed, not {type(verdict).__name__}")
        return self.message._session.answer([(self.message, verdict)]) == 1

    def __del__(self) -> None:
        message = self.message
        if not message._answered:  # not here: this thread may have a lock
            message._session.later(lambda: message._session.answer(
                [(message, retry("the service dropped it without a verdict"))]))


class Service:
    """A base for services, for those who want one: any class with `handle` is a service, and so is
    a function. All of these may be `async def`. A class may have `name` and `version`, which the
    log shows, and

        handle_batch(messages: list[Message]) -> list[Verdict]

    for several messages at once, a verdict (or None, if deferred) for each, in their order. What
    it raises is the outcome of each of them."""

    context: Context

    def start(self, context: Context) -> None:
        """Gets ready: settings, connections. What it raises ends the process, with exit code 1."""
        self.context = context

    def handle(self, message: Message) -> Any:
        """Returns a Verdict, or a Completion. What it raises is a retry, with its text, and its
        traceback is logged as a warning (a PublishError's only at debug)."""
        raise NotImplementedError("the service has no handle")

    def stop(self) -> None:
        """No more messages come. What was deferred may still be completed, in here or later. From
        now on nothing can be waited for: exec does not answer a publish any more."""


def run(service: Any, *, name: str = "", version: str = "") -> None:
    """Serves until exec says stop, standard input ends, or SIGTERM or SIGINT comes; then returns
    when every message in hand has its verdict. A signal after that ends the process at once.
    `service`: a class without arguments, an object with `handle`, or a function.

    While it runs, file descriptors 0 and 1 are not the protocol's: what is printed goes to standard
    error, that is, to the log. SystemExit(1) if `start` fails or exec never says start."""
    _Runner(service, name, version).run()


def _line(known: Mapping[str, Any]) -> bytes:
    text = json.dumps(known, ensure_ascii=False, separators=(",", ":"))
    line = text.encode("utf-8", "replace") + b"\n"  # a lone surrogate is no UTF-8
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"{len(line)} bytes are too many for one line of the protocol")
    return line


def _base64(data: Any) -> str:
    return base64.b64encode(data).decode("ascii")


def _seconds(after: float | None) -> float | None:
    if after is not None and not 0 <= after <= _LONGEST_MS / 1000:
        raise ValueError(f"{after!r} is not a delay in seconds")
    return after


def _late(timeout: float) -> PublishError:
    return PublishError("failed", f"no answer within {timeout:g} s")


def _publish_of(topic: str | Publish, *rest: Any) -> Publish:
    return topic if isinstance(topic, Publish) else Publish(topic, *rest)


def _verdict_line(token: str, verdict: Verdict) -> bytes:
    known: dict[str, Any] = {"type": "verdict", "token": token, "verdict": verdict.verdict}
    if verdict.reason:
        known["reason"] = verdict.reason[:_LONGEST_REASON]
    if verdict.after is not None:
        known["retry_after_ms"] = round(verdict.after * 1000)
    if verdict.publish:
        known["publish"] = [one._written() for one in verdict.publish]
    try:
        return _line(known)
    except (ValueError, TypeError) as error:
        return _verdict_line(token, reject(f"its verdict cannot be sent: {error}"))


class _Function:
    def __init__(self, handle: Callable[[Message], Any]) -> None:
        self.handle = handle


class _Session:
    """What a service and the protocol have to do with each other, without pipes: run and TestHost
    say where lines go (`send`) and what happens to messages (`deliver`), on any thread."""

    def __init__(self, service: Any, send: Callable[[bytes], None],
                 deliver: Callable[[list[Message]], None],
                 later: Callable[[Callable[[], Any]], None]) -> None:
        if inspect.isclass(service):
            service = service()
        self.service: Any = service if hasattr(service, "handle") else _Function(service)
        self.send, self.deliver, self.later = send, deliver, later
        self.context: Context | None = None
        self.lock = threading.RLock()  # guards in_hand, early, publishes, has_ended, closing
        self.in_hand: dict[str, Message] = {}  # by token, until its verdict is written
        self.publishes: dict[str, Future[None]] = {}  # by id, until `published` comes
        self.has_ended = False  # no more lines come
        self.early: list[bytes] | None = []  # what waits for `ready`
        self.closing = False  # messages that come now are left to the next process
        self.ids = itertools.count(1)
        self.reader: int | None = None  # the thread that may not wait for an answer
        self.is_async = any(inspect.iscoroutinefunction(getattr(self.service, name, None))
                            for name in ("start", "handle", "handle_batch", "stop"))

    def write(self, line: bytes, early: bool = False) -> None:
        with self.lock:
            if self.early is not None and not early:
                self.early.append(line)
                return
        self.send(line)

    def require_answers(self) -> None:
        if self.early is not None:
            raise RuntimeError("start cannot wait for a publish: it is sent after start")
        if threading.get_ident() == self.reader:
            raise RuntimeError("a callback cannot wait for a publish: it would wait for itself")

    def publish(self, message: Publish) -> Future[None]:
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # nobody can cancel it
        name = str(next(self.ids))
        line = _line({"type": "publish", "id": name, **message._written()})
        with self.lock:
            is_late = self.has_ended
            if not is_late:
                self.publishes[name] = future
        if is_late:
            future.set_exception(PublishError("cancelled", "standard input has ended"))
        else:
            self.write(line)
        return future

    def receive(self, line: bytes) -> bool:
        """One line from exec. False: it was the last, stop."""
        try:
            read = json.loads(line)
            kind = read["type"]
            if kind == "message":
                self._messages([read])
            elif kind == "batch":
                self._messages(read["messages"])
            elif kind == "published":
                self._published(read["id"], read["ok"], read)
            elif kind == "expired":
                with self.lock:
                    if read["token"] in self.in_hand:
                        self.in_hand[read["token"]].expired = True
            elif kind == "start" and self.context is None:
                self.context = Context(self, read)
                self.deliver([])
            return kind != "stop"
        except Exception as error:  # whatever is wrong in it, it is only this line
            shown = line[:80].decode("utf-8", "replace").strip()
            print(f"trigger_service: ignored a line from exec ({type(error).__name__}: {error}): "
                  f"{shown}", file=sys.stderr, flush=True)
            return True

    def _messages(self, every: list[dict[str, Any]]) -> None:
        assert self.context is not None, "a message before start"
        messages = []
        for read in every:
            try:
                messages.append(Message(self, self.context, read))
            except (KeyError, ValueError, AttributeError, TypeError) as error:
                why = f"the service cannot read it: {type(error).__name__}: {error}"
                self.write(_verdict_line(read["token"], retry(why)))
        with self.lock:  # until they are delivered: nothing overtakes them
            if messages and not self.closing:
                self.in_hand.update((message.token, message) for message in messages)
                self.deliver(messages)

    def _published(self, name: str, done: bool, read: Mapping[str, Any]) -> None:
        with self.lock:
            future = self.publishes.pop(name)
        if done:
            future.set_result(None)
        else:
            future.set_exception(PublishError(read.get("error", "failed"), read.get("reason", "")))

    def ended(self) -> None:
        """No more lines come: nobody waits for an answer in vain."""
        with self.lock:
            self.has_ended = True
        error = {"error": "cancelled", "reason": "standard input has ended"}
        for name in list(self.publishes):
            self._published(name, False, error)

    async def start(self, name: str = "", version: str = "") -> None:
        if hasattr(self.service, "start"):
            begun = self.service.start(self.context)
            if inspect.isawaitable(begun):
                await begun
        known = {"type": "ready", "name": name or getattr(self.service, "name", ""),
                 "version": version or getattr(self.service, "version", "")}
        with self.lock:
            early, self.early = self.early or [], None
            ready = _line({key: str(value) for key, value in known.items() if value})
            self.send(b"".join([ready, *early]))

    async def stop(self) -> None:
        if hasattr(self.service, "stop"):
            ended = self.service.stop()
            if inspect.isawaitable(ended):
                await ended

    async def handle(self, messages: list[Message]) -> None:
        if len(messages) > 1 and hasattr(self.service, "handle_batch"):
            outcomes = await self._called(self.service.handle_batch, messages)
            if isinstance(outcomes, BaseException):
                outcomes = [outcomes] * len(messages)
            elif not isinstance(outcomes, (list, tuple)) or len(outcomes) != len(messages):
                wrong = retry("handle_batch did not return one verdict for each message")
                outcomes = [wrong] * len(messages)
            self.settle(messages, outcomes)
            return
        for message in messages:
            self.settle([message], [await self._called(self.service.handle, message)])

    async def _called(self, function: Callable[[Any], Any], argument: Any) -> Any:
        try:
            outcome = function(argument)
            return await outcome if self.is_async and inspect.isawaitable(outcome) else outcome
        except (Exception, asyncio.CancelledError) as error:
            assert self.context is not None
            level = "debug" if isinstance(error, PublishError) else "warn"
            self.context.log(level, traceback.format_exc())
            return error

    def settle(self, messages: Sequence[Message], outcomes: Sequence[Any]) -> None:
        """What handle returned or raised, for each message, becomes its verdict."""
        answers = []
        for message, outcome in zip(messages, outcomes):
            if isinstance(outcome, PublishError):
                outcome = outcome.verdict()
            elif isinstance(outcome, BaseException):
                outcome = retry(str(outcome) or type(outcome).__name__)
            elif message._deferred and (outcome is None or isinstance(outcome, Completion)):
                continue
            elif not isinstance(outcome, Verdict):
                outcome = retry(f"the service returned {type(outcome).__name__}, not a verdict")
            answers.append((message, outcome))
        self.answer(answers)

    def answer(self, answers: Sequence[tuple[Message, Verdict]]) -> int:
        """In one write. How many of them were in time."""
        lines, in_time = [], 0
        with self.lock:
            answers = [pair for pair in answers if not pair[0]._answered]
            for message, _ in answers:
                message._answered = True
                in_time += not message.expired
        for message, verdict in answers:
            lines.append(_verdict_line(message.token, verdict))
        if lines:
            self.send(b"".join(lines))
        with self.lock:  # only now, so that the process does not end before they are written
            for message, _ in answers:
                self.in_hand.pop(message.token, None)
            if self.closing:
                self.later(lambda: None)  # somebody waits for the last one
        return in_time


def _run_now(steps: Coroutine[Any, Any, None]) -> None:
    """Where nothing of the service is async, nothing is waited for: one step is all of it."""
    try:
        steps.send(None)
    except StopIteration:
        return
    raise RuntimeError("a service without async functions waited for one")


class _Runner:
    """Pipes, threads and signals. The inbox has what the service's thread has to do: messages, a
    function to call, or None for stop, after which no messages come."""

    def __init__(self, service: Any, name: str, version: str) -> None:
        self.source, self.target = os.dup(0), os.dup(1)
        os.set_blocking(self.source, True)
        os.set_blocking(self.target, True)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        sys.stdout.flush()  # what was printed before this, too
        sys.stdout = sys.stderr
        self.name, self.version = name, version
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.loop_inbox: asyncio.Queue[Any] | None = None
        self.loop_thread: int | None = None
        self.signals = itertools.count()
        self.is_signalled = False
        self.writing = threading.Lock()
        self.lines: deque[bytes] = deque()
        self.rest: bytes | memoryview = b""  # of lines that are written in part
        self.writer: int | None = None  # the thread that writes
        self.exit_code: int | None = None  # with which that thread ends the process
        self.flush_is_due = False
        self.session = _Session(service, self.send, self.deliver, self.put)

    def run(self) -> None:
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, self.signalled)
        try:
            if self.session.is_async:
                asyncio.run(self.serve_async())
            else:
                self.serve()
        finally:
            self.flush()
            for number, handler in before.items():
                signal.signal(number, handler)

    def serve(self) -> None:
        threading.Thread(target=self.read, name="trigger_service", daemon=True).start()
        if not self.is_started(self.inbox.get()):
            return
        try:
            _run_now(self.session.start(self.name, self.version))
        except Exception as error:
            self.start_failed(error)
        for item in iter(self.inbox.get, None):
            if callable(item):
                item()
            else:
                _run_now(self.session.handle(item))
        _run_now(self.stop_service())
        while self.session.in_hand:
            self.inbox.get()()

    async def serve_async(self) -> None:
        self.loop_inbox = asyncio.Queue()
        self.loop_thread = threading.get_ident()
        self.loop = asyncio.get_running_loop()
        while not self.inbox.empty():  # a signal was faster
            self.put(self.inbox.get())
        threading.Thread(target=self.read, name="trigger_service", daemon=True).start()
        if not self.is_started(await self.loop_inbox.get()):
            return
        try:
            await self.session.start(self.name, self.version)
        except Exception as error:
            self.start_failed(error)
        tasks: set[asyncio.Task[None]] = set()
        while True:
            item = await self.loop_inbox.get()
            if item is None:
                break
            if callable(item):
                item()
                continue
            together = hasattr(self.session.service, "handle_batch")
            for messages in [item] if together else [[message] for message in item]:
                task = self.loop.create_task(self.session.handle(messages))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        await self.stop_service()
        while self.session.in_hand:
            (await self.loop_inbox.get())()

    def is_started(self, first: Any) -> bool:
        if first is None and not self.session.context and not self.is_signalled:
            print("trigger_service: standard input ended before start", file=sys.stderr)
            raise SystemExit(1)
        return first is not None

    def start_failed(self, error: Exception) -> None:
        if not isinstance(error, SettingError):
            traceback.print_exc()
        assert self.session.context is not None
        self.session.context.log("error", f"start failed: {error or type(error).__name__}")
        raise SystemExit(1)

    async def stop_service(self) -> None:
        try:
            await self.session.stop()
        except Exception:
            traceback.print_exc()

    # Any thread, and handlers of signals.
    def put(self, item: Any) -> None:
        if self.loop is None or self.loop_inbox is None:
            self.inbox.put(item)
            return
        try:
            self.loop.call_soon_threadsafe(self.loop_inbox.put_nowait, item)
        except RuntimeError:
            pass  # the loop has ended, and with it everything that this could be for

    def deliver(self, messages: list[Message]) -> None:
        self.put(messages)

    def close(self) -> None:
        with self.session.lock:
            if not self.session.closing:
                self.session.closing = True
                self.put(None)

    def signalled(self, number: int, _frame: Any) -> None:
        # One signal may come while the handler of another runs: next() is a single step.
        if next(self.signals) > 0 or self.session.closing:
            if self.writer != threading.get_ident():
                raise SystemExit(128 + number)
            # Raised here, it would hide how much is written. So the write ends, and flush raises.
            self.exit_code = 128 + number
            os.set_blocking(self.target, False)
            return
        self.is_signalled = True
        self.close()

    def read(self) -> None:
        # Python runs handlers on the main thread, which a signal to this one would not wake.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        self.session.reader = threading.get_ident()
        try:
            with open(self.source, "rb", buffering=1 << 16) as source:
                for line in source:
                    if not line.isspace() and not self.session.receive(line):
                        self.close()
        finally:
            self.session.ended()
            self.close()

    def send(self, line: bytes) -> None:
        self.lines.append(line)
        if self.loop is None or threading.get_ident() != self.loop_thread:
            self.flush()
        elif not self.flush_is_due:  # with what else this turn of the loop writes
            self.flush_is_due = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Threads that wait for each other here find their lines written by the first."""
        with self.writing:
            self.writer = threading.get_ident()
            try:
                self.flush_is_due = False
                every = [self.rest] if self.rest else []
                while self.lines:
                    every.append(self.lines.popleft())
                self.rest = memoryview(b"".join(every))
                while self.rest:
                    self.rest = self.rest[os.write(self.target, self.rest):]
                self.rest = b""
            except BlockingIOError:
                pass  # a signal ends the process
            except OSError:
                self.rest = b""  # exec has gone, and standard input ends
            finally:
                self.writer = None
            code, self.exit_code = self.exit_code, None
            if code is not None:
                raise SystemExit(code)


class TestHost:
    """Calls a service in this process, for its tests: no triggerd, no server, no pipes.

        with TestHost(Greeter, settings={"limit": 80}) as host:
            assert host.send(topic="a", payload="Ada") == ok()
            assert host.logs == [("info", "hello Ada")]

    `start` is called at once, and what it raises is raised here. What is published succeeds at
    once, unless `refuse_publishes` says otherwise."""

    __test__ = False  # it is none itself, whatever its name lets pytest believe

    def __init__(self, service: Any, settings: Mapping[str, Any] | None = None, *,
                 trigger: str = "test", alias: str = "test", in_flight: int = 1) -> None:
        self.published: list[Publish] = []  # each payload is a str, or bytes that are no UTF-8
        self.logs: list[tuple[str, str]] = []  # level and text
        self.metrics: dict[str, float] = {}  # by name: the sum of what was added
        self.extended: list[tuple[str, int]] = []  # token and milliseconds
        self._verdicts: dict[str, Verdict] = {}
        self._changed = threading.Condition()
        self._refusal: PublishError | None = None
        self._tokens = itertools.count(1)
        self._session = _Session(service, self._take, self._deliver, lambda call: call())
        self._loop = asyncio.new_event_loop() if self._session.is_async else None
        self.service = self._session.service
        self._receive({"type": "start", "protocol": 1, "trigger": trigger, "alias": alias,
                       "process": 0, "in_flight": in_flight, "settings": dict(settings or {})})
        try:
            self._run(self._session.start())
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> TestHost:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def send(self, topic: str = "test", payload: Payload = b"", *, timeout: float = 30,
             **members: Any) -> Verdict:
        """One message, and its verdict. `members`: others of the protocol's `message`, such as
        id, attempt, retained, and properties (of the class Properties)."""
        return self.verdict(self.post(topic, payload, **members), timeout)

    def send_batch(self, messages: Iterable[Mapping[str, Any]],
                   timeout: float = 30) -> list[Verdict]:
        """Several messages at once, each a dict of what `send` takes, and their verdicts."""
        every = [self._message(**message) for message in messages]
        self._receive({"type": "batch", "messages": every})
        return [self.verdict(message["token"], timeout) for message in every]

    def post(self, topic: str = "test", payload: Payload = b"", **members: Any) -> str:
        """As `send`, without waiting for a verdict that comes later. The message's token."""
        message = self._message(topic, payload, **members)
        self._receive({"type": "message", **message})
        return str(message["token"])

    def verdict(self, token: str, timeout: float = 30) -> Verdict:
        """Of the message with that token. TimeoutError if there is none after so many seconds."""
        end = time.monotonic() + timeout
        while self._loop and token not in self._verdicts and time.monotonic() < end:
            self._loop.run_until_complete(asyncio.sleep(0.001))
        with self._changed:
            if not self._changed.wait_for(lambda: token in self._verdicts, end - time.monotonic()):
                raise TimeoutError(f"no verdict for message {token} within {timeout:g} s")
            return self._verdicts[token]

    def pending(self, token: str) -> bool:
        """Whether the message with that token has no verdict yet."""
        return token not in self._verdicts

    def expire(self, token: str) -> None:
        """The time for that message is over."""
        self._receive({"type": "expired", "token": token})

    def refuse_publishes(self, error: str = "not_connected", reason: str = "") -> None:
        """From now on a publish fails, until `accept_publishes`. `error`: as in the protocol."""
        self._refusal = PublishError(error, reason)

    def accept_publishes(self) -> None:
        self._refusal = None

    def stop(self) -> None:
        """As at the end of the process, where no publish is answered. What the service's `stop`
        raises is raised here."""
        self._session.ended()
        self._run(self._session.stop())
        self._close()

    def _close(self) -> None:
        if self._loop:
            self._loop.close()
            self._loop = None

    def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        if self._loop:
            self._loop.run_until_complete(steps)
        else:
            _run_now(steps)

    def _receive(self, known: Mapping[str, Any]) -> None:
        self._session.receive(_line(known))

    def _message(self, topic: str = "test", payload: Payload = b"",
                 **members: Any) -> dict[str, Any]:
        token = str(next(self._tokens))
        written = Publish("any", payload)._written()
        content = {key: value for key, value in written.items() if key.startswith("payload")}
        if isinstance(members.get("properties"), Properties):
            members["properties"] = members["properties"]._written()
        return {"token": token, "id": "test-" + token, "topic": topic, "qos": 1, "retained": False,
                "duplicate": False, "attempt": 1, "received": round(time.time() * 1000),
                "timeout_ms": 30000, **content, **members}

    def _deliver(self, messages: list[Message]) -> None:
        if messages and self._loop:
            self._loop.create_task(self._session.handle(messages))
        elif messages:
            _run_now(self._session.handle(messages))

    def _take(self, lines: bytes) -> None:
        for line in lines.splitlines():
            read = json.loads(line)
            kind = read["type"]
            with self._changed:
                if kind == "verdict":
                    self._verdicts[read["token"]] = self._verdict_of(read)
                elif kind == "log":
                    self.logs.append((read["level"], read["text"]))
                elif kind == "metric":
                    self.metrics[read["name"]] = self.metrics.get(read["name"], 0) + read["add"]
                elif kind == "extend":
                    self.extended.append((read["token"], read["ms"]))
                elif kind == "publish" and not self._refusal:
                    self.published.append(self._publish_of(read))
                self._changed.notify_all()
            if kind == "publish" and "id" in read:
                refusal = self._refusal or PublishError("")
                self._receive({"type": "published", "id": read["id"], "ok": not self._refusal,
                               "error": refusal.error, "reason": refusal.reason})

    def _verdict_of(self, read: Mapping[str, Any]) -> Verdict:
        publish = tuple(self._publish_of(one) for one in read.get("publish", ()))
        if publish and self._refusal:
            return self._refusal.verdict()  # as exec does
        self.published += publish
        after = read.get("retry_after_ms")
        return Verdict(read["verdict"], read.get("reason", ""),
                       None if after is None else after / 1000, publish)

    @staticmethod
    def _publish_of(read: Mapping[str, Any]) -> Publish:
        payload = (base64.b64decode(read["payload_base64"]) if "payload_base64" in read else
                   read.get("payload", ""))
        properties = read.get("properties")
        return Publish(read["topic"], payload, read["qos"], read["retain"], read.get("alias"),
                       None if properties is None else Properties._of(properties))
