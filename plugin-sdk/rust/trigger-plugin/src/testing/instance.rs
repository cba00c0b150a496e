use super::host::{Answer, Host, LogLine, Published};
use super::message::{to_json, Message, Value};
use crate::abi;
use std::ffi::{c_void, CStr, CString};
use std::os::raw::{c_char, c_int};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The other properties of the trigger, besides its settings.
#[derive(Clone, Debug)]
pub struct Options {
    pub trigger: String,
    pub alias: String,
    pub concurrency: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            trigger: "test-trigger".to_string(),
            alias: "test-alias".to_string(),
            concurrency: 1,
        }
    }
}

/// A plugin. Its library is unloaded with the last of the plugin and its instances.
pub struct Plugin {
    library: Arc<Library>,
    table: *const abi::Plugin,
}

struct Library {
    handle: *mut c_void,      // NULL: linked into the test
    _host: Option<Arc<Host>>, // a plugin may keep the table that its entry function was given
}
unsafe impl Send for Library {}
unsafe impl Sync for Library {}

impl Drop for Library {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            unsafe { dlclose(self.handle) };
        }
    }
}

extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlclose(handle: *mut c_void) -> c_int;
    fn dlerror() -> *const c_char;
}
const RTLD_NOW: c_int = 2;

fn last_error() -> String {
    let text = unsafe { dlerror() };
    if text.is_null() {
        return "the library cannot be loaded".to_string();
    }
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

impl Plugin {
    /// Tests a plugin that is linked into the test. Panics if it refuses this host.
    pub fn of(entry: abi::Entry) -> Plugin {
        let host = Host::of_the_plugin();
        // What is linked in stays, so the host stays too.
        std::mem::forget(host.clone());
        let library = Library { handle: std::ptr::null_mut(), _host: None };
        Plugin::enter(entry, &host, library).unwrap_or_else(|why| panic!("{}", why))
    }

    /// Loads a plugin from a file.
    pub fn open(file: impl AsRef<Path>) -> Result<Plugin, String> {
        let path = file.as_ref().to_string_lossy().into_owned();
        let path = CString::new(path).map_err(|error| error.to_string())?;
        let name = CString::new(abi::ENTRY_NAME).map_err(|error| error.to_string())?;
        let handle = unsafe { dlopen(path.as_ptr(), RTLD_NOW) };
        if handle.is_null() {
            return Err(last_error());
        }
        let entry = unsafe { dlsym(handle, name.as_ptr()) };
        if entry.is_null() {
            return Err(last_error());
        }
        let entry = unsafe { std::mem::transmute::<*mut c_void, abi::Entry>(entry) };
        let host = Host::of_the_plugin();
        Plugin::enter(entry, &host, Library { handle, _host: Some(host.clone()) })
    }

    fn enter(entry: abi::Entry, host: &Host, library: Library) -> Result<Plugin, String> {
        let table = unsafe { entry(&host.table) };
        let lines = host.log_lines();
        let library = Arc::new(library);
        if table.is_null() {
            let why = lines.last().map_or(String::new(), |line| format!(": {}", line.text));
            return Err(format!("the plugin refuses this host{}", why));
        }
        if unsafe { (*table).abi_major } != abi::ABI_MAJOR {
            return Err("the plugin has another ABI major version".to_string());
        }
        Ok(Plugin { library, table })
    }

    pub fn name(&self) -> &str {
        unsafe { (*self.table).name.as_str() }
    }
    pub fn version(&self) -> &str {
        unsafe { (*self.table).version.as_str() }
    }

    /// The service called `name`, or the only one if that is empty. Panics if there is none.
    pub fn service(&self, name: &str) -> &abi::Service {
        let table = unsafe { &*self.table };
        let row = |at: u32| unsafe { &**table.services.add(at as usize) };
        if name.is_empty() && table.service_count == 1 {
            return row(0);
        }
        let named = |row: &&abi::Service| unsafe { row.name.as_str() } == name;
        (0..table.service_count)
            .map(row)
            .find(named)
            .unwrap_or_else(|| panic!("the plugin has no service called \"{}\"", name))
    }

    /// A new instance, not started. The error is the service's reason. Panics if there is no
    /// service of that name.
    pub fn create(&self, service: &str, settings: &[(&str, Value)]) -> Result<Instance, String> {
        self.create_with(service, settings, Options::default())
    }

    pub fn create_with(
        &self,
        service: &str,
        settings: &[(&str, Value)],
        options: Options,
    ) -> Result<Instance, String> {
        Instance::create(self.library.clone(), self.service(service), settings, options)
    }

    /// A started one.
    pub fn run(&self, service: &str, settings: &[(&str, Value)]) -> Result<Instance, String> {
        let instance = self.create(service, settings)?;
        instance.start()?;
        Ok(instance)
    }
}

/// One message that was sent to a service.
#[derive(Clone)]
pub struct Attempt {
    host: Arc<Host>,
    token: u64,
}

impl Attempt {
    /// The verdict; its code is `abi::PENDING` until it is known.
    pub fn answer(&self) -> Answer {
        let pending = Answer { code: abi::PENDING, retry_after_ms: 0, reason: String::new() };
        self.host.answer(self.token).unwrap_or(pending)
    }
    pub fn code(&self) -> i32 {
        self.answer().code
    }
    pub fn reason(&self) -> String {
        self.answer().reason
    }
    pub fn is_pending(&self) -> bool {
        self.code() == abi::PENDING
    }
    /// Waits for a verdict from another thread; panics after ten seconds.
    pub fn wait(&self) -> Answer {
        self.host.wait_answer(self.token)
    }
    /// What the service last passed to `extend`; None if it did not call it.
    pub fn extended(&self) -> Option<Duration> {
        self.host.extended(self.token)
    }
    /// Lets the deadline pass: the attempt becomes a retry, and a later verdict is stale.
    pub fn expire(&self) {
        self.host.expire(self.token)
    }
}

/// One instance of a service, as the runtime makes one for each trigger. Dropped, it is stopped and
/// destroyed. `send` may be called from several threads at once if the service is concurrent.
pub struct Instance {
    service: *const abi::Service,
    instance: *mut c_void,
    host: Arc<Host>,
    options: Options,
    started: std::sync::atomic::AtomicBool,
    _library: Arc<Library>,
}

// The service's functions may be called from any thread, as plugin.h says which.
unsafe impl Send for Instance {}
unsafe impl Sync for Instance {}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.is_started() {
            self.stop();
        }
        unsafe { (self.service().destroy.expect("required"))(self.instance) }
    }
}

