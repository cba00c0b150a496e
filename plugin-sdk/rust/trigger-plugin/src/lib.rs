//! Write a service for triggerd in Rust, without a line of `unsafe`. No dependencies; the standard
//! library and Rust 1.63 are enough.
//!
//! ```
//! use trigger_plugin::{export_plugin, Context, Error, Message, Service, Verdict};
//!
//! struct Short {
//!     limit: usize,
//! }
//!
//! impl Service for Short {
//!     fn create(context: Context) -> Result<Self, Error> {
//!         Ok(Short { limit: context.settings().integer("limit")?.try_into()? })
//!     }
//!
//!     fn handle(&self, message: Message<'_>) -> Verdict {
//!         if message.payload().len() <= self.limit {
//!             Verdict::ok()
//!         } else {
//!             Verdict::reject("it is too long")
//!         }
//!     }
//! }
//!
//! export_plugin! {
//!     name: "short",
//!     version: "1.0.0",
//!     services: { "short" => Short },
//! }
//! # fn main() {}
//! ```
//!
//! The crate of a plugin needs `crate-type = ["cdylib", "rlib"]`. `trigger/plugin.h` is the
//! contract behind all of this; the words in brackets are the threads and states that it defines.
//!
//! What a service may have besides [`Service`]: [`HandleBatch`], [`Probe`], [`State`],
//! [`Extension`]. Implementing the trait is enough; what a service lacks is NULL in its table, so
//! the runtime does not call it.
//!
//! A panic that leaves `handle` is a retry with its text as the reason; one that leaves another
//! function is that function's error, or a log line if it is `stop` or `drop`. None reaches the
//! runtime. [`testing`] is a host for tests.

#[cfg(panic = "abort")]
compile_error!("a panic must not end the runtime: remove panic = \"abort\" from the profile");

pub mod abi;
mod context;
mod export;
mod guard;
mod link;
mod message;
mod publish;
mod service;
mod settings;
pub mod testing;
mod thunks;
mod verdict;

pub use context::{Context, Metric};
pub use message::{property, Completion, Message, Property};
pub use publish::{Publish, PublishError};
pub use service::{Batch, Extension, HandleBatch, Probe, Service, State};
pub use settings::{SettingError, Settings};
pub use verdict::Verdict;

/// Why something failed: any error, or a text with `.into()`. Its text is what the runtime reports.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// For [`export_plugin!`] only.
#[doc(hidden)]
pub mod detail {
    pub use crate::export::{check_names, plugin_table, service_row, Absent, Offer};
    pub use crate::guard::enter;
}
