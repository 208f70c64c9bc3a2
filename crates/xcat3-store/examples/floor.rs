//! The floor that the store stands on: how fast the databases themselves take rows, by their own
//! quickest ways, into a plain table and into the store's own tables with all their indices; and how
//! long a node range takes to resolve. Prints JSON:
//! `cargo run --release -p xcat3-store --example floor -- [sqlite:NEW_FILE | postgres://EMPTY_DATABASE]…`.
#![allow(
    clippy::print_stdout,
    reason = "it says on standard output what it measured"
)]

use std::time::Instant;

use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder};
use xcat3_core::noderange;
use xcat3_store::Store;

const ROWS: u32 = 65_536;
const RANGE: u32 = 100_000;
/// Rows that one statement of SQLite carries.
const CHUNK: usize = 1_000;

const PLAIN: &str = "CREATE TABLE plain (name TEXT PRIMARY KEY, a TEXT, b TEXT, c TEXT)";

#[tokio::main]
async fn main() {
    let mut figures = json!({"rows": ROWS});
    for url in std::env::args().skip(1) {
        let (kind, measured) = match url.strip_prefix("sqlite:") {
            Some(path) => ("sqlite", sqlite(&url, path).await.unwrap()),
            None => ("postgresql", postgres(&url).await.unwrap()),
        };
        figures[kind] = measured;
    }
    figures["range"] = range();
    println!("{figures}");
}

fn seconds(started: Instant) -> Value {
    started.elapsed().as_secs_f64().into()
}

fn range() -> Value {
    let text = format!("n[1-{RANGE}]");
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let started = Instant::now();
        let names = noderange::parse(&text).unwrap();
        best = best.min(started.elapsed().as_secs_f64());
        assert_eq!(names.len(), RANGE as usize);
    }
    json!({"names": RANGE, "seconds": best})
}

fn mac(number: u32) -> String {
    let [a, b, c, d] = number.to_be_bytes();
    format!("52:54:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

async fn sqlite(url: &str, path: &str) -> Result<Value, Box<dyn std::error::Error>> {
    Store::open(url).await?.close().await;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let mut connection: SqliteConnection = options.connect().await?;
    sqlx::query(PLAIN).execute(&mut connection).await?;
    let rows: Vec<u32> = (1..=ROWS).collect();

    let started = Instant::now();
    let mut transaction = connection.begin().await?;
    for chunk in rows.chunks(CHUNK) {
        let mut insert = QueryBuilder::new("INSERT INTO plain (name, a, b, c) ");
        insert.push_values(chunk, |mut row, number| {
            row.push_bind(format!("n{number}"));
            row.push_bind("fake").push_bind("pxe").push_bind("x86_64");
        });
        insert.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    let plain = seconds(started);

    let started = Instant::now();
    let mut transaction = connection.begin().await?;
    for chunk in rows.chunks(CHUNK) {
        let mut insert = QueryBuilder::new(
            "INSERT INTO nodes (name, mgt, netboot, arch, control_info, console_info, revision) ",
        );
        insert.push_values(chunk, |mut row, number| {
            row.push_bind(format!("n{number}"));
            row.push_bind("fake").push_bind("pxe").push_bind("x86_64");
            row.push_bind("{}").push_bind("{}").push_bind(1i64);
        });
        insert.build().execute(&mut *transaction).await?;
        let mut insert =
            QueryBuilder::new("INSERT INTO nics (uuid, mac, is_primary, extra, node, position) ");
        insert.push_values(chunk, |mut row, &number| {
            row.push_bind(uuid::Uuid::new_v4().to_string());
            row.push_bind(mac(number)).push_bind(1i64).push_bind("{}");
            row.push_bind(format!("n{number}")).push_bind(0i64);
        });
        insert.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(json!({"plain_seconds": plain, "nodes_and_nics_seconds": seconds(started)}))
}

async fn postgres(url: &str) -> Result<Value, Box<dyn std::error::Error>> {
    Store::open(url).await?.close().await;
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query(PLAIN).execute(&mut connection).await?;

    let started = Instant::now();
    let rows: String = (1..=ROWS)
        .map(|number| format!("n{number}\tfake\tpxe\tx86_64\n"))
        .collect();
    copy(
        &mut connection,
        "COPY plain (name, a, b, c) FROM STDIN",
        rows,
    )
    .await?;
    let plain = seconds(started);

    let started = Instant::now();
    let rows: String = (1..=ROWS)
        .map(|number| format!("n{number}\tfake\tpxe\tx86_64\t{{}}\t{{}}\t1\n"))
        .collect();
    let nodes =
        "COPY nodes (name, mgt, netboot, arch, control_info, console_info, revision) FROM STDIN";
    copy(&mut connection, nodes, rows).await?;
    let rows: String = (1..=ROWS)
        .map(|number| {
            let (uuid, mac) = (uuid::Uuid::new_v4(), mac(number));
            format!("{uuid}\t{mac}\t1\t{{}}\tn{number}\t0\n")
        })
        .collect();
    let nics = "COPY nics (uuid, mac, is_primary, extra, node, position) FROM STDIN";
    copy(&mut connection, nics, rows).await?;
    Ok(json!({"plain_seconds": plain, "nodes_and_nics_seconds": seconds(started)}))
}

async fn copy(
    connection: &mut PgConnection,
    statement: &str,
    rows: String,
) -> Result<(), sqlx::Error> {
    let mut into = connection.copy_in_raw(statement).await?;
    into.send(rows.into_bytes()).await?;
    into.finish().await.map(|_| ())
}
