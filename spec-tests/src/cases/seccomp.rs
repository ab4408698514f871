//! `linux.seccomp`.

use crate::{
    harness::{Suite, Test, Verdict, View, check_eq, skip},
    payload::ARCHITECTURES,
};
use serde_json::{Value, json};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("seccomp", "config-linux.md");
    g.must("filter-is-installed", "seccomp", |t| {
        let r = with(t, errno(&["getsid"], None, &json!([])), &[])?;
        check_eq!(r["status"]["Seccomp"], "2", "Seccomp of /proc/self/status");
        Ok(())
    });
    g.must("none-without-seccomp", "seccomp: optional", |t| {
        check_eq!(t.report(&t.bundle()?)?["status"]["Seccomp"], "0", "Seccomp of /proc/self/status");
        Ok(())
    });
    g.must("no-new-privileges-is-left-alone", "process.noNewPrivileges with seccomp", |t| {
        check_eq!(
            with(t, errno(&["getsid"], None, &json!([])), &[])?["noNewPrivileges"],
            false,
            "no_new_privs"
        );
        Ok(())
    });
    g.must("with-no-new-privileges-and-a-user", "seccomp", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["seccomp"] = errno(&["getsid"], None, &json!([]));
        b.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        b.config["process"]["noNewPrivileges"] = json!(true);
        b.probe("call:getsid,0");
        check_eq!(t.report(&b)?.error("call:getsid,0"), Some("EPERM"), "getsid");
        Ok(())
    });
    g.must("a-user-without-no-new-privileges", "seccomp", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["seccomp"] = errno(&["getsid"], None, &json!([]));
        b.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        b.probe("call:getsid,0");
        check_eq!(t.report(&b)?.error("call:getsid,0"), Some("EPERM"), "getsid");
        Ok(())
    });
    g.must("errno-is-eperm-by-default", "seccomp.syscalls.errnoRet: EPERM by default", |t| {
        let r = with(t, errno(&["getsid"], None, &json!([])), &["call:getsid,0", "call:getpgid,0"])?;
        check_eq!(r.error("call:getsid,0"), Some("EPERM"), "getsid");
        r.probe("call:getpgid,0").map(drop)
    });
    g.must("errno-ret", "seccomp.syscalls.errnoRet", |t| {
        let r = with(t, errno(&["getsid"], Some(95), &json!([])), &["call:getsid,0"])?;
        check_eq!(r.error("call:getsid,0"), Some("EOPNOTSUPP"), "getsid");
        Ok(())
    });
    g.must("several-names", "seccomp.syscalls.names", |t| {
        let probes = ["call:getsid,0", "call:getpgid,0", "call:sched_yield"];
        let r = with(t, errno(&["getsid", "sched_yield", "getpgid"], None, &json!([])), &probes)?;
        for probe in probes {
            check_eq!(r.error(probe), Some("EPERM"), "{probe}");
        }
        Ok(())
    });
    g.must("unknown-names-are-ignored", "seccomp.syscalls.names: of another architecture or kernel", |t| {
        let r = with(t, errno(&["corten_call", "getsid", "_llseek"], None, &json!([])), &["call:getsid,0"])?;
        check_eq!(r.error("call:getsid,0"), Some("EPERM"), "getsid");
        Ok(())
    });
    g.must("allow-list", "seccomp.defaultAction: SCMP_ACT_ERRNO with a list of allowed calls", allow_list);
    g.must("names-empty-is-refused", "seccomp.syscalls.names: at least one", |t| {
        refused(t, errno(&[], None, &json!([])))
    });
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"] {
        g.must(&format!("action-{action}"), "seccomp.syscalls.action", move |t| {
            // A call that the report itself does without.
            let rule = json!({"names": ["getpriority"], "action": action});
            let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
            let r = with(t, profile, &["child:call:getpriority,0,0"])?;
            check_eq!(
                r.probe("child:call:getpriority,0,0")?["signal"],
                31,
                "the signal that ended the process"
            );
            Ok(())
        });
    }
    g.must("action-SCMP_ACT_LOG", "seccomp.syscalls.action", |t| {
        let profile = json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["getsid"], "action": "SCMP_ACT_LOG"}]});
        with(t, profile, &["call:getsid,0"])?.probe("call:getsid,0").map(drop)
    });
    g.must("action-SCMP_ACT_TRACE", "seccomp.syscalls.action", |t| {
        // Without a tracer the call fails.
        let profile = json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["getsid"], "action": "SCMP_ACT_TRACE", "errnoRet": 7}]});
        check_eq!(with(t, profile, &["call:getsid,0"])?.error("call:getsid,0"), Some("ENOSYS"), "getsid");
        Ok(())
    });
    g.must(
        "action-SCMP_ACT_TRACE-tells-a-tracer",
        "seccomp.syscalls.errnoRet: the value for the tracer",
        |t| {
            let profile = json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["getsid"], "action": "SCMP_ACT_TRACE", "errnoRet": 777}]});
            let r = with(t, profile, &["traced:getsid,0", "traced:getpgid,0"])?;
            check_eq!(r.probe("traced:getsid,0")?["told"], 777, "what the tracer was told of getsid");
            check_eq!(r.probe("traced:getpgid,0")?["told"], Value::Null, "what it was told of getpgid");
            Ok(())
        },
    );
    g.must("unknown-action-is-refused", "seccomp.syscalls.action: Valid values", |t| {
        refused(t, json!({"defaultAction": "SCMP_ACT_MELT"}))
    });
    g.must("unknown-architecture-is-refused", "seccomp.architectures: Valid values", |t| {
        refused(
            t,
            json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_STEEL"],
            "syscalls": [{"names": ["getsid"], "action": "SCMP_ACT_ERRNO"}]}),
        )
    });
    g.must("unknown-operator-is-refused", "seccomp.syscalls.args.op: Valid values", |t| {
        refused(t, errno(&["getsid"], None, &json!([{"index": 0, "value": 1, "op": "SCMP_CMP_NEAR"}])))
    });
    g.must("errno-of-an-action-without-one-is-refused", "seccomp.syscalls.errnoRet: an error", |t| {
        refused(
            t,
            json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["getsid"], "action": "SCMP_ACT_KILL", "errnoRet": 5}]}),
        )
    });
    g.must("architectures", "seccomp.architectures", |t| {
        let mut profile = errno(&["getsid"], None, &json!([]));
        profile["architectures"] =
            json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"]);
        check_eq!(with(t, profile, &["call:getsid,0"])?.error("call:getsid,0"), Some("EPERM"), "getsid");
        Ok(())
    });
    for flag in ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"] {
        g.must(&format!("flag-{flag}"), "seccomp.flags", move |t| {
            let mut profile = errno(&["getsid"], None, &json!([]));
            profile["flags"] = json!([flag]);
            check_eq!(with(t, profile, &["call:getsid,0"])?.error("call:getsid,0"), Some("EPERM"), "getsid");
            Ok(())
        });
    }
    g.must("unknown-flag-is-refused", "seccomp.flags: Valid values", |t| {
        let mut profile = errno(&["getsid"], None, &json!([]));
        profile["flags"] = json!(["SECCOMP_FILTER_FLAG_MELT"]);
        refused(t, profile)
    });
    g.must("holds-for-exec", "seccomp: of the container", |t| {
        let mut b = t.waiting()?;
        b.config["linux"]["seccomp"] = errno(&["getsid"], None, &json!([]));
        let c = t.running_of(&b)?;
        check_eq!(c.exec_report(&[], &["call:getsid,0"])?.error("call:getsid,0"), Some("EPERM"), "getsid");
        Ok(())
    });
    g.since(1, 1);
    g.must("default-errno-ret", "seccomp.defaultErrnoRet", |t| {
        let mut profile = allowing();
        profile["defaultErrnoRet"] = json!(38);
        let r = with(t, profile, &["call:keyctl,99", "call:getpid"])?;
        check_eq!(r.error("call:keyctl,99"), Some("ENOSYS"), "a call that is not on the list");
        r.probe("call:getpid").map(drop)
    });
    foreign_calls(suite);
    arguments(suite);
}

