//! Which modules there are, and who is wired to whom. Adding a domain is a crate and a line here.

use std::sync::Arc;

use axum::Router;
use stoa_accounts::Accounts;
use stoa_catalog::Catalogue;
use stoa_chat::Chat;
use stoa_drivers::stripe::Stripe;
use stoa_files::{Files, FilesSettings, Shelf};
use stoa_http::{Documents, Module, deprecated_surface, documentation, idempotency_module, upload_page};
use stoa_kernel::Authenticator;
use stoa_notifications::Notifications;
use stoa_operations::Operations;
use stoa_ordering::{Ordering, TestProvider};
use stoa_platform::{
    MIGRATIONS, Platform,
    cache::Tag,
    database::Migration,
    events::{Follower, PruneEvents, StoredEvent},
    jobs::{Handler, Schedule},
    mail::{PruneMails, SendMail, Template},
    verify::{self, Check},
};
use stoa_realtime::{ForgetSessions, Hub};
use utoipa_axum::router::OpenApiRouter;

use crate::{agreement, app::StartError, health::Health, insight, settings::Settings, start_page::StartPage};

/// Every domain, made and wired.
pub struct Domains {
    /// Who is who.
    pub accounts: Arc<Accounts>,
    /// What is sold.
    pub catalogue: Arc<Catalogue>,
    /// What is bought.
    pub ordering: Arc<Ordering>,
    /// Who is told what.
    pub notifications: Arc<Notifications>,
    /// What is said.
    pub chat: Chat,
    /// What is sent.
    pub files: Arc<Files>,
}

impl Domains {
    /// Makes the domains over a platform.
    pub fn new(platform: &Platform, settings: &Settings) -> Result<Self, StartError> {
        let accounts = Arc::new(Accounts::new(platform, settings.accounts.clone())?);
        let shelf = Arc::new(Shelf::new(settings.public_url.as_deref()));
        let catalogue = Arc::new(Catalogue::new(platform, settings.catalog.clone(), Arc::clone(&shelf) as _));
        let notifications = Arc::new(Notifications::new(
            platform,
            settings.notifications.clone(),
            Arc::clone(&accounts) as _,
            Arc::clone(&accounts) as _,
            Arc::clone(&catalogue) as _,
        ));
        let test = Arc::new(TestProvider::new(platform));
        let stripe = settings.stripe.clone().map(Stripe::new).transpose()?;
        let ordering = |provider| {
            let settings = settings.ordering.clone();
            Ordering::new(
                platform,
                settings,
                Arc::clone(&catalogue) as _,
                Arc::clone(&accounts) as _,
                provider,
            )
        };
        let ordering = match stripe {
            Some(stripe) => ordering(Arc::new(stripe)).with_former_provider(test),
            None => ordering(test),
        };
        let ordering = Arc::new(ordering.asking(Arc::clone(&notifications) as _));
        let chat = Chat::new(platform, settings.chat, Arc::clone(&accounts) as _, shelf);
        let signing =
            FilesSettings { secret: settings.accounts.jwt_secret.clone(), ..settings.files.clone() };
        let files = Arc::new(Files::new(platform, signing, Arc::new(chat.clone()))?);
        Ok(Self { accounts, catalogue, ordering, notifications, chat, files })
    }

    fn modules(&self, platform: &Platform, settings: &Settings) -> Vec<Module> {
        vec![
            idempotency_module(platform),
            self.accounts.module(Arc::clone(&self.files) as _),
            self.catalogue.module(),
            self.ordering.module(),
            self.notifications.module(),
            self.chat.module(),
            self.files.module(),
            Operations::new(platform).module(),
            insight::module(platform, &settings.insight),
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
    pub(crate) hub: Hub,
}

pub(crate) fn wire(
    platform: &Platform,
    settings: &Settings,
    health: &Arc<Health>,
) -> Result<Wired, StartError> {
    let domains = Domains::new(platform, settings)?;
    let mut modules = domains.modules(platform, settings);
    let sockets = modules.iter_mut().map(|module| std::mem::take(&mut module.sockets)).collect();
    let mut wired = Wired {
        router: health.routes(),
        authenticator: Arc::clone(&domains.accounts) as _,
        followers: Vec::new(),
        job_handlers: vec![
            SendMail::handler(Arc::clone(&platform.mailer)),
            PruneEvents::handler(&platform.database, settings.events_retention),
            PruneMails::handler(Arc::clone(&platform.mailer), settings.mails_retention),
            ForgetSessions::handler(&platform.database),
        ],
        schedules: vec![PruneEvents::schedule(), PruneMails::schedule(), ForgetSessions::schedule()],
        cache_tags: Vec::new(),
        hub: Hub::new(platform, Arc::clone(&domains.accounts) as _, settings.realtime.clone(), sockets),
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
    let page = StartPage::of_version(env!("CARGO_PKG_VERSION"));
    wired.router = wired
        .router
        .merge(routes)
        .merge(page.before(deprecated_surface(v0)))
        .merge(page.at_the_root())
        .merge(upload_page(settings.realtime.guests))
        .merge(documentation(&documents));
    Ok(wired)
}

/// The OpenAPI documents, for the command that prints them.
pub fn documents(platform: &Platform, settings: &Settings) -> Result<Documents, StartError> {
    let modules = Domains::new(platform, settings)?.modules(platform, settings);
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
        stoa_notifications::MIGRATIONS,
        stoa_chat::MIGRATIONS,
        stoa_files::MIGRATIONS,
        stoa_realtime::MIGRATIONS,
    ];
    modules.concat()
}

/// What must hold in the tables of every module.
pub fn checks() -> Vec<Check> {
    let modules = [
        verify::event_log_checks(),
        stoa_catalog::verify::checks(),
        stoa_ordering::verify::checks(),
        stoa_chat::verify::checks(),
        stoa_files::verify::checks(),
        agreement::checks(),
    ];
    modules.concat()
}

/// The mail templates of every module.
pub fn templates() -> Vec<Template> {
    [stoa_accounts::TEMPLATES, stoa_ordering::TEMPLATES, stoa_notifications::TEMPLATES].concat()
}
