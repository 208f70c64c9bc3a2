//! What only PostgreSQL can be asked: several processes at once, and being away for a while.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use xcat3_backing::{Postgres, Server};
use xcat3_core::{ControlOperation, NodeName, Operation, Outcome};
use xcat3_store::{NewJob, NodeSort, Store, StoreError};

use crate::fixture::{LONG, enrol, many, name, names, network, node, postgres};

/// Longer than a call may take while the database is away, however busy the machine.
const BOUNDED: Duration = Duration::from_secs(25);

async fn behind_its_back(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "real: PostgreSQL"]
async fn several_may_make_it_at_once_and_share_it() {
    let database = Server::shared().unwrap().database().unwrap();
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let url = database.url();
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
                    // The name that all of them want goes to one of them.
                    let nodes = [node(&name, &[]), node(&format!("all-{round}"), &[])];
                    let outcomes = store.create_nodes(&nodes).await.unwrap();
                    assert!(outcomes[0].1.is_done());
                }
            })
        })
        .collect();
    for writer in writing {
        writer.await.unwrap();
    }
    for store in &stores {
        assert_eq!(store.all_nodes().await.unwrap().len(), 70);
        let revision = store.revision().await.unwrap();
        assert_eq!(revision, 60, "each change has its own revision");
    }
}

/// Whoever follows the feed while others write in other processes misses nothing: no revision shows
/// before one that is less.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "real: PostgreSQL"]
async fn the_feed_is_in_order_while_many_write() {
    let lab = postgres().await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, done) = (Store::open(&lab.url()).await.unwrap(), Arc::clone(&done));
        tokio::spawn(async move {
            let (mut seen, mut revision) = (BTreeSet::new(), 0);
            loop {
                let last = done.load(Ordering::SeqCst);
                let changes = store.changes_since(revision).await.unwrap();
                revision = changes.revision;
                for gone in &changes.removed_nodes {
                    seen.remove(gone);
                }
                seen.extend(changes.nodes.into_iter().map(|node| node.name));
                if last {
                    return seen;
                }
            }
        })
    };
    let mut writing = Vec::new();
    for process in 0..4 {
        let store = Store::open(&lab.url()).await.unwrap();
        writing.push(tokio::spawn(async move {
            for round in 0..15 {
                let nodes: Vec<_> = (0..5)
                    .map(|n| node(&format!("p{process}r{round}n{n}"), &[]))
                    .collect();
                store.create_nodes(&nodes).await.unwrap();
                store.delete_nodes(&[nodes[0].name.clone()]).await.unwrap();
            }
        }));
    }
    for writer in writing {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let stored = lab.store.node_names(NodeSort::default()).await.unwrap();
    assert_eq!(stored.len(), 4 * 15 * 4);
    assert_eq!(reader.await.unwrap(), stored.into_iter().collect());
}

/// Reservations are taken, put off and given back, and outcomes recorded, by several processes at
/// once in every order: each node has its one outcome.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "real: PostgreSQL"]
async fn those_who_write_beside_each_other_lose_nothing() {
    let lab = postgres().await;
    let all = many(200);
    let nodes: Vec<_> = all.iter().map(|name| node(name.as_str(), &[])).collect();
    lab.store.create_nodes(&nodes).await.unwrap();
    let operation = Operation::Control(ControlOperation::PowerStatus);
    let new = NewJob::new(&operation, &all, 200);
    let job = lab.store.create_job(&new).await.unwrap();
    let mut working = Vec::new();
    for process in 0..4 {
        let (store, mut mine) = (Store::open(&lab.url()).await.unwrap(), all.clone());
        mine.rotate_left(process * 50);
        if process % 2 == 1 {
            mine.reverse();
        }
        working.push(tokio::spawn(async move {
            for round in 0..6 {
                // All of one owner and purpose: they take one another's away.
                let fence = store
                    .reserve(&mine, "host/0", "work", LONG)
                    .await
                    .unwrap()
                    .fence;
                store.extend(fence, LONG).await.unwrap();
                let part: Vec<_> = mine
                    .chunks(40)
                    .nth(round % 5)
                    .unwrap()
                    .iter()
                    .map(|name| (name.clone(), Outcome::Done("on")))
                    .collect();
                store.settle(job.id, Some(fence), &part).await.unwrap();
                store.release(fence).await.unwrap();
            }
        }));
    }
    for worker in working {
        worker.await.unwrap();
    }
    let last = lab
        .store
        .reserve(&all, "last/0", "work", LONG)
        .await
        .unwrap();
    assert_eq!(last.nodes.len(), 200, "nobody holds any of them");
    let rest: Vec<_> = all.iter().map(|name| (name.clone(), Outcome::OK)).collect();
    lab.store
        .settle(job.id, Some(last.fence), &rest)
        .await
        .unwrap();
    let told = lab.store.outcomes(job.id, 0, 1_000).await.unwrap();
    assert!(told.ended);
    let told: BTreeSet<NodeName> = told.outcomes.into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(told, all.into_iter().collect());
}

