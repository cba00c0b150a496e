//! Makes the tables that the entry function returns from Rust types. All of it is constant: nothing
//! runs when the library is loaded, and nothing when it is unloaded.

use crate::abi;
use crate::service::{Extension, HandleBatch, Probe, Service, State};
use crate::thunks;
use std::marker::PhantomData;
use std::mem::size_of;

/// What a service has besides the required functions. `Offer::<S>::PROBE` is the constant below if
/// `S` implements the trait, since a type's own constant takes precedence over a trait's, and
/// otherwise the one of [`Absent`]. It needs a concrete type `S`, as in [`export_plugin!`].
pub struct Offer<S>(PhantomData<S>);

pub trait Absent {
    const HANDLE_BATCH: Option<abi::HandleBatch> = None;
    const PROBE: Option<abi::Probe> = None;
    const STATE_VERSION: u32 = 0;
    const SAVE: Option<abi::Save> = None;
    const RESTORE: Option<abi::Restore> = None;
    const EXTENSION: Option<abi::Extension> = None;
}
impl<S> Absent for Offer<S> {}

impl<S: HandleBatch> Offer<S> {
    pub const HANDLE_BATCH: Option<abi::HandleBatch> = Some(thunks::handle_batch::<S>);
}
impl<S: Probe> Offer<S> {
    pub const PROBE: Option<abi::Probe> = Some(thunks::probe::<S>);
}
impl<S: State> Offer<S> {
    pub const STATE_VERSION: u32 = S::VERSION;
    pub const SAVE: Option<abi::Save> = Some(thunks::save::<S>);
    pub const RESTORE: Option<abi::Restore> = Some(thunks::restore::<S>);
}
impl<S: Extension> Offer<S> {
    pub const EXTENSION: Option<abi::Extension> = Some(thunks::extension::<S>);
}

/// A row of the service table with the required functions only.
pub const fn service_row<S: Service>(name: &'static str) -> abi::Service {
    abi::Service {
        struct_size: size_of::<abi::Service>() as u32,
        flags: if S::CONCURRENT { abi::SERVICE_CONCURRENT } else { 0 }
            | if S::BRIEF { abi::SERVICE_BRIEF } else { 0 },
        name: abi::Str::of(name),
        state_version: 0,
        reserved: 0,
        create: Some(thunks::create::<S>),
        start: Some(thunks::start::<S>),
        handle: Some(thunks::handle::<S>),
        handle_batch: None,
        stop: Some(thunks::stop::<S>),
        destroy: Some(thunks::destroy::<S>),
        probe: None,
        save: None,
        restore: None,
        extension: None,
    }
}

pub const fn plugin_table<const COUNT: usize>(
    name: &'static str,
    version: &'static str,
    services: &'static [&'static abi::Service; COUNT],
) -> abi::Plugin {
    abi::Plugin {
        struct_size: size_of::<abi::Plugin>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        service_count: COUNT as u32,
        name: abi::Str::of(name),
        version: abi::Str::of(version),
        services: services as *const [&abi::Service; COUNT] as *const *const abi::Service,
    }
}

/// Stops the compilation if a service's name is wrong or appears twice.
pub const fn check_names(names: &[&str]) {
    let mut at = 0;
    while at < names.len() {
        let name = names[at].as_bytes();
        assert!(!name.is_empty() && name.len() <= 64, "a service's name has 1 to 64 characters");
        let mut i = 0;
        while i < name.len() {
            assert!(
                matches!(name[i], b'a'..=b'z' | b'0'..=b'9' | b'-'),
                "a service's name is made of a-z, 0-9 and -"
            );
            i += 1;
        }
        let mut before = 0;
        while before < at {
            assert!(!same(name, names[before].as_bytes()), "two services have the same name");
            before += 1;
        }
        at += 1;
    }
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut i = 0;
    while i < one.len() && i < other.len() && one[i] == other[i] {
        i += 1;
    }
    i == one.len() && i == other.len()
}

/// Exports a plugin: its name and version for people, then each service by its name. Once in a
/// crate.
#[macro_export]
macro_rules! export_plugin {
    (
        name: $name:expr,
        version: $version:expr,
        services: { $($service:literal => $class:ty),+ $(,)? } $(,)?
    ) => {
        /// The plugin's entry point; tests hand it to `trigger_plugin::testing::Plugin::of`.
        ///
        /// # Safety
        /// `host` is a `trigger_host` that lives as long as this library.
        #[no_mangle]
        pub unsafe extern "C" fn trigger_plugin_entry_v1(
            host: *const $crate::abi::Host,
        ) -> *const $crate::abi::Plugin {
            #[allow(unused_imports)]
            use $crate::detail::{Absent as _, Offer};
            const NAMES: &[&str] = &[$($service),+];
            const _: () = $crate::detail::check_names(NAMES);
            static ROWS: [&$crate::abi::Service; NAMES.len()] = [$({
                static ROW: $crate::abi::Service = $crate::abi::Service {
                    state_version: Offer::<$class>::STATE_VERSION,
                    handle_batch: Offer::<$class>::HANDLE_BATCH,
                    probe: Offer::<$class>::PROBE,
                    save: Offer::<$class>::SAVE,
                    restore: Offer::<$class>::RESTORE,
                    extension: Offer::<$class>::EXTENSION,
                    ..$crate::detail::service_row::<$class>($service)
                };
                &ROW
            }),+];
            static PLUGIN: $crate::abi::Plugin =
                $crate::detail::plugin_table($name, $version, &ROWS);
            $crate::detail::enter(host);
            &PLUGIN
        }
    };
}
