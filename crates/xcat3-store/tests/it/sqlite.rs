//! What only a SQLite database can be asked: files, several processes, being killed, old rows.

use std::os::unix::fs::PermissionsExt as _;
use std::str::FromStr as _;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use uuid::Uuid;
use xcat3_core::{ControlOperation, Lane, Operation, Outcome, ServiceKind, State};
use xcat3_store::{NewJob, ServiceReport, Store, StoreError};

use crate::fixture::{LONG, enrol, file, image, names, network, node, put, told, url};

/// A connection of somebody else to the database, to make time pass in it.
async fn behind_its_back(url: &str) -> SqliteConnection {
    SqliteConnectOptions::from_str(url)
        .unwrap()
        .connect()
        .await
        .unwrap()
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) {
    sqlx::query(statement).execute(connection).await.unwrap();
}

#[tokio::test]
async fn its_files_are_their_owners_alone() {
    let lab = file().await;
    enrol(&lab.store, &["a"]).await;
    let directory = lab.directory.as_ref().unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        files += 1;
    }
    assert_eq!(
        files, 3,
        "the database, its write-ahead log and the log's index"
    );
}

#[tokio::test]
async fn what_cannot_be_opened_is_said() {
    let directory = TempDir::new().unwrap();
    let missing = format!("sqlite:{}/no/such/xcat3.db", directory.path().display());
    let error = Store::open(&missing).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("no/such/xcat3.db")));
    for unknown in ["mysql://user:hunter2@host/db", "sqlite:"] {
        let error = Store::open(unknown).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid(_)));
        assert!(
            !format!("{error} {error:?}").contains("hunter2@"),
            "{error}"
        );
    }
    std::fs::write(
        directory.path().join("xcat3.db"),
        "this is not a database".repeat(100),
    )
    .unwrap();
    let error = Store::open(&url(&directory)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let lab = file().await;
    lab.store.close().await;
    let mut other = behind_its_back(&lab.url()).await;
    let newer = "INSERT INTO _sqlx_migrations
                 (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of the future', TRUE, x'00', 0)";
    run(&mut other, newer).await;
    let error = Store::open(&lab.url()).await.unwrap_err();
    assert!(error.to_string().contains("newer xcat3"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_may_make_it_at_once_and_share_it() {
    let directory = TempDir::new().unwrap();
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let url = url(&directory);
            tokio::spawn(async move { Store::open(&url).await.unwrap() })
        })
        .collect();
    let mut stores = Vec::new();
    for store in opening {
        stores.push(store.await.unwrap());
    }
    let writing: Vec<_> = stores
        .iter()
        .cloned()
        .enumerate()
        .map(|(process, store)| {
            tokio::spawn(async move {
                for round in 0..10 {
                    let name = format!("p{process}-n{round}");
                    let outcomes = store.create_nodes(&[node(&name, &[])]).await.unwrap();
                    assert!(outcomes[0].1.is_done());
                }
            })
        })
        .collect();
    for writer in writing {
        writer.await.unwrap();
    }
    for store in &stores {
        assert_eq!(store.all_nodes().await.unwrap().len(), 60);
        assert_eq!(
            store.revision().await.unwrap(),
            60,
            "each change has its own revision"
        );
    }
}

#[tokio::test]
async fn what_was_said_done_survives_a_kill() {
    let lab = file().await;
    let store = &lab.store;
    store
        .create_network(&network("net", "10.0.0.0/24"))
        .await
        .unwrap();
    store.create_osimage(&image("img")).await.unwrap();
    store
        .create_nodes(&[node("a", &[1]), node("b", &[2])])
        .await
        .unwrap();
    put(store, &names(&["a"]), State::Deploying, Some("img")).await;
    let job = store
        .create_job(&NewJob::new(&Operation::ServeDhcp, &names(&["a", "b"]), 1))
        .await
        .unwrap();
    let done = [(names(&["a"]).remove(0), Outcome::OK)];
    store.settle(job.id, None, &done).await.unwrap();
    store.finish_batch(job.id, 0, None).await.unwrap();
    store
        .reserve(&names(&["b"]), "host1/1", "dhcp", LONG)
        .await
        .unwrap();
    let before = store.changes_since(0).await.unwrap();

    // The files as they are at this moment are what a killed process leaves behind.
    let left = TempDir::new().unwrap();
    for entry in std::fs::read_dir(lab.directory.as_ref().unwrap().path()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), left.path().join(entry.file_name())).unwrap();
        }
    }
    let again = Store::open(&url(&left)).await.unwrap();
    assert_eq!(again.changes_since(0).await.unwrap(), before);
    let left = (job.id, 1, Lane::Provisioning);
    assert_eq!(again.unfinished_batches().await.unwrap(), [left]);
    let batch = again.begin_batch(job.id, 1).await.unwrap().unwrap();
    assert_eq!(
        (batch.names, batch.operation),
        (names(&["b"]), Operation::ServeDhcp)
    );
    assert_eq!(told(&again, job.id).await, done);
    // The dead one's reservation still holds, until it expires or its slot says that it is dead.
    let locked = again
        .reserve(&names(&["b"]), "host1/2", "again", LONG)
        .await
        .unwrap()
        .locked;
    assert_eq!(locked, names(&["b"]));
    assert_eq!(again.release_owner("host1/1").await.unwrap(), 1);
    let fence = again
        .reserve(&names(&["b"]), "host1/2", "again", LONG)
        .await
        .unwrap()
        .fence;
    assert!(fence > 3, "numbers are not given out again");
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_nothing() {
    let lab = file().await;
    for patience_us in [0, 50, 500, 5_000] {
        let nodes: Vec<_> = (0..3_000).map(|n| node(&format!("n{n}"), &[n])).collect();
        let creating = lab.store.create_nodes(&nodes);
        let patience = std::time::Duration::from_micros(patience_us);
        if tokio::time::timeout(patience, creating).await.is_ok() {
            break;
        }
        let left = lab.store.all_nodes().await.unwrap().len();
        assert!(
            left == 0 || left == 3_000,
            "{left} nodes: half a request is there"
        );
        if left == 0 {
            enrol(&lab.store, &["probe"]).await;
            lab.store.delete_nodes(&names(&["probe"])).await.unwrap();
        }
    }
}

