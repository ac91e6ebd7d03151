//! Where clamd listens, as `STOA_CLAMD_URL` names it, and the line to it.

use std::{
    fmt, io,
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use url::Url;

/// A line that does not come to be soon does not come to be.
const CONNECT: Duration = Duration::from_secs(5);
const PORT: u16 = 3310;

/// Where a clamd listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClamdAddress {
    /// At a port of a host.
    Tcp {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
    /// At a socket of this machine.
    Unix(PathBuf),
}

/// What is wrong with an address, to follow its name: "is …; give …".
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}; give tcp://host:3310 or unix:/run/clamav/clamd.ctl")]
pub struct BadScanner(&'static str);

impl ClamdAddress {
    /// Reads `tcp://host[:port]` or `unix:/path`.
    pub fn parse(text: &str) -> Result<Self, BadScanner> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(BadScanner("names no socket"))
            };
        }
        let url = Url::parse(text).map_err(|_| BadScanner("is not the address of clamd"))?;
        if url.scheme() != "tcp" {
            return Err(BadScanner("is not the address of clamd"));
        }
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(BadScanner("has something beside host and port that means nothing"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BadScanner("names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        match url.port().unwrap_or(PORT) {
            0 => Err(BadScanner("has port 0")),
            port => Ok(Self::Tcp { host, port }),
        }
    }

    /// A line to it, on which each step is waited for at most so long.
    pub(super) fn connect(&self, patience: Duration) -> io::Result<Line> {
        let line = match self {
            Self::Unix(path) => Line::Unix(UnixStream::connect(path)?),
            Self::Tcp { host, port } => Line::Tcp(dial(host, *port, CONNECT.min(patience))?),
        };
        match &line {
            Line::Unix(stream) => stream.set_write_timeout(Some(patience))?,
            Line::Tcp(stream) => stream.set_write_timeout(Some(patience))?,
        }
        Ok(line)
    }
}

fn dial(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A connection of either kind.
pub(super) enum Line {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Line {
    /// How long the next read waits.
    pub(super) fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(time)),
            Self::Unix(stream) => stream.set_read_timeout(Some(time)),
        }
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_at_a_port_or_at_a_socket() {
        let tcp = |host: &str, port| ClamdAddress::Tcp { host: host.into(), port };
        assert_eq!(ClamdAddress::parse("tcp://clamd.internal"), Ok(tcp("clamd.internal", 3310)));
        assert_eq!(ClamdAddress::parse("tcp://[::1]:3311/"), Ok(tcp("::1", 3311)));
        let unix = ClamdAddress::Unix("/run/clamav/clamd.ctl".into());
        assert_eq!(ClamdAddress::parse("unix:/run/clamav/clamd.ctl"), Ok(unix.clone()));
        assert_eq!(ClamdAddress::parse("unix:///run/clamav/clamd.ctl"), Ok(unix));
        for bad in [
            "",
            "clamd:3310",
            "http://clamd",
            "tcp://",
            "tcp://h:0",
            "tcp://h/x",
            "tcp://u@h",
            "unix:",
            "unix:clamd.ctl",
        ] {
            let flaw = ClamdAddress::parse(bad).unwrap_err().to_string();
            assert!(flaw.contains("give tcp://"), "{bad}: {flaw}");
        }
    }
}
