//! Logging in: every kind of credential, and what is said of those that don't work.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use xcat3_drivers::control::ControlOperation::PowerStatus;

use super::lab::LAB;
use super::{Driver, changed, node};

const MAC: &str = "52:54:00:04:00:01";

fn key(name: &str) -> Value {
    json!({"ssh_key_filename": LAB.file(name).display().to_string()})
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn keys_of_every_kind_open_the_door_from_files_and_as_text() {
    let driver = Driver::new();
    // The domain does not exist: to be told so one must have been let in.
    let node = node("keys", &[MAC]);
    for name in ["user", "user_rsa_pem", "user_ecdsa"] {
        driver
            .fails(PowerStatus, &changed(&node, &key(name)), &["no domain has"])
            .await;
        let text = std::fs::read_to_string(LAB.file(name)).unwrap();
        let inline = json!({"ssh_key_filename": null, "ssh_key_contents": text});
        driver
            .fails(PowerStatus, &changed(&node, &inline), &["no domain has"])
            .await;
    }
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_wrong_key_is_named() {
    let driver = Driver::new();
    let wrong = changed(&node("wrong", &[MAC]), &key("stranger"));
    let file = LAB.file("stranger").display().to_string();
    let place = format!("hypervisor 127.0.0.1:{}: permission denied", LAB.port);
    driver
        .fails(PowerStatus, &wrong, &[&place, "root", &file])
        .await;
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn passwords_work_and_wrong_ones_are_not_shown() {
    let driver = Driver::new();
    let password = |word: &str, port: u16| {
        let info = json!({"ssh_username": "op", "ssh_key_filename": null, "ssh_password": word,
            "ssh_port": port});
        changed(&node("password", &[MAC]), &info)
    };
    for port in [LAB.port, LAB.asking_port] {
        // Let in, this user is not allowed to use libvirt.
        let words = ["op may not use libvirt there", "Permission denied"];
        driver
            .fails(PowerStatus, &password("correct horse", port), &words)
            .await;
        let words = ["permission denied: it does not let op in with the password in ssh_password"];
        let wrong = password("battery staple", port);
        let sentence = driver.fails(PowerStatus, &wrong, &words).await;
        assert!(!sentence.contains("battery"), "{sentence}");
    }
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_second_credential_is_tried_after_the_first() {
    let driver = Driver::new();
    let text = std::fs::read_to_string(LAB.file("user")).unwrap();
    let both = json!({"ssh_key_filename": LAB.file("stranger").display().to_string(),
        "ssh_key_contents": text});
    let node = changed(&node("both", &[MAC]), &both);
    driver.fails(PowerStatus, &node, &["no domain has"]).await;
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn key_files_that_are_no_use_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage");
    std::fs::write(&garbage, "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n").unwrap();
    let shown = |name: &str| LAB.file(name).display().to_string();
    let cases = [
        (
            "/nowhere/key".to_owned(),
            "does not exist on the conductor's host",
        ),
        (folder.path().display().to_string(), "is not a regular file"),
        ("/dev/zero".to_owned(), "is not a regular file"),
        (
            garbage.display().to_string(),
            "is not a private key in OpenSSH or PEM format",
        ),
        (
            shown("user.pub"),
            "is not a private key in OpenSSH or PEM format",
        ),
        (shown("user_encrypted"), "is encrypted"),
        (shown("user_encrypted_pem"), "is encrypted"),
    ];
    let driver = Driver::new();
    for (file, reason) in cases {
        let node = changed(&node("file", &[MAC]), &json!({"ssh_key_filename": file}));
        let sentence = driver.fails(PowerStatus, &node, &[&file, reason]).await;
        assert!(!sentence.contains("c2VjcmV0"), "{sentence}");
    }
    let inline = json!({"ssh_key_filename": null, "ssh_key_contents": "s3cret"});
    let node = changed(&node("text", &[MAC]), &inline);
    let sentence = driver
        .fails(PowerStatus, &node, &["ssh_key_contents is not a private"])
        .await;
    assert!(!sentence.contains("s3cret"), "{sentence}");
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn nothing_of_a_record_is_run_by_any_shell() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let touch = format!("touch {}/done", folder.path().display());
    let driver = Driver::new();
    for (key, value) in [
        ("ssh_username", format!("root; {touch}")),
        ("ssh_username", format!("$({touch})")),
        ("ssh_address", format!("127.0.0.1; {touch}")),
        ("ssh_address", format!("-oProxyCommand={touch}")),
        ("ssh_virt_type", format!("virsh; {touch}")),
        ("ssh_terminal_port", format!("1; {touch}")),
        ("ssh_key_filename", format!("| {touch}")),
    ] {
        let node = changed(&node("hostile", &[MAC]), &json!({key: value}));
        driver.fails(PowerStatus, &node, &[]).await;
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
