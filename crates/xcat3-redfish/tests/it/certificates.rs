//! By which certificate a BMC is known.

use serde_json::json as j;
use xcat3_redfish::{Error, Fingerprint, Trust, Trusted};

use crate::server::{Certificate, Server, json};

async fn serve(certificate: &Certificate, port: u16) -> Server {
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    Server::start(Some(certificate), address, |_| json("200 OK", &j!({}))).await
}

fn untrusted(told: Result<(), Error>) -> String {
    match told {
        Err(Error::Untrusted(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_authority_must_have_signed_for_the_address() {
    let (here, elsewhere) = (
        Certificate::new("127.0.0.1"),
        Certificate::new("bmc.example"),
    );
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, here.pem.clone() + &elsewhere.pem).unwrap();
    let trusted = Trusted {
        ca_file: Some(ca.clone()),
        first_use_file: None,
    };
    let server = serve(&here, 0).await;
    let mut client = server.client(Trust::Authority, trusted.clone());
    assert!(client.get("/x").await.is_ok());
    let other = serve(&elsewhere, 0).await;
    let told = other
        .client(Trust::Authority, trusted.clone())
        .get("/x")
        .await;
    let told = untrusted(told.map(drop));
    assert!(told.contains("it is for another name or address"), "{told}");
    std::fs::write(&ca, &elsewhere.pem).unwrap();
    let told = server
        .client(Trust::Authority, trusted.clone())
        .get("/x")
        .await;
    let told = untrusted(told.map(drop));
    assert!(told.contains("pin it (bmc_tls=pin:SHA-256)"), "{told}");
    std::fs::write(&ca, "nothing").unwrap();
    let told = server.client(Trust::Authority, trusted).get("/x").await;
    let told = untrusted(told.map(drop));
    assert!(told.contains("there is no certificate in it"), "{told}");
    assert!(server.asked().iter().all(|asked| asked.starts_with("GET ")));
}

#[tokio::test]
async fn a_pinned_certificate_is_the_only_one() {
    let (right, wrong) = (Certificate::new("x"), Certificate::new("x"));
    let trust = Trust::Pinned(Fingerprint::of(&right.der));
    let server = serve(&right, 0).await;
    assert!(
        server
            .client(trust, Trusted::default())
            .get("/x")
            .await
            .is_ok()
    );
    let server = serve(&wrong, 0).await;
    let told = server.client(trust, Trusted::default()).get("/x").await;
    let told = untrusted(told.map(drop));
    let (shown, pinned) = (Fingerprint::of(&wrong.der), Fingerprint::of(&right.der));
    assert_eq!(
        told,
        format!("its certificate (SHA-256 {shown}) is not the one pinned ({pinned})")
    );
    assert!(server.asked().is_empty(), "nothing is sent to a stranger");
}

#[tokio::test]
async fn a_certificate_that_has_changed_is_refused_until_its_line_is_deleted() {
    let (first, second) = (Certificate::new("x"), Certificate::new("x"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("known_bmcs");
    let trusted = Trusted {
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
    let told = server
        .client(Trust::FirstUse, trusted.clone())
        .get("/x")
        .await;
    let told = untrusted(told.map(drop));
    assert!(told.contains("its certificate has changed"), "{told}");
    assert!(
        told.contains(&format!("delete the line of 127.0.0.1:{port} in")),
        "{told}"
    );
    assert!(server.asked().is_empty(), "nothing is sent to a stranger");
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
