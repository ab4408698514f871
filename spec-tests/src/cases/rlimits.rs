//! `process.rlimits`.

use crate::{
    harness::{Suite, Test, Verdict, check_eq},
    payload::RLIMITS,
};
use serde_json::{Value, json};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("rlimits", "config.md");
    for name in RLIMITS {
        g.must(name, "process.rlimits: rlim_cur and rlim_max match", move |t| limit(t, name));
    }
    g.must("soft-equals-hard", "process.rlimits: rlim_cur and rlim_max match", |t| {
        set(t, json!([{"type": "RLIMIT_NOFILE", "soft": 512, "hard": 512}]), &[("RLIMIT_NOFILE", 512, 512)])
    });
    g.must("several", "process.rlimits: rlim_cur and rlim_max match", |t| {
        let given = json!([
            {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
            {"type": "RLIMIT_NPROC", "soft": 300, "hard": 400},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        ]);
        set(t, given, &[("RLIMIT_NOFILE", 100, 200), ("RLIMIT_NPROC", 300, 400), ("RLIMIT_CORE", 0, 0)])
    });
    g.must("raised", "process.rlimits: rlim_cur and rlim_max match", |t| {
        t.machine.needs_capability(24, "CAP_SYS_RESOURCE, which raises limits")?;
        let own = own("RLIMIT_NOFILE")?;
        let more = own[1].saturating_add(1);
        let given = json!([{"type": "RLIMIT_NOFILE", "soft": more, "hard": more}]);
        set(t, given, &[("RLIMIT_NOFILE", more, more)])
    });
    g.must("unset-is-inherited", "process.rlimits: what is not listed stays", |t| {
        let r = t.report(&t.bundle()?)?;
        let own = own("RLIMIT_CORE")?;
        check_eq!(r["rlimits"]["RLIMIT_CORE"], json!(own), "RLIMIT_CORE");
        Ok(())
    });
    g.must("unknown-is-refused", "process.rlimits.type: an error for what the kernel has not", |t| {
        refused(t, json!([{"type": "RLIMIT_RUST", "soft": 1, "hard": 1}]))
    });
    g.must("repeated-is-refused", "process.rlimits: an error for repeated types", |t| {
        let one = json!({"type": "RLIMIT_NOFILE", "soft": 512, "hard": 512});
        refused(t, json!([one, one]))
    });
    g.must("soft-above-hard-is-refused", "process.rlimits: Valid values", |t| {
        refused(t, json!([{"type": "RLIMIT_NOFILE", "soft": 200, "hard": 100}]))
    });
    g.must(
        "beyond-what-may-be-had-is-refused",
        "runtime.md Lifecycle 2: an error for what cannot be made",
        |t| {
            if t.machine.has_capability(24) {
                return crate::harness::skip("this machine grants CAP_SYS_RESOURCE: any limit can be raised");
            }
            let more = own("RLIMIT_NOFILE")?[1].saturating_add(1);
            refused(t, json!([{"type": "RLIMIT_NOFILE", "soft": more, "hard": more}]))
        },
    );
}

fn own(name: &str) -> Verdict<[u64; 2]> {
    let all = crate::payload::rlimits();
    Ok(serde_json::from_value(all[name].clone())?)
}

fn set(t: &Test, given: Value, want: &[(&str, u64, u64)]) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["rlimits"] = given;
    let r = t.report(&b)?;
    for (name, soft, hard) in want {
        check_eq!(r["rlimits"][*name], json!([soft, hard]), "{name}");
    }
    Ok(())
}

fn refused(t: &Test, given: Value) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["rlimits"] = given;
    t.refuses(&b).map(drop)
}

/// A lower pair than what this machine gives, where that can be lower.
fn limit(t: &Test, name: &str) -> Verdict {
    let name = format!("RLIMIT_{name}");
    let own = own(&name)?;
    // Room enough for a runtime's own first process.
    let (soft, hard): (u64, u64) = match name.as_str() {
        "RLIMIT_NICE" | "RLIMIT_RTPRIO" => (0, 0),
        "RLIMIT_CPU" => (600, 700),
        "RLIMIT_NOFILE" | "RLIMIT_NPROC" | "RLIMIT_SIGPENDING" | "RLIMIT_LOCKS" => (1000, 1100),
        "RLIMIT_MEMLOCK" | "RLIMIT_MSGQUEUE" => (65_536, 131_072),
        "RLIMIT_STACK" => (4 << 20, 6 << 20),
        _ => (4 << 30, 5 << 30),
    };
    let (soft, hard) = (soft.min(own[0]), hard.min(own[1]));
    set(t, json!([{"type": name, "soft": soft, "hard": hard}]), &[(&name, soft, hard)])
}
