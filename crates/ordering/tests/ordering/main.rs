//! Carts and orders from outside, on both engines: the real routes behind the real edge, over a catalogue, users and a
//! payment provider that do what a test tells them.
#![cfg(test)]

mod cancel;
mod cart;
mod guests;
mod invoices;
mod lists;
mod offers;
mod outside;
mod payments;
mod place;
mod races;
mod shelf;
mod stage;
mod status;
mod sweep;
mod wares;
mod whole;
