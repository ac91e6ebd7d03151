//! A server of S3's API that keeps everything in memory, with one bucket: moto.

use std::{path::PathBuf, process::Command};

use crate::{
    account::Account,
    server::{self, Engine, Place},
    undertaker::Farewell,
};

/// Made by asking whether the server answers; asking again changes nothing.
const MAKE_BUCKET: &[u8] =
    b"PUT /stoa-tests HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

pub(crate) struct S3 {
    /// A Python that has moto.
    pub(crate) python: PathBuf,
}

impl S3 {
    pub(crate) fn url(port: u16) -> String {
        format!("s3://stoa-tests?endpoint=http://127.0.0.1:{port}&region=us-east-1")
    }
}

impl Engine for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn farewell(&self) -> Farewell {
        Farewell::Kill
    }

    /// The Python lies among the tools of whoever runs the tests, where another account may not look.
    fn account(&self, _: &Place) -> Account {
        Account::Own
    }

    fn command(&self, _: &Place, port: u16) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p"]).arg(port.to_string());
        command
    }

    fn answers(&self, port: u16) -> bool {
        server::answers(port, MAKE_BUCKET, b"HTTP/1.1 200")
    }
}
