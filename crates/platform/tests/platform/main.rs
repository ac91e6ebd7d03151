//! The contracts of the platform's engines, on each of them.

#[cfg(test)]
mod crash;
#[cfg(test)]
mod database;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod followers;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod log;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod postgres_tls;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod support;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod workers;