impl Instance {
    fn create(
        library: Arc<Library>,
        service: &abi::Service,
        settings: &[(&str, Value)],
        options: Options,
    ) -> Result<Instance, String> {
        let host = Host::new();
        let json = to_json(settings);
        let row = |(key, value): &(&str, Value)| abi::Setting {
            key: abi::Str::of(key),
            value: abi::Str::of(&value.text),
            kind: value.kind,
            reserved: 0,
        };
        let rows: Vec<abi::Setting> = settings.iter().map(row).collect();
        let config = abi::InstanceConfig {
            struct_size: std::mem::size_of::<abi::InstanceConfig>() as u32,
            concurrency: options.concurrency,
            trigger: abi::Str::of(&options.trigger),
            alias: abi::Str::of(&options.alias),
            settings_json: abi::Str::of(&json),
            settings: rows.as_ptr(),
            setting_count: rows.len(),
        };
        let mut instance = std::ptr::null_mut();
        let mut error = abi::Result::empty();
        let create = service.create.expect("required");
        let code = unsafe { create(&host.table, &config, &mut instance, &mut error) };
        if code != abi::OK {
            return Err(error.reason());
        }
        let started = Default::default();
        Ok(Instance { service, instance, host, options, started, _library: library })
    }

    /// The service's row of the table.
    pub fn service(&self) -> &abi::Service {
        unsafe { &*self.service }
    }
    fn is_started(&self) -> bool {
        self.started.load(std::sync::atomic::Ordering::SeqCst)
    }
    fn set_started(&self, started: bool) {
        self.started.store(started, std::sync::atomic::Ordering::SeqCst)
    }

    pub fn start(&self) -> Result<(), String> {
        assert!(!self.is_started(), "the instance is started");
        self.host.starting();
        let mut error = abi::Result::empty();
        let start = self.service().start.expect("required");
        if unsafe { start(self.instance, &mut error) } != abi::OK {
            self.host.start_failed();
            return Err(error.reason());
        }
        self.set_started(true);
        Ok(())
    }

    /// Stops the service as the runtime does: revokes what is pending, cancels the publishes under
    /// way, then calls the service's `stop`. So what it completes or publishes from then on, in a
    /// publish's callback too, is refused: the message comes again.
    pub fn stop(&self) {
        assert!(self.is_started(), "the instance is not started");
        self.host.stopping();
        unsafe { (self.service().stop.expect("required"))(self.instance) };
        self.host.stopped();
        self.set_started(false);
    }

    /// Has the service handle a message, on this thread.
    pub fn send(&self, message: Message) -> Attempt {
        assert!(self.is_started(), "the instance is not started");
        let (token, raw) = self.host.open(message, &self.options.trigger);
        let mut result = abi::Result::empty();
        let handle = self.service().handle.expect("required");
        let code = unsafe { handle(self.instance, raw, &mut result) };
        self.host.returned(token, Answer::of(code, &result));
        Attempt { host: self.host.clone(), token }
    }

