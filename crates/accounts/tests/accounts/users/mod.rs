mod list;
mod profile;
mod role;
