mod api_keys;
mod audit;
mod roles;
