//! The contracts of the platform's engines.