#[tokio::test]
async fn silent_services_are_offline() {
    let lab = file().await;
    let report = ServiceReport {
        hostname: "host1".into(),
        kind: ServiceKind::Network,
        worker: 0,
        workers: 1,
        instance: Uuid::new_v4(),
        served: None,
        note: None,
    };
    lab.store.heartbeat(&report).await.unwrap();
    assert_eq!(lab.store.lagging_networks(1).await.unwrap(), ["host1"]);
    let mut other = behind_its_back(&lab.url()).await;
    run(&mut other, "UPDATE services SET seen_ms = seen_ms - 29000").await;
    assert!(lab.store.services().await.unwrap()[0].online);
    run(&mut other, "UPDATE services SET seen_ms = seen_ms - 2000").await;
    assert!(!lab.store.services().await.unwrap()[0].online);
    assert_eq!(
        lab.store.lagging_networks(1).await.unwrap(),
        [""; 0],
        "nobody waits for it"
    );
}

#[tokio::test]
async fn old_jobs_are_forgotten() {
    let lab = file().await;
    let store = &lab.store;
    enrol(store, &["a"]).await;
    let all = names(&["a"]);
    let mut jobs = Vec::new();
    for _ in 0..5 {
        let job = store
            .create_job(&NewJob::new(
                &Operation::Control(ControlOperation::PowerStatus),
                &all,
                1,
            ))
            .await
            .unwrap()
            .id;
        jobs.push(job);
    }
    for job in &jobs[..4] {
        store.finish_batch(*job, 0, None).await.unwrap();
    }
    let mut other = behind_its_back(&lab.url()).await;
    let day = 24 * 3_600_000i64;
    let age = "UPDATE jobs SET finished_ms = finished_ms - $1 WHERE id = $2";
    for (job, days) in [(jobs[0], 8), (jobs[1], 6), (jobs[2], 1)] {
        let query = sqlx::query(age).bind(days * day).bind(job.to_string());
        query.execute(&mut other).await.unwrap();
    }
    // jobs[3] finished just now and has more nodes than are kept; somebody may be reading it.
    let huge =
        sqlx::query("UPDATE jobs SET nodes = 3000000 WHERE id = $1").bind(jobs[3].to_string());
    huge.execute(&mut other).await.unwrap();
    store
        .create_job(&NewJob::new(
            &Operation::Control(ControlOperation::PowerStatus),
            &all,
            1,
        ))
        .await
        .unwrap();
    let mut kept = Vec::new();
    for job in &jobs {
        kept.push(store.job(*job).await.unwrap().is_some());
    }
    assert_eq!(
        kept,
        [false, false, false, true, true],
        "the unfinished one stays in any case"
    );

    run(&mut other, "UPDATE jobs SET nodes = 1").await;
    let many = "
        WITH RECURSIVE numbers (value) AS
            (SELECT 1 UNION ALL SELECT value + 1 FROM numbers LIMIT 1100)
        INSERT INTO jobs (number, id, operation, state, nodes, done, failed, left_alone,
                          last_sequence, open_wave, created_ms, finished_ms)
        SELECT 1000 + value, 'filler' || value, '\"power_status\"', 'done', 1, 1, 0, 0, 1, 0, 0,
               (SELECT max(finished_ms) FROM jobs) - 3600000 - value
        FROM numbers";
    run(&mut other, many).await;
    store
        .create_job(&NewJob::new(
            &Operation::Control(ControlOperation::PowerStatus),
            &all,
            1,
        ))
        .await
        .unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE finished_ms IS NOT NULL")
        .fetch_one(&mut other)
        .await
        .unwrap();
    assert_eq!(left, 1_000);
    let nodes: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM job_nodes WHERE job NOT IN (SELECT number FROM jobs)",
    )
    .fetch_one(&mut other)
    .await
    .unwrap();
    assert_eq!(nodes, 0, "outcomes go with their job");
    other.close().await.unwrap();
}

