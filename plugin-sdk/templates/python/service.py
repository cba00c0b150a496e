"""@NAME@: adds up the numbers that arrive, and publishes the sum after every few of them.

A message comes again after every verdict but ok and reject. So the service counts a number when
nothing can fail any more: a number whose sum has to be published counts once the server has it.

The sum begins at 0 whenever the process does. What must outlive it belongs in a file or a database.
"""
from __future__ import annotations

import re

from trigger_service import (Context, Message, Service, SettingError, Verdict, ok, reject, retry,
                             run)


class Sum(Service):
    name = "@NAME@"
    version = "0.1.0"

    def start(self, context: Context) -> None:
        """What this raises is logged, and the process is started again later."""
        super().start(context)
        settings = context.settings
        settings.require_known("topic", "every")
        self.topic = settings.text("topic")
        self.every = settings.integer("every", 10)
        if self.every < 1:
            raise SettingError('setting "every" must be 1 or more')
        self.sum = 0  # of the numbers counted
        self.unpublished = 0  # numbers counted since the server got a sum

    def handle(self, message: Message) -> Verdict:
        if not re.fullmatch(rb"-?[0-9]{1,12}", message.payload):
            # It will not be a number the next time either.
            return reject("the payload must be a whole number of at most 12 digits")
        number = int(message.payload)
        if self.unpublished + 1 < self.every:
            self.unpublished += 1
        else:
            # A failure is a PublishError, and that is the message's verdict: its number has not
            # been counted, and it comes again.
            self.context.publish_wait(self.topic, str(self.sum + number))
            if message.expired:  # the server was slow: the verdict does not count any more
                return retry("the server's answer came too late")
            self.unpublished = 0
        self.sum += number
        self.context.metric("numbers_total", help="Numbers that were added")
        return ok()

    def stop(self) -> None:
        """Optional: no more messages come."""
        self.context.log("info", f"the sum is {self.sum}")


if __name__ == "__main__":
    run(Sum)
