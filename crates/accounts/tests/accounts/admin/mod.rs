mod audit;
mod roles;
