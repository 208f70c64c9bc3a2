//! An operation on many nodes: asked for, followed as it happens, and told in the end.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Context;
use crate::args::job::OperationArgs;
use crate::client::Nodes;
use crate::error::Error;
use crate::follow::{Following, News, Request, Submitted, submit};
use crate::output::{self, Spinner};
use crate::plain::plain;
use crate::progress::{Progress, TICK};
use crate::report::{Kind, Reports};
use crate::stream::{End, Verdict};
use crate::tally::{FEW, Tally};

/// How a process ends that was interrupted from the keyboard, as shells tell it.
const INTERRUPTED: u8 = 130;

/// An operation, before it is asked for.
pub struct Operation<'a> {
    /// Its words on the command line, without the nodes.
    pub words: String,
    /// Method of its request.
    pub method: Method,
    /// Path of its request.
    pub path: &'a str,
    /// Parameters of its request, without those that name the nodes.
    pub query: Vec<(&'a str, &'a str)>,
    /// What its body says beside the nodes.
    pub body: Option<Map<String, Value>>,
    /// What it reports, where it does.
    pub reports: Option<Kind>,
}

/// How an operation came to its end, as far as we are concerned.
pub enum Ended {
    /// All nodes have an outcome.
    Told(Tally),
    /// There is nothing more to wait for.
    Left(ExitCode),
}

/// Has an operation carried out on nodes and prints what comes of it.
pub async fn run(
    context: &Context,
    operation: &Operation<'_>,
    nodes: &Nodes,
    args: &OperationArgs,
) -> Result<ExitCode, Error> {
    match carry_out(context, operation, nodes, args, true).await? {
        Ended::Told(tally) => Ok(tally.code()),
        Ended::Left(code) => Ok(code),
    }
}

/// The same; `printed` or only gathered.
pub async fn carry_out(
    context: &Context,
    operation: &Operation<'_>,
    nodes: &Nodes,
    args: &OperationArgs,
    printed: bool,
) -> Result<Ended, Error> {
    let mut query = operation.query.clone();
    query.extend(nodes.query());
    let batch = args.batch.map(|batch| batch.to_string());
    query.extend(batch.as_deref().map(|batch| ("batch", batch)));
    query.extend(args.max_failures.as_deref().map(|n| ("max_failures", n)));
    let (body, key) = (body(operation, nodes), Uuid::new_v4().to_string());
    let request = Request {
        method: operation.method.clone(),
        path: operation.path,
        query: &query,
        body: body.as_ref(),
        key: &key,
        later: args.later,
    };
    let total = nodes.names.len();
    let quiet = context.style.json || !printed;
    let reports = operation.reports.clone();
    let view = View::new(context, &operation.words, total, quiet, printed).reporting(reports);
    let submitted = {
        let _sign_of_life = Spinner::start(&format!("asking for {}", operation.words));
        let tell = |news: &News| view.connection(news);
        let submitting = submit(&context.client, &request, context.patience, tell);
        tokio::select! {
            submitted = submitting => submitted?,
            _ = tokio::signal::ctrl_c() => return Ok(Ended::Left(left_early())),
        }
    };
    match submitted {
        Submitted::Document(document) if args.later => {
            Ok(Ended::Left(told_job(context, &document)))
        }
        Submitted::Document(document) if printed => {
            drop(view);
            Ok(Ended::Left(output::node_outcomes(&document, context.style)))
        }
        Submitted::Document(document) => Ok(Ended::Told(output::tally(&document))),
        Submitted::Streamed(following) => follow(*following, view).await,
    }
}

/// The body of its request: the nodes where they are not in the address, and what it says beside them.
fn body(operation: &Operation<'_>, nodes: &Nodes) -> Option<Value> {
    match (nodes.body(), operation.body.clone()) {
        (Some(Value::Object(named)), Some(mut more)) => {
            more.extend(named);
            Some(Value::Object(more))
        }
        (named, more) => named.or(more.map(Value::Object)),
    }
}

/// Follows a job to its end and prints what comes of its nodes.
pub async fn follow(mut following: Following<'_>, mut view: View) -> Result<Ended, Error> {
    let job = following.job().to_owned();
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // A tick must not start anew what is waited for, or it would never come to its end.
        let mut next = std::pin::pin!(following.next());
        let news = loop {
            tokio::select! {
                biased;
                _ = &mut interrupted => {
                    view.close();
                    return Ok(Ended::Left(goes_on(&job)));
                }
                _ = tick.tick() => view.tick(),
                news = &mut next => break news,
            }
        };
        match news {
            Ok(News::End(end, text)) => return view.end(&end, &text).map(Ended::Told),
            Ok(news) => view.news(&news),
            Err(error) => {
                view.close();
                return Err(error);
            }
        }
    }
}

/// Says how to go on with a job that is no longer followed.
fn goes_on(job: &str) -> ExitCode {
    eprintln!(
        "xcat3: job {job} goes on; follow it: xcat3 job {job} --follow, \
         cancel it: xcat3 job {job} --cancel"
    );
    ExitCode::from(INTERRUPTED)
}

