//! `/api/admin/jobs`: what is to be done, what is being done, and what was given up.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stoa_http::{ListQuery, Outcome, PathParts, Permitted, QueryPart, Reply, foreign_cursor};
use stoa_kernel::{SortOrder, Timestamp};
use stoa_platform::{
    database::{Connection, Tx},
    jobs::{self, JobId, JobRecord, JobState},
};
use utoipa::{IntoParams, ToSchema};

use super::permitted::{DeletesJobs, ReadsJobs, RetriesJobs};
use crate::{Operations, OperationsError};

/// What the jobs of this queue are told may hold links that open accounts.
const CONFIDENTIAL: &str = "emails";

/// How a job stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobState)]
pub(crate) enum StateView {
    /// To be done, now or at its time.
    Waiting,
    /// In a worker's hands.
    Running,
    /// Given up.
    Dead,
}

impl From<JobState> for StateView {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Waiting => Self::Waiting,
            JobState::Running => Self::Running,
            JobState::Dead => Self::Dead,
        }
    }
}

impl From<StateView> for JobState {
    fn from(state: StateView) -> Self {
        match state {
            StateView::Waiting => Self::Waiting,
            StateView::Running => Self::Running,
            StateView::Dead => Self::Dead,
        }
    }
}

/// A job that is not finished. Finished ones are gone.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Job)]
pub(crate) struct JobView {
    id: JobId,
    #[schema(example = "maintenance")]
    queue: String,
    #[schema(example = "prune-events")]
    kind: String,
    #[schema(inline)]
    state: StateView,
    /// What it was told. Not shown of mails.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false, required = false)]
    payload: Option<Box<RawValue>>,
    /// How often it was tried.
    attempts: u32,
    max_attempts: u32,
    /// How many workers died with it in their hands.
    deaths: u32,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    /// When it is or was due.
    run_at: Timestamp,
    /// When it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    dead_at: Option<Timestamp>,
    /// Who queued it.
    created_by: String,
    created_at: Timestamp,
}

impl From<JobRecord> for JobView {
    fn from(job: JobRecord) -> Self {
        let payload = if job.queue == CONFIDENTIAL { None } else { RawValue::from_string(job.payload).ok() };
        Self {
            id: job.id,
            queue: job.queue,
            kind: job.kind,
            state: job.state.into(),
            payload,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            deaths: job.deaths,
            error: job.error,
            run_at: job.run_at,
            dead_at: job.dead_at,
            created_by: job.created_by,
            created_at: job.created_at,
        }
    }
}

/// Which jobs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobFilters {
    /// Only those that stand so.
    #[param(inline)]
    state: Option<StateView>,
    /// Only those of this queue.
    #[param(example = "emails")]
    queue: Option<String>,
}

/// Jobs that are not finished, newest first; with `state=dead` those that were given up, the latest first.
#[utoipa::path(
    get, path = "/api/admin/jobs", tag = "Jobs", operation_id = "listJobs", params(ListQuery, JobFilters),
    security(("bearer" = [])), responses((status = 200, description = "A page of jobs", body = Vec<JobView>)),
)]
pub(crate) async fn list(
    State(operations): State<Operations>,
    _: Permitted<ReadsJobs>,
    query: ListQuery,
    QueryPart(filters): QueryPart<JobFilters>,
) -> Outcome {
    query.sort(&[("createdAt", ())], ((), SortOrder::Desc))?;
    let (state, queue) = (filters.state.map(JobState::from), filters.queue);
    let (now, request) = (operations.0.clock.now(), query.page.clone());
    let read = move |c: &mut Connection<'_>| jobs::list(c, state, queue.as_deref(), now, &request);
    let page = operations.0.database.read(read).await?.ok_or_else(foreign_cursor)?;
    Reply::page(&page.map(JobView::from), &query.page)
}

/// Show a job.
#[utoipa::path(
    get, path = "/api/admin/jobs/{id}", tag = "Jobs", operation_id = "getJob",
    params(("id" = JobId, Path, description = "The job's id")), security(("bearer" = [])),
    responses((status = 200, description = "The job", body = JobView)),
)]
pub(crate) async fn show(
    State(operations): State<Operations>,
    _: Permitted<ReadsJobs>,
    PathParts(id): PathParts<JobId>,
) -> Outcome {
    let now = operations.0.clock.now();
    let found = operations.0.database.get(move |c: &mut Connection<'_>| jobs::find(c, id, now)).await?;
    Reply::ok(&JobView::from(found.ok_or(OperationsError::UnknownJob)?))
}

/// Give a dead job all its attempts again.
#[utoipa::path(
    post, path = "/api/admin/jobs/{id}/retry", tag = "Jobs", operation_id = "retryJob",
    params(("id" = JobId, Path, description = "The job's id")), security(("bearer" = [])),
    responses(
        (status = 200, description = "The job, which waits now", body = JobView),
        (status = 409, description = "It was not given up, or the same job waits already"),
    ),
)]
pub(crate) async fn retry(
    State(operations): State<Operations>,
    Permitted { actor, .. }: Permitted<RetriesJobs>,
    PathParts(id): PathParts<JobId>,
) -> Outcome {
    let occasion = operations.occasion(&actor);
    let revive = move |tx: &mut Tx<'_>| {
        refuse_unless_dead(tx, id, occasion.at)?;
        if !jobs::retry(tx, &occasion, id)? {
            return Err(OperationsError::JobQueuedAgain);
        }
        jobs::find(tx, id, occasion.at)?.ok_or(OperationsError::UnknownJob)
    };
    Reply::ok(&JobView::from(operations.0.database.write(revive).await?))
}

/// Delete a dead job.
#[utoipa::path(
    delete, path = "/api/admin/jobs/{id}", tag = "Jobs", operation_id = "deleteJob",
    params(("id" = JobId, Path, description = "The job's id")), security(("bearer" = [])),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 409, description = "It was not given up"),
    ),
)]
pub(crate) async fn remove(
    State(operations): State<Operations>,
    Permitted { actor, .. }: Permitted<DeletesJobs>,
    PathParts(id): PathParts<JobId>,
) -> Outcome {
    let now = operations.occasion(&actor).at;
    let delete = move |tx: &mut Tx<'_>| {
        refuse_unless_dead(tx, id, now)?;
        if jobs::delete_dead(tx, id)? { Ok(()) } else { Err(OperationsError::JobNotDead) }
    };
    operations.0.database.write(delete).await?;
    Ok(Reply::no_content())
}

fn refuse_unless_dead(tx: &mut Tx<'_>, id: JobId, now: Timestamp) -> Result<(), OperationsError> {
    match jobs::find(tx, id, now)?.map(|job| job.state) {
        None => Err(OperationsError::UnknownJob),
        Some(JobState::Dead) => Ok(()),
        Some(JobState::Waiting | JobState::Running) => Err(OperationsError::JobNotDead),
    }
}
