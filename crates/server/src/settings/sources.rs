//! Where settings come from: the environment over the configuration file over the defaults, each value with its origin.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider, Source,
    providers::{Format, Toml},
    value::{Dict, Map, Num, Value},
};

use super::{
    ConfigurationError,
    foreign::{IGNORED_NAMES, IGNORED_PREFIXES, LATER, REFUSED, stands_for},
    problem::{Problem, nearest},
    table::{COMMAND_NAMES, SETTINGS, Setting},
};

/// The variables a process was started with, by value so that tests need not touch their own.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    unreadable: Vec<String>,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(environment.variables.insert(name, value)),
                (Ok(name), Err(_)) => environment.unreadable.push(name),
                // A name that is not even text is none of ours.
                (Err(_), _) => {}
            }
        }
        environment
    }

    /// These variables and no others.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { variables: variables.iter().map(own).collect(), unreadable: Vec::new() }
    }

    /// What a variable says; one that is empty counts as not set, as in `FOO=${FOO:-}`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.variables.keys().chain(&self.unreadable)
    }
}

/// Values may be secrets, so only names are shown.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Where a value was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nowhere: it is what the setting is unless told.
    Default,
    /// In a configuration file.
    File(PathBuf),
    /// In the environment, under this name (or these).
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) => write!(f, "environment {name}"),
        }
    }
}

/// A setting, what it is, and why.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) setting: &'static Setting,
    pub(super) text: String,
    pub(super) origin: Origin,
}

impl Held {
    /// What the user calls it, who wrote it under this name.
    pub(super) fn called(&self) -> String {
        match &self.origin {
            Origin::Default => self.setting.name.to_owned(),
            Origin::Environment(name) => name.clone(),
            Origin::File(path) => format!("{} in {}", self.setting.key, path.display()),
        }
    }
}

/// The configuration file: the one named, else `stoa.toml` in the working directory if it is there.
pub(super) fn find_file(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    let named = named.map(Path::to_owned).or_else(|| environment.get("STOA_CONFIG").map(PathBuf::from));
    named.or_else(|| Some(PathBuf::from("stoa.toml")).filter(|path| path.exists()))
}

