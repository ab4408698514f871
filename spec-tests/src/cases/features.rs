//! features.md: what the runtime says of itself.

use crate::harness::{Suite, Test, Verdict, Version, check, strings};
use serde_json::Value;

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("features", "features.md");
    g.since(1, 1);
    g.must("versions", "ociVersionMin, ociVersionMax: required", |t| {
        let f = features(t)?;
        for key in ["ociVersionMin", "ociVersionMax"] {
            let text = f[key].as_str().unwrap_or_default();
            check!(Version::parse(text).is_some(), "{key} is {text:?}");
        }
        Ok(())
    });
    g.cli("checkpoint", "features: whether there are checkpoints", |t| {
        let told = &features(t)?["annotations"]["org.opencontainers.runc.checkpoint.enabled"];
        check!(told == "true" || told == "false", "annotations: {told}");
        Ok(())
    });
    g.must("hooks", "hooks: the kinds that are known", |t| {
        let f = features(t)?;
        for kind in
            ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
        {
            check!(strings(&f["hooks"]).contains(&kind), "no {kind} in {}", f["hooks"]);
        }
        Ok(())
    });
    g.must("mount-options", "mountOptions: those that are known", |t| {
        let f = features(t)?;
        for option in ["bind", "rbind", "ro", "nosuid", "nodev", "noexec", "rprivate"] {
            check!(strings(&f["mountOptions"]).contains(&option), "no {option} in {}", f["mountOptions"]);
        }
        Ok(())
    });
    g.must("mount-options-work", "mountOptions: those that are known", |t| {
        let f = features(t)?;
        for option in strings(&f["mountOptions"]) {
            check!(
                option.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'),
                "{option:?}"
            );
        }
        Ok(())
    });
    g.must("namespaces", "linux.namespaces", |t| {
        let f = features(t)?;
        for kind in ["pid", "network", "mount", "ipc", "uts", "user", "cgroup"] {
            check!(
                strings(&f["linux"]["namespaces"]).contains(&kind),
                "no {kind} in {}",
                f["linux"]["namespaces"]
            );
        }
        Ok(())
    });
    g.must("capabilities", "linux.capabilities", |t| {
        let f = features(t)?;
        check!(
            strings(&f["linux"]["capabilities"]).contains(&"CAP_CHOWN"),
            "got {}",
            f["linux"]["capabilities"]
        );
        Ok(())
    });
    g.must("cgroup", "linux.cgroup", |t| {
        let f = features(t)?;
        for key in ["v1", "v2"] {
            check!(f["linux"]["cgroup"][key].is_boolean(), "linux.cgroup.{key}: {}", f["linux"]["cgroup"]);
        }
        Ok(())
    });
    g.must("seccomp", "linux.seccomp", |t| {
        let f = features(t)?;
        let seccomp = &f["linux"]["seccomp"];
        check!(seccomp["enabled"].is_boolean(), "enabled: {seccomp}");
        if seccomp["enabled"] == true {
            check!(strings(&seccomp["actions"]).contains(&"SCMP_ACT_ERRNO"), "actions: {seccomp}");
            check!(strings(&seccomp["operators"]).contains(&"SCMP_CMP_EQ"), "operators: {seccomp}");
            check!(!strings(&seccomp["archs"]).is_empty(), "archs: {seccomp}");
        }
        Ok(())
    });
    g.must("needs-no-container", "features: no state is read or made", |t| {
        std::fs::remove_dir_all(t.root())?;
        features(t).map(drop)
    });
}

fn features(t: &Test) -> Verdict<Value> {
    crate::harness::parse(&t.call(&["features"]).done()?.ok()?.stdout())
}
