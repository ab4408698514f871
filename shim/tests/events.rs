//! `corten events` beside a container that runs out of memory.

#[allow(dead_code, reason = "a terminal is for the tests of the foreground")]
mod support;

use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};
use support::{Bundle, has_controller};

#[test]
fn memory_that_runs_out_is_an_event() {
    if !has_controller("memory") {
        println!("skipped: no memory controller");
        return;
    }
    let Some(bundle) = Bundle::new("oom", false, "exec sleep 100") else { return };
    bundle.edit(|spec| {
        spec["linux"]["resources"]["memory"] = serde_json::json!({"limit": 33_554_432, "swap": 33_554_432});
    });
    bundle.quiet(&["create", "--bundle", bundle.path(), "c1"]);
    let mut events =
        bundle.command(&["events", "--interval", "300ms", "c1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = next();
    assert_eq!((&first["type"], &first["id"]), (&"stats".into(), &"c1".into()), "{first}");
    assert!(first["data"]["memory"]["usage"]["limit"] == 33_554_432, "{first}");
    bundle.ok(&["start", "c1"]);
    let full = "x=$(busybox dd if=/dev/zero of=/dev/null bs=100000000 count=1)";
    let output = bundle.corten(&["exec", "c1", "sh", "-c", &format!("{full}; exit $?")]);
    assert_eq!(output.status.code(), Some(137), "{}", String::from_utf8_lossy(&output.stderr));
    let oom = loop {
        match next() {
            event if event["type"] == "stats" => {}
            event => break event,
        }
    };
    // runc's line has no data.
    assert_eq!(oom, serde_json::json!({"type": "oom", "id": "c1"}));
    bundle.ok(&["kill", "c1", "KILL"]);
    assert!(events.wait().unwrap().success());
    bundle.ok(&["delete", "c1"]);
    let output = bundle.corten(&["events", "c1"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not exist"));
}