/// Two that each wait for what the other holds: PostgreSQL ends one of them, and it tries again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "real: PostgreSQL"]
async fn who_was_in_anothers_way_tries_again() {
    let lab = postgres().await;
    let all = enrol(&lab.store, &["a", "b"]).await;
    lab.store.close().await;
    let mut other = behind_its_back(&lab.url()).await;
    // The store is the one that looks for deadlocks.
    let settings = "
        DO $$BEGIN
            EXECUTE 'ALTER DATABASE ' || current_database() || ' SET deadlock_timeout = 3000';
        END$$;
        SET deadlock_timeout = 3600000";
    sqlx::raw_sql(settings).execute(&mut other).await.unwrap();
    let store = Store::open(&lab.url()).await.unwrap();
    let first = store.reserve(&all, "host/0", "work", LONG).await.unwrap();

    let hold = "BEGIN; UPDATE reservations SET expires_ms = expires_ms WHERE node = 'b'";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();
    let again = {
        let (store, all) = (store.clone(), all.clone());
        tokio::spawn(async move { store.reserve(&all, "host/0", "work", LONG).await })
    };
    let waiting = "
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        // What is read of other sessions stays the same within a transaction unless it is asked anew.
        let anew = "SELECT pg_stat_clear_snapshot()";
        sqlx::raw_sql(anew).execute(&mut other).await.unwrap();
        let waiting = sqlx::query_scalar::<_, i64>(waiting);
        if waiting.fetch_one(&mut other).await.unwrap() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let hold = "UPDATE reservations SET expires_ms = expires_ms WHERE node = 'a'; COMMIT";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();
    let again = again.await.unwrap().unwrap();
    assert_eq!(again.nodes.len(), 2);
    assert!(
        again.fence > first.fence + 1,
        "the number of the first try was given out"
    );
}

#[tokio::test]
#[ignore = "real: PostgreSQL"]
async fn what_cannot_be_opened_is_said_without_the_password() {
    let server = Postgres::start_quick().unwrap();
    let good = server.url();
    let (_, rest) = good.split_once('@').unwrap();
    let place = rest.split('/').next().unwrap();
    for (url, said) in [
        (
            format!("postgres://xcat3:hunter2@{place}/postgres"),
            "password",
        ),
        (good.replace("/postgres", "/nowhere"), "nowhere"),
        (
            "postgres://xcat3:hunter2@127.0.0.1:1/xcat3".to_owned(),
            "refused",
        ),
        (
            "postgres://xcat3:hunter2@127.0.0.1:bad/xcat3".to_owned(),
            "form",
        ),
        (
            format!("postgres://xcat3:hunter2@{place}/x?sslmode=hunter2"),
            "form",
        ),
        (
            format!("postgres://xcat3:hunter2@{place}/postgres?sslmode=require"),
            "TLS",
        ),
    ] {
        let error = Store::open(&url).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(said), "{text}");
        let secret = url.split(['@', ':']).nth(2).unwrap();
        assert!(!text.contains(secret), "{text}");
    }
    let store = Store::open(&good).await.unwrap();
    let secret = good.split(['@', ':']).nth(2).unwrap();
    assert!(!format!("{store:?}").contains(secret));
}

