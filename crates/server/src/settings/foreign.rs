//! Names in the environment that are no settings of this version: to be ignored, not served yet, or never served.

/// Beginnings of names that are nobody's mistake: Kubernetes makes the first two for a service called `stoa`, the
/// others belong to this project's own tests and Makefile.
pub(super) const IGNORED_PREFIXES: &[&str] = &["STOA_SERVICE_", "STOA_PORT_", "STOA_TEST_"];

/// Whole names of that sort.
pub(super) const IGNORED_NAMES: &[&str] = &["STOA_SOAK", "STOA_TOOLS"];

/// A name that this version has nothing for yet, and what it would need. A trailing `*` stands for any ending.
pub(super) struct Later {
    pub(super) name: &'static str,
    pub(super) needs: &'static str,
}

const fn later(name: &'static str, needs: &'static str) -> Later {
    Later { name, needs }
}

/// Known names whose engine does not exist yet. They are refused: whoever sets one counts on it.
pub(super) const LATER: &[Later] = &[
    later("STOA_BROKER_URL", "a message broker engine"),
    later("STOA_EVENTS_PUBSUB", "events in Redis"),
    later("STOA_OIDC_*", "an OpenID Connect engine"),
    later("STOA_CLUSTER_SECRET", "a gateway"),
];

/// A name of another stack that Stoa will never have an engine for, and what to do instead.
pub(super) struct Refused {
    pub(super) name: &'static str,
    pub(super) cure: &'static str,
}

/// Names that are refused with their cure. A trailing `*` stands for any ending.
pub(super) const REFUSED: &[Refused] = &[
    Refused {
        name: "MONGODB_URI",
        cure: "Stoa keeps its data in SQLite or PostgreSQL, not in MongoDB: unset it, and set DATABASE_URL for PostgreSQL",
    },
    Refused {
        name: "CLOUDINARY_*",
        cure: "Stoa does not use Cloudinary; it keeps and resizes files itself: unset it",
    },
];

/// Whether `pattern`, which may end in `*`, stands for `name`.
pub(super) fn stands_for(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_ending() {
        assert!(
            stands_for("CLOUDINARY_*", "CLOUDINARY_URL") && stands_for("STOA_CLAMD_URL", "STOA_CLAMD_URL")
        );
        assert!(
            !stands_for("STOA_CLAMD_URL", "STOA_CLAMD_URL_AT")
                && !stands_for("CLOUDINARY_*", "MY_CLOUDINARY_URL")
        );
    }
}
