//! A plugin that panics where its settings and the topics of its messages say, and that has a thread
//! of its own: none of it may reach the runtime or keep the library in memory.

use std::sync::{mpsc, Mutex};
use std::thread::JoinHandle;
use trigger_plugin::{export_plugin, Context, Error, Message, Publish, Service, Verdict};

struct Panics {
    context: Context,
    place: String,
    own: Mutex<Option<(mpsc::Sender<String>, JoinHandle<()>)>>,
}

impl Panics {
    fn at(&self, place: &str) {
        if self.place == place {
            panic!("in {}", place);
        }
    }
}

impl Service for Panics {
    fn create(context: Context) -> Result<Self, Error> {
        let place = context.settings().text_or("place", "")?;
        let made = Panics { context, place, own: Mutex::default() };
        made.at("create");
        Ok(made)
    }

    fn start(&self) -> Result<(), Error> {
        self.at("start");
        let (sender, lines) = mpsc::channel::<String>();
        let context = self.context.clone();
        let thread = std::thread::spawn(move || {
            for line in lines {
                if line == "panic in thread" {
                    panic!("in a thread");
                }
                context.info(&line);
            }
        });
        *self.own.lock().unwrap() = Some((sender, thread));
        Ok(())
    }

    fn handle(&self, message: Message<'_>) -> Verdict {
        match message.topic() {
            "panic" => panic!("in handle"),
            "panic in done" => {
                let publish = Publish::new("from/panics", message.payload());
                Verdict::from_publish(self.context.publish_then(&publish, |_| panic!("in done")))
            }
            topic => {
                if let Some((sender, _)) = &*self.own.lock().unwrap() {
                    let _ = sender.send(topic.to_string());
                }
                Verdict::ok()
            }
        }
    }

    fn stop(&self) {
        let own = self.own.lock().unwrap().take();
        if let Some((sender, thread)) = own {
            drop(sender);
            let _ = thread.join();
        }
        self.at("stop");
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.at("drop");
        }
    }
}

export_plugin! {
    name: "panics",
    version: env!("CARGO_PKG_VERSION"),
    services: { "panics" => Panics },
}