/// The same, where the API has not said which job it is.
fn left_early() -> ExitCode {
    eprintln!(
        "xcat3: interrupted before the API answered; where it took the request, \
         'xcat3 jobs' shows the job"
    );
    ExitCode::from(INTERRUPTED)
}

/// Prints which job it is that goes on without us.
fn told_job(context: &Context, document: &Value) -> ExitCode {
    if context.style.json {
        output::print_json(document);
    } else if let Some(id) = document["id"].as_str() {
        output::text(&format!("{id}\n"));
    } else {
        // An API without jobs has waited and answers for each node.
        return output::node_outcomes(document, context.style);
    }
    ExitCode::SUCCESS
}

/// What an operator sees of an operation that is followed.
pub struct View {
    tally: Tally,
    /// How many nodes there are.
    total: usize,
    progress: Progress,
    /// Whether results are printed, and how.
    printed: bool,
    json: bool,
    verbose: bool,
    /// Whether a node's line is printed when its outcome comes. Elsewhere than on a terminal the lines
    /// are printed in the end, in the order of names.
    at_once: bool,
    terminal: bool,
    kind: Option<Kind>,
    reports: Option<Reports>,
}

impl View {
    /// A view of the operation `words` on `total` nodes. Progress is shown unless `quiet`, results are
    /// where `printed`.
    pub fn new(context: &Context, words: &str, total: usize, quiet: bool, printed: bool) -> Self {
        let style = context.style;
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
        Self {
            tally: Tally::default(),
            total,
            progress: Progress::start(words, total, quiet),
            printed,
            json: style.json,
            verbose: style.verbose,
            at_once: printed && !style.json && terminal && (total <= FEW || style.verbose),
            terminal,
            kind: None,
            reports: None,
        }
    }

    /// The same where the nodes report something of this kind.
    pub fn reporting(mut self, kind: Option<Kind>) -> Self {
        self.kind.clone_from(&kind);
        let kind = kind.filter(|_| self.printed && !self.json);
        self.reports = kind.map(|kind| Reports::new(kind, self.total, self.verbose, self.terminal));
        // What failed is told when the reports were.
        self.at_once &= self.reports.is_none();
        self
    }

    /// Says what happens to the connection.
    fn connection(&self, news: &News) {
        match news {
            News::Lost(reason) => {
                let text = format!("the connection to the API broke ({reason}); connecting again");
                self.progress.say(&text);
            }
            News::Back => self.progress.say("connected again; nothing was missed"),
            News::Outcome(..) | News::End(..) => {}
        }
    }

    fn news(&mut self, news: &News) {
        let News::Outcome(record, text) = news else {
            return self.connection(news);
        };
        if self.tally.take(record) && !self.at_once {
            self.progress.first(record);
        }
        let counted_only = self
            .kind
            .as_ref()
            .is_some_and(|k| k.is_counted_only(&record.result));
        if self.kind == Some(Kind::Found)
            && let Some(report) = &record.report
        {
            self.tally.find(record.node.as_str(), report);
        }
        if counted_only {
            // It stands in the counts.
        } else if self.printed && self.json {
            output::text(&format!("{text}\n"));
        } else if let (Some(reports), Some(report)) = (&mut self.reports, &record.report) {
            let text = reports.take(record.node.as_str(), report);
            if !text.is_empty() {
                self.progress.aside(|| output::text(&text));
            }
        } else if self.at_once && record.outcome != Verdict::LeftAlone {
            let line = format!("{}: {}\n", record.node, plain(&record.result));
            self.progress.aside(|| output::text(&line));
        }
    }

    fn tick(&mut self) {
        self.progress.tick(&self.tally);
    }

    /// The job has ended. The API's counts and what we were told must agree.
    fn end(mut self, end: &End, text: &str) -> Result<Tally, Error> {
        if self.printed && self.json {
            output::text(&format!("{text}\n"));
        }
        self.close();
        let told = self.tally.total() as u64;
        if told == end.nodes {
            Ok(std::mem::take(&mut self.tally))
        } else {
            Err(Error::Missed {
                job: end.job.clone(),
                told,
                nodes: end.nodes,
            })
        }
    }

    /// Prints what is known by now.
    fn close(&mut self) {
        self.progress.close();
        if !self.printed || self.json {
            return;
        }
        if let Some(mut reports) = self.reports.take() {
            let untold = self.tally.groups(&[Verdict::Failed, Verdict::LeftAlone]);
            let counts = match self.kind {
                Some(Kind::Found) => self.tally.counts_of_search(self.total),
                _ => self.tally.counts(self.total),
            };
            let text = reports.end() + &untold + &counts;
            output::text(&text);
        } else if self.at_once {
            let left_alone = self.tally.groups(&[Verdict::LeftAlone]);
            output::text(&format!("{left_alone}{}", self.tally.counts(self.total)));
        } else if self.tally.total() > 0 {
            output::text(&self.tally.summary(self.verbose, self.total));
        }
    }
}
