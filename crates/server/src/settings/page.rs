//! docs/configuration.md and stoa.example.toml, made from the table of settings.

use std::fmt::Write as _;

use super::{
    foreign::{LATER, REFUSED},
    table::{COMMAND_NAMES, SETTINGS, Setting},
};

const SECTIONS: &[(&str, &str)] = &[
    ("", "Server"),
    ("acme", "Certificates by ACME"),
    ("database", "Database"),
    ("redis", "Redis"),
    ("files", "Files"),
    ("http", "HTTP"),
    ("accounts", "Accounts"),
    ("catalog", "Catalogue"),
    ("ordering", "Ordering"),
    ("cache", "Cache"),
    ("rate_limit", "Rate limits"),
    ("mail", "Mail"),
    ("notifications", "Notifications"),
    ("chat", "Chat"),
    ("realtime", "Sockets"),
    ("events", "Events"),
    ("queues", "Jobs"),
    ("insight", "Insight"),
    ("log", "Log"),
];

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the table of settings in crates/server/src/settings/table.rs; do not edit.
     `STOA_TEST_WRITE=1 cargo test -p stoa-server --lib settings` writes it anew. -->

Stoa runs without any configuration. What you set is read, strongest first, from

1. the environment, under the names of the first column;
2. names that other stacks use (last column), where Stoa's own is not set;
3. `stoa.toml` in the working directory, or the file that `--config` or `STOA_CONFIG` names, under the keys of the second
   column (`stoa.example.toml` has all of them, commented);
4. the defaults.

An empty variable counts as not set. Unknown `STOA_` names and unknown keys stop the start, with the nearest known name;
all faults are told at once. Names that Kubernetes makes for a service called `stoa` (`STOA_SERVICE_…`, `STOA_PORT_…`) are
ignored. `stoa doctor` prints what holds and where it came from, secrets masked.

Lists are separated by commas; in `stoa.toml` they may be lists. A time without a unit is in seconds.
";

/// The text of docs/configuration.md.
pub fn configuration_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (section, title) in SECTIONS {
        let rows = SETTINGS.iter().filter(|setting| setting.section() == *section);
        let _ = write!(
            page,
            "\n## {title}\n\n| name | in stoa.toml | default | what | other names |\n| --- | --- | --- | --- | --- |\n"
        );
        rows.for_each(|setting| page.push_str(&row(setting)));
    }
    page.push_str("\n## For commands\n\n| name | what |\n| --- | --- |\n");
    for (name, about) in COMMAND_NAMES {
        let _ = writeln!(page, "| `{name}` | {about} |");
    }
    page.push_str("\n## Not yet\n\nThese names are known, but this version has nothing to serve them with. Setting one \
                   stops the start, so that nobody counts in vain on what it promises.\n\n| name | needs |\n| --- | --- |\n");
    for later in LATER {
        let _ = writeln!(page, "| `{}` | {} |", later.name, later.needs);
    }
    page.push_str("\n## Never\n\n| name | instead |\n| --- | --- |\n");
    for refused in REFUSED {
        let _ = writeln!(page, "| `{}` | {} |", refused.name, refused.cure);
    }
    page
}

fn row(setting: &Setting) -> String {
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let others: Vec<String> = setting.others.iter().map(|name| code(name)).collect();
    format!(
        "| {} | {} | {} | {} Takes {}. | {} |\n",
        code(setting.name),
        code(setting.key),
        code(setting.default),
        setting.about,
        setting.kind.wording(),
        others.join(", ")
    )
}

/// The text of stoa.example.toml.
pub fn example_file() -> String {
    let mut file = "\
# Every setting of Stoa with its default. Copy this file to stoa.toml, and take away the # of what you change.
# The environment goes before this file; docs/configuration.md has the names and says more.
# `STOA_TEST_WRITE=1 cargo test -p stoa-server --lib settings` writes this file anew.
"
    .to_owned();
    for (section, title) in SECTIONS {
        match *section {
            "" => file.push('\n'),
            section => drop(write!(file, "\n# {title}\n[{section}]\n")),
        }
        for setting in SETTINGS.iter().filter(|setting| setting.section() == *section) {
            file.push_str(&entry(setting));
        }
    }
    file
}

fn entry(setting: &Setting) -> String {
    let key = setting.key.rsplit('.').next().unwrap_or_default();
    let about = setting.about.replace('`', "");
    let value = match setting.default {
        "on" => "true".to_owned(),
        "off" => "false".to_owned(),
        number if setting.kind.is_number() && !number.is_empty() => number.to_owned(),
        text => format!("{text:?}"),
    };
    format!("# {about}\n# {key} = {value}\n")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{
        super::sources::{Environment, Origin, gather},
        *,
    };

    fn assert_written(path: &str, text: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        if std::env::var_os("STOA_TEST_WRITE").is_some() {
            fs::write(&path, text).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == text,
            "{} is not what the table of settings says: `STOA_TEST_WRITE=1 cargo test -p stoa-server --lib settings` writes \
             it anew",
            path.display()
        );
    }

    #[test]
    fn the_documentation_is_up_to_date() {
        assert_written("docs/configuration.md", &configuration_page());
    }

    #[test]
    fn the_example_file_is_up_to_date() {
        assert_written("stoa.example.toml", &example_file());
    }

    #[test]
    fn every_setting_has_a_section_with_a_title() {
        for setting in SETTINGS {
            assert!(SECTIONS.iter().any(|(section, _)| *section == setting.section()), "{}", setting.key);
        }
    }

    #[test]
    fn the_example_file_says_the_defaults() {
        let uncommented: String = example_file()
            .lines()
            .filter_map(|line| if line.starts_with('[') { Some(line) } else { line.strip_prefix("# ") })
            .filter(|line| {
                line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
            })
            .fold(String::new(), |file, line| file + line + "\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stoa.toml");
        fs::write(&path, &uncommented).unwrap();
        let held = gather(&Environment::default(), Some(&path)).unwrap();
        for held in held {
            assert_eq!(held.text, held.setting.default, "{}", held.setting.key);
            assert_eq!(held.origin == Origin::Default, held.text.is_empty(), "{}", held.setting.key);
        }
    }
}
