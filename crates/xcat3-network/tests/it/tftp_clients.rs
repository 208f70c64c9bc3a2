//! TFTP with real clients: tftp-hpa, atftp and curl.

use xcat3_network::content::Content;
use xcat3_network::tftp::{Limits, Outcome};

use crate::clients::{curl, run, run_with_input};
use crate::site::{Running, Site, bytes, file, recorded};

/// More than 65,535 blocks of 512 bytes.
const LARGE: usize = 34_000_001;

fn serve() -> Running {
    let mut site = Site::default()
        .with("large", file(&bytes(LARGE), None))
        .with("text", Content::from("one\ntwo\r\nthree"))
        .with("efi/boot.efi", Content::from("a loader"));
    for size in [0, 511, 512, 513, 100_000] {
        site = site.with(&format!("size/{size}"), file(&bytes(size), None));
    }
    site.serve_tftp([127, 0, 0, 1], Limits::default())
}

/// Runs a client that writes a file, and returns the contents of the file.
fn fetched(fetch: impl FnOnce(&str)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fetched");
    fetch(path.to_str().expect("UTF-8"));
    std::fs::read(&path).expect("the client wrote a file")
}

fn atftp(port: &str, path: &str, options: &[(&str, u32)]) -> Vec<u8> {
    fetched(|local| {
        let mut arguments = Vec::new();
        for (name, value) in options {
            arguments.extend(["--option".to_owned(), format!("{name} {value}")]);
        }
        for argument in ["--get", "-r", path, "-l", local, "127.0.0.1", port] {
            arguments.push(argument.to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run("atftp", "atftp", &arguments);
        assert!(output.status.success(), "atftp {options:?}: {output:?}");
    })
}

fn tftp_hpa(port: &str, mode: &str, path: &str) -> Vec<u8> {
    fetched(|local| {
        let script = format!("get {path} {local}\nquit\n");
        let arguments = ["-m", mode, "127.0.0.1", port];
        let output = run_with_input("tftp-hpa", "tftp", &arguments, &script);
        assert!(output.status.success(), "tftp: {output:?}");
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn file_of_any_size_arrives_with_any_block_and_window() {
    let running = serve();
    let port = running.address.port().to_string();
    tokio::task::spawn_blocking(move || {
        for size in [0, 511, 512, 513, 100_000] {
            let path = format!("size/{size}");
            assert!(atftp(&port, &path, &[]) == bytes(size), "{size} bytes");
            for (block, window) in [(512, 1), (1428, 4), (1468, 16), (65_464, 2), (8, 64)] {
                let options = [("blksize", block), ("windowsize", window), ("tsize", 0)];
                let got = atftp(&port, &path, &options);
                assert!(got == bytes(size), "{size} bytes with {options:?}");
            }
        }
    })
    .await
    .expect("the clients");
    for ended in recorded(&running.site.ended, 30).await {
        assert_eq!(ended.outcome, Outcome::Complete, "{ended:?}");
        assert_eq!(ended.bytes, ended.size);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn block_number_rolls_over_for_real_clients() {
    let running = serve();
    let port = running.address.port().to_string();
    let url = format!("tftp://{}/large", running.address);
    tokio::task::spawn_blocking(move || {
        let large = bytes(LARGE);
        assert!(tftp_hpa(&port, "binary", "large") == large, "tftp-hpa");
        assert!(
            atftp(&port, "large", &[("windowsize", 16)]) == large,
            "atftp"
        );
        assert!(curl(&["--tftp-blksize", "512", &url]) == large, "curl");
    })
    .await
    .expect("the clients");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn netascii_file_arrives_as_text() {
    let running = serve();
    let port = running.address.port().to_string();
    tokio::task::spawn_blocking(move || {
        assert_eq!(tftp_hpa(&port, "netascii", "text"), b"one\ntwo\r\nthree");
        assert_eq!(tftp_hpa(&port, "binary", "text"), b"one\ntwo\r\nthree");
    })
    .await
    .expect("the clients");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn path_is_normalised_and_refusal_has_its_error_code() {
    let running = serve();
    let address = running.address;
    tokio::task::spawn_blocking(move || {
        for path in [
            "efi/boot.efi",
            "/efi/boot.efi",
            "//efi//./boot.efi",
            "efi%5cboot.efi",
        ] {
            let url = format!("tftp://{address}/{path}");
            assert_eq!(curl(&["--path-as-is", &url]), b"a loader", "{path}");
        }
        // Exit statuses of curl for the errors 1 and 2.
        for (path, code) in [
            ("none", 68),
            ("denied", 69),
            ("%2e%2e/etc/passwd", 69),
            ("%ff", 68),
        ] {
            let url = format!("tftp://{address}/{path}");
            let output = run("curl", "curl", &["-sS", "--path-as-is", &url]);
            assert_eq!(output.status.code(), Some(code), "{path}: {output:?}");
        }
        let output = run_with_input(
            "curl",
            "curl",
            &["-sS", "-T", "-", &format!("tftp://{address}/new")],
            "written",
        );
        assert_eq!(output.status.code(), Some(69), "read only: {output:?}");
    })
    .await
    .expect("the clients");
    let ended = recorded(&running.site.ended, 8).await;
    let refused = Outcome::Refused("there is no none".to_owned());
    assert!(
        ended.iter().any(|ended| ended.outcome == refused),
        "{ended:?}"
    );
}