/// Every setting with its value, each value checked by itself, or everything that is wrong.
pub(super) fn gather(
    environment: &Environment,
    file: Option<&Path>,
) -> Result<Vec<Held>, ConfigurationError> {
    let mut problems = foreign_names(environment);
    let mut figment = Figment::new();
    if let Some(path) = file {
        match read_file(path) {
            Ok((toml, unknown)) => {
                figment = figment.merge(toml);
                problems.extend(unknown);
            }
            Err(problem) => problems.push(problem),
        }
    }
    for setting in SETTINGS {
        if let Some(given) = given(setting, environment) {
            figment = figment.merge(given);
        }
    }
    let mut all = Vec::with_capacity(SETTINGS.len());
    for setting in SETTINGS {
        match held(setting, &figment) {
            Ok(held) => all.push(held),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(ConfigurationError(problems)) }
}

/// Names in the environment that must not stand: unknown ones of ours, and those nothing here can serve.
fn foreign_names(environment: &Environment) -> Vec<Problem> {
    let is_known = |name: &str| {
        SETTINGS.iter().any(|setting| setting.name == name || setting.others.contains(&name))
            || COMMAND_NAMES.iter().any(|(known, _)| *known == name)
    };
    let is_ignored = |name: &str| {
        IGNORED_NAMES.contains(&name) || IGNORED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    let judge = |name: &String| {
        let is_set = environment.get(name).is_some();
        if environment.unreadable.contains(name) && (is_known(name) || name.starts_with("STOA_")) {
            return Some(Problem::of(name, "is not text in UTF-8; set it anew"));
        }
        if let Some(refused) = REFUSED.iter().find(|refused| stands_for(refused.name, name)) {
            return is_set.then(|| Problem::of(name, format!("is set, but {}", refused.cure)));
        }
        if let Some(later) = LATER.iter().find(|later| stands_for(later.name, name)) {
            let flaw = format!("needs {}, which this version does not have yet; unset it", later.needs);
            return is_set.then(|| Problem::of(name, flaw));
        }
        let is_unknown = name.starts_with("STOA_") && !is_known(name) && !is_ignored(name);
        is_unknown.then(|| unknown_name(name))
    };
    environment.names().filter_map(judge).collect()
}

fn unknown_name(name: &str) -> Problem {
    let bare = name.trim_start_matches("STOA_");
    let known = SETTINGS.iter().map(|setting| setting.name);
    let known = known.chain(COMMAND_NAMES.iter().map(|(known, _)| *known));
    match known.clone().find(|known| *known == bare).or_else(|| nearest(name, known)) {
        Some(near) => Problem::of(name, format!("is unknown; did you mean {near}?")),
        None => Problem::of(name, "is unknown; `stoa doctor` lists the settings there are"),
    }
}

fn read_file(path: &Path) -> Result<(impl Provider + use<>, Vec<Problem>), Problem> {
    let called = path.display().to_string();
    fs::metadata(path)
        .map_err(|error| Problem::of(&called, format!("cannot be read: {error}; check its path")))?;
    let toml = Toml::file_exact(path);
    let data = toml.data().map_err(|error| {
        let kind = error.kind.to_string();
        Problem::of(&called, format!("is not TOML: {}", kind.trim().replace('\n', "\n      ")))
    })?;
    let unknown = data.get(&Profile::Default).map(|keys| unknown_keys(keys, &called)).unwrap_or_default();
    Ok((toml, unknown))
}

fn unknown_keys(keys: &Dict, file: &str) -> Vec<Problem> {
    let mut flat = Vec::new();
    for (key, value) in keys {
        match value {
            Value::Dict(_, inner) => flat.extend(inner.keys().map(|leaf| format!("{key}.{leaf}"))),
            _ => flat.push(key.clone()),
        }
    }
    let unknown = flat.iter().filter(|key| !SETTINGS.iter().any(|setting| setting.key == key.as_str()));
    let told = unknown.map(|key| {
        let cure = nearest(key, SETTINGS.iter().map(|setting| setting.key));
        let cure = cure.map_or_else(|| "remove it".to_owned(), |near| format!("did you mean {near}?"));
        Problem::of(&format!("{key} in {file}"), format!("is unknown; {cure}"))
    });
    told.collect()
}

/// One value found in the environment.
struct Given {
    key: &'static str,
    text: String,
    name: String,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = figment::util::nest(self.key, Value::from(self.text.clone()));
        Ok(value.into_dict().map(|dict| Profile::Default.collect(dict)).unwrap_or_default())
    }
}

/// A setting's value in the environment: under its own name, else under the first other name that is set.
fn given(setting: &Setting, environment: &Environment) -> Option<Given> {
    let of = |name: &'static str| environment.get(name).map(|text| (text.to_owned(), name.to_owned()));
    let found = of(setting.name).or_else(|| match setting.name {
        "STOA_RATE_LIMIT_GENERAL" => general_rate(setting, environment),
        _ => setting.others.iter().find_map(|name| of(name)),
    });
    found.map(|(text, name)| Given { key: setting.key, text, name })
}

/// Other stacks give the general limit in two variables; either alone keeps the default of the other.
fn general_rate(setting: &Setting, environment: &Environment) -> Option<(String, String)> {
    let (default_max, default_window) = setting.default.split_once('/')?;
    let max = environment.get("RATE_LIMIT_MAX_REQUESTS");
    let window = environment.get("RATE_LIMIT_WINDOW_MS");
    let names = [max.map(|_| "RATE_LIMIT_MAX_REQUESTS"), window.map(|_| "RATE_LIMIT_WINDOW_MS")];
    let names: Vec<_> = names.into_iter().flatten().collect();
    let window = window.map_or_else(|| default_window.to_owned(), |window| format!("{window}ms"));
    let text = format!("{}/{window}", max.unwrap_or(default_max));
    (!names.is_empty()).then(|| (text, names.join(", ")))
}

fn held(setting: &'static Setting, figment: &Figment) -> Result<Held, Problem> {
    let default = || Held { setting, text: setting.default.to_owned(), origin: Origin::Default };
    let Ok(value) = figment.find_value(setting.key) else { return Ok(default()) };
    let origin = figment.find_metadata(setting.key).map_or(Origin::Default, origin_of);
    let held = Held { setting, text: text_of(&value).unwrap_or_default().trim().to_owned(), origin };
    if text_of(&value).is_none() {
        return Err(Problem::of(&held.called(), "is a table; give one value, or a list"));
    }
    if held.text.is_empty() {
        return Ok(default());
    }
    match setting.kind.check(&held.text) {
        Ok(()) => Ok(held),
        Err(flaw) if setting.secret => Err(Problem::of(&held.called(), flaw)),
        Err(flaw) => Err(Problem::of(&format!("{} ({:?})", held.called(), held.text), flaw)),
    }
}

fn origin_of(metadata: &Metadata) -> Origin {
    match &metadata.source {
        Some(Source::File(path)) => Origin::File(path.clone()),
        _ => Origin::Environment(metadata.name.clone().into_owned()),
    }
}

/// A value as the environment would write it: lists by commas, switches by word.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, on) => Some(if *on { "on" } else { "off" }.to_owned()),
        Value::Num(_, number) => Some(number_text(*number)),
        Value::Array(_, items) => {
            let items: Option<Vec<String>> = items.iter().map(text_of).collect();
            items.map(|items| items.join(","))
        }
        Value::Char(_, one) => Some(one.to_string()),
        Value::Dict(..) | Value::Empty(..) => None,
    }
}

fn number_text(number: Num) -> String {
    match (number.to_u128(), number.to_i128(), number.to_f64()) {
        (Some(whole), ..) => whole.to_string(),
        (_, Some(whole), _) => whole.to_string(),
        (_, _, fraction) => fraction.map(|fraction| fraction.to_string()).unwrap_or_default(),
    }
}
