//! What is counted of sockets.

use parking_lot::Mutex;
use stoa_platform::metrics::{Counter, Gauge, Metrics};

/// Figures of sockets; labels are few and known.
pub(crate) struct Measures {
    metrics: Metrics,
    delivered: Counter,
    topics: Gauge,
    online: Gauge,
    nodes: Gauge,
    nodes_lost: Counter,
    misunderstood: Counter,
    socketio: Gauge,
    websocket: Gauge,
    /// Made when they are first needed, which is seldom.
    ended: Mutex<Vec<((&'static str, &'static str), Counter)>>,
    arrived: Mutex<Vec<(&'static str, Counter)>>,
    faults: Mutex<Vec<(&'static str, Counter)>>,
}

impl Measures {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let sockets =
            |end| metrics.gauge("stoa_sockets", "Sockets that are connected, by kind.", &[("end", end)]);
        Self {
            delivered: metrics.counter(
                "stoa_socket_deliveries_total",
                "Events told to sockets, each socket counted.",
                &[],
            ),
            topics: metrics.gauge("stoa_socket_topics", "Topics that sockets are subscribed to.", &[]),
            online: metrics.gauge("stoa_online_users", "Who has a socket, at whichever node.", &[]),
            nodes: metrics.gauge("stoa_nodes", "Nodes that are heard, this one among them.", &[]),
            nodes_lost: metrics.counter("stoa_nodes_lost_total", "Nodes that were not heard any more.", &[]),
            misunderstood: metrics.counter(
                "stoa_relay_misunderstood_total",
                "Words of other nodes that made no sense.",
                &[],
            ),
            socketio: sockets("socketio"),
            websocket: sockets("websocket"),
            ended: Mutex::default(),
            arrived: Mutex::default(),
            faults: Mutex::default(),
            metrics: metrics.clone(),
        }
    }

    pub(crate) fn delivered(&self, to: usize) {
        self.delivered.increment(to as u64);
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge of some thousands")]
    pub(crate) fn topics(&self, topics: usize) {
        self.topics.set(topics as f64);
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge of some thousands")]
    pub(crate) fn online(&self, users: usize) {
        self.online.set(users as f64);
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge of some thousands")]
    pub(crate) fn nodes(&self, nodes: usize, lost: usize) {
        self.nodes.set(nodes as f64);
        self.nodes_lost.increment(lost as u64);
    }

    pub(crate) fn misunderstood(&self) {
        self.misunderstood.increment(1);
    }

    pub(crate) fn opened(&self, end: &'static str) {
        self.of(end).increment(1.0);
    }

    pub(crate) fn ended(&self, end: &'static str, reason: &'static str) {
        self.of(end).decrement(1.0);
        count(&self.ended, (end, reason), || {
            let about = "Sockets that ended, by kind and reason.";
            self.metrics.counter("stoa_sockets_ended_total", about, &[("end", end), ("reason", reason)])
        });
    }

    pub(crate) fn arrived(&self, how: &'static str) {
        count(&self.arrived, how, || {
            let about = "Clients that signed in, by whether they took up their session, and if not, why.";
            self.metrics.counter("stoa_socket_arrivals_total", about, &[("how", how)])
        });
    }

    pub(crate) fn fault(&self, code: &'static str) {
        count(&self.faults, code, || {
            let about = "Events of clients that were refused, by code.";
            self.metrics.counter("stoa_socket_faults_total", about, &[("code", code)])
        });
    }

    fn of(&self, end: &'static str) -> &Gauge {
        if end == "socketio" { &self.socketio } else { &self.websocket }
    }
}

fn count<K: PartialEq>(counters: &Mutex<Vec<(K, Counter)>>, key: K, make: impl FnOnce() -> Counter) {
    let mut counters = counters.lock();
    if let Some((_, counter)) = counters.iter().find(|(known, _)| *known == key) {
        counter.increment(1);
        return;
    }
    let counter = make();
    counter.increment(1);
    counters.push((key, counter));
}
