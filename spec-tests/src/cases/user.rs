//! `process.user`: ids, groups and the file mode mask.

use crate::harness::{Bundle, Suite, Test, Verdict, check_eq};
use serde_json::{Value, json};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("user", "config.md");
    g.must("uid-and-gid", "process.user.uid, gid", |t| ids(t, 1000, 2000));
    g.must("root", "process.user.uid, gid", |t| ids(t, 0, 0));
    g.must("uid-without-gid", "process.user.uid, gid", |t| ids(t, 1000, 0));
    g.must("gid-without-uid", "process.user.uid, gid", |t| ids(t, 0, 1000));
    g.must("large-ids", "process.user.uid, gid", |t| ids(t, 2_147_483_647, 2_147_483_646));
    g.must("ids-beyond-31-bits", "process.user.uid, gid: uint32", |t| ids(t, 4_294_967_294, 3_000_000_000));
    g.must("additional-gids", "process.user.additionalGids", |t| groups(t, 1000, &json!([5, 6, 70_000])));
    g.must("additional-gids-of-root", "process.user.additionalGids", |t| groups(t, 0, &json!([5, 6])));
    g.must("no-additional-gids", "process.user.additionalGids: none, none", |t| groups(t, 1000, &json!([])));
    g.must("many-additional-gids", "process.user.additionalGids", |t| {
        groups(t, 1000, &json!((100..400).collect::<Vec<u32>>()))
    });
    g.must("umask", "process.user.umask", |t| umask(t, 0o077));
    g.must("umask-zero", "process.user.umask", |t| umask(t, 0));
    g.must("uid-negative-is-refused", "process.user.uid: Valid values", |t| {
        let mut b = t.bundle()?;
        b.config["process"]["user"]["uid"] = json!(-1);
        t.refuses(&b).map(drop)
    });
    g.must("uid-too-large-is-refused", "process.user.uid: Valid values", |t| {
        let mut b = t.bundle()?;
        b.config["process"]["user"]["uid"] = json!(4_294_967_296u64);
        t.refuses(&b).map(drop)
    });
}

fn user(t: &Test, user: Value) -> Verdict<(Bundle, Value)> {
    let mut b = t.bundle()?;
    b.config["process"]["user"] = user;
    let r = t.report(&b)?;
    Ok((b, r))
}

fn ids(t: &Test, uid: u32, gid: u32) -> Verdict {
    let (_, r) = user(t, json!({"uid": uid, "gid": gid}))?;
    check_eq!(r["user"]["uid"], json!([uid, uid, uid]), "real, effective and saved uid");
    check_eq!(r["user"]["gid"], json!([gid, gid, gid]), "real, effective and saved gid");
    let fs =
        |key: &str| r["status"][key].as_str().and_then(|all| all.split_whitespace().last()?.parse().ok());
    check_eq!(fs("Uid"), Some(uid), "file system uid");
    check_eq!(fs("Gid"), Some(gid), "file system gid");
    Ok(())
}

fn groups(t: &Test, uid: u32, gids: &Value) -> Verdict {
    let (_, r) = user(t, json!({"uid": uid, "gid": uid, "additionalGids": gids}))?;
    check_eq!(r["user"]["groups"], *gids, "supplementary groups");
    Ok(())
}

fn umask(t: &Test, mask: u32) -> Verdict {
    let (_, r) = user(t, json!({"uid": 0, "gid": 0, "umask": mask}))?;
    check_eq!(r["user"]["umask"], mask, "umask");
    Ok(())
}
