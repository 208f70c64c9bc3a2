//! Jobs: operations on many nodes, under way or ended.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::reader::start;
use xcat3_api_types::{JobList, JobPage, JobRecord, OutcomeRecord, StreamLine, job};
use xcat3_service::Running;
use xcat3_store::{JobId, JobStatus};

use super::{Answer, accepted, ok};
use crate::Api;
use crate::error::{ApiError, Failures, Missing};
use crate::follow::{Form, follow};
use crate::negotiation::{Told, last_event_id, told};
use crate::parameters::{Name, Params};
use crate::submission::LINES;

/// The most jobs, or outcomes, of one answer, and how many there are where nothing is asked for.
const MOST: usize = 1_000;
/// How many jobs are listed where nothing is asked for.
const LISTED: usize = 100;

/// Events, for the API's description.
const EVENTS: &str = concat!(
    "id: 7\nevent: outcome\n",
    r#"data: {"sequence":7,"node":"node1","outcome":"ok","result":"ok"}"#,
    "\n\nevent: end\n",
    r#"data: {"job":"0c4d9a3e-4b0e-4f6e-9c0a-3f1d1f6f2b11","state":"done","nodes":1,"done":1,"failed":0,"left_alone":0}"#,
    "\n\n"
);

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// At most so many, up to 1000; 100 where absent.
    #[param(value_type = Option<u64>, maximum = 1000)]
    limit: Option<String>,
    /// Those that are older than this job.
    #[param(format = "uuid")]
    before: Option<String>,
}

/// Which outcomes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    /// Those that came after the one with this number.
    #[param(value_type = Option<i64>)]
    after: Option<String>,
    /// At most so many, up to 1000, which is the default; 0 for the job alone.
    #[param(value_type = Option<u64>, maximum = 1000)]
    limit: Option<String>,
}

/// From where to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// After the outcome with this number. `Last-Event-ID` counts before it.
    #[param(value_type = Option<i64>)]
    after: Option<String>,
}

fn limit(text: Option<&str>, default: usize) -> Result<usize, ApiError> {
    let Some(text) = text else {
        return Ok(default);
    };
    let number: Option<usize> = text.parse().ok();
    number.filter(|number| *number <= MOST).ok_or_else(|| {
        let text = start(text);
        format!("limit '{text}' is not a number up to {MOST}").into()
    })
}

fn after(text: Option<&str>) -> Result<i64, ApiError> {
    let text = text.unwrap_or("0");
    let number: Option<i64> = text.parse().ok();
    number.filter(|number| *number >= 0).ok_or_else(|| {
        let text = start(text);
        format!("after '{text}' is not the number of an outcome").into()
    })
}

fn id(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|_| ApiError::missing("job", text))
}

/// What is told of a job.
pub fn record(status: &JobStatus) -> JobRecord {
    JobRecord {
        id: status.id.to_string(),
        operation: job::words(&status.operation),
        state: status.state.to_string(),
        nodes: status.nodes,
        done: status.done,
        failed: status.failed,
        left_alone: status.left_alone,
        batch: status.wave,
        max_failures: status.max_failures,
        created_ms: status.created_ms,
        finished_ms: status.finished_ms,
    }
}

/// The document of a job that was just made.
pub async fn document(api: &Api, id: JobId) -> Result<Json<JobRecord>, ApiError> {
    let status = api.store.job(id).await?;
    let status = status.ok_or_else(|| ApiError::missing("job", &id.to_string()))?;
    Ok(Json(record(&status)))
}

/// Lists jobs, the newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(Page),
    responses((status = 200, description = "jobs; those of the next page are `before` the last",
        body = JobList), Failures))]
pub async fn list(State(api): State<Api>, Params(page): Params<Page>) -> Answer<JobList> {
    let limit = limit(page.limit.as_deref(), LISTED)?;
    let before = page.before.as_deref().map(id).transpose()?;
    let jobs = api.store.jobs(limit, before).await?;
    ok(JobList {
        jobs: jobs.iter().map(record).collect(),
    })
}

/// Shows a job with outcomes of its nodes.
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "its id"), Outcomes),
    responses((status = 200, description = "the job and a page of outcomes", body = JobPage), Missing,
        Failures))]
pub async fn show(
    State(api): State<Api>,
    Name(text): Name,
    Params(outcomes): Params<Outcomes>,
) -> Answer<JobPage> {
    let (after, limit) = (
        after(outcomes.after.as_deref())?,
        limit(outcomes.limit.as_deref(), MOST)?,
    );
    let id = id(&text)?;
    // The counts first, so that they are never ahead of a page that says it is the last.
    let Json(job) = document(&api, id).await?;
    let (mut page, mut next) = (Vec::new(), None);
    if limit > 0 {
        let found = api.store.outcomes(id, after, limit).await?;
        if found.more {
            next = found.outcomes.last().map(|(sequence, ..)| *sequence);
        }
        page = found.outcomes;
    }
    let outcome = |(sequence, name, outcome)| OutcomeRecord::new(sequence, name, outcome);
    ok(JobPage {
        job,
        outcomes: page.into_iter().map(outcome).collect(),
        next,
    })
}

/// Follows a job: an event for each node as it happens, and one at the end.
#[utoipa::path(get, path = "/jobs/{id}/events", tag = "jobs",
    params(("id" = String, Path, description = "its id"), After,
        ("Last-Event-ID" = Option<i64>, Header, description = "go on after the event with this id")),
    responses((status = 200, description = "server-sent events: `outcome`, whose id is its \
        `sequence`, and `end`, with the counts; comments keep an idle stream alive. With \
        `Accept: application/x-ndjson` lines",
        content((StreamLine = "text/event-stream", example = json!(EVENTS)),
            (StreamLine = "application/x-ndjson", example = json!(LINES)))), Missing, Failures))]
pub async fn events(
    State(api): State<Api>,
    Name(text): Name,
    Params(params): Params<After>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = after(params.after.as_deref())?;
    let after = last_event_id(&headers)?.unwrap_or(after);
    let running = running(&api, &text, after).await?;
    let form = match told(&headers) {
        Told::Streamed => Form::Lines,
        Told::Together | Told::Later => Form::Events,
    };
    Ok(follow(api, running, form))
}

async fn running(api: &Api, text: &str, after: i64) -> Result<Running, ApiError> {
    let running = api.jobs.follow(id(text)?, after).await?;
    running.ok_or_else(|| ApiError::missing("job", text))
}

/// Cancels what has not begun of a job.
#[utoipa::path(delete, path = "/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "its id")),
    responses((status = 202, description = "the job as it is now; what has begun goes on to its end, \
        and a job that had ended stays as it was", body = JobRecord), Missing, Failures))]
pub async fn cancel(State(api): State<Api>, Name(text): Name) -> Answer<JobRecord> {
    let status = api.jobs.cancel(id(&text)?).await?;
    let status = status.ok_or_else(|| ApiError::missing("job", &text))?;
    accepted(record(&status))
}
