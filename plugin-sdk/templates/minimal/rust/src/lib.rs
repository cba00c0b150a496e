//! @NAME@: greets whoever a message names.

use trigger_plugin::{export_plugin, Context, Error, Message, Service, Verdict};

pub struct Hello {
    context: Context,
}

impl Service for Hello {
    fn create(context: Context) -> Result<Self, Error> {
        context.settings().require_known(&[])?;
        Ok(Hello { context })
    }

    fn handle(&self, message: Message<'_>) -> Verdict {
        match message.text() {
            Ok("") => Verdict::reject("nobody to greet"),
            Ok(name) => {
                self.context.info(&format!("hello {}", name));
                Verdict::ok()
            }
            Err(_) => Verdict::reject("the payload must be text"),
        }
    }
}

export_plugin! {
    name: "@NAME@",
    version: env!("CARGO_PKG_VERSION"),
    services: { "hello" => Hello },
}