#[tokio::test]
#[ignore = "real: PostgreSQL"]
async fn a_newer_schema_is_left_alone() {
    let lab = postgres().await;
    let newer = "INSERT INTO _sqlx_migrations
                 (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of the future', TRUE, '', 0)";
    let mut other = behind_its_back(&lab.url()).await;
    sqlx::query(newer).execute(&mut other).await.unwrap();
    let error = Store::open(&lab.url()).await.unwrap_err();
    assert!(error.to_string().contains("newer xcat3"), "{error}");
}

#[tokio::test]
#[ignore = "real: PostgreSQL"]
async fn what_it_has_no_room_for_is_refused() {
    let lab = postgres().await;
    let mut strange = node("a", &[]);
    strange.declared.kind = Some("nothing\0there".into());
    let error = lab.store.create_nodes(&[strange]).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid(_)), "{error}");
    enrol(&lab.store, &["b"]).await;
}

/// Who stops in the middle of writing holds the others up for seconds, not for ever.
#[tokio::test]
#[ignore = "real: PostgreSQL"]
async fn a_writer_that_stops_is_thrown_out() {
    let lab = postgres().await;
    let mut other = behind_its_back(&lab.url()).await;
    let stuck = "
        SET idle_in_transaction_session_timeout = '1s';
        BEGIN;
        SELECT pg_advisory_xact_lock(2019778932, 0)";
    sqlx::raw_sql(stuck).execute(&mut other).await.unwrap();
    let begun = Instant::now();
    enrol(&lab.store, &["a"]).await;
    assert!(
        begun.elapsed() > Duration::from_millis(500),
        "it waits for its turn"
    );
    assert_eq!(lab.store.all_nodes().await.unwrap().len(), 1);
}

async fn all_fail_soon(store: &Store) {
    let begun = Instant::now();
    let mut calls = Vec::new();
    for number in 0..20 {
        let store = store.clone();
        calls.push(tokio::spawn(async move {
            if number % 2 == 0 {
                store.revision().await.map(|_| ())
            } else {
                let network = network(&format!("net{number}"), &format!("10.{number}.0.0/16"));
                store.create_network(&network).await
            }
        }));
    }
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    assert!(
        begun.elapsed() < BOUNDED,
        "{:?} for calls made at once",
        begun.elapsed()
    );
}

/// Waits until the store works, as those who use it do: by trying.
async fn works_again(store: &Store, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match store.create_nodes(&[node(text, &[])]).await {
            Ok(outcomes) => return assert!(outcomes[0].1.is_done(), "{outcomes:?}"),
            Err(StoreError::Unavailable(why)) => assert!(Instant::now() < deadline, "{why}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "real: PostgreSQL"]
async fn a_database_that_was_away_is_used_again() {
    let mut server = Postgres::start().unwrap();
    let database = server.database().unwrap();
    let store = Store::open(&database.url()).await.unwrap();
    enrol(&store, &["before"]).await;
    for (number, kill) in [(0, true), (1, false)] {
        if kill {
            server.kill();
        } else {
            server.stop();
        }
        all_fail_soon(&store).await;
        server.start_again().unwrap();
        works_again(&store, &format!("n{number}")).await;
    }
    assert_eq!(
        store.node_names(NodeSort::default()).await.unwrap(),
        names(&["before", "n0", "n1"]),
        "nothing was lost and nothing came twice"
    );
}

/// Like one whose host is cut off: it accepts connections and answers nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "real: PostgreSQL"]
async fn a_database_that_does_not_answer_holds_nobody_up_for_long() {
    let server = Postgres::start().unwrap();
    let database = server.database().unwrap();
    let store = Store::open(&database.url()).await.unwrap();
    enrol(&store, &["before"]).await;
    server.pause();
    all_fail_soon(&store).await;
    server.resume();
    works_again(&store, "after").await;
    assert!(!store.nodes(&[name("before")]).await.unwrap().is_empty());
}
