//! Limits that leave room for the container's own process and nothing else.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use serde_json::json;
use support::{Bundle, has_controller};

/// A container is born, and further processes come in, though the process that makes way for each would be one too many.
#[test]
fn a_limit_of_one_process_is_enough() {
    if !has_controller("pids") {
        println!("skipped: no pids controller");
        return;
    }
    let Some(bundle) = Bundle::new("one-process", false, "exec sleep 100") else { return };
    bundle.edit(|spec| spec["linux"]["resources"]["pids"] = json!({"limit": 1}));
    for time_namespace in [false, true] {
        if time_namespace {
            bundle.edit(|spec| {
                spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time"}));
                spec["linux"]["timeOffsets"] = json!({"boottime": {"secs": 5}});
            });
        }
        bundle.quiet(&["create", "--bundle", bundle.path(), "c"]);
        bundle.ok(&["start", "c"]);
        bundle.ok(&["exec", "c", "true"]);
        assert!(!bundle.corten(&["exec", "c", "sh", "-c", "sleep 0 & wait $!"]).status.success());
        bundle.ok(&["delete", "--force", "c"]);
    }
}
