//! `deploy`, and following it until every node is deployed or has failed.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};
use xcat3_core::{NodeName, natural};

use super::Context;
use super::operation::{self, Ended, Operation};
use crate::args::record::{DeployArgs, DeployWord};
use crate::client::Nodes;
use crate::error::Error;
use crate::output;
use crate::stream::Verdict;
use crate::tally::Tally;

/// Between two looks at the nodes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For how long the API may be away while we follow.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most nodes that get a line of their own on a terminal.
const MOST_LINES: usize = 20;

pub async fn deploy(context: &Context, args: &DeployArgs) -> Result<ExitCode, Error> {
    let nodes = Nodes::parse(&args.nodes)?;
    let target = match (args.state, args.delete) {
        (DeployWord::Nodeset, false) => "nodeset",
        (DeployWord::Nodeset, true) => "un_nodeset",
        (DeployWord::Dhcp, false) => "dhcp",
        (DeployWord::Dhcp, true) => "un_dhcp",
    };
    let mut query = vec![("target", target)];
    query.extend(args.osimage.as_deref().map(|name| ("osimage", name)));
    query.extend(args.subnet.as_deref().map(|name| ("subnet", name)));
    if args.force {
        query.push(("force", "true"));
    }
    let operation = Operation {
        words: format!("deploy {target}"),
        method: Method::PUT,
        path: "/nodes/provision",
        query,
        body: None,
        reports: None,
    };
    if !args.wait || target != "nodeset" {
        return operation::run(context, &operation, &nodes, &args.operation).await;
    }
    match operation::carry_out(context, &operation, &nodes, &args.operation, false).await? {
        Ended::Told(tally) => follow(context, &tally).await,
        Ended::Left(code) => Ok(code),
    }
}

/// Follows the nodes that are being deployed. Those that were refused count as failed.
async fn follow(context: &Context, tally: &Tally) -> Result<ExitCode, Error> {
    let accepted = tally.each(Verdict::Ok).map(|(node, _)| node.parse());
    let accepted: Result<Vec<NodeName>, _> = accepted.collect();
    let foreign = |_| {
        context
            .client
            .foreign("it names what can't be a node".to_owned())
    };
    let mut under_way = accepted.map_err(foreign)?;
    under_way.sort_by(|a, b| natural::compare(a.as_str(), b.as_str()));
    let mut ended: HashMap<String, String> = HashMap::new();
    for verdict in [Verdict::Failed, Verdict::LeftAlone] {
        let refused = tally.each(verdict);
        ended.extend(refused.map(|(node, why)| (node.to_owned(), why.to_owned())));
    }
    let mut view = View::new(&under_way, context.style.json);
    let mut reached = Instant::now();
    while !under_way.is_empty() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(view.leave(under_way.len())),
        }
        match look(context, &under_way).await {
            Ok(records) => {
                reached = Instant::now();
                under_way.retain(|name| {
                    let outcome = ended_as(records.get(name.as_str()));
                    view.show(name, records.get(name.as_str()), outcome.as_deref());
                    outcome.is_none_or(|outcome| {
                        ended.insert(name.to_string(), outcome);
                        false
                    })
                });
            }
            Err(error) if reached.elapsed() > PATIENCE => return Err(error),
            Err(_) => {}
        }
    }
    view.close();
    Ok(summary(context, &ended))
}

/// The records of nodes by name.
async fn look(context: &Context, names: &[NodeName]) -> Result<HashMap<String, Value>, Error> {
    let nodes = Nodes::of(names.to_vec());
    let mut query = vec![("fields", "name,state,deploy")];
    query.extend(nodes.query());
    let answer = context
        .client
        .request(Method::GET, "/nodes/info", &query, nodes.body().as_ref())
        .await?;
    let records = answer["nodes"].as_array().cloned().unwrap_or_default();
    let named = |record: Value| Some((record["name"].as_str()?.to_owned(), record));
    Ok(records.into_iter().filter_map(named).collect())
}

