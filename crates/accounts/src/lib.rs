//! Accounts: who people are, how they prove it, and what they may do.
//!
//! Registering, signing in and staying signed in; roles and permissions; the audit log. [`Accounts`] is the whole room:
//! it tells the http surface who a credential belongs to, answers the other domains' questions, and hands its routes,
//! jobs and tables to the server as a [`Module`].

mod account;
mod api_keys;
mod audit;
mod authenticate;
mod avatar;
mod brief_cache;
mod change_password;
mod client;
mod devices;
mod error;
mod forgot_password;
mod holders;
mod jobs;
mod lockout;
mod login;
mod logout;
mod mail_lockout;
mod mailed_link;
mod manage_users;
mod open_session;
mod own_view;
mod password;
mod people;
mod presence;
mod profile;
mod refresh;
mod register;
mod reset_password;
mod roles;
mod routes;
mod search_users;
mod settings;
mod signing_keys;
mod sockets;
mod status;
mod store;
mod sync_client;
mod sync_users;
mod templates;
mod tokens;
mod v0;
mod verify_email;

use std::{fmt, sync::Arc};

use stoa_contracts::files::Pictures;
use stoa_http::Module;
use stoa_kernel::{Actor, Clock, Permissions, Random, SessionId};
use stoa_platform::{
    Occasion, Platform,
    database::{Database, Migration},
    mail::Mailer,
};

pub use self::{
    account::{EmailAddress, Username},
    error::AccountError,
    password::{HashedPassword, PasswordCost, PasswordPolicy},
    settings::{AccountsSettings, JwtAlgorithm, SHORTEST_KEY_ROTATION, SettingsError, SyncSettings},
    status::PresenceStatus,
    templates::TEMPLATES,
};
use self::{
    api_keys::{KeyInUse, LastUses},
    authenticate::MachineKey,
    brief_cache::BriefCache,
    own_view::OwnViews,
    password::Passwords,
    people::KnownPeople,
    signing_keys::{Seal, SigningKeys},
    store::sessions::LiveSession,
    sync_client::SyncClient,
    tokens::{AccessTokens, SecretHash},
};

/// The tables of this domain.
pub const MIGRATIONS: &[Migration] = &[
    Migration::shared(10, "accounts", include_str!("../../../migrations/0010_accounts.sql")),
    Migration::shared(11, "account_care", include_str!("../../../migrations/0011_account_care.sql")),
    Migration::split(
        12,
        "user_words",
        include_str!("../../../migrations/0012_user_words.sqlite.sql"),
        include_str!("../../../migrations/0012_user_words.postgres.sql"),
    ),
    Migration::shared(13, "api_keys", include_str!("../../../migrations/0013_api_keys.sql")),
    Migration::shared(14, "signing_keys", include_str!("../../../migrations/0014_signing_keys.sql")),
];

/// How many sessions, roles and API keys are remembered between requests at most.
const MOST_SESSIONS: u64 = 100_000;
const MOST_ROLES: u64 = 1_000;
const MOST_API_KEYS: u64 = 10_000;

/// The accounts of one node; clones share everything.
#[derive(Clone)]
pub struct Accounts(Arc<Room>);

struct Room {
    database: Database,
    clock: Clock,
    random: Random,
    mailer: Arc<Mailer>,
    sync: Option<SyncClient>,
    settings: AccountsSettings,
    tokens: AccessTokens,
    signing_keys: SigningKeys,
    passwords: Passwords,
    machine_keys: Vec<MachineKey>,
    sessions: BriefCache<SessionId, Option<LiveSession>>,
    roles: BriefCache<Arc<str>, Arc<Permissions>>,
    api_keys: BriefCache<SecretHash, Arc<KeyInUse>>,
    known_people: KnownPeople,
    own_views: OwnViews,
    last_uses: LastUses,
}

impl Accounts {
    /// Opens accounts on the platform's engines. Refused when the secret is short or the password cost impossible.
    pub fn new(platform: &Platform, settings: AccountsSettings) -> Result<Self, SettingsError> {
        let random = platform.random.clone();
        Ok(Self(Arc::new(Room {
            database: platform.database.clone(),
            clock: platform.clock.clone(),
            mailer: Arc::clone(&platform.mailer),
            sync: settings.sync.as_ref().map(SyncClient::new).transpose()?,
            tokens: AccessTokens::new(&settings.jwt_secret, &settings.issuer)?,
            signing_keys: SigningKeys::sealed_by(
                Seal::of(&settings.jwt_secret).map_err(|_| SettingsError::Seal)?,
            ),
            passwords: Passwords::start(settings.password_cost, settings.hashing_threads, random.clone())?,
            machine_keys: authenticate::machine_keys(&settings.machine_keys),
            sessions: BriefCache::new(MOST_SESSIONS),
            roles: BriefCache::new(MOST_ROLES),
            api_keys: BriefCache::new(MOST_API_KEYS),
            known_people: KnownPeople::default(),
            own_views: OwnViews::default(),
            last_uses: LastUses::default(),
            random,
            settings,
        })))
    }

    /// Everything accounts serves, hears and does, with somebody who receives pictures for it.
    pub fn module(&self, pictures: Arc<dyn Pictures>) -> Module {
        let (sync_handler, sync_schedule) = self.sync_job().unzip();
        let handlers = [
            self.cleanup_handler(),
            self.rotation_handler(),
            self.password_reset_handler(),
            self.verification_handler(),
            self.lockout_handler(),
        ];
        Module {
            name: "accounts",
            migrations: MIGRATIONS.to_vec(),
            routes: routes::all(self.clone(), pictures),
            sockets: self.sockets(),
            v0_routes: v0::routes(self.clone()),
            job_handlers: handlers.into_iter().chain(sync_handler).collect(),
            schedules: [Self::cleanup_schedule(), Self::rotation_schedule()]
                .into_iter()
                .chain(sync_schedule)
                .collect(),
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

    fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    fn sync_client(&self) -> Option<&SyncClient> {
        self.0.sync.as_ref()
    }

    fn settings(&self) -> &AccountsSettings {
        &self.0.settings
    }

    fn tokens(&self) -> &AccessTokens {
        &self.0.tokens
    }

    fn signing_keys(&self) -> &SigningKeys {
        &self.0.signing_keys
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

    fn api_keys(&self) -> &BriefCache<SecretHash, Arc<KeyInUse>> {
        &self.0.api_keys
    }

    fn known_people(&self) -> &KnownPeople {
        &self.0.known_people
    }

    fn own_views(&self) -> &OwnViews {
        &self.0.own_views
    }

    fn last_uses(&self) -> &LastUses {
        &self.0.last_uses
    }

    /// Now, by `actor`.
    fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(self.clock(), self.random(), actor)
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
