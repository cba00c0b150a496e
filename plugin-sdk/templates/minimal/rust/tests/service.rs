//! The plugin without a server.

use trigger_plugin::abi::OK;
use trigger_plugin::testing::{Message, Plugin};

#[test]
fn greets_visitors() {
    let plugin = Plugin::of(@IDENT@::trigger_plugin_entry_v1);
    let instance = plugin.run("hello", &[]).unwrap();
    assert_eq!(instance.send(Message::new("plant/a/visitors", "Ada")).code(), OK);
    assert_eq!(instance.log_lines()[0].text, "hello Ada");
    assert_eq!(instance.send(Message::new("plant/a/visitors", "")).reason(), "nobody to greet");
    assert!(instance.violations().is_empty(), "it keeps to the rules of plugin.h");
}
