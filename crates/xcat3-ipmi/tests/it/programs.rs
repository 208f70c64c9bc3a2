//! Programs of other IPMI implementations.

use std::process::Output;

use tokio::process::Command;

/// Runs a program of a Debian package to its end.
pub(crate) async fn run(program: &str, package: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output().await;
    output.unwrap_or_else(|error| missing(program, package, &error))
}

/// Fails with the name of the package to install.
pub(crate) fn missing(program: &str, package: &str, error: &std::io::Error) -> ! {
    panic!("cannot run {program}: {error}; install the package {package}")
}