    /// Has the service handle several messages at once.
    pub fn send_batch(&self, messages: Vec<Message>) -> Vec<Attempt> {
        assert!(self.is_started(), "the instance is not started");
        let handle_batch = self.service().handle_batch.expect("it has no handle_batch");
        let open = |message| self.host.open(message, &self.options.trigger);
        let opened: Vec<(u64, *const abi::Message)> = messages.into_iter().map(open).collect();
        let raw: Vec<*const abi::Message> = opened.iter().map(|(_, raw)| *raw).collect();
        let prefilled = || abi::Result { code: abi::RETRY, ..abi::Result::empty() };
        let mut results: Vec<abi::Result> = opened.iter().map(|_| prefilled()).collect();
        let rows: Vec<*mut abi::Result> =
            results.iter_mut().map(|result| result as *mut abi::Result).collect();
        unsafe { handle_batch(self.instance, raw.as_ptr(), rows.as_ptr(), raw.len()) };
        let mut attempts = Vec::new();
        for ((token, _), row) in opened.into_iter().zip(rows) {
            let result = unsafe { &*row };
            self.host.returned(token, Answer::of(result.code, result));
            attempts.push(Attempt { host: self.host.clone(), token });
        }
        attempts
    }

    /// Moves the time that the service sees forward; otherwise it stands still. Attempts whose
    /// deadline this reaches become retries.
    pub fn advance(&self, by: Duration) {
        self.host.advance(by)
    }

    /// From now on publishes fail with `code`, an `abi::E_...`; `abi::OK`: no longer.
    pub fn refuse_publishes(&self, code: i32) {
        self.host.refuse_publishes(code)
    }
    /// Everything that was published, in order, finished or not.
    pub fn publishes(&self) -> Vec<Published> {
        self.host.publishes()
    }
    /// Waits until there are `count` publishes; panics after ten seconds.
    pub fn wait_publishes(&self, count: usize) {
        self.host.wait_publishes(count)
    }
    /// Reports that the server has publish number `at`, from 0. The service's callback runs on
    /// another thread, and has returned when this returns.
    pub fn finish_publish(&self, at: usize) {
        self.host.finish_publish(at, abi::OK, "")
    }
    /// Reports that publish number `at` failed with `code`, an `abi::E_...`.
    pub fn fail_publish(&self, at: usize, code: i32, reason: &str) {
        self.host.finish_publish(at, code, reason)
    }

    pub fn log_lines(&self) -> Vec<LogLine> {
        self.host.log_lines()
    }
    /// The value of a metric of the service; None if it has none of that name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.host.metric(name)
    }
    /// What the service did that plugin.h forbids; empty unless it has a defect.
    pub fn violations(&self) -> Vec<String> {
        self.host.violations()
    }
    /// From now on the host's extension `id` is `what`, which must outlive the instance; NULL: the
    /// host has none of that name.
    pub fn offer_extension(&self, id: &str, what: *const c_void) {
        self.host.offer(id, what)
    }
    /// The service's own extension `id`, or NULL.
    pub fn extension(&self, id: &CStr) -> *const c_void {
        let absent = std::ptr::null();
        self.service()
            .extension
            .map_or(absent, |extension| unsafe { extension(self.instance, id.as_ptr()) })
    }

    pub fn probe(&self) -> Result<(), String> {
        let probe = self.service().probe.expect("it has no probe");
        let mut result = abi::Result::empty();
        match unsafe { probe(self.instance, &mut result) } {
            abi::OK => Ok(()),
            _ => Err(result.reason()),
        }
    }

    pub fn save(&self) -> Result<Vec<u8>, String> {
        unsafe extern "C" fn take(sink: *mut c_void, piece: abi::Bytes) -> i32 {
            (*(sink as *mut Vec<u8>)).extend_from_slice(piece.as_slice());
            abi::OK
        }
        let save = self.service().save.expect("it has no save");
        let mut state: Vec<u8> = Vec::new();
        let sink = &mut state as *mut Vec<u8> as *mut c_void;
        let mut error = abi::Result::empty();
        match unsafe { save(self.instance, take, sink, &mut error) } {
            abi::OK => Ok(state),
            _ => Err(error.reason()),
        }
    }

    pub fn restore(&self, version: u32, state: &[u8]) -> Result<(), String> {
        let restore = self.service().restore.expect("it has no restore");
        let mut error = abi::Result::empty();
        match unsafe { restore(self.instance, version, abi::Bytes::of(state), &mut error) } {
            abi::OK => Ok(()),
            _ => Err(error.reason()),
        }
    }
}
