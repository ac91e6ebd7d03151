//! Files: what people send, looked at before it is kept, and served to whoever may have it.
//!
//! All ways in are one. What comes is received into the spool, a folder of this node (`receive_upload`); what it is, its
//! bytes say (`sniff`); a picture is made into those that are served (`prepare`); then it is kept (`keep_files`):
//! first a row that says what will be in the store, then the objects, then the row says that they are there. So a crash
//! leaves rows that wait and no object without a row, and a job clears them away. Deleting goes the other way round.
//!
//! [`Shelf`] is what other domains ask; [`Files`] is the whole room.

mod clean_up;
mod delete_file;
mod error;
mod file;
mod find_files;
mod keep_files;
mod kinds;
mod names;
mod prepare;
mod presign;
mod receive_picture;
mod receive_upload;
mod routes;
mod scan;
mod serve;
mod settings;
mod shelf;
mod sign;
mod sniff;
mod spool;
mod store;
mod v0;
pub mod verify;

use std::sync::Arc;

use stoa_contracts::files::FileMessages;
use stoa_http::Module;
use stoa_kernel::Actor;
use stoa_pictures::Bounds;
use stoa_platform::{
    Occasion, Platform,
    database::{Database, Migration},
    processor_pool::ProcessorPool,
    storage::Storage,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::{
    clean_up::CleanUpFiles,
    delete_file::FAILPOINTS as DELETING_FAILPOINTS,
    error::FileError,
    keep_files::FAILPOINTS as KEEPING_FAILPOINTS,
    kinds::{Kind, Sort},
    settings::{FilesSettings, SetupError},
    shelf::Shelf,
};
use self::{serve::Servings, sign::Links, spool::Spool};

/// The tables of this domain.
pub const MIGRATIONS: &[Migration] =
    &[Migration::shared(70, "files", include_str!("../../../migrations/0070_files.sql"))];

/// Pictures that may wait for a thread.
const WAITING_PICTURES: usize = 8;

/// The domain, cheap to clone.
#[derive(Clone)]
pub struct Files(Arc<Room>);

struct Room {
    platform: Platform,
    settings: FilesSettings,
    messages: Arc<dyn FileMessages>,
    spool: Spool,
    links: Links,
    processors: ProcessorPool,
    /// Whoever holds one may give the processors something to do, so that what waits for them waits here, in order.
    turns: Arc<Semaphore>,
    /// Whoever holds one receives files.
    places: Arc<Semaphore>,
    servings: Servings,
    bounds: Bounds,
}

impl Files {
    /// Files that chat may show.
    pub fn new(
        platform: &Platform,
        settings: FilesSettings,
        messages: Arc<dyn FileMessages>,
    ) -> Result<Self, SetupError> {
        let threads = settings.picture_threads.max(1);
        let (clock, random) = (platform.clock.clone(), platform.random.clone());
        Ok(Self(Arc::new(Room {
            spool: Spool::at(settings.spool.clone(), clock, random),
            links: Links::signed_by(&settings.secret).map_err(|_| SetupError::Key)?,
            processors: ProcessorPool::start("pictures", threads, WAITING_PICTURES)?,
            turns: Arc::new(Semaphore::new(threads + WAITING_PICTURES / 2)),
            places: Arc::new(Semaphore::new(settings.uploads_at_once.max(1))),
            servings: Servings::holding(settings.cache_bytes),
            bounds: Bounds::default(),
            platform: platform.clone(),
            settings,
            messages,
        })))
    }

    /// What it serves, hears and does.
    pub fn module(&self) -> Module {
        Module {
            name: "files",
            migrations: MIGRATIONS.to_vec(),
            routes: routes::all(self.clone()),
            v0_routes: v0::routes(self.clone()),
            followers: vec![self.follower()],
            job_handlers: vec![
                self.removal_handler(),
                self.clean_up_handler(),
                self.sweep_handler(),
                self.forget_owner_handler(),
            ],
            schedules: vec![Self::clean_up_schedule(), Self::sweep_schedule()],
            ..Module::default()
        }
    }

    /// Removes what an earlier process on this data folder was receiving when it ended. Only before anything is served.
    pub fn begin(&self) -> Result<(), FileError> {
        let left = self.spool().sweep(true)?;
        if left > 0 {
            tracing::info!(files = left, "removed what was being received when the server ended");
        }
        Ok(())
    }

    fn database(&self) -> &Database {
        &self.0.platform.database
    }

    fn storage(&self) -> &Storage {
        &self.0.platform.storage
    }

    fn settings(&self) -> &FilesSettings {
        &self.0.settings
    }

    fn messages(&self) -> &Arc<dyn FileMessages> {
        &self.0.messages
    }

    fn spool(&self) -> &Spool {
        &self.0.spool
    }

    fn processors(&self) -> &ProcessorPool {
        &self.0.processors
    }

    fn turns(&self) -> &Arc<Semaphore> {
        &self.0.turns
    }

    fn picture_bounds(&self) -> Bounds {
        self.0.bounds
    }

    /// What links begin with.
    fn base(&self) -> &str {
        self.settings().public_url.as_deref().unwrap_or_default()
    }

    fn place_to_receive(&self) -> Result<OwnedSemaphorePermit, FileError> {
        Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| FileError::Busy)
    }

    /// Now, by `actor`.
    fn occasion(&self, actor: &Actor) -> Occasion {
        Occasion::new(&self.0.platform.clock, &self.0.platform.random, actor)
    }
}
