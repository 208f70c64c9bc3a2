//! Accounts with levels, as `ipmitool` lists them and as both interfaces heed them.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;

use xcat3_sim::bmc::ipmi::{Account, Options};
use xcat3_sim::bmc::{redfish, serve_redfish};

use super::{Plant, line, run};

fn accounts() -> Vec<Account> {
    [
        "guest:visitor:user",
        "ops:night:operator",
        "root:calvin:administrator",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec()
}

fn plant(third: u8) -> Plant {
    let options = Options {
        users: accounts(),
        ..Options::default()
    };
    Plant::new(Ipv4Addr::new(127, 65, third, 0), 1, options)
}

#[test]
#[ignore = "real: programs"]
fn accounts_are_listed_with_their_levels() {
    let plant = plant(0);
    for suite in ["3", "17"] {
        let text = plant.tell(0, suite, &["user", "list", "1"]);
        for (number, name, level) in [
            ("2", "admin", "ADMINISTRATOR"),
            ("3", "guest", "USER"),
            ("4", "ops", "OPERATOR"),
            ("5", "root", "ADMINISTRATOR"),
        ] {
            let said = line(&text, number);
            assert!(said.starts_with(&format!("{number} {name}")), "{text}");
            assert!(said.ends_with(level), "{text}");
        }
        let text = plant.tell(0, suite, &["user", "summary", "1"]);
        assert_eq!(line(&text, "Maximum IDs"), "Maximum IDs : 5");
        assert_eq!(line(&text, "Enabled User Count"), "Enabled User Count : 4");
        let text = plant.tell(0, suite, &["channel", "getaccess", "1", "4"]);
        assert_eq!(line(&text, "User Name"), "User Name : ops");
        assert_eq!(line(&text, "Privilege Level"), "Privilege Level : OPERATOR");
    }
}

#[test]
#[ignore = "real: programs"]
fn an_account_gets_what_its_level_allows_and_no_more() {
    let plant = plant(1);
    let ask = |user: &str, password: &str, level: &str, words: &[&str]| {
        // The last -U and -P count.
        let login = [
            "-C", "17", "-R", "1", "-U", user, "-P", password, "-L", level,
        ];
        plant.ipmitool(0, &login, words)
    };
    let on: &[&str] = &["chassis", "power", "on"];
    let (content, text) = ask("guest", "visitor", "USER", on);
    assert!(
        !content && text.contains("Insufficient privilege"),
        "{text}"
    );
    assert!(!plant.machines.machine(0).power);
    let (content, text) = ask("guest", "visitor", "OPERATOR", on);
    assert!(
        !content && text.contains("Set Session Privilege Level"),
        "{text}"
    );
    let (content, text) = ask("ops", "night", "OPERATOR", on);
    assert!(content && plant.machines.machine(0).power, "{text}");
    assert!(ask("root", "calvin", "ADMINISTRATOR", on).0);
    assert!(
        !ask("root", "visitor", "ADMINISTRATOR", on).0,
        "another's password"
    );
    let (content, text) = ask("nobody", "visitor", "USER", on);
    assert!(!content, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn redfish_heeds_the_same_accounts() {
    let plant = plant(2);
    let options = redfish::Options {
        tls: false,
        users: accounts(),
        ..redfish::Options::default()
    };
    let face = serve_redfish(Arc::clone(&plant.machines), options).unwrap();
    let base = format!("http://127.65.2.0:{}/redfish/v1", face.port());
    let status = |login: &str, rest: &str, body: Option<&str>| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "60", "--user", login])
            .args(["--output", "/dev/null", "--write-out", "%{http_code}"]);
        if let Some(body) = body {
            curl.args(["--header", "Content-Type: application/json", "--data", body]);
        }
        run(curl.arg(format!("{base}{rest}"))).1
    };
    let reset = "/Systems/1/Actions/ComputerSystem.Reset";
    let on = Some(r#"{"ResetType":"On"}"#);
    assert_eq!(status("guest:visitor", "/Systems/1", None), "200");
    assert_eq!(status("guest:visitor", reset, on), "403");
    assert!(!plant.machines.machine(0).power);
    assert_eq!(status("ops:wrong", reset, on), "401");
    assert_eq!(status("ops:night", reset, on), "204");
    assert!(plant.machines.machine(0).power);
    let restart = "/Managers/1/Actions/Manager.Reset";
    let how = Some(r#"{"ResetType":"GracefulRestart"}"#);
    assert_eq!(status("ops:night", restart, how), "403");
    assert_eq!(status("root:calvin", restart, how), "204");
    assert_eq!(
        status("guest:visitor", "/AccountService/Accounts/4", None),
        "200"
    );
    assert_eq!(
        status("guest:visitor", "/AccountService/Accounts/5", None),
        "404"
    );
    face.stop().await.unwrap();
}
