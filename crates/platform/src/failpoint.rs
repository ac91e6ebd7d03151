//! Named places where a debug build can be made to die, so that tests prove what survives a crash there.
//!
//! `FAILPOINT_KILL=name` or `name:n` makes the process kill itself with SIGKILL at the n-th passage. Release builds
//! contain none of this.

/// Passes the named place; dies there when the environment says so and this is a debug build.
#[inline]
pub fn reach(name: &str) {
    #[cfg(debug_assertions)]
    armed::reach(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };

    struct Armed {
        name: String,
        passages_left: AtomicU64,
    }

    pub(super) fn reach(name: &str) {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        if let Some(armed) = ARMED.get_or_init(from_environment)
            && armed.name == name
            && armed.passages_left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            std::process::abort();
        }
    }

    fn from_environment() -> Option<Armed> {
        let text = std::env::var("FAILPOINT_KILL").ok()?;
        let (name, passage) = text.split_once(':').unwrap_or((&text, "1"));
        Some(Armed { name: name.to_owned(), passages_left: AtomicU64::new(passage.parse().ok()?) })
    }
}
