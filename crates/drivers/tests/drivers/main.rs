//! The drivers against real servers.

#[cfg(test)]
mod clamd;
#[cfg(test)]
mod otlp;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod smtp;
