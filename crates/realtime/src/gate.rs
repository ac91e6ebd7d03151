//! Holding back what is told live while a client is given what it missed, so that it hears everything in order.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use stoa_socketio::Reason;

use crate::{line::Line, utterance::Utterance};

/// Open most of the time; closed while missed events are on their way.
#[derive(Debug)]
pub(crate) struct Gate {
    closed: AtomicBool,
    held: Mutex<Held>,
    most: usize,
}

#[derive(Debug, Default)]
struct Held {
    utterances: Vec<Arc<Utterance>>,
    count: usize,
}

impl Gate {
    /// A gate that is closed, and holds so much before the client is cut off.
    pub(crate) fn closed(most: usize) -> Self {
        Self { closed: AtomicBool::new(true), held: Mutex::default(), most }
    }

    pub(crate) fn close(&self) {
        let _held = self.held.lock();
        self.closed.store(true, Ordering::Release);
    }

    /// Lets through what was held, and from here on everything.
    pub(crate) fn open(&self, line: &Line) {
        let mut held = self.held.lock();
        for utterance in std::mem::take(&mut *held).utterances {
            line.send(&utterance);
        }
        self.closed.store(false, Ordering::Release);
    }

    pub(crate) fn pass(&self, line: &Line, utterance: &Arc<Utterance>) {
        if self.closed.load(Ordering::Acquire) {
            let mut held = self.held.lock();
            // It may have been opened meanwhile.
            if self.closed.load(Ordering::Acquire) {
                held.count += utterance.count();
                if held.count > self.most {
                    line.cut(Reason::QueueFull);
                } else {
                    held.utterances.push(Arc::clone(utterance));
                }
                return;
            }
        }
        line.send(utterance);
    }
}
