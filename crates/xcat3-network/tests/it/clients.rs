//! Runs real clients as programs.

use std::process::{Command, Output, Stdio};

/// Runs a program for at most 30 seconds. Panics with the name of the Debian package where the program
/// is missing.
pub fn run(package: &str, program: &str, arguments: &[&str]) -> Output {
    run_with_input(package, program, arguments, "")
}

/// Runs a program like [`run`], with input.
pub fn run_with_input(package: &str, program: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("timeout");
    command.args(["30", program]).args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .expect("timeout of the package coreutils is installed");
    let mut pipe = child.stdin.take().expect("its input");
    let input = input.to_owned();
    // The program may end before it has read all of it.
    let writer = std::thread::spawn(move || {
        let _ = std::io::Write::write_all(&mut pipe, input.as_bytes());
    });
    let output = child.wait_with_output().expect("it was started");
    writer.join().expect("its input was written");
    assert_ne!(
        output.status.code(),
        Some(127),
        "{program} is missing: apt-get install {package}"
    );
    assert_ne!(
        output.status.code(),
        Some(124),
        "{program} did not end: {output:?}"
    );
    output
}

/// The output of curl, which must get a response, whatever its status.
pub fn curl(arguments: &[&str]) -> Vec<u8> {
    let output = run("curl", "curl", &[&["-sS"], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {errors}");
    output.stdout
}
