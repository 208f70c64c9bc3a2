//! Whatever is asked, there is an answer: methods, paths, queries and documents at random.

use std::net::Ipv4Addr;

use hyper::header::HeaderValue;
use proptest::prelude::*;
use serde_json::json;

use super::super::{Flavours, Interfaces};
use super::*;

/// Parts of paths that mean something, and one that means nothing.
const PARTS: [&str; 36] = [
    "redfish",
    "v1",
    "Systems",
    "1",
    "system",
    "Self",
    "SD",
    "Bios",
    "Settings",
    "Actions",
    "ComputerSystem.Reset",
    "VirtualMedia",
    "CD1",
    "VirtualMedia.InsertMedia",
    "Managers",
    "LogServices",
    "SEL",
    "Entries",
    "Storage",
    "Drives",
    "Drive1",
    "Processors",
    "CPU1",
    "CPU0",
    "SessionService",
    "Sessions",
    "TaskService",
    "Tasks",
    "xyz",
    "openbmc_project",
    "attr",
    "enumerate",
    "state",
    "login",
    "",
    "nonsense",
];
const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PATCH,
    Method::PUT,
    Method::DELETE,
];

fn value() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "Boot",
        "BootSourceOverrideTarget",
        "Attributes",
        "BootMode",
        "ResetType",
        "Image",
        "data",
        "UserName",
        "Password",
        "IndicatorLED",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("Pxe")),
        Just(json!("On")),
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let fields = prop::collection::hash_map(name.clone(), inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            fields.prop_map(|fields| json!(fields)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_request_has_an_answer(
        flavour in 0..8_usize,
        method in 0..METHODS.len(),
        parts in prop::collection::vec(prop::sample::select(PARTS.to_vec()), 0..8),
        top in any::<bool>(),
        query in "[$a-z=&0-9%]{0,20}",
        body in value(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        let _inside = runtime.enter();
        let options = Options {
            interfaces: Interfaces::Both,
            flavours: "mixed".parse::<Flavours>().unwrap(),
            ..Options::default()
        };
        let machines = Arc::new(Machines::new(Ipv4Addr::new(127, 2, 0, 0), 8));
        let certificates = Certificates::new(8, options.signed, false).unwrap();
        let face = Arc::new(Face::new(machines, options, certificates));
        let top = if top { "/redfish/v1" } else { "" };
        let uri = format!("{top}/{}?{query}", parts.join("/"));
        let Ok(uri) = uri.parse::<Uri>() else { return Ok(()) };
        let mut headers = HeaderMap::new();
        let basic = HeaderValue::from_static("Basic YWRtaW46cGFzc3dvcmQ=");
        headers.insert(AUTHORIZATION, basic);
        headers.insert(IF_MATCH, HeaderValue::from_static("*"));
        let answer = face.answer(flavour, &Ask::new(&METHODS[method], &uri, &headers, body));
        prop_assert!((200..600).contains(&answer.status));
        prop_assert!(answer.status != 401 || parts.contains(&"login") || parts.contains(&"Sessions"));
    }
}