/// How a node's deploy ended, where it has.
fn ended_as(record: Option<&Value>) -> Option<String> {
    let Some(record) = record else {
        return Some("it was deleted meanwhile".to_owned());
    };
    match record["state"].as_str() {
        Some("deploying") => None,
        Some("deployed") => Some("deployed".to_owned()),
        Some("failed") => {
            let why = record["deploy"]["failure"]
                .as_str()
                .unwrap_or("no reason is known");
            Some(format!("failed: {why}"))
        }
        other => Some(format!(
            "taken back: its state is {}",
            other.unwrap_or("null")
        )),
    }
}

fn summary(context: &Context, ended: &HashMap<String, String>) -> ExitCode {
    let deployed = ended
        .values()
        .filter(|outcome| *outcome == "deployed")
        .count();
    if context.style.json {
        output::print_json(&json!({ "nodes": ended }));
    } else {
        let mut lines: Vec<_> = ended.iter().collect();
        lines.sort_by(|a, b| natural::compare(a.0, b.0));
        for (name, outcome) in lines {
            println!("{name}: {outcome}");
        }
        println!("\nSuccess: {deployed}  Total: {}", ended.len());
    }
    if deployed == ended.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What a record says of the way that its node has come.
fn position(record: Option<&Value>) -> String {
    let deploy = record.map_or(&Value::Null, |record| &record["deploy"]);
    let phase = deploy["phase"].as_str().unwrap_or("waiting");
    match deploy["detail"]
        .as_str()
        .filter(|detail| !detail.is_empty())
    {
        Some(detail) => format!("{phase}: {detail}"),
        None => phase.to_owned(),
    }
}

/// The live view: a line a node on a terminal, a line a change elsewhere, nothing for programs.
struct View {
    started: Instant,
    lines: Option<HashMap<String, ProgressBar>>,
    quiet: bool,
    last: HashMap<String, String>,
}

impl View {
    fn new(names: &[NodeName], json: bool) -> Self {
        let on_terminal = std::io::stderr().is_terminal() && names.len() <= MOST_LINES && !json;
        let lines = on_terminal.then(|| {
            let all = MultiProgress::new();
            let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg}")
                .expect("a valid template");
            let bar = |name: &NodeName| {
                let bar = all.add(ProgressBar::new_spinner());
                bar.set_style(style.clone());
                bar.set_prefix(name.to_string());
                bar.enable_steady_tick(Duration::from_millis(250));
                (name.to_string(), bar)
            };
            names.iter().map(bar).collect()
        });
        Self {
            started: Instant::now(),
            lines,
            quiet: json,
            last: HashMap::new(),
        }
    }

    fn show(&mut self, name: &NodeName, record: Option<&Value>, ended: Option<&str>) {
        let text = ended.map_or_else(|| position(record), str::to_owned);
        if let Some(bar) = self
            .lines
            .as_ref()
            .and_then(|lines| lines.get(name.as_str()))
        {
            bar.set_message(text);
            if ended.is_some() {
                bar.finish();
            }
            return;
        }
        // Without a terminal only a new phase is worth a line, not each file that is fetched.
        let phase = text.split(": ").next().unwrap_or_default().to_owned();
        if !self.quiet && self.last.insert(name.to_string(), phase.clone()) != Some(phase) {
            eprintln!("{:>6}s {name}: {text}", self.started.elapsed().as_secs());
        }
    }

    fn close(&mut self) {
        for bar in self.lines.iter().flat_map(HashMap::values) {
            bar.finish_and_clear();
        }
    }

    /// Leaves the deploy alone and says how to go on.
    fn leave(&mut self, under_way: usize) -> ExitCode {
        self.close();
        eprintln!(
            "xcat3: no longer following; {under_way} nodes go on installing. \
             See where they are with 'xcat3 show NODES --fields state,deploy'."
        );
        ExitCode::FAILURE
    }
}
