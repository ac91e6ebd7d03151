//! All SQL of this domain, by table.

pub(crate) mod announcements;
pub(crate) mod notifications;
pub(crate) mod pages;
pub(crate) mod preferences;
