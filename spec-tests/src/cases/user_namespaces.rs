//! User namespaces with mappings.

use crate::harness::{Bundle, Suite, Test, Verdict, View, check, check_eq, strings};
use serde_json::json;
use std::os::unix::fs::MetadataExt;

const HOST: u32 = 100_000;

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("user-namespaces", "config-linux.md");
    g.must("maps", "uidMappings, gidMappings", |t| {
        let r = t.report(&bundle(t)?)?;
        for key in ["uidMap", "gidMap"] {
            let words: Vec<&str> = r[key].as_str().unwrap_or_default().split_whitespace().collect();
            check_eq!(words, vec!["0", "100000", "1000"], "{key}");
        }
        Ok(())
    });
    g.must("several-mappings", "uidMappings: each entry", |t| {
        let mut b = bundle(t)?;
        let map = json!([
            {"containerID": 0, "hostID": HOST, "size": 10},
            {"containerID": 1000, "hostID": 200_000, "size": 5},
            {"containerID": 65_534, "hostID": 300_000, "size": 1},
        ]);
        b.config["linux"]["uidMappings"] = map.clone();
        b.config["linux"]["gidMappings"] = map;
        let r = t.report(&b)?;
        check_eq!(r["uidMap"].as_str().unwrap_or_default().lines().count(), 3, "lines of the uid map");
        Ok(())
    });
    g.must("uid-and-gid-differ", "uidMappings, gidMappings", |t| {
        let mut b = bundle(t)?;
        b.config["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": 250_000, "size": 7}]);
        let r = t.report(&b)?;
        let words: Vec<&str> = r["gidMap"].as_str().unwrap_or_default().split_whitespace().collect();
        check_eq!(words, vec!["0", "250000", "7"], "the gid map");
        Ok(())
    });
    g.must("root-is-unprivileged-outside", "uidMappings", |t| {
        let mut b = bundle(t)?;
        b.payload(&["wait"]);
        let c = t.running_of(&b)?;
        let owner = std::fs::metadata(format!("/proc/{}", c.pid))?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", c.pid))?;
        let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap_or_default();
        check!(line.contains(&HOST.to_string()), "the process's uid on the host: {line:?} ({})", owner.uid());
        Ok(())
    });
    g.must("files-belong-to-root", "uidMappings", |t| {
        let mut b = bundle(t)?;
        b.probe("stat:/tmp").probe("create:/tmp/new");
        let r = t.report(&b)?;
        check_eq!(r.probe("stat:/tmp")?["uid"], 0, "owner of /tmp");
        r.probe("create:/tmp/new")?;
        check_eq!(std::fs::metadata(b.inside("/tmp/new"))?.uid(), HOST, "owner of the new file on the host");
        Ok(())
    });
    g.may("idmap-takes-the-containers-mappings", "Linux mount options: idmap", |t| {
        t.machine.needs_id_maps(t.dir())?;
        let mut b = bundle(t)?;
        let source = t.dir().join("volume");
        std::fs::create_dir(&source)?;
        std::fs::write(source.join("file"), "")?;
        std::os::unix::fs::chown(source.join("file"), Some(5), Some(6))?;
        b.mount("/data", "none", &source.to_string_lossy(), &["bind", "idmap"]).probe("stat:/data/file");
        let r = t.report(&b)?;
        let stat = r.probe("stat:/data/file")?;
        check_eq!((&stat["uid"], &stat["gid"]), (&json!(5), &json!(6)), "the owner of the file");
        Ok(())
    });
    g.should("ownership-of-the-image-is-not-changed", "uidMappings: the runtime SHOULD NOT chown", |t| {
        let b = bundle(t)?;
        b.file("/etc/file", "")?;
        t.report(&b)?;
        check_eq!(std::fs::metadata(b.inside("/etc/file"))?.uid(), 0, "owner of a file of the image");
        Ok(())
    });
    g.must("another-user", "process.user in the container namespace", |t| {
        let mut b = bundle(t)?;
        b.config["process"]["user"] = json!({"uid": 7, "gid": 8, "additionalGids": [9]});
        let r = t.report(&b)?;
        check_eq!(r["user"]["uid"], json!([7, 7, 7]), "uid");
        check_eq!(r["user"]["groups"], json!([9]), "groups");
        Ok(())
    });
    g.must("unmapped-user-is-refused", "process.user in the container namespace", |t| {
        let mut b = bundle(t)?;
        b.config["process"]["user"] = json!({"uid": 5000, "gid": 0});
        t.refuses(&b).map(drop)
    });
    g.must("capabilities", "process.capabilities in a user namespace", |t| {
        let mut b = bundle(t)?;
        let set = ["CAP_CHOWN", "CAP_SYS_ADMIN"];
        b.config["process"]["capabilities"] = json!({"bounding": set, "effective": set, "permitted": set});
        check_eq!(strings(&t.report(&b)?["capabilities"]["effective"]), set.to_vec(), "effective");
        Ok(())
    });
    g.must("default-devices", "Default Devices", |t| {
        let mut b = bundle(t)?;
        for device in ["null", "zero", "full", "random", "urandom", "tty"] {
            b.probe(format!("stat:/dev/{device}"));
        }
        b.probe("open:/dev/null");
        let r = t.report(&b)?;
        for device in ["null", "zero", "full", "random", "urandom", "tty"] {
            check_eq!(r.probe(&format!("stat:/dev/{device}"))?["type"], "c", "/dev/{device}");
        }
        r.probe("open:/dev/null").map(drop)
    });
    g.must("network-and-sysfs", "namespaces with a user namespace", |t| {
        let mut b = bundle(t)?;
        b.namespace("network", None).namespace("cgroup", None);
        b.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
        b.mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]);
        t.report(&b)?.mount("/sys").map(drop)
    });
    g.must("masked-and-readonly-paths", "maskedPaths, readonlyPaths", |t| {
        let mut b = bundle(t)?;
        b.config["linux"]["maskedPaths"] = json!(["/proc/keys", "/proc/acpi", "/etc"]);
        b.config["linux"]["readonlyPaths"] = json!(["/proc/sys", "/tmp"]);
        b.probe("create:/tmp/new").probe("list:/etc");
        let r = t.report(&b)?;
        check_eq!(r.error("create:/tmp/new"), Some("EROFS"), "a new file in a read-only path");
        check_eq!(r.probe("list:/etc")?["names"], json!([]), "what is in a masked path");
        Ok(())
    });
    g.must("readonly-root", "root.readonly", |t| {
        let mut b = bundle(t)?;
        b.config["root"]["readonly"] = json!(true);
        b.probe("create:/tmp/new");
        check_eq!(t.report(&b)?.error("create:/tmp/new"), Some("EROFS"), "a new file");
        Ok(())
    });
    g.must("bind-mount-with-flags", "mounts", |t| {
        let mut b = bundle(t)?;
        let source = t.dir().join("volume");
        std::fs::create_dir(&source)?;
        b.mount("/data", "none", &source.to_string_lossy(), &["rbind", "ro", "nosuid", "nodev"]);
        check!(strings(&t.report(&b)?.mount("/data")?["options"]).contains(&"ro"), "/data is writable");
        Ok(())
    });
    g.must("exec", "exec in a user namespace", |t| {
        let mut b = bundle(t)?;
        b.payload(&["wait"]);
        let c = t.running_of(&b)?;
        let r = c.exec_report(&["--user", "3:4"], &[])?;
        check_eq!(r["user"]["uid"], json!([3, 3, 3]), "uid");
        check_eq!(r.namespace("user"), c.namespace("user")?, "the user namespace");
        Ok(())
    });
    g.must("terminal", "process.terminal in a user namespace", |t| {
        let mut b = bundle(t)?;
        b.config["process"]["terminal"] = json!(true);
        super::terminal::life(t, &b).map(drop)
    });
    g.must("hooks", "hooks with a user namespace", |t| {
        let mut b = bundle(t)?;
        b.payload(&["wait"]);
        let file = t.dir().join("record");
        b.hook("createRuntime", t.host_payload(), &file, "one", &[]);
        t.create(&b)?;
        check!(file.exists(), "the hook did not run");
        Ok(())
    });
    g.must(
        "mapping-without-a-namespace",
        "uidMappings: of the user namespace, an error or without effect",
        |t| {
            let mut b = bundle(t)?;
            b.without_namespace("user");
            match t.try_run(&b)? {
                done if done.code() == 0 => {
                    let r = crate::harness::parse(&done.stdout())?;
                    let host = std::fs::read_to_string("/proc/self/uid_map")?;
                    check_eq!(r["uidMap"].as_str().map(str::trim), Some(host.trim()), "the uid map");
                    Ok(())
                }
                done => done.refused().map(drop),
            }
        },
    );
    g.must("overlapping-mappings-are-refused", "uidMappings: an error for what the kernel refuses", |t| {
        let mut b = bundle(t)?;
        let one = json!({"containerID": 0, "hostID": HOST, "size": 10});
        b.config["linux"]["uidMappings"] = json!([one, one]);
        t.refuses(&b).map(drop)
    });
}

fn bundle(t: &Test) -> Verdict<Bundle> {
    let mut b = t.bundle()?;
    b.user_namespace(HOST, 1000)?;
    Ok(b)
}
