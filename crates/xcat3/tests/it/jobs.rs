//! Operations on nodes as jobs: streamed, cut off, interrupted, asked about later.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::fake::{Answer, Asked, Fake, JOB, Step, end, event, gate, line};
use super::{stderr, stdout, xcat3};

/// A program that runs.
fn spawn(url: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xcat3"));
    command.env("XCAT3_URL", url).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// `count` nodes, the last `failed` of them without success.
fn outcomes(count: usize, failed: usize) -> Vec<Step> {
    let outcome = |n: usize| {
        if n > count - failed {
            line(n, "failed", "no answer from the BMC")
        } else {
            line(n, "ok", "on")
        }
    };
    // They come in no order.
    let mut steps: Vec<Step> = (1..=count).map(outcome).collect();
    steps.rotate_left(count / 2);
    let mut numbered: Vec<Step> = Vec::new();
    for (place, step) in steps.into_iter().enumerate() {
        let Step::Say(text) = step else {
            unreachable!()
        };
        let (_, rest) = text.split_once(',').unwrap();
        numbered.push(Step::Say(format!("{{\"sequence\":{},{rest}", place + 1)));
    }
    numbered.push(end("done", count - failed, failed, 0));
    numbered
}

#[test]
fn many_nodes_are_one_small_request_and_a_few_lines() {
    let server = Fake::start(|_, _| Answer::lines(outcomes(1_000, 12)));
    let output = xcat3(&server.url, &["power", "n[1-1000]", "on"]);
    let expected =
        "n[1-988]: on\nn[989-1000]: no answer from the BMC\n\nSuccess: 988  Total: 1000\n";
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].line,
        "PUT /v1/nodes/power?target=on&nodes=n%5B1-1000%5D"
    );
    assert_eq!(asked[0].body, "");
    assert_eq!(asked[0].header("accept"), Some("application/x-ndjson"));
    assert_eq!(asked[0].header("idempotency-key").unwrap().len(), 36);
    let verbose = xcat3(&server.url, &["-v", "power", "n[1-1000]", "on"]);
    let text = stdout(&verbose);
    assert_eq!(text.lines().count(), 1_002);
    assert!(text.starts_with("n1: on\nn2: on\n"), "{text}");
    let keys: Vec<Option<String>> = server
        .asked()
        .iter()
        .map(|asked| asked.header("idempotency-key").map(str::to_owned))
        .collect();
    assert_ne!(keys[0], keys[1], "another operation is another job");
}

#[test]
fn few_nodes_get_a_line_each_in_the_order_of_their_names() {
    let server = Fake::start(|_, _| Answer::lines(outcomes(12, 0)));
    let output = xcat3(&server.url, &["power", "n[1-12]"]);
    assert!(stdout(&output).starts_with("n1: on\nn2: on\nn3: on\n"));
    assert!(stdout(&output).ends_with("n12: on\n\nSuccess: 12  Total: 12\n"));
    assert_eq!(output.status.code(), Some(0));
    assert!(
        server.asked()[0]
            .line
            .starts_with("GET /v1/nodes/power?nodes=")
    );
}

#[test]
fn names_that_fold_badly_go_into_the_body() {
    let server = Fake::start(|_, _| Answer::lines(outcomes(2, 0)));
    let names: Vec<String> = (0..400).map(|n| format!("{}x{n}", n * 7_919)).collect();
    xcat3(&server.url, &["power", &names.join(","), "on"]);
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "PUT /v1/nodes/power?target=on");
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["nodes"].as_array().unwrap().len(), 400);
}

