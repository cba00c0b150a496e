//! The functions of `trigger_service` for a Rust type. No panic leaves them.

use crate::abi;
use crate::guard::{catch, code_of};
use crate::link::Link;
use crate::message::{Attempt, Message};
use crate::service::{Batch, Extension, HandleBatch, Probe, Service, State};
use crate::{Context, Level, Verdict};
use std::ffi::{c_void, CStr};
use std::os::raw::c_char;
use std::sync::Arc;

struct Instance<S> {
    link: Arc<Link>,
    service: S,
}

unsafe fn at<'a, S>(instance: *mut c_void) -> &'a Instance<S> {
    &*(instance as *const Instance<S>)
}

pub unsafe extern "C" fn create<S: Service>(
    host: *const abi::Host,
    config: *const abi::InstanceConfig,
    instance: *mut *mut c_void,
    error: *mut abi::Result,
) -> i32 {
    let link = Arc::new(Link::new(host));
    let code = code_of(error, || {
        let service = S::create(Context::new(link.clone(), config))?;
        *instance =
            Box::into_raw(Box::new(Instance { link: link.clone(), service })) as *mut c_void;
        Ok(())
    });
    if code != abi::OK {
        link.close();
    }
    code
}

pub unsafe extern "C" fn start<S: Service>(instance: *mut c_void, error: *mut abi::Result) -> i32 {
    let Instance { link, service } = at::<S>(instance);
    link.set_started(true);
    let code = code_of(error, || service.start());
    if code != abi::OK {
        link.set_started(false);
    }
    code
}

pub unsafe extern "C" fn handle<S: Service>(
    instance: *mut c_void,
    message: *const abi::Message,
    result: *mut abi::Result,
) -> i32 {
    let Instance { link, service } = at::<S>(instance);
    let attempt = Attempt::new(link.clone(), (*message).token);
    let said = catch(|| service.handle(Message::new(message, &attempt)));
    let verdict = attempt.settle(said.unwrap_or_else(Verdict::retry));
    verdict.write_to(result);
    verdict.code()
}

pub unsafe extern "C" fn handle_batch<S: HandleBatch>(
    instance: *mut c_void,
    messages: *const *const abi::Message,
    results: *const *mut abi::Result,
    count: usize,
) {
    let Instance { link, service } = at::<S>(instance);
    let attempt = |at| Attempt::new(link.clone(), (**messages.add(at)).token);
    let attempts: Vec<Arc<Attempt>> = (0..count).map(attempt).collect();
    let mut verdicts: Vec<Option<Verdict>> = vec![None; count];
    let outcome = catch(|| {
        let mut batch = Batch::new(messages, &attempts, &mut verdicts);
        service.handle_batch(&mut batch)
    });
    let reason = outcome.err().unwrap_or_default();
    for (at, said) in verdicts.into_iter().enumerate() {
        let verdict = said.unwrap_or_else(|| Verdict::retry(reason.as_str()));
        attempts[at].settle(verdict).write_to(*results.add(at));
    }
}

pub unsafe extern "C" fn stop<S: Service>(instance: *mut c_void) {
    let Instance { link, service } = at::<S>(instance);
    if let Err(panic) = catch(|| service.stop()) {
        link.log(Level::Error, &format!("stop panicked: {}", panic));
    }
    link.set_started(false);
}

pub unsafe extern "C" fn destroy<S: Service>(instance: *mut c_void) {
    let Instance { link, service } = *Box::from_raw(instance as *mut Instance<S>);
    if let Err(panic) = catch(move || drop(service)) {
        link.log(Level::Error, &format!("its drop panicked: {}", panic));
    }
    link.close();
}

pub unsafe extern "C" fn probe<S: Probe>(instance: *mut c_void, result: *mut abi::Result) -> i32 {
    code_of(result, || at::<S>(instance).service.probe())
}

pub unsafe extern "C" fn save<S: State>(
    instance: *mut c_void,
    write: abi::StateSink,
    sink: *mut c_void,
    error: *mut abi::Result,
) -> i32 {
    let mut code = abi::OK;
    let saved = code_of(error, || {
        let state = at::<S>(instance).service.save()?;
        code = write(sink, abi::Bytes::of(&state));
        Ok(())
    });
    if saved == abi::OK {
        code
    } else {
        saved
    }
}

pub unsafe extern "C" fn restore<S: State>(
    instance: *mut c_void,
    version: u32,
    state: abi::Bytes,
    error: *mut abi::Result,
) -> i32 {
    code_of(error, || at::<S>(instance).service.restore(version, state.as_slice()))
}

pub unsafe extern "C" fn extension<S: Extension>(
    instance: *mut c_void,
    id: *const c_char,
) -> *const c_void {
    let found = catch(|| at::<S>(instance).service.extension(CStr::from_ptr(id)));
    found.unwrap_or(std::ptr::null())
}
