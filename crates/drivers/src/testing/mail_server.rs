//! A mail server of a test's own: aiosmtpd in a process beside it.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for a mail before it has failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(5);

/// A mail server that is running; it ends when this is dropped.
#[derive(Debug)]
pub struct MailServer {
    child: Child,
    port: u16,
    heard: Arc<Mutex<Vec<Value>>>,
    _folder: TempDir,
}

/// Python with aiosmtpd, as `make suite` names it, or where that puts it.
fn python() -> PathBuf {
    if let Some(path) = env::var_os("STOA_TEST_AIOSMTPD") {
        return path.into();
    }
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let tools = env::var_os("STOA_TOOLS").map_or_else(|| home.join(".cache/stoa/tools"), PathBuf::from);
    let path = tools.join("bin/test-python");
    assert!(
        path.exists(),
        "{} is missing: run `make suite`, or scripts/install-test-tools.sh suite, or set STOA_TEST_AIOSMTPD to a Python \
         that has aiosmtpd",
        path.display()
    );
    path
}

impl MailServer {
    /// Starts one on a free port; the arguments are those of `mail_server.py`.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = folder.path().join("mail_server.py");
        std::fs::write(&script, include_str!("mail_server.py")).expect("the script");
        let mut command = Command::new(python());
        command.arg("-W").arg("ignore").arg(script).args(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a Python with aiosmtpd");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let first = lines.next().expect("a mail server that starts; its complaint is above").expect("a line");
        let first: Value = serde_json::from_str(&first).expect("a line of JSON");
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("a line of JSON");
                hearing.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { child, port, heard, _folder: folder }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything it has said: `{"step": …}` for each command of weight, `{"mail": …}` for each mail.
    pub fn heard(&self) -> Vec<Value> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a step was reached: `EHLO`, `AUTH`, `MAIL`, `RCPT`, `DATA`.
    pub fn reached(&self, step: &str) -> usize {
        self.heard().iter().filter(|heard| heard["step"] == step).count()
    }

    /// The mails it was given, in order: `from`, `to`, `message`, `encrypted`, `user`.
    pub fn mails(&self) -> Vec<Value> {
        self.heard()
            .iter()
            .filter(|heard| heard["mail"].is_object())
            .map(|heard| heard["mail"].clone())
            .collect()
    }

    /// Waits until it has so many mails.
    pub async fn has(&self, mails: usize) -> Vec<Value> {
        self.until(&format!("{mails} mails"), || self.mails().len() >= mails).await;
        self.mails()
    }

    /// Waits until a step was reached; what it says of a step is heard a moment after the step. Answers how often it was.
    pub async fn reaches(&self, step: &str) -> usize {
        self.until(step, || self.reached(step) > 0).await;
        self.reached(step)
    }

    async fn until(&self, what: &str, happened: impl Fn() -> bool) {
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            if happened() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("waited in vain for {what}; heard {:?}", self.heard());
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended before; there is nothing to do about a failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