fn errno(names: &[&str], value: Option<u32>, args: &Value) -> Value {
    let mut rule = json!({"names": names, "action": "SCMP_ACT_ERRNO", "args": args});
    if let Some(value) = value {
        rule["errnoRet"] = json!(value);
    }
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
}

fn with(t: &Test, profile: Value, probes: &[&str]) -> Verdict<Value> {
    let mut b = t.bundle()?;
    b.config["linux"]["seccomp"] = profile;
    for probe in probes {
        b.probe(*probe);
    }
    t.report(&b)
}

fn refused(t: &Test, profile: Value) -> Verdict {
    let mut b = t.bundle()?;
    b.config["linux"]["seccomp"] = profile;
    t.refuses(&b).map(drop)
}

/// Docker's profile, which the bundles hold, without what it allows for the sake of one capability.
fn allowing() -> Value {
    let docker: Value = serde_json::from_str(include_str!("../../bundles/docker.json")).unwrap_or_default();
    docker["linux"]["seccomp"].clone()
}

fn allow_list(t: &Test) -> Verdict {
    let r = with(t, allowing(), &["call:getpid", "call:getuid", "call:keyctl,99"])?;
    r.probe("call:getpid")?;
    r.probe("call:getuid")?;
    check_eq!(r.error("call:keyctl,99"), Some("EPERM"), "a call that is not on the list");
    Ok(())
}

/// A name, a condition, and of each second argument whether the rule matches.
type Condition = (&'static str, Value, &'static [(u64, bool)]);

