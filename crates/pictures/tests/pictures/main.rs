//! Pictures, from outside: what becomes of good ones, of bad ones and of damaged ones.
#![cfg(test)]

mod animations;
mod avif;
mod bounds;
mod damaged;
mod renditions;
mod stills;
mod support;
