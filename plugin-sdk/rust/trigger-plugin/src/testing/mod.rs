//! A host for tests of services, without a server or a runtime. It drives a plugin through the ABI:
//! one that is linked into the test, or a library that was built.
//!
//! ```
//! # use trigger_plugin::{abi, export_plugin, Context, Error, Service, Verdict};
//! # struct Nod;
//! # impl Service for Nod {
//! #     fn create(_: Context) -> Result<Self, Error> { Ok(Nod) }
//! #     fn handle(&self, _: trigger_plugin::Message<'_>) -> Verdict { Verdict::ok() }
//! # }
//! # export_plugin! { name: "nod", version: "1.0.0", services: { "nod" => Nod } }
//! use trigger_plugin::testing::{Message, Plugin};
//!
//! # fn main() {
//! let plugin = Plugin::of(trigger_plugin_entry_v1);
//! let instance = plugin.run("nod", &[("limit", 80.into())]).unwrap();
//! let attempt = instance.send(Message::new("plant/a/temperature", "21.5"));
//! assert_eq!(attempt.code(), abi::OK);
//! assert!(instance.publishes().is_empty());
//! assert!(instance.violations().is_empty());
//! # }
//! ```
//!
//! Nothing happens by itself and nothing waits: the test sends each message, decides the result of
//! each publish, moves the clock, and lets deadlines pass. A call that the test may not make (send
//! before start) panics.

mod host;
mod instance;
mod message;
mod rules;

pub use host::{Answer, LogLine, Published};
pub use instance::{Attempt, Instance, Options, Plugin};
pub use message::{Message, OwnedProperty, Value};