#[test]
fn a_program_gets_the_lines_as_they_come() {
    let (open, closed) = gate();
    let server = Fake::start(move |_, _| {
        let mut steps = vec![line(1, "ok", "on"), Step::Wait(closed.clone())];
        steps.extend([line(2, "failed", "no"), end("done", 1, 1, 0)]);
        Answer::lines(steps)
    });
    let mut child = spawn(&server.url, &["--json", "power", "n[1-2]", "on"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert_eq!(
        first,
        r#"{"sequence":1,"node":"n1","outcome":"ok","result":"on"}"#
    );
    // The server has not said more yet.
    open.send(()).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(rest.len(), 2, "{rest:?}");
    let last: Value = serde_json::from_str(&rest[1]).unwrap();
    assert_eq!((&last["job"], &last["failed"]), (&json!(JOB), &json!(1)));
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// Whether a request goes on after the outcome with this number.
fn goes_on_after(asked: &Asked, sequence: &str) -> bool {
    asked.line == format!("GET /v1/jobs/{JOB}/events")
        && asked.header("last-event-id") == Some(sequence)
}

#[test]
fn a_stream_that_breaks_is_gone_on_with_and_nothing_is_missed_or_told_twice() {
    let server = Fake::start(|_, number| match number {
        0 => Answer::lines(vec![line(1, "ok", "on"), line(2, "ok", "on"), Step::HangUp]),
        // Its database is away.
        1 => Answer::json(
            503,
            &json!({"error_message": {"faultstring": "the database is away"}}),
        ),
        2 => Answer::none(),
        // This one tells the second outcome again, and ends without a last line.
        3 => Answer::events(vec![
            event(line(2, "ok", "on")),
            event(line(3, "failed", "no answer")),
        ]),
        _ => Answer::events(vec![
            event(line(4, "ok", "on")),
            event(end("done", 3, 1, 0)),
        ]),
    });
    let output = xcat3(&server.url, &["power", "n[1-4]", "on"]);
    let expected = "n1: on\nn2: on\nn3: no answer\nn4: on\n\nSuccess: 3  Total: 4\n";
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    let asked = server.asked();
    assert_eq!(asked.len(), 5, "{asked:?}");
    for (place, sequence) in [(1, "2"), (2, "2"), (3, "2"), (4, "3")] {
        assert!(goes_on_after(&asked[place], sequence), "{:?}", asked[place]);
    }
    let said = stderr(&output);
    assert_eq!(
        said.matches("connection to the API broke").count(),
        2,
        "{said}"
    );
    assert_eq!(said.matches("connected again").count(), 2, "{said}");
}

#[test]
fn a_request_without_an_answer_is_repeated_as_the_same_job() {
    let server = Fake::start(|_, number| match number {
        0 => Answer::none(),
        _ => Answer::lines(vec![line(1, "ok", "on"), end("done", 1, 0, 0)]),
    });
    let output = xcat3(&server.url, &["power", "n1", "on"]);
    assert_eq!(stdout(&output), "n1: on\n\nSuccess: 1  Total: 1\n");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].line, asked[1].line);
    let key = |asked: &Asked| asked.header("idempotency-key").unwrap().to_owned();
    assert_eq!(key(&asked[0]), key(&asked[1]));
}

#[test]
fn an_api_that_stays_away_is_given_up_and_the_job_is_named() {
    let server = Fake::start(|_, number| match number {
        0 => Answer::lines(vec![line(1, "ok", "on"), Step::HangUp]),
        _ => Answer::none(),
    });
    let output = xcat3(
        &server.url,
        &["--reconnect-for", "1", "power", "n[1-2]", "on"],
    );
    let said = stderr(&output);
    assert!(
        said.contains(&format!("xcat3 job {JOB} --follow")),
        "{said}"
    );
    assert!(said.contains("for 1 seconds"), "{said}");
    assert!(
        stdout(&output).starts_with("n1: on\n"),
        "what is known is printed"
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(server.asked().len() > 2, "it was tried more than once");
}

#[test]
fn counts_that_do_not_agree_are_an_error() {
    let server = Fake::start(|_, _| Answer::lines(vec![line(1, "ok", "on"), end("done", 2, 0, 0)]));
    let output = xcat3(&server.url, &["power", "n[1-2]", "on"]);
    assert!(stderr(&output).contains("told of 1"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_is_no_outcome_is_refused() {
    let server = Fake::start(|_, _| Answer::lines(vec![Step::Say("<html>\n".into())]));
    let output = xcat3(&server.url, &["power", "n1", "on"]);
    assert!(
        stderr(&output).contains("it streams '<html>'"),
        "{}",
        stderr(&output)
    );
    let endless = Fake::start(|_, _| {
        Answer::lines((0..2_000).map(|_| Step::Say("x".repeat(1_024))).collect())
    });
    let output = xcat3(&endless.url, &["power", "n1", "on"]);
    assert!(
        stderr(&output).contains("a line is longer than"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_interrupt_leaves_the_job_running_and_says_how_to_go_on() {
    let (_open, closed) = gate();
    let server = Fake::start(move |_, _| {
        Answer::lines(vec![line(1, "ok", "on"), Step::Wait(closed.clone())])
    });
    let mut child = spawn(&server.url, &["--json", "power", "n[1-2]", "on"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let expected = format!(
        "xcat3: job {JOB} goes on; follow it: xcat3 job {JOB} --follow, cancel it: xcat3 job {JOB} --cancel\n"
    );
    assert_eq!(stderr(&output), expected);
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(server.asked().len(), 1, "nothing was cancelled");
}

#[test]
fn an_interrupt_before_the_answer_says_where_to_look() {
    let server = Fake::start(|_, _| {
        std::thread::sleep(super::fake::GENEROUS);
        Answer::none()
    });
    let child = spawn(&server.url, &["power", "n1", "on"]);
    server.wait_for_requests(1);
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        stderr(&output).contains("xcat3 jobs"),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(130));
}

#[test]
fn a_log_gets_a_line_now_and_then() {
    let (open, closed) = gate();
    let server = Fake::start(move |_, _| {
        let mut steps = outcomes(100, 3);
        steps.insert(100, Step::Wait(closed.clone()));
        Answer::lines(steps)
    });
    let mut child = spawn(&server.url, &["power", "n[1-100]", "on"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert_eq!(first, "xcat3: n98: no answer from the BMC");
    let second = lines.next().unwrap().unwrap();
    assert!(
        second.starts_with("xcat3: power on: 97 of 100 done, 3 failed, 0 to go,"),
        "{second}"
    );
    open.send(()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        stdout(&output).ends_with("\nSuccess: 97  Total: 100\n"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_job_can_be_left_alone_from_the_start() {
    let job = json!({"id": JOB, "operation": "power on", "state": "running", "nodes": 2});
    let server = Fake::start(move |_, _| Answer::json(202, &job));
    let output = xcat3(&server.url, &["power", "n[1-2]", "on", "--async"]);
    assert_eq!(stdout(&output), format!("{JOB}\n"));
    assert_eq!(output.status.code(), Some(0));
    let asked = &server.asked()[0];
    assert_eq!(asked.header("prefer"), Some("respond-async"));
    let wait = xcat3(&server.url, &["deploy", "n1", "--async", "--wait"]);
    assert_eq!(wait.status.code(), Some(2));
}

#[test]
fn waves_say_who_was_left_alone() {
    let server = Fake::start(|_, _| {
        let mut steps: Vec<Step> = (1..=10).map(|n| line(n, "failed", "no answer")).collect();
        let left = "left alone: the job stopped after 10 nodes had failed";
        steps.extend((11..=500).map(|n| line(n, "left_alone", left)));
        steps.push(end("stopped", 0, 10, 490));
        Answer::lines(steps)
    });
    let arguments = [
        "power",
        "n[1-500]",
        "on",
        "--batch",
        "10",
        "--max-failures",
        "1.5%",
    ];
    let output = xcat3(&server.url, &arguments);
    let expected = "n[1-10]: no answer\n\
        n[11-500]: left alone: the job stopped after 10 nodes had failed\n\
        \nSuccess: 0  Total: 500  Left alone: 490\n";
    assert_eq!(stdout(&output), expected);
    assert_eq!(output.status.code(), Some(1));
    let request = &server.asked()[0].line;
    assert!(
        request.ends_with("&batch=10&max_failures=1.5%25"),
        "{request}"
    );
}

#[test]
fn what_can_not_be_a_wave_is_refused_with_a_sentence() {
    for (arguments, why) in [
        (["--batch", "0"], "1 or more"),
        (["--batch", "x"], "1 or more"),
        (["--max-failures", "200%"], "at most 100%"),
        (["--max-failures", "many"], "like 2%"),
    ] {
        let mut line = vec!["power", "n1", "on"];
        line.extend(arguments);
        let output = xcat3("http://localhost:1", &line);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = stderr(&output);
        assert!(said.contains(why) && said.contains(arguments[1]), "{said}");
    }
}

fn job(id: &str, state: &str) -> Value {
    json!({"id": id, "operation": "power on", "state": state, "nodes": 5, "done": 2, "failed": 2,
        "left_alone": 1, "batch": 2, "max_failures": 1, "created_ms": 1_795_400_000_000_i64,
        "finished_ms": 1_795_400_001_500_i64})
}

/// A server with three jobs, one of which has outcomes on two pages.
fn with_jobs() -> Fake {
    const OTHER: &str = "0c4d0000-0000-4000-8000-000000000000";
    const THIRD: &str = "ffff0000-0000-4000-8000-000000000000";
    Fake::start(|asked, _| {
        let record = |n: usize, outcome: &str, result: &str| json!({"sequence": n, "node": format!("n{n}"), "outcome": outcome, "result": result});
        let path = asked.line.split_once("/v1").unwrap().1;
        if path.starts_with("/jobs?") {
            let jobs = [
                job(JOB, "stopped"),
                job(OTHER, "done"),
                job(THIRD, "running"),
            ];
            Answer::json(200, &json!({ "jobs": jobs }))
        } else if asked.line.starts_with("DELETE") {
            let mut document = job(JOB, "cancelled");
            document["done"] = json!(1);
            Answer::json(202, &document)
        } else if path.ends_with("/events") {
            let mut steps: Vec<Step> = (1..=4).map(|n| event(line(n, "ok", "on"))).collect();
            steps.push(event(line(5, "failed", "no answer")));
            steps.push(event(end("done", 4, 1, 0)));
            Answer::events(steps)
        } else if path.contains("after=0&") {
            let outcomes = [record(1, "ok", "on"), record(2, "failed", "no answer")];
            let page = json!({"job": job(JOB, "stopped"), "outcomes": outcomes, "next": 2});
            Answer::json(200, &page)
        } else if path.contains("after=2&") {
            let left = record(5, "left_alone", "left alone: too many failed");
            let outcomes = [
                record(3, "failed", "no answer"),
                record(4, "ok", "on"),
                left,
            ];
            let page = json!({"job": job(JOB, "stopped"), "outcomes": outcomes, "next": null});
            Answer::json(200, &page)
        } else {
            Answer::json(
                200,
                &json!({"job": job(JOB, "running"), "outcomes": [], "next": null}),
            )
        }
    })
}

#[test]
fn jobs_are_listed_and_shown() {
    let server = with_jobs();
    let table = stdout(&xcat3(&server.url, &["jobs", "--limit", "3"]));
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 4, "{table}");
    assert!(rows[1].trim_start().starts_with("0c4d9a3e") && rows[1].contains("stopped"));
    assert!(rows[1].contains("1.5s"), "{table}");
    let shown = stdout(&xcat3(&server.url, &["job", "0c4d9"]));
    assert!(shown.contains(JOB), "{shown}");
    assert!(
        shown.contains("5: 2 done, 2 failed, 1 left alone, 0 to go"),
        "{shown}"
    );
    assert!(shown.contains("\nFailed:\nn[2-3]: no answer\n"), "{shown}");
    let left = "\nLeft alone:\nn5: left alone: too many failed\n";
    assert!(shown.contains(left), "{shown}");
    let failed = xcat3(&server.url, &["job", JOB, "--failed"]);
    assert_eq!(stdout(&failed), "n[2-3]\n");
    let left_alone = xcat3(&server.url, &["job", JOB, "--left-alone"]);
    assert_eq!(stdout(&left_alone), "n5\n");
    let lines = stdout(&xcat3(&server.url, &["job", JOB, "--json"]));
    assert_eq!(lines.lines().count(), 6, "{lines}");
}

#[test]
fn the_beginning_of_an_id_must_be_of_one_job() {
    let server = with_jobs();
    let several = xcat3(&server.url, &["job", "0c4d"]);
    assert!(
        stderr(&several).contains("several jobs"),
        "{}",
        stderr(&several)
    );
    let none = xcat3(&server.url, &["job", "abc"]);
    assert!(stderr(&none).contains("no job's id begins with 'abc'"));
    let wrong = xcat3(&server.url, &["job", "../nodes"]);
    assert!(stderr(&wrong).contains("is not the id of a job"));
    assert_eq!(wrong.status.code(), Some(1));
}

#[test]
fn a_job_is_followed_and_cancelled() {
    let server = with_jobs();
    let followed = xcat3(&server.url, &["job", "0c4d9", "--follow"]);
    let expected = "n1: on\nn2: on\nn3: on\nn4: on\nn5: no answer\n\nSuccess: 4  Total: 5\n";
    assert_eq!(stdout(&followed), expected, "{}", stderr(&followed));
    assert_eq!(followed.status.code(), Some(1));
    let cancelled = xcat3(&server.url, &["job", JOB, "--cancel"]);
    let expected = format!(
        "job {JOB} is cancelled: 1 nodes are left alone, 1 that were begun go on to their end\n"
    );
    assert_eq!(stdout(&cancelled), expected);
    let last = server.asked().last().unwrap().line.clone();
    assert_eq!(last, format!("DELETE /v1/jobs/{JOB}"));
}
