//! A Stripe of a test's own: localstripe in a process beside it, with what it lacks and with faults on demand.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stripe::StripeSettings;

/// How long a test waits for something to be told before it has failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A Stripe that is running; it ends when this is dropped.
#[derive(Debug)]
pub struct StripeServer {
    child: Child,
    port: u16,
    folder: TempDir,
    client: reqwest::Client,
}

/// An event as Stripe sent it: the signature and the body it is of.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The `Stripe-Signature`.
    pub signature: String,
    /// The body, byte for byte.
    pub body: String,
}

impl Sent {
    /// What it is.
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("an event")
    }
}

/// Python with localstripe, as `make suite` names it, or where that puts it.
fn python() -> PathBuf {
    if let Some(path) = env::var_os("STOA_TEST_LOCALSTRIPE") {
        return path.into();
    }
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let tools = env::var_os("STOA_TOOLS").map_or_else(|| home.join(".cache/stoa/tools"), PathBuf::from);
    let path = tools.join("bin/test-python");
    assert!(
        path.exists(),
        "{} is missing: run `make suite`, or scripts/install-test-tools.sh suite, or set STOA_TEST_LOCALSTRIPE to a \
         Python that has localstripe",
        path.display()
    );
    path
}

impl StripeServer {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("stripe_server.py"), include_str!("stripe_server.py"))
            .expect("the script");
        let (child, port) = spawn(&folder, 0);
        Self { child, port, folder, client: reqwest::Client::new() }
    }

    /// How the driver asks it.
    pub fn settings(&self) -> StripeSettings {
        StripeSettings {
            webhook_secret: Some(Self::WEBHOOK_SECRET.to_owned()),
            api_base: self.address(),
            patience: Self::PATIENCE,
            ..StripeSettings::of(Self::SECRET_KEY.to_owned())
        }
    }

    /// How long the driver waits for an answer of this server: longer than a slow one takes.
    pub const PATIENCE: Duration = Duration::from_secs(2);
    /// A key that it takes.
    pub const SECRET_KEY: &'static str = "sk_test_of_the_suite";
    /// What it signs its webhooks with.
    pub const WEBHOOK_SECRET: &'static str = "whsec_test";

    /// Where it is.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Has something happen to the next requests whose path matches; `stripe_server.py` says what can.
    pub async fn suffers(&self, what: &str, method: &str, path: &str, times: u32) {
        let fault = json!({"what": what, "method": method, "path": path, "times": times});
        let address = format!("{}/_config/fault", self.address());
        let request = self.client.post(address).header("content-type", "application/json");
        request.body(fault.to_string()).send().await.expect("a server that answers");
    }

    /// Nothing happens to it any more.
    pub async fn is_well(&self) {
        let address = format!("{}/_config/faults", self.address());
        self.client.delete(address).send().await.expect("a server that answers");
    }

    /// Has its webhooks sent to an address besides, as long as it runs.
    pub async fn tells(&self, address: &str) {
        let body = json!({"url": address, "secret": Self::WEBHOOK_SECRET}).to_string();
        let config = format!("{}/_config/webhooks/shop", self.address());
        let request = self.client.post(config).header("content-type", "application/json");
        request.body(body).send().await.expect("a server that answers");
    }

    /// Kills it, as far as that has not happened.
    pub fn kill(&mut self) {
        // It may have killed itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on what it had written.
    pub fn restart(&mut self) {
        self.kill();
        (self.child, _) = spawn(&self.folder, self.port);
    }

    async fn told(&self) -> Value {
        let address = format!("{}/_config/told", self.address());
        let answer = self.client.get(address).send().await.expect("a server that answers");
        let text = answer.text().await.expect("an answer");
        serde_json::from_str(&text).expect("JSON")
    }

    /// How often something was asked for: `POST /v1/refunds`, as a beginning.
    pub async fn asked(&self, beginning: &str) -> usize {
        let told = self.told().await;
        let requests = told["requests"].as_array().expect("requests").iter();
        requests.filter(|request| request.as_str().is_some_and(|text| text.starts_with(beginning))).count()
    }

    /// Everything of a kind that it holds: `payment_intent`, `refund`.
    pub async fn objects(&self, kind: &str) -> Vec<Value> {
        let told = self.told().await;
        let objects = told["objects"].as_array().expect("objects").iter();
        objects.filter(|object| object["object"] == kind).cloned().collect()
    }

    /// Waits until it has sent so many events of a type, and answers them.
    pub async fn sent(&self, kind: &str, times: usize) -> Vec<Sent> {
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            let told = self.told().await;
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let heard = told["heard"].as_array().expect("events").iter();
            let sent =
                heard.map(|heard| Sent { signature: text(&heard["signature"]), body: text(&heard["body"]) });
            let sent: Vec<Sent> = sent.filter(|sent| sent.event()["type"] == kind).collect();
            if sent.len() >= times {
                return sent;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("waited in vain for {times} events {kind}");
    }

    /// The buyer takes the second step, `well` or `badly`.
    pub async fn authenticates(&self, intent: &str, how: &str) {
        let address = format!("{}/_config/authenticate/{intent}/{how}", self.address());
        self.client.post(address).send().await.expect("a server that answers");
    }

    /// The buyer's bank does not take a refund that was done.
    pub async fn sends_back(&self, refund: &str) {
        let address = format!("{}/_config/refund/{refund}/fails", self.address());
        self.client.post(address).send().await.expect("a server that answers");
    }

    /// The buyer disputes a payment, or that comes to an end: `needs_response`, `won`, `lost`.
    pub async fn is_disputed(&self, intent: &str, status: &str) {
        let address = format!("{}/_config/dispute/{intent}/{status}", self.address());
        self.client.post(address).send().await.expect("a server that answers");
    }

    /// The buyer's client pays an intent by itself.
    pub async fn pays_by_itself(&self, intent: &str, method: &str) {
        let address = format!("{}/v1/payment_intents/{intent}/confirm", self.address());
        let request = self.client.post(address).bearer_auth(Self::SECRET_KEY);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("payment_method={method}")).send().await.expect("a server that answers");
    }

    /// Somebody gives money back at Stripe.
    pub async fn gives_back_by_itself(&self, intent: &str, amount: i64) {
        let request =
            self.client.post(format!("{}/v1/refunds", self.address())).bearer_auth(Self::SECRET_KEY);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = format!("payment_intent={intent}&amount={amount}");
        request.body(body).send().await.expect("a server that answers");
    }
}

fn spawn(folder: &TempDir, port: u16) -> (Child, u16) {
    let mut command = Command::new(python());
    command.arg("-W").arg("ignore").arg(folder.path().join("stripe_server.py"));
    command.arg(folder.path()).arg(port.to_string());
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("a Python with localstripe");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a Stripe that starts; its complaint is above").expect("a line");
    let first: Value = serde_json::from_str(&first).expect("a line of JSON");
    let port = first.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    (child, port.expect("a port"))
}

impl Drop for StripeServer {
    fn drop(&mut self) {
        self.kill();
    }
}
