//! Signals, noted when they arrive and looked at between two steps.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use crate::failure::{Failure, Result};

/// The last signal that asked this process to end.
pub(crate) struct Signals {
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// From here on they no longer end the process by themselves.
    pub(crate) fn catch() -> Result<Self> {
        let last = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&last), number)
                .map_err(Failure::io("catching signals"))?;
        }
        Ok(Self { last })
    }

    /// The signal that arrived since the last look.
    pub(crate) fn take(&self) -> Option<i32> {
        i32::try_from(self.last.swap(0, Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }
}
