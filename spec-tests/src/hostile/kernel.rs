//! Faults of the kernel that a runtime must not set off.

use crate::harness::{Cgroups, Suite, check, skip};
use serde_json::json;
use std::{fs, process::Command};

/// `union bpf_attr` up to the end of what kernels since 6.17 write on BPF_PROG_QUERY.
const QUERY: u64 = 64;

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("kernel", "kernels 6.17 to 7.1:");
    g.attack(
        "bpf-attributes",
        "the kernel writes past attributes that are too short",
        Some("BpfAttributes"),
        |t| {
            if t.machine.cgroups != Cgroups::V2 {
                return skip("devices are a program on cgroup v2 alone (--cgroup v2)");
            }
            if !Command::new("strace").arg("-V").output().is_ok_and(|done| done.status.success()) {
                return skip("strace is needed");
            }
            let trace = t.dir().join("trace");
            let name = trace.to_string_lossy().into_owned();
            let strace = ["strace", "-f", "-qq", "-e", "trace=bpf", "-A", "-o", &name];
            let mut b = t.waiting()?;
            b.config["linux"]["resources"]["devices"] = json!([{"allow": false, "access": "rwm"}]);
            b.write()?;
            let id = t.id();
            t.call(&["create", "--bundle"]).arg(&b.dir).arg(&id).done()?.ok()?;
            let resources = t.dir().join("resources.json");
            fs::write(&resources, json!({"devices": [{"allow": true, "access": "rwm"}]}).to_string())?;
            t.call(&["update", "--resources"]).arg(&resources).arg(&id).through(&strace).done()?;
            let text = fs::read_to_string(&trace)?;
            for line in text.lines().filter(|line| line.contains("BPF_PROG_QUERY")) {
                let size = line.rsplit_once("}, ").and_then(|(_, rest)| rest.split(')').next());
                let size: u64 = size.and_then(|size| size.trim().parse().ok()).unwrap_or(0);
                check!(size >= QUERY, "attributes of {size} bytes: {line}");
            }
            Ok(())
        },
    );
}
