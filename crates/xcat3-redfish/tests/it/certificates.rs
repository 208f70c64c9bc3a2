//! The checks of a BMC's certificate.

use serde_json::json;
use xcat3_redfish::{Error, Fingerprint, Trust, TrustConfig};

use crate::server::{Certificate, Server, respond};

async fn serve(certificate: &Certificate, port: u16) -> Server {
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    Server::start(Some(certificate), address, |_| {
        respond("200 OK", &json!({}))
    })
    .await
}

fn untrusted<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Untrusted(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn certificate_of_unknown_authority_or_other_name_is_refused() {
    let (here, elsewhere) = (
        Certificate::new("127.0.0.1"),
        Certificate::new("bmc.example"),
    );
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, here.pem.clone() + &elsewhere.pem).unwrap();
    let trusted = TrustConfig {
        ca_file: Some(ca.clone()),
        first_use_file: None,
    };
    let server = serve(&here, 0).await;
    let mut client = server.client(Trust::Authority, trusted.clone());
    assert!(client.get("/x").await.is_ok());
    let other = serve(&elsewhere, 0).await;
    let result = other
        .client(Trust::Authority, trusted.clone())
        .get("/x")
        .await;
    let error = untrusted(result);
    assert!(
        error.contains("it is for another name or address"),
        "{error}"
    );
    std::fs::write(&ca, &elsewhere.pem).unwrap();
    let result = server
        .client(Trust::Authority, trusted.clone())
        .get("/x")
        .await;
    let error = untrusted(result);
    assert!(error.contains("pin it (bmc_tls=pin:SHA-256)"), "{error}");
    std::fs::write(&ca, "nothing").unwrap();
    let result = server.client(Trust::Authority, trusted).get("/x").await;
    let error = untrusted(result);
    assert!(error.contains("it has no certificate"), "{error}");
    assert!(
        server
            .request_lines()
            .iter()
            .all(|line| line.starts_with("GET "))
    );
}

#[tokio::test]
async fn certificate_other_than_pinned_is_refused() {
    let (right, wrong) = (Certificate::new("x"), Certificate::new("x"));
    let trust = Trust::Pinned(Fingerprint::from_certificate(&right.der));
    let server = serve(&right, 0).await;
    assert!(
        server
            .client(trust, TrustConfig::default())
            .get("/x")
            .await
            .is_ok()
    );
    let server = serve(&wrong, 0).await;
    let result = server.client(trust, TrustConfig::default()).get("/x").await;
    let error = untrusted(result);
    let (shown, pinned) = (
        Fingerprint::from_certificate(&wrong.der),
        Fingerprint::from_certificate(&right.der),
    );
    assert_eq!(
        error,
        format!("the BMC's certificate (SHA-256 {shown}) is not the one pinned ({pinned})")
    );
    assert!(
        server.request_lines().is_empty(),
        "nothing is sent to an untrusted BMC"
    );
}

#[tokio::test]
async fn certificate_changed_is_refused_until_its_line_is_deleted() {
    let (first, second) = (Certificate::new("x"), Certificate::new("x"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("known_bmcs");
    let trusted = TrustConfig {
        ca_file: None,
        first_use_file: Some(file.clone()),
    };
    let server = serve(&first, 0).await;
    let port = server.address.port();
    for _ in 0..2 {
        let mut client = server.client(Trust::FirstUse, trusted.clone());
        assert!(client.get("/x").await.is_ok());
    }
    drop(server);
    let server = loop {
        // The port is free once the server's task has ended.
        let free = std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        match free {
            true => break serve(&second, port).await,
            false => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    };
    let result = server
        .client(Trust::FirstUse, trusted.clone())
        .get("/x")
        .await;
    let error = untrusted(result);
    assert!(
        error.contains("the BMC's certificate has changed from"),
        "{error}"
    );
    assert!(
        error.contains(&format!("delete the line of 127.0.0.1:{port} in")),
        "{error}"
    );
    assert!(
        server.request_lines().is_empty(),
        "nothing is sent to an untrusted BMC"
    );
    assert!(
        server
            .client(Trust::Insecure, trusted.clone())
            .get("/x")
            .await
            .is_ok()
    );
    std::fs::write(&file, "").unwrap();
    assert!(
        server
            .client(Trust::FirstUse, trusted)
            .get("/x")
            .await
            .is_ok()
    );
}
