use crate::abi;
use crate::PublishError;
use std::time::Duration;

/// What a service says about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    pub(crate) code: i32,
    pub(crate) retry_after_ms: u32,
    pub(crate) reason: String,
}

impl Verdict {
    /// Finished.
    pub fn ok() -> Verdict {
        Verdict::new(abi::OK, "")
    }
    /// Try again, after the trigger's own backoff.
    pub fn retry(reason: impl Into<String>) -> Verdict {
        Verdict::new(abi::RETRY, reason)
    }
    /// Try again, after `delay`, in whole milliseconds; 0 is the trigger's own backoff.
    pub fn retry_after(delay: Duration, reason: impl Into<String>) -> Verdict {
        let ms = delay.as_millis().min(u128::from(u32::MAX)) as u32;
        Verdict { retry_after_ms: ms, ..Verdict::retry(reason) }
    }
    /// Something that the service needs is unavailable, and nothing is wrong with the message: this
    /// does not count as an attempt. The trigger waits, tries one message after its own backoff,
    /// and resumes once one gets ok or retry. A runtime of ABI 1.0 counts it as a retry.
    pub fn unavailable(reason: impl Into<String>) -> Verdict {
        Verdict::new(abi::UNAVAILABLE, reason)
    }
    /// The same, but the next message is tried after `delay`, as in `retry_after`.
    pub fn unavailable_after(delay: Duration, reason: impl Into<String>) -> Verdict {
        Verdict { code: abi::UNAVAILABLE, ..Verdict::retry_after(delay, reason) }
    }
    /// A dead letter at once. The reason is for the person who reads it there.
    pub fn reject(reason: impl Into<String>) -> Verdict {
        Verdict::new(abi::REJECT, reason)
    }
    /// The verdict comes later, through the message's [`Completion`](crate::Completion).
    pub fn pending() -> Verdict {
        Verdict::new(abi::PENDING, "")
    }

    /// The verdict on a message whose handling was a publish: without a connection it is
    /// unavailable, as it is with too much in flight; other errors that may go away are a retry,
    /// those that cannot are a reject.
    pub fn from_publish(outcome: Result<(), PublishError>) -> Verdict {
        match outcome {
            Ok(()) => Verdict::ok(),
            Err(error) if error.is_hopeless() => Verdict::reject(error.to_string()),
            Err(error) if error.code() == abi::E_NOT_CONNECTED => {
                Verdict::unavailable(error.to_string())
            }
            // Acknowledgements soon make room.
            Err(error) if error.code() == abi::E_FULL => {
                Verdict::unavailable_after(Duration::from_millis(100), error.to_string())
            }
            Err(error) => Verdict::retry(error.to_string()),
        }
    }

    /// This verdict, or the one that stands for it in a host of ABI 1.`abi_minor`.
    pub(crate) fn known_to(self, abi_minor: u32) -> Verdict {
        match self.code {
            abi::UNAVAILABLE if abi_minor < 1 => Verdict { code: abi::RETRY, ..self },
            _ => self,
        }
    }

    /// `trigger_plugin::abi::OK` and so on.
    pub fn code(&self) -> i32 {
        self.code
    }
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.code == abi::PENDING
    }

    fn new(code: i32, reason: impl Into<String>) -> Verdict {
        Verdict { code, retry_after_ms: 0, reason: reason.into() }
    }

    /// # Safety
    /// `result` points to a `trigger_result` of ABI 1.0 or later.
    pub(crate) unsafe fn write_to(&self, result: *mut abi::Result) {
        (*result).code = self.code;
        (*result).retry_after_ms = self.retry_after_ms;
        abi::write_reason(result, &self.reason);
    }
}

/// `Ok` is ok; an error is a retry with its text. So a `handle` may be written with `?`.
impl From<Result<(), crate::Error>> for Verdict {
    fn from(outcome: Result<(), crate::Error>) -> Verdict {
        match outcome {
            Ok(()) => Verdict::ok(),
            Err(error) => Verdict::retry(error.to_string()),
        }
    }
}
