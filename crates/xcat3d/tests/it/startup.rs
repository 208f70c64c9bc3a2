//! How it starts, how it refuses to, how it ends.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::program::{ANY_PORT, refusal, start, state};

#[test]
fn it_starts_without_configuration_and_ends_at_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let state = state();
        let running = start(state.path());
        assert!(
            running.ready.contains("http://127.0.0.1:"),
            "{}",
            running.ready
        );
        assert!(
            running.ready.contains(state.path().to_str().unwrap()),
            "{}",
            running.ready
        );
        let (code, said) = running.end(signal);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            !said.contains("panicked") && !said.contains("WARN"),
            "{said}"
        );
    }
}

#[test]
fn a_second_one_on_the_same_state_is_refused_until_the_first_is_gone() {
    let state = state();
    let first = start(state.path());
    let sentence = refusal(state.path(), &ANY_PORT);
    let holder = format!(
        "in use by another daemon of xcat3 (process {})",
        first.child.id()
    );
    assert!(sentence.contains(&holder), "{sentence}");
    assert_eq!(first.end(Signal::KILL).0, None);
    let (code, said) = start(state.path()).end(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let sentence = refusal(state().path(), &["--listen", &address]);
    assert!(
        sentence.contains(&format!("cannot listen on {address}")),
        "{sentence}"
    );
    assert!(sentence.contains("--listen"), "{sentence}");
}

#[test]
fn a_state_directory_that_cannot_be_is_named() {
    let state = state();
    let file = state.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("state");
    let sentence = refusal(&below, &ANY_PORT);
    assert!(
        sentence.contains("cannot create the state directory"),
        "{sentence}"
    );
    assert!(sentence.contains(below.to_str().unwrap()), "{sentence}");
}

#[test]
fn a_damaged_database_is_named() {
    let state = state();
    let database = state.path().join("xcat3.db");
    std::fs::write(
        &database,
        "this is no database, however long one reads in it ".repeat(99),
    )
    .unwrap();
    let sentence = refusal(state.path(), &ANY_PORT);
    assert!(sentence.contains(database.to_str().unwrap()), "{sentence}");
    assert!(sentence.contains("the database is damaged"), "{sentence}");
}

#[test]
fn a_wrong_configuration_is_named_with_its_line() {
    let state = state();
    let config = state.path().join("xcat3.conf");
    std::fs::write(&config, "[api]\nport = 1\n").unwrap();
    let path = config.to_str().unwrap();
    let sentence = refusal(state.path(), &["--config-file", path]);
    assert!(
        sentence.contains(&format!("{path}, line 2: unknown key 'port'")),
        "{sentence}"
    );
    let sentence = refusal(state.path(), &["--config-file", "/nowhere.conf"]);
    assert!(sentence.contains("/nowhere.conf"), "{sentence}");
}

#[test]
fn the_listen_argument_wins_over_the_file() {
    let state = state();
    let config = state.path().join("xcat3.conf");
    std::fs::write(&config, "[api]\nlisten = \"192.0.2.1:1\"\n").unwrap();
    let path = config.to_str().unwrap();
    let sentence = refusal(state.path(), &["--config-file", path]);
    assert!(
        sentence.contains("192.0.2.1 is no address of this host"),
        "{sentence}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let sentence = refusal(state.path(), &["--config-file", path, "--listen", &address]);
    assert!(sentence.contains(&address), "{sentence}");
}
