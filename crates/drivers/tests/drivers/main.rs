//! The drivers against real servers.

#[cfg(test)]
mod otlp;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod smtp;
