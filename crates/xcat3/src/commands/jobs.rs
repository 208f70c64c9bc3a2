//! Commands on jobs: operations on many nodes, under way or ended.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use comfy_table::{Table, presets};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::Context;
use super::operation::{self, Ended, View};
use crate::args::job::JobArgs;
use crate::error::Error;
use crate::follow::Following;
use crate::output;
use crate::report::Kind;
use crate::stream::Verdict;
use crate::tally::Tally;

/// The most jobs, or outcomes, that the API tells at once.
const PAGE: usize = 1_000;
/// How far back a job is looked for by the beginning of its id, in jobs.
const LOOKED_AT: usize = 10 * PAGE;
/// So much of an id is shown in a table, in characters.
const SHORT: usize = 8;
/// The length of an id.
const WHOLE: usize = 36;

/// A job as the API tells it.
#[derive(Clone, Debug, Deserialize)]
struct Job {
    id: String,
    operation: String,
    state: String,
    nodes: u64,
    done: u64,
    failed: u64,
    left_alone: u64,
    batch: Option<u64>,
    max_failures: Option<u64>,
    created_ms: i64,
    finished_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Page {
    job: Job,
    next: Option<i64>,
}

/// Lists jobs, the newest first.
pub async fn list(context: &Context, limit: usize) -> Result<(), Error> {
    let mut documents = Vec::new();
    while documents.len() < limit {
        let page = page_of_jobs(
            context,
            (limit - documents.len()).min(PAGE),
            documents.last(),
        );
        let page = page.await?;
        if page.is_empty() {
            break;
        }
        documents.extend(page);
    }
    let answer = serde_json::json!({ "jobs": documents });
    if context.style.json || documents.is_empty() {
        output::list(&[], &answer, context.style.json);
        return Ok(());
    }
    let jobs: Vec<Job> = read(context, answer["jobs"].clone())?;
    output::text(&format!("{}\n", table(&jobs, now_ms())));
    Ok(())
}

async fn page_of_jobs(
    context: &Context,
    limit: usize,
    last: Option<&Value>,
) -> Result<Vec<Value>, Error> {
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(
        last.and_then(|job| job["id"].as_str())
            .map(|id| ("before", id)),
    );
    let answer = context.client.get("/jobs", &query).await?;
    Ok(answer["jobs"].as_array().cloned().unwrap_or_default())
}

fn read<T: serde::de::DeserializeOwned>(context: &Context, document: Value) -> Result<T, Error> {
    let read = serde_json::from_value(document);
    read.map_err(|error| context.client.foreign(format!("a job is told as {error}")))
}

fn table(jobs: &[Job], now_ms: i64) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "JOB",
        "OPERATION",
        "STATE",
        "NODES",
        "DONE",
        "FAILED",
        "LEFT ALONE",
        "AGE",
        "TOOK",
    ]);
    for job in jobs {
        let took = job.finished_ms.map(|end| span(end - job.created_ms));
        table.add_row([
            job.id.chars().take(SHORT).collect(),
            job.operation.clone(),
            job.state.clone(),
            job.nodes.to_string(),
            job.done.to_string(),
            job.failed.to_string(),
            job.left_alone.to_string(),
            span(now_ms - job.created_ms),
            took.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}

/// Shows a job, or does with it what was asked for.
pub async fn job(context: &Context, args: &JobArgs) -> Result<ExitCode, Error> {
    let id = resolve(context, &args.id).await?;
    if args.cancel {
        return cancel(context, &id).await;
    }
    if args.follow {
        return follow(context, &id).await;
    }
    if context.style.json {
        return stream_known(context, &id).await;
    }
    let (job, tally) = known(context, &id).await?;
    let verdict = match (args.failed, args.left_alone) {
        (true, _) => Some(Verdict::Failed),
        (_, true) => Some(Verdict::LeftAlone),
        _ => None,
    };
    match verdict {
        None => output::text(&shown(&job, &tally, context.style.verbose, now_ms())),
        Some(verdict) => {
            let range = tally.range(verdict);
            if !range.is_empty() {
                output::text(&format!("{range}\n"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The id of the one job that an operator's text is the beginning of.
async fn resolve(context: &Context, text: &str) -> Result<String, Error> {
    let plain = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if text.is_empty() || text.len() > WHOLE || !plain {
        let sentence = format!("'{text}' is not the id of a job, see 'xcat3 jobs'");
        return Err(Error::Argument(sentence));
    }
    let text = text.to_ascii_lowercase();
    if text.len() == WHOLE {
        return Ok(text);
    }
    let (mut seen, mut found) = (0, Vec::new());
    let mut last = None;
    while seen < LOOKED_AT {
        let page = page_of_jobs(context, PAGE, last.as_ref()).await?;
        seen += page.len();
        let ids = page.iter().filter_map(|job| job["id"].as_str());
        found.extend(ids.filter(|id| id.starts_with(&text)).map(str::to_owned));
        if page.len() < PAGE {
            break;
        }
        last = page.last().cloned();
    }
    match found.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(Error::Argument(format!(
            "no job's id begins with '{text}', see 'xcat3 jobs'"
        ))),
        [first, second, ..] => Err(Error::Argument(format!(
            "the ids of several jobs begin with '{text}', like {first} and {second}: write more of it"
        ))),
    }
}

/// The outcomes of a job that are known by now, a page at a time.
async fn pages(
    context: &Context,
    id: &str,
    mut take: impl FnMut(Value) -> Result<(), Error>,
) -> Result<Job, Error> {
    let (path, limit) = (format!("/jobs/{id}"), PAGE.to_string());
    let mut after = 0;
    loop {
        let text = after.to_string();
        let query = [("after", text.as_str()), ("limit", limit.as_str())];
        let mut page = context.client.get(&path, &query).await?;
        for outcome in page["outcomes"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default()
        {
            take(outcome)?;
        }
        let Page { job, next, .. } = read(context, page)?;
        match next {
            Some(next) if next > after => after = next,
            _ => return Ok(job),
        }
    }
}

async fn known(context: &Context, id: &str) -> Result<(Job, Tally), Error> {
    let mut tally = Tally::default();
    let job = pages(context, id, |outcome| {
        tally.take(&read(context, outcome)?);
        Ok(())
    });
    let job = job.await?;
    Ok((job, tally))
}

/// The outcomes that are known by now as JSON lines, the job as the last.
async fn stream_known(context: &Context, id: &str) -> Result<ExitCode, Error> {
    let job = pages(context, id, |outcome| {
        output::text(&format!("{outcome}\n"));
        Ok(())
    });
    job.await?;
    let path = format!("/jobs/{id}");
    let page = context.client.get(&path, &[("limit", "0")]).await?;
    output::text(&format!("{}\n", page["job"]));
    Ok(ExitCode::SUCCESS)
}

async fn follow(context: &Context, id: &str) -> Result<ExitCode, Error> {
    let path = format!("/jobs/{id}");
    let page = context.client.get(&path, &[("limit", "0")]).await?;
    let Page { job, .. } = read(context, page)?;
    let nodes = usize::try_from(job.nodes).unwrap_or(usize::MAX);
    let view = View::new(context, &job.operation, nodes, context.style.json, true)
        .reporting(Kind::of(&job.operation));
    let following = Following::open(&context.client, id, context.patience).await?;
    match operation::follow(following, view).await? {
        Ended::Told(tally) => Ok(tally.code()),
        Ended::Left(code) => Ok(code),
    }
}

async fn cancel(context: &Context, id: &str) -> Result<ExitCode, Error> {
    let path = format!("/jobs/{id}");
    let answer = context
        .client
        .request(Method::DELETE, &path, &[], None)
        .await?;
    if context.style.json {
        output::print_json(&answer);
        return Ok(ExitCode::SUCCESS);
    }
    let job: Job = read(context, answer)?;
    let under_way = job
        .nodes
        .saturating_sub(job.done + job.failed + job.left_alone);
    let mut text = match job.state.as_str() {
        "cancelled" => format!(
            "job {id} is cancelled: {} nodes are left alone",
            job.left_alone
        ),
        state => format!("job {id} had ended already: {state}"),
    };
    if under_way > 0 {
        text.push_str(&format!(", {under_way} that were begun go on to their end"));
    }
    output::text(&format!("{text}\n"));
    Ok(ExitCode::SUCCESS)
}

/// A job for a person.
fn shown(job: &Job, tally: &Tally, verbose: bool, now_ms: i64) -> String {
    let to_go = job
        .nodes
        .saturating_sub(job.done + job.failed + job.left_alone);
    let mut text = format!(
        "Job:        {}\nOperation:  {}\nState:      {}\n",
        job.id, job.operation, job.state
    );
    text.push_str(&format!(
        "Nodes:      {}: {} done, {} failed, {} left alone, {to_go} to go\n",
        job.nodes, job.done, job.failed, job.left_alone
    ));
    let limit = job
        .max_failures
        .map(|most| format!("the rest is left alone when more than {most} fail"));
    let waves = job.batch.map(|batch| format!("{batch} at once"));
    let waves: Vec<String> = waves.into_iter().chain(limit).collect();
    if !waves.is_empty() {
        text.push_str(&format!("Waves:      {}\n", waves.join("; ")));
    }
    let took = job
        .finished_ms
        .map(|end| format!(", took {}", span(end - job.created_ms)));
    let age = span(now_ms - job.created_ms);
    text.push_str(&format!(
        "Begun:      {age} ago{}\n",
        took.unwrap_or_default()
    ));
    if verbose {
        text.push_str(&format!("\n{}", tally.summary(true, 0)));
        return text;
    }
    for (verdict, title) in [
        (Verdict::Failed, "Failed"),
        (Verdict::LeftAlone, "Left alone"),
    ] {
        let groups = tally.groups(&[verdict]);
        if !groups.is_empty() {
            text.push_str(&format!("\n{title}:\n{groups}"));
        }
    }
    text
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// A span of time as people say it.
pub fn span(ms: i64) -> String {
    let time = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..=9 => format!("{:.1}s", time.as_secs_f64()),
        10..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{minutes}m{:02}s", seconds % 60),
        7_200..=172_799 => format!("{hours}h{:02}m", minutes % 60),
        172_800.. => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        serde_json::from_value(
            serde_json::json!({"id": "0c4d9a3e-4b0e-4f6e-9c0a-3f1d1f6f2b11",
            "operation": "power on", "state": "stopped", "nodes": 1000, "done": 480, "failed": 21,
            "left_alone": 499, "batch": 250, "max_failures": 20, "created_ms": 1_000_000,
            "finished_ms": 1_061_500}),
        )
        .unwrap()
    }

    #[test]
    fn a_job_is_shown_with_its_failures_and_who_was_left_alone() {
        let mut tally = Tally::default();
        for number in 1..=1000 {
            let node = format!("n{number}");
            match number {
                ..=480 => tally.note(&node, Verdict::Ok, "on"),
                481..=501 => tally.note(&node, Verdict::Failed, "no answer"),
                _ => tally.note(&node, Verdict::LeftAlone, "left alone: too many failed"),
            };
        }
        let expected = "Job:        0c4d9a3e-4b0e-4f6e-9c0a-3f1d1f6f2b11\n\
            Operation:  power on\nState:      stopped\n\
            Nodes:      1000: 480 done, 21 failed, 499 left alone, 0 to go\n\
            Waves:      250 at once; the rest is left alone when more than 20 fail\n\
            Begun:      5m00s ago, took 61s\n\
            \nFailed:\nn[481-501]: no answer\n\
            \nLeft alone:\nn[502-1000]: left alone: too many failed\n";
        assert_eq!(shown(&job(), &tally, false, 1_300_000), expected);
    }

    #[test]
    fn jobs_are_a_table() {
        let table = table(&[job()], 8_300_000).to_string();
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1],
            [
                "0c4d9a3e", "power", "on", "stopped", "1000", "480", "21", "499", "2h01m", "61s"
            ]
        );
    }
}
