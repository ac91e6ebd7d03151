//! The door to other nodes: what one says all hear who are there. Nothing of it is kept, and what is lost on the way is
//! not said again; whatever must arrive is an event of the log instead.

use bytes::Bytes;
use tokio::sync::mpsc;

/// What comes from other nodes, and what becomes of the way to them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// From here on everything is heard that is said; of what was said before, something may be missing.
    Up,
    /// A node said this. What the node itself says it hears too, in the order in which it was said.
    Word(Bytes),
    /// Nothing is heard any more.
    Down,
}

/// A way to all nodes. Without one a node is alone.
pub trait Relay: Send + Sync {
    /// Says something to all nodes, this one among them, if that can be done now. It never waits. What one node says is
    /// heard in its order; false when it is known at once that nobody will hear it.
    fn say(&self, word: Bytes) -> bool;

    /// Begins to listen. At first the way is down. Whoever does not keep up misses something, and is told `Down` and `Up`.
    fn listen(&self) -> mpsc::Receiver<Heard>;
}
