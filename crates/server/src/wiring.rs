//! Which modules there are, and who is wired to whom. Adding a domain is a crate and a line here.

use std::sync::Arc;

use axum::Router;
use stoa_accounts::Accounts;
use stoa_catalog::Catalogue;
use stoa_http::{Authenticator, Documents, Module, deprecated_surface, documentation, idempotency_module};
use stoa_ordering::{Ordering, TestProvider};
use stoa_platform::{
    MIGRATIONS, Platform,
    cache::Tag,
    database::Migration,
    events::{Follower, PruneEvents, StoredEvent},
    jobs::{Handler, Schedule},
    mail::{SendMail, Template},
};
use utoipa_axum::router::OpenApiRouter;

use crate::{app::StartError, health::Health, settings::Settings};

/// Every domain, made and wired.
pub struct Domains {
    /// Who is who.
    pub accounts: Arc<Accounts>,
    /// What is sold.
    pub catalogue: Arc<Catalogue>,
    /// What is bought.
    pub ordering: Arc<Ordering>,
}

impl Domains {
    /// Makes the domains over a platform.
    pub fn new(platform: &Platform, settings: &Settings) -> Result<Self, StartError> {
        let accounts = Arc::new(Accounts::new(platform, settings.accounts.clone())?);
        let catalogue = Arc::new(Catalogue::new(platform, settings.catalog.clone()));
        let provider = Arc::new(TestProvider::new(platform));
        let ordering = Arc::new(Ordering::new(
            platform,
            settings.ordering.clone(),
            Arc::clone(&catalogue) as _,
            Arc::clone(&accounts) as _,
            provider,
        ));
        Ok(Self { accounts, catalogue, ordering })
    }

    fn modules(&self, platform: &Platform) -> Vec<Module> {
        vec![
            idempotency_module(platform),
            self.accounts.module(),
            self.catalogue.module(),
            self.ordering.module(),
        ]
    }
}

/// The parts of all modules, ready to be started.
pub(crate) struct Wired {
    pub(crate) domains: Domains,
    pub(crate) router: Router,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) followers: Vec<Follower>,
    pub(crate) job_handlers: Vec<Handler>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) cache_tags: Vec<fn(&StoredEvent) -> Vec<Tag>>,
}

pub(crate) fn wire(
    platform: &Platform,
    settings: &Settings,
    health: &Arc<Health>,
) -> Result<Wired, StartError> {
    let domains = Domains::new(platform, settings)?;
    let modules = domains.modules(platform);
    let mut wired = Wired {
        router: health.routes(),
        authenticator: Arc::clone(&domains.accounts) as _,
        followers: Vec::new(),
        job_handlers: vec![
            SendMail::handler(Arc::clone(&platform.mailer)),
            PruneEvents::handler(&platform.database, settings.events_retention),
        ],
        schedules: vec![PruneEvents::schedule()],
        cache_tags: Vec::new(),
        domains,
    };
    let mut documented = OpenApiRouter::new();
    let mut v0 = Router::new();
    for module in modules {
        documented = documented.merge(module.routes);
        v0 = v0.merge(module.v0_routes);
        wired.followers.extend(module.followers);
        wired.job_handlers.extend(module.job_handlers);
        wired.schedules.extend(module.schedules);
        wired.cache_tags.extend(module.cache_tags);
    }
    let (routes, described) = documented.split_for_parts();
    let documents = Documents::new(&described, &server_url(settings))?;
    wired.router = wired.router.merge(routes).merge(deprecated_surface(v0)).merge(documentation(&documents));
    Ok(wired)
}

/// The OpenAPI documents, for the command that prints them.
pub fn documents(platform: &Platform, settings: &Settings) -> Result<Documents, StartError> {
    let modules = Domains::new(platform, settings)?.modules(platform);
    let documented = modules.into_iter().fold(OpenApiRouter::new(), |all, module| all.merge(module.routes));
    Ok(Documents::new(&documented.into_openapi(), &server_url(settings))?)
}

fn server_url(settings: &Settings) -> String {
    settings.public_url.clone().unwrap_or_else(|| "/".to_owned())
}

/// The tables of every module.
pub fn migrations() -> Vec<Migration> {
    let modules = [
        MIGRATIONS,
        &[stoa_http::IDEMPOTENCY_MIGRATION],
        stoa_accounts::MIGRATIONS,
        stoa_catalog::MIGRATIONS,
        stoa_ordering::MIGRATIONS,
    ];
    modules.concat()
}

/// The mail templates of every module.
pub fn templates() -> Vec<Template> {
    [stoa_accounts::TEMPLATES, stoa_ordering::TEMPLATES].concat()
}
