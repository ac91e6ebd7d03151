//! A Redis server that keeps nothing.

use std::{path::PathBuf, process::Command};

use crate::{
    server::{self, Engine, Place},
    undertaker::Farewell,
};

pub(crate) struct Redis {
    pub(crate) program: PathBuf,
}

impl Redis {
    pub(crate) fn url(port: u16) -> String {
        format!("redis://127.0.0.1:{port}")
    }
}

impl Engine for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn farewell(&self) -> Farewell {
        Farewell::Terminate
    }

    fn command(&self, place: &Place, port: u16) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--port")
            .arg(port.to_string())
            .arg("--dir")
            .arg(&place.folder);
        command
    }

    fn answers(&self, port: u16) -> bool {
        server::answers(port, b"PING\r\n", b"+PONG")
    }
}
