//! A client in Node or Python as a process beside the test.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use stoa_testing::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::node::Home;

/// What a script says when it has come to its end without a complaint.
const PLAYED: &str = "played to the end";

/// A running script. What it complains of goes to the test's own output.
pub(crate) struct Script {
    child: Child,
    lines: UnboundedReceiver<String>,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Node's packages, as `make suite` names them.
pub(super) fn node_modules() -> OsString {
    env::var_os("STOA_TEST_NODE_MODULES").expect(
        "STOA_TEST_NODE_MODULES is not set: run `make suite`, or scripts/install-test-tools.sh suite and set it to \
         $STOA_TOOLS/node/node_modules",
    )
}

/// A Python that has python-socketio, as `make suite` names it.
pub(super) fn python() -> OsString {
    env::var_os("STOA_TEST_PYTHON_SOCKETIO").expect(
        "STOA_TEST_PYTHON_SOCKETIO is not set: run `make suite`, or scripts/install-test-tools.sh suite and set it to \
         $STOA_TOOLS/bin/test-python",
    )
}

impl Script {
    /// A script of `e2e/clients` with its cast, at a home's node.
    pub(crate) fn start(script: &str, arguments: &[&str], home: &Home, cast: &Value) -> Self {
        let is_python = Path::new(script).extension().is_some_and(|extension| extension == "py");
        let mut command = if is_python { Command::new(python()) } else { Command::new("node") };
        if !is_python {
            command.env("NODE_PATH", node_modules());
        }
        command.arg(root().join("e2e/clients").join(script)).args(arguments);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let file = home.data().join("cast.json");
        std::fs::write(&file, cast.to_string()).unwrap();
        command.env("STOA_E2E_ADDRESS", home.address()).env("STOA_E2E_CAST", file);
        Self::of(command)
    }

    /// Any command that reads and writes lines.
    pub(super) fn of(mut command: Command) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned
            .unwrap_or_else(|error| panic!("{command:?}: {error}: is `make suite` or Node 20 missing?"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = unbounded_channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line that it says; nothing when it has ended.
    pub(super) async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Waits until it says a line of which this is true.
    pub(super) async fn says(&mut self, is_wanted: impl Fn(&str) -> bool) -> String {
        let mut said = Vec::new();
        while let Some(line) = self.line().await {
            if is_wanted(&line) {
                return line;
            }
            said.push(line);
        }
        panic!("it has ended, {:?}, and said only {said:#?}", self.child.wait());
    }

    /// Tells it a line.
    pub(super) fn hears(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        // One that has ended meanwhile says why when its end is waited for.
        let _ = writeln!(input, "{line}");
    }

    /// Waits until it has played to its end; what it said before that.
    pub(crate) async fn ends(mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(line) = self.line().await {
            said.push(line);
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "it failed, {status}, and said {said:#?}");
        assert_eq!(said.pop().as_deref(), Some(PLAYED), "it has not played to its end: {said:#?}");
        said
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended before; there is nothing to do about a failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