/// Conditions on arguments: getpriority(which, who), whose `which` the kernel refuses with EINVAL from 3 on.
fn arguments(suite: &mut Suite) {
    let mut g = suite.group("seccomp", "config-linux.md");
    let one = |op: &str, value: u64| json!([{"index": 1, "value": value, "op": op}]);
    let cases: [Condition; 9] = [
        ("EQ", one("SCMP_CMP_EQ", 1000), &[(1000, true), (999, false), (0, false)]),
        ("NE", one("SCMP_CMP_NE", 1000), &[(1000, false), (999, true), (0, true)]),
        ("LT", one("SCMP_CMP_LT", 1000), &[(1000, false), (999, true), (1001, false)]),
        ("LE", one("SCMP_CMP_LE", 1000), &[(1000, true), (999, true), (1001, false)]),
        ("GT", one("SCMP_CMP_GT", 1000), &[(1000, false), (999, false), (1001, true)]),
        ("GE", one("SCMP_CMP_GE", 1000), &[(1000, true), (999, false), (1001, true)]),
        (
            "MASKED_EQ",
            json!([{"index": 1, "value": 0xf0, "valueTwo": 0x50, "op": "SCMP_CMP_MASKED_EQ"}]),
            &[(0x5f, true), (0x60, false), (0x150, true)],
        ),
        (
            "wide",
            one("SCMP_CMP_EQ", 0x1_0000_0001),
            &[(0x1_0000_0001, true), (1, false), (0x1_0000_0000, false)],
        ),
        (
            "two",
            json!([
                {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 1000, "op": "SCMP_CMP_GE"},
            ]),
            &[(1000, true), (999, false)],
        ),
    ];
    for (name, args, tries) in cases {
        g.must(&format!("argument-{name}"), "seccomp.syscalls.args", move |t| {
            let probes: Vec<String> =
                tries.iter().map(|(value, _)| format!("call:getpriority,0,{value}")).collect();
            let all: Vec<&str> = probes.iter().map(String::as_str).collect();
            let r = with(t, errno(&["getpriority"], Some(95), &args), &all)?;
            for (probe, (value, matches)) in probes.iter().zip(tries) {
                check_eq!(r.error(probe) == Some("EOPNOTSUPP"), *matches, "the rule matches {value:#x}");
            }
            Ok(())
        });
    }
    g.must("rules-for-one-call", "seccomp.syscalls: several entries of one call", |t| {
        let rule = |value: u64, code: u32| {
            json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": code,
                   "args": [{"index": 1, "value": value, "op": "SCMP_CMP_EQ"}]})
        };
        let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(1, 95), rule(2, 38)]});
        let r = with(t, profile, &["call:getpriority,0,1", "call:getpriority,0,2", "call:getpriority,0,0"])?;
        check_eq!(r.error("call:getpriority,0,1"), Some("EOPNOTSUPP"), "the first entry");
        check_eq!(r.error("call:getpriority,0,2"), Some("ENOSYS"), "the second entry");
        r.probe("call:getpriority,0,0").map(drop)
    });
}

/// Calls by another way than the program's own architecture has.
fn foreign_calls(suite: &mut Suite) {
    let mut g = suite.group("seccomp", "config-linux.md");
    let getsid = |architectures: &[&str]| {
        let mut profile = errno(&["getsid"], None, &json!([]));
        profile["architectures"] = json!(architectures);
        profile
    };
    g.must("32-bit-calls-are-filtered", "seccomp.architectures: SCMP_ARCH_X86, SCMP_ARCH_ARM", move |t| {
        has_32_bit_calls(t)?;
        let probes = ["child:call32:147,0", "child:call32:20"];
        let r = with(t, getsid(&ARCHITECTURES), &probes)?;
        let refused = &r.probe(probes[0])?["answer"][&probes[0][6..]]["error"];
        check_eq!(refused, "EPERM", "a 32-bit getsid");
        check_eq!(r.probe(probes[1])?["code"], 0, "a 32-bit getpid");
        Ok(())
    });
    g.must("32-bit-calls-do-not-get-past", "seccomp.architectures: without the 32-bit one", move |t| {
        has_32_bit_calls(t)?;
        let r = with(t, getsid(&ARCHITECTURES[..1]), &["child:call32:147,0"])?;
        check_eq!(r.probe("child:call32:147,0")?["signal"], 31, "the signal after a 32-bit getsid");
        Ok(())
    });
    g.must("x32-calls-do-not-get-past", "seccomp.architectures: without SCMP_ARCH_X32", move |t| {
        if cfg!(not(target_arch = "x86_64")) {
            return skip("only x86_64 has x32");
        }
        let r = with(t, getsid(&["SCMP_ARCH_X86_64"]), &["child:call:x32-getsid,0"])?;
        let answer = r.probe("child:call:x32-getsid,0")?;
        // A kernel without x32 has no such call; what matters is that it is not made.
        let absent = answer["answer"]["call:x32-getsid,0"]["error"] == "ENOSYS";
        check_eq!(absent || answer["signal"] == 31, true, "x32's getsid is not made: {answer}");
        Ok(())
    });
}

fn has_32_bit_calls(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.probe("child:call32:20");
    match t.report(&b)?.probe("child:call32:20")?["answer"]["call32:20"]["result"].is_i64() {
        true => Ok(()),
        false => skip("this kernel makes no 32-bit calls"),
    }
}
