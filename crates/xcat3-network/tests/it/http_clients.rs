//! HTTP with real clients: curl and wget.

use xcat3_network::content::Content;
use xcat3_network::http::Limits;

use crate::clients::{curl, run};
use crate::site::{Running, Site, bytes, file, recorded};

fn serve() -> (Running, String, Vec<u8>) {
    let whole = bytes(3_000_000);
    // As a file inside an ISO may be: in three extents.
    let iso = [&whole[2_000_000..], b"between", &whole[..2_000_000]].concat();
    let extents = [(1_000_007, 1_500_000), (2_500_007, 500_000), (0, 1_000_000)];
    let site = Site::default()
        .with("images/a b/kernel", file(&iso, Some(&extents)))
        .with("small", file(b"a small file", None))
        .with("empty", Content::from(""))
        .with("memory", Content::from(whole.clone()))
        .with("boot.ipxe", Content::from("#!ipxe\n"));
    let running = site.serve_http(Limits::default());
    let url = format!("http://{}", running.address);
    (running, url, whole)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn whole_file_arrives() {
    let (_running, url, whole) = serve();
    tokio::task::spawn_blocking(move || {
        assert!(curl(&[&format!("{url}/images/a%20b/kernel")]) == whole);
        assert!(curl(&[&format!("{url}//images/x/../a%20b/./kernel")]) == whole);
        assert!(curl(&[&format!("{url}/memory")]) == whole);
        assert_eq!(curl(&[&format!("{url}/small?x=1")]), b"a small file");
        assert_eq!(curl(&[&format!("{url}/empty")]), b"");
        assert_eq!(
            curl(&["--http1.0", &format!("{url}/small")]),
            b"a small file"
        );
        let wget = run(
            "wget",
            "wget",
            &["-qO-", &format!("{url}/images/a%20b/kernel")],
        );
        assert!(wget.stdout == whole);
    })
    .await
    .expect("the clients");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn range_across_extents_arrives() {
    let (_running, url, whole) = serve();
    tokio::task::spawn_blocking(move || {
        for path in ["images/a%20b/kernel", "memory"] {
            let url = format!("{url}/{path}");
            for (range, part) in [
                ("0-0", &whole[..1]),
                ("1499990-1500009", &whole[1_499_990..1_500_010]),
                ("1400000-2100000", &whole[1_400_000..2_100_001]),
                ("2999999-", &whole[2_999_999..]),
                ("-100", &whole[2_999_900..]),
                ("2900000-9999999", &whole[2_900_000..]),
            ] {
                let form = "%{http_code} %header{content-range}";
                let output = curl(&["-r", range, "-w", form, &url]);
                assert!(output.starts_with(part), "{range} of {path}");
                let output = String::from_utf8_lossy(&output[part.len()..]);
                let (status, range_field) = output.split_once(' ').expect("status and range");
                assert_eq!(status, "206", "{range}");
                assert!(range_field.ends_with("/3000000"), "{range_field}");
            }
            let beyond = curl(&["-r", "3000000-", "-w", "%{http_code}", &url]);
            assert!(
                beyond.ends_with(b"416"),
                "{}",
                String::from_utf8_lossy(&beyond)
            );
        }
    })
    .await
    .expect("the clients");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn download_is_resumed() {
    let (_running, url, whole) = serve();
    tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kernel");
        std::fs::write(&path, &whole[..1_234_567]).expect("written");
        let name = path.to_str().expect("UTF-8");
        let url = format!("{url}/images/a%20b/kernel");
        curl(&["-f", "-C", "-", "-o", name, &url]);
        assert!(std::fs::read(&path).expect("read") == whole);
        let wget = run("wget", "wget", &["-q", "-c", "-O", name, &url]);
        assert!(wget.status.success(), "wget -c on a whole file: {wget:?}");
    })
    .await
    .expect("the clients");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn connection_is_reused_for_many_requests() {
    let (_running, url, _) = serve();
    tokio::task::spawn_blocking(move || {
        let (small, kernel) = (format!("{url}/small"), format!("{url}/images/a%20b/kernel"));
        let none = format!("{url}/none");
        let mut arguments = vec!["-w", "%{stderr}%{http_code} %{num_connects}\\n"];
        for url in [&small, &kernel, &none, &small] {
            arguments.extend(["-o", "/dev/null", url]);
        }
        let output = run("curl", "curl", &[&["-sS"], &arguments[..]].concat());
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output, "200 1\n200 0\n404 0\n200 0\n");
    })
    .await
    .expect("the clients");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn head_and_conditional_requests_have_no_body() {
    let (running, url, _) = serve();
    tokio::task::spawn_blocking(move || {
        let head = curl(&["-I", &format!("{url}/images/a%20b/kernel")]);
        let head = String::from_utf8(head).expect("text");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("Content-Length: 3000000\r\n"), "{head}");
        assert!(
            head.contains("Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n"),
            "{head}"
        );
        let status = ["-o", "/dev/null", "-w", "%{http_code} %{size_download}"];
        let with = |field: &str| {
            let url = format!("{url}/small");
            let output = curl(&[&status[..], &["-H", field, &url]].concat());
            String::from_utf8(output).expect("text")
        };
        assert_eq!(with("If-None-Match: \"tag\""), "304 0");
        assert_eq!(with("If-None-Match: \"other\""), "200 12");
        assert_eq!(
            with("If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT"),
            "304 0"
        );
        assert_eq!(
            with("If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT"),
            "200 12"
        );
        let kind = curl(&[
            "-I",
            "-w",
            "%{content_type}",
            "-o",
            "/dev/null",
            &format!("{url}/boot.ipxe"),
        ]);
        assert_eq!(kind, b"text/plain; charset=utf-8");
    })
    .await
    .expect("the clients");
    let sent = recorded(&running.site.sent, 1).await;
    assert_eq!((sent[0].bytes, sent[0].size), (0, 0), "HEAD has no body");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: programs"]
async fn request_bodies_reach_the_handler() {
    let (running, url, _) = serve();
    tokio::task::spawn_blocking(move || {
        let url = format!("{url}/node/t0k3n/callback");
        assert_eq!(
            curl(&["-X", "POST", "-d", "state=deployed", &url]),
            b"stored\n"
        );
        let expecting = [
            "-H",
            "Expect: 100-continue",
            "--data-binary",
            "@-",
            "-X",
            "PUT",
            &url,
        ];
        let body = "x".repeat(60_000);
        let output = crate::clients::run_with_input(
            "curl",
            "curl",
            &[&["-sS"], &expecting[..]].concat(),
            &body,
        );
        assert_eq!(output.stdout, b"stored\n", "{output:?}");
        let body = "x".repeat(70_000);
        let arguments = ["-sS", "-w", "%{http_code}", "--data-binary", "@-", &url];
        let output = crate::clients::run_with_input("curl", "curl", &arguments, &body);
        assert!(output.stdout.ends_with(b"413"), "{output:?}");
        let chunked = ["-sS", "-w", "%{http_code}", "-T", "-", &url];
        let output = crate::clients::run_with_input("curl", "curl", &chunked, "body");
        assert!(output.stdout.ends_with(b"411"), "{output:?}");
        assert!(curl(&["-X", "DELETE", "-w", "%{http_code}", &url]).ends_with(b"405"));
    })
    .await
    .expect("the clients");
    let put = running.site.put.lock().expect("not poisoned").clone();
    assert_eq!(put.len(), 2);
    assert_eq!(
        put[0],
        ("node/t0k3n/callback".to_owned(), b"state=deployed".to_vec())
    );
    assert_eq!(put[1].1.len(), 60_000);
}
