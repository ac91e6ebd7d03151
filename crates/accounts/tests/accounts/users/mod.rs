mod list;
mod manage;
mod online;
mod profile;
mod role;
mod search;
