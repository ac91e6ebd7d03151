//! A RabbitMQ node that shares nothing with another on the machine: not the ports, the name, the cookie, nor Erlang's
//! name server.

use std::{
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::Command,
};

use crate::{
    server::{self, Engine, Place},
    undertaker::Farewell,
};

/// Erlang's name server. A node would start one itself, as a daemon that outlives it.
pub(crate) struct Epmd {
    pub(crate) program: PathBuf,
}

impl Engine for Epmd {
    fn name(&self) -> &'static str {
        "epmd"
    }

    fn farewell(&self) -> Farewell {
        Farewell::Kill
    }

    fn command(&self, _: &Place, port: u16) -> Command {
        let mut command = Command::new(&self.program);
        command.env("ERL_EPMD_ADDRESS", "127.0.0.1").arg("-port").arg(port.to_string());
        command
    }

    fn answers(&self, port: u16) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    }
}

/// The node itself.
pub(crate) struct RabbitMq {
    pub(crate) program: PathBuf,
    pub(crate) epmd_port: u16,
    /// Where other nodes would reach it; by default that is a number derived from the port, free or not.
    pub(crate) cluster_port: u16,
}

impl RabbitMq {
    pub(crate) fn url(port: u16) -> String {
        format!("amqp://guest:guest@127.0.0.1:{port}")
    }
}

impl Engine for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    fn farewell(&self) -> Farewell {
        Farewell::Kill
    }

    fn command(&self, place: &Place, port: u16) -> Command {
        let home = place.folder.join("rabbitmq");
        let mut command = Command::new(&self.program);
        command
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("stoa-{port}@localhost"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", self.cluster_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", home.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", home.join("config"))
            .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", home.join("advanced"))
            .env("RABBITMQ_CONF_ENV_FILE", home.join("rabbitmq-env.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"))
            .env("RABBITMQ_FEATURE_FLAGS_FILE", home.join("feature-flags"))
            .env("RABBITMQ_PID_FILE", home.join("pid"))
            .env("RABBITMQ_LOGS", "-");
        command
    }

    fn answers(&self, port: u16) -> bool {
        // AMQP 0-9-1 begins with this header, answered by a method frame on channel 0.
        server::answers(port, b"AMQP\x00\x00\x09\x01", &[1, 0, 0])
    }
}
