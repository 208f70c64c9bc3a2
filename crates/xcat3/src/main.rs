//! The program `xcat3`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    xcat3::run(std::env::args_os()).await
}
