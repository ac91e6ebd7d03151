//! A clamd of a test's own, that knows one virus: EICAR's test file.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::clamd::{ClamdAddress, ClamdSettings};

/// How often it is looked whether it answers, and after which pause.
const LOOKS: usize = 6_000;
const PAUSE: Duration = Duration::from_millis(10);
/// The test file's MD5, size and name, as clamd wants to be told of a virus.
const SIGNATURE: &str = "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n";

/// A clamd that is running; it ends when this is dropped.
#[derive(Debug)]
pub struct ClamdServer {
    child: Child,
    folder: TempDir,
}

impl ClamdServer {
    /// What it takes for a virus and calls `Eicar-Test-Signature.UNOFFICIAL`.
    pub const VIRUS: &str = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
    /// The longest file it looks into.
    pub const LONGEST: usize = 1 << 20;

    /// Starts one on a socket in a folder of its own.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("signatures")).expect("a folder for signatures");
        fs::write(folder.path().join("signatures/eicar.hdb"), SIGNATURE).expect("a signature");
        let at = folder.path().display();
        let configuration = format!(
            "LocalSocket {at}/clamd.ctl\nDatabaseDirectory {at}/signatures\nTemporaryDirectory {at}\n\
             Foreground true\nStreamMaxLength {}\n",
            Self::LONGEST
        );
        fs::write(folder.path().join("clamd.conf"), configuration).expect("a configuration");
        let child = launch(folder.path());
        let server = Self { child, folder };
        server.wait();
        server
    }

    /// How the driver asks it.
    pub fn settings(&self) -> ClamdSettings {
        ClamdSettings::of(ClamdAddress::Unix(self.socket()))
    }

    /// The same, as a value of `STOA_CLAMD_URL`.
    pub fn url(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("a server to be killed");
        self.child.wait().expect("its end");
        fs::remove_file(self.socket()).expect("the socket it left");
    }

    /// Starts it anew at the same socket.
    pub fn restart(&mut self) {
        self.child = launch(self.folder.path());
        self.wait();
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("clamd.ctl")
    }

    fn wait(&self) {
        for _ in 0..LOOKS {
            if std::os::unix::net::UnixStream::connect(self.socket()).is_ok() {
                return;
            }
            thread::sleep(PAUSE);
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("clamd does not start; is clamav-daemon installed?\n{log}");
    }
}

fn launch(folder: &Path) -> Child {
    let log = File::create(folder.join("log")).expect("a log");
    let errors = log.try_clone().expect("the same log");
    // Debian has it where only root's PATH leads.
    let program =
        ["/usr/sbin/clamd", "/usr/local/sbin/clamd"].into_iter().find(|path| Path::new(path).exists());
    let mut configured = std::ffi::OsString::from("--config-file=");
    configured.push(folder.join("clamd.conf"));
    Command::new(program.unwrap_or("clamd"))
        .arg(configured)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .expect("clamd, of the Debian package clamav-daemon")
}

impl Drop for ClamdServer {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
