"""@NAME@: greets whoever a message names."""
from trigger_service import Context, Message, Service, Verdict, ok, reject, run


class Hello(Service):
    def start(self, context: Context) -> None:
        super().start(context)
        context.settings.require_known()

    def handle(self, message: Message) -> Verdict:
        if not message.payload:
            return reject("nobody to greet")
        try:
            self.context.log("info", "hello " + message.text())
        except ValueError:
            return reject("the payload must be text")
        return ok()


if __name__ == "__main__":
    run(Hello)
