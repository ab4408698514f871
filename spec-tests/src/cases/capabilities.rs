//! `process.capabilities`: the five sets.

use crate::harness::{CAPABILITIES, Suite, Test, Verdict, check, check_eq, strings};
use serde_json::{Value, json};

const SETS: [&str; 5] = ["effective", "permitted", "inheritable", "bounding", "ambient"];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("capabilities", "config.md");
    for set in SETS {
        g.must(&format!("set-{set}"), &format!("process.capabilities.{set}"), move |t| one_set(t, set));
    }
    g.must("usual-sets", "process.capabilities", usual);
    g.must("none", "process.capabilities: empty sets", |t| sets(t, 0, json!({}), [&[]; 5]));
    g.must("bounding-alone", "process.capabilities.bounding with a root user", |t| {
        // By capabilities(7) root gains the bounding set when it executes a program.
        let set: &[&str] = &["CAP_KILL"];
        sets(t, 0, json!({"bounding": set}), [set, set, &[], set, &[]])
    });
    g.must("all", "process.capabilities: each of capabilities(7)", all);
    g.must("user-without-ambient-has-none-effective", "process.capabilities with a user", |t| {
        let set = ["CAP_KILL"];
        let sets_given = json!({"bounding": set, "effective": set, "permitted": set, "inheritable": set});
        let r = with(t, 1000, sets_given)?;
        check_eq!(strings(&r["capabilities"]["bounding"]), set.to_vec(), "bounding");
        check_eq!(strings(&r["capabilities"]["inheritable"]), set.to_vec(), "inheritable");
        check_eq!(strings(&r["capabilities"]["effective"]), Vec::<&str>::new(), "effective after execve");
        Ok(())
    });
    g.must("user-with-ambient", "process.capabilities.ambient with a user", |t| {
        let set: &[&str] = &["CAP_NET_BIND_SERVICE"];
        let given: serde_json::Map<_, _> =
            SETS.map(|name| (name.to_owned(), json!(set))).into_iter().collect();
        sets(t, 1000, Value::Object(given), [set; 5])
    });
    g.must("kept-across-the-change-of-user", "process.capabilities with a user", |t| {
        // setuid(2) drops what is not kept on purpose; the ambient set shows whether it was.
        let set: &[&str] = &["CAP_CHOWN", "CAP_SETUID"];
        let mut b = t.bundle()?;
        b.config["process"]["user"] = json!({"uid": 7, "gid": 8});
        for name in SETS {
            b.config["process"]["capabilities"][name] = json!(set);
        }
        let r = t.report(&b)?;
        check_eq!(strings(&r["capabilities"]["effective"]), set.to_vec(), "effective");
        Ok(())
    });
    g.since(1, 1);
    g.should(
        "unknown-is-not-refused",
        "process.capabilities: SHOULD NOT fail for what cannot be granted",
        |t| {
            let mut b = t.bundle()?;
            let set = ["CAP_KILL", "CAP_CORTEN"];
            b.config["process"]["capabilities"] =
                json!({"bounding": set, "effective": set, "permitted": set});
            let r = t.report(&b)?;
            check_eq!(strings(&r["capabilities"]["effective"]), vec!["CAP_KILL"], "effective");
            Ok(())
        },
    );
    g.must(
        "unknown-is-warned-of",
        "process.capabilities: what cannot be granted is logged as a warning",
        |t| {
            let mut b = t.bundle()?;
            let set = ["CAP_KILL", "CAP_CORTEN"];
            b.config["process"]["capabilities"] =
                json!({"bounding": set, "effective": set, "permitted": set});
            b.write()?;
            let log = t.dir().join("log");
            let done = t
                .call(&["--log"])
                .arg(&log)
                .arg("run")
                .arg("--bundle")
                .arg(&b.dir)
                .arg(t.id())
                .done()?
                .ok()?;
            let told = std::fs::read_to_string(&log).unwrap_or_default() + &done.stderr();
            check!(told.contains("CAP_CORTEN"), "no warning names CAP_CORTEN: {told:?}");
            Ok(())
        },
    );
}

fn with(t: &Test, uid: u32, capabilities: Value) -> Verdict<Value> {
    let mut b = t.bundle()?;
    b.config["process"]["user"] = json!({"uid": uid, "gid": uid});
    b.config["process"]["capabilities"] = capabilities;
    t.report(&b)
}

fn sets(t: &Test, uid: u32, given: Value, want: [&[&str]; 5]) -> Verdict {
    let r = with(t, uid, given)?;
    for (name, want) in SETS.iter().zip(want) {
        check_eq!(strings(&r["capabilities"][*name]), want.to_vec(), "the {name} set");
    }
    Ok(())
}

fn usual(t: &Test) -> Verdict {
    let r = t.report(&t.bundle()?)?;
    for set in ["effective", "permitted", "bounding"] {
        check_eq!(strings(&r["capabilities"][set]), CAPABILITIES.to_vec(), "the {set} set");
    }
    for set in ["inheritable", "ambient"] {
        check_eq!(strings(&r["capabilities"][set]), Vec::<&str>::new(), "the {set} set");
    }
    Ok(())
}

/// One set holds one capability more than the others, as far as the kernel allows and execve(2) lets it be seen.
fn one_set(t: &Test, set: &str) -> Verdict {
    // Of user 1000, since what root has after execve(2) follows from the bounding and inheritable sets alone.
    let base = ["CAP_KILL"];
    let more = ["CAP_CHOWN", "CAP_KILL"];
    let mut given: serde_json::Map<String, Value> =
        SETS.map(|name| (name.to_owned(), json!(base))).into_iter().collect();
    // Each set takes the ones that it needs with it: effective within permitted, ambient within both of its halves.
    let along: &[&str] = match set {
        "effective" => &["permitted", "inheritable", "ambient", "bounding"],
        "permitted" => &["bounding"],
        "inheritable" => &["bounding"],
        "ambient" => &["permitted", "inheritable", "bounding"],
        _ => &[],
    };
    for name in along.iter().copied().chain([set]) {
        given.insert(name.to_owned(), json!(more));
    }
    let r = with(t, 1000, Value::Object(given))?;
    let got = strings(&r["capabilities"][set]);
    // The permitted set after execve(2) is that of the ambient set for a program without file capabilities.
    let want = if set == "permitted" { base.to_vec() } else { more.to_vec() };
    check_eq!(got, want, "the {set} set");
    Ok(())
}

fn all(t: &Test) -> Verdict {
    // What the suite itself may hand down.
    let own = crate::payload::capabilities();
    let own = strings(&own["bounding"]);
    let r = with(t, 0, json!({"bounding": own, "effective": own, "permitted": own}))?;
    for set in ["effective", "permitted", "bounding"] {
        check_eq!(strings(&r["capabilities"][set]), own, "the {set} set");
    }
    Ok(())
}
