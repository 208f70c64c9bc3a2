//! How long it takes to resolve a range, to sort its names and to fold them again.
//!
//! `cargo run --release -p xcat3-core --example noderange [NODES]`; 100,000 nodes where none are given.
//! A line for each, with the fastest and the median of 21 rounds in milliseconds.

use std::time::Instant;

use xcat3_core::{natural, noderange};

fn main() {
    let nodes: usize = std::env::args()
        .nth(1)
        .map_or(100_000, |text| text.parse().expect("a number of nodes"));
    let range = format!("node[1-{nodes}]");
    let half = nodes / 2;
    let parts = format!("node[1-{half}],other[1-{half}]");
    let racks = format!("rack[1-{}]-u[01-40]", nodes / 40);
    let names = noderange::parse(&range).expect("a range");
    let odd: Vec<_> = names.iter().step_by(2).cloned().collect();
    report("parse, one range", || noderange::parse(&range).is_ok());
    report("parse, two ranges", || noderange::parse(&parts).is_ok());
    report("parse, racks", || noderange::parse(&racks).is_ok());
    report("fold, one range", || !noderange::fold(&names).is_empty());
    report("fold, every other", || !noderange::fold(&odd).is_empty());
    report("sort, already in order", || {
        let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        names.sort_unstable_by(|a, b| natural::compare(a, b));
        names.len() == nodes
    });
}

#[expect(clippy::print_stdout, reason = "this is a measurement for a person")]
fn report(what: &str, work: impl Fn() -> bool) {
    let mut rounds: Vec<f64> = (0..21)
        .map(|_| {
            let started = Instant::now();
            assert!(work(), "{what}");
            started.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{what:<24} {:>8.2} ms {:>8.2} ms", rounds[0], rounds[10]);
}
