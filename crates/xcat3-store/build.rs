//! Has the crate built anew when a migration is added: they are compiled into it.
#![allow(
    clippy::print_stdout,
    reason = "a build script speaks to cargo on standard output"
)]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