#[tokio::test]
async fn what_was_removed_long_ago_is_forgotten_and_readers_begin_anew() {
    let lab = file().await;
    let store = &lab.store;
    enrol(store, &["a", "b", "c", "d"]).await;
    let enrolled = store.revision().await.unwrap();
    store.delete_nodes(&names(&["a"])).await.unwrap();
    let behind = store.revision().await.unwrap();
    store.delete_nodes(&names(&["b"])).await.unwrap();
    let mut other = behind_its_back(&lab.url()).await;
    let day = 24 * 3_600_000i64;
    let age = "UPDATE tombstones SET buried_ms = buried_ms - $1 WHERE name = 'a'";
    sqlx::query(age)
        .bind(8 * day)
        .execute(&mut other)
        .await
        .unwrap();
    let kept = "SELECT count(*) FROM tombstones";
    store.delete_nodes(&names(&["c"])).await.unwrap();
    let left: i64 = sqlx::query_scalar(kept)
        .fetch_one(&mut other)
        .await
        .unwrap();
    assert_eq!(left, 2, "that of a is gone");
    let changes = store.changes_since(enrolled).await.unwrap();
    assert!(changes.complete, "a's removal can't be told any more");
    assert_eq!(changes.nodes.len(), 1);
    let changes = store.changes_since(behind).await.unwrap();
    assert!(!changes.complete);
    assert_eq!(changes.removed_nodes, names(&["b", "c"]));
    // What is removed next does not make it forget more.
    store.delete_nodes(&names(&["d"])).await.unwrap();
    assert!(!store.changes_since(behind).await.unwrap().complete);
}

#[tokio::test]
async fn damage_is_told_without_showing_what_is_stored() {
    let lab = file().await;
    enrol(&lab.store, &["a"]).await;
    let mut other = behind_its_back(&lab.url()).await;
    run(
        &mut other,
        "UPDATE nodes SET control_info = '{\"bmc_password\": \"hunter2\"'",
    )
    .await;
    let error = lab.store.all_nodes().await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(why) if why.contains("control_info")));
    assert!(!error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"));
}
