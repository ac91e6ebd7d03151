//! Accounts: who people are, how they prove it, and what they may do.
//!
//! Registering, signing in and staying signed in; roles and permissions; the audit log. [`Accounts`] is the whole room:
//! it tells the http surface who a credential belongs to, answers the other domains' questions, and hands its routes,
//! jobs and tables to the server as a [`Module`].

mod account;
mod audit;
mod authenticate;
mod brief_cache;
mod change_password;
mod client;
mod error;
mod jobs;
mod lockout;
mod login;
mod logout;
mod open_session;
mod password;
mod presence;
mod profile;
mod refresh;
mod register;
mod roles;
mod routes;
mod settings;
mod store;
mod templates;
mod tokens;
mod v0;
mod verify_email;

use std::{fmt, sync::Arc};

use stoa_http::Module;
use stoa_kernel::{Actor, Clock, Permissions, Random, SessionId};
use stoa_platform::{
    Occasion, Platform,
    database::{Database, Migration},
};

pub use self::{
    account::{EmailAddress, Username},
    error::AccountError,
    password::{HashedPassword, PasswordCost, PasswordPolicy},
    settings::{AccountsSettings, SettingsError},
    templates::TEMPLATES,
};
use self::{
    authenticate::MachineKey, brief_cache::BriefCache, password::Passwords, store::sessions::LiveSession,
    tokens::AccessTokens,
};

/// The tables of this domain.
pub const MIGRATIONS: &[Migration] =
    &[Migration::shared(10, "accounts", include_str!("../../../migrations/0010_accounts.sql"))];

/// How many sessions and roles are remembered between requests at most.
const MOST_SESSIONS: u64 = 100_000;
const MOST_ROLES: u64 = 1_000;

/// The accounts of one node; clones share everything.
#[derive(Clone)]
pub struct Accounts(Arc<Room>);

struct Room {
    database: Database,
    clock: Clock,
    random: Random,
    settings: AccountsSettings,
    tokens: AccessTokens,
    passwords: Passwords,
    machine_keys: Vec<MachineKey>,
    sessions: BriefCache<SessionId, Option<LiveSession>>,
    roles: BriefCache<Arc<str>, Arc<Permissions>>,
}

impl Accounts {
    /// Opens accounts on the platform's engines. Refused when the secret is short or the password cost impossible.
    pub fn new(platform: &Platform, settings: AccountsSettings) -> Result<Self, SettingsError> {
        let random = platform.random.clone();
        Ok(Self(Arc::new(Room {
            database: platform.database.clone(),
            clock: platform.clock.clone(),
            tokens: AccessTokens::new(&settings.jwt_secret, &settings.issuer)?,
            passwords: Passwords::start(settings.password_cost, settings.hashing_threads, random.clone())?,
            machine_keys: authenticate::machine_keys(&settings.machine_keys),
            sessions: BriefCache::new(MOST_SESSIONS),
            roles: BriefCache::new(MOST_ROLES),
            random,
            settings,
        })))
    }

    /// Everything accounts serves, hears and does.
    pub fn module(&self) -> Module {
        Module {
            name: "accounts",
            migrations: MIGRATIONS.to_vec(),
            routes: routes::all(self.clone()),
            v0_routes: v0::routes(self.clone()),
            job_handlers: vec![self.cleanup_handler()],
            schedules: vec![Self::cleanup_schedule()],
            ..Module::default()
        }
    }

    fn database(&self) -> &Database {
        &self.0.database
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn random(&self) -> &Random {
        &self.0.random
    }

    fn settings(&self) -> &AccountsSettings {
        &self.0.settings
    }

    fn tokens(&self) -> &AccessTokens {
        &self.0.tokens
    }

    fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    fn machine_keys(&self) -> &[MachineKey] {
        &self.0.machine_keys
    }

    fn sessions(&self) -> &BriefCache<SessionId, Option<LiveSession>> {
        &self.0.sessions
    }

    fn roles(&self) -> &BriefCache<Arc<str>, Arc<Permissions>> {
        &self.0.roles
    }

    /// Now, by `actor`.
    fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(self.clock(), self.random(), actor)
    }

    /// A link for mails, with a token that proves who follows it.
    fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}?token={token}", self.settings().issuer.trim_end_matches('/'))
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
