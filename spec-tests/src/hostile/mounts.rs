//! Mount targets: symlinks in the image, and names swapped while the runtime mounts.

use super::ground::{Outside, Swap, race, settled};
use crate::harness::{Bundle, Suite, Test, Verdict, check, parse, strings};
use serde_json::Value;
use std::{fs, os::unix::fs::symlink, path::Path};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("mounts", "CVE-2021-30465:");
    let what = "a mount target is swapped for a symlink while it is mounted upon";
    g.attack("racing-target", what, Some("OneResolution"), |t| {
        race(|_| {
            let change = |b: &mut Bundle| {
                each(|n| {
                    b.mount(&format!("/data/a/{n}"), "tmpfs", "racing", &[]);
                });
            };
            swapped(t, false, change, |_, r| no_mount_at(r, "/victim/"))
        })
    });
    g.attack("racing-target-of-a-bind", what, Some("OneResolution"), |t| {
        let source = t.dir().join("source");
        fs::create_dir_all(&source)?;
        race(|_| {
            let change = |b: &mut Bundle| each(|n| bind(b, &format!("/data/a/{n}"), &source));
            swapped(t, false, change, |_, r| no_mount_at(r, "/victim/"))
        })
    });
    let mut g = suite.group("mounts", "CVE-2024-45310:");
    let what = "a directory on the way is swapped for a symlink while what is missing is made";
    g.attack("racing-mkdir", what, Some("OneResolution"), |t| {
        race(|_| {
            let source = t.dir().join("source");
            fs::create_dir_all(&source)?;
            let change = |b: &mut Bundle| each(|n| bind(b, &format!("/data/a/new{n}/x"), &source));
            swapped(t, false, change, |_, _| Ok(()))
        })
    });
    g.attack("racing-file", what, Some("OneResolution"), |t| {
        let source = t.dir().join("file");
        fs::write(&source, "bound")?;
        race(|_| {
            let change = |b: &mut Bundle| each(|n| bind(b, &format!("/data/a/new{n}/file"), &source));
            swapped(t, false, change, |_, _| Ok(()))
        })
    });
    let mut g = suite.group("mounts", "CVE-2021-30465, CVE-2024-45310 without the race:");
    for (name, prefix) in [("absolute", ""), ("relative", "../../../../../../../../../../../..")] {
        g.attack(
            &format!("target-through-an-{name}-link"),
            "a symlink to a host path",
            Some("InRoot"),
            move |t| {
                let outside = Outside::new(t)?;
                let mut b = t.bundle()?;
                b.directory("/victim")?;
                b.link("/out", &format!("{prefix}{}", outside.text("")))?;
                b.link("/in", &format!("{prefix}{}", b.inside("/victim").to_string_lossy()))?;
                b.mount("/out/new/file", "tmpfs", "x", &[]).mount("/in", "tmpfs", "x", &[]);
                let done = t.try_run(&b)?;
                let out = done.stdout();
                let ran = settled(done)?;
                outside.untouched()?;
                if ran { no_mount_at(&parse(&out)?, "/victim") } else { Ok(()) }
            },
        );
    }
    let mut g = suite.group("mounts", "GHSA-3q8j-pf29-vwv8:");
    let what = "a path is swapped for a symlink while it is made read-only";
    g.attack("racing-readonly-path", what, Some("OneResolution"), |t| {
        race(|_| {
            let set = |b: &mut Bundle| {
                b.config["linux"]["readonlyPaths"] = paths();
                // What the link leads to can be remounted too.
                each(|n| {
                    b.mount(&format!("/victim/{n}"), "tmpfs", "victim", &[]);
                });
            };
            swapped(t, true, set, |_, r| {
                for mount in extra(r).filter(|m| m["at"].as_str().is_some_and(|at| at.starts_with("/data/")))
                {
                    let read_only = strings(&mount["options"]).contains(&"ro");
                    check!(read_only, "a mount that is not read-only: {mount}");
                }
                Ok(())
            })
        })
    });
    g.attack("racing-masked-path", "a path is swapped for a symlink while it is masked", None, |t| {
        race(|_| {
            let set = |b: &mut Bundle| b.config["linux"]["maskedPaths"] = paths();
            swapped(t, true, set, |_, r| {
                for mount in extra(r) {
                    if mount["type"] == "tmpfs" {
                        let of = |property: &str, word: &str| strings(&mount[property]).contains(&word);
                        let nothing = of("options", "ro") || of("super", "ro") || of("super", "size=0k");
                        check!(nothing, "something can be put where all is hidden: {mount}");
                    }
                }
                Ok(())
            })
        })
    });
    host_cgroups(suite);
    copy_up(suite);
}

/// How many names are raced for in one container.
const NAMES: usize = 16;

fn each(act: impl FnMut(usize)) {
    (0..NAMES).for_each(act);
}

fn bind(b: &mut Bundle, at: &str, source: &Path) {
    b.mount(at, "bind", &source.to_string_lossy(), &["rbind"]);
}

/// All the paths that are raced for.
fn paths() -> Value {
    (0..NAMES).map(|n| format!("/data/a/{n}")).collect()
}

/// Runs a container while the directory `/data/a` of a volume is swapped with a symlink to `/victim`, by the path that it
/// has on the host or, if `inside`, in the container. There are names `0` to `15` in both directories. On the host's path,
/// a mount or a file in `/victim` shows that the path was looked up on the host.
fn swapped(
    t: &Test,
    inside: bool,
    change: impl FnOnce(&mut Bundle),
    look: impl FnOnce(&Bundle, &Value) -> Verdict,
) -> Verdict {
    let outside = Outside::new(t)?;
    let mut b = t.bundle()?;
    let volume = t.dir().join(format!("volume{}", b.dir.file_name().unwrap_or_default().to_string_lossy()));
    let (directory, link) = (volume.join("a"), volume.join("b"));
    for number in 0..NAMES {
        b.directory(&format!("/victim/{number}"))?;
        fs::create_dir_all(directory.join(number.to_string()))?;
    }
    let victim = super::ground::snapshot(&b.inside("/victim"))?;
    symlink(if inside { "/victim".into() } else { b.inside("/victim") }, &link)?;
    b.mount("/data", "bind", &volume.to_string_lossy(), &["rbind"]);
    change(&mut b);
    let swap = Swap::each(vec![(directory, link)]);
    let done = t.try_run(&b)?;
    drop(swap);
    let out = done.stdout();
    let ran = settled(done)?;
    outside.untouched()?;
    super::ground::unchanged(&victim, &super::ground::snapshot(&b.inside("/victim"))?)?;
    if ran { look(&b, &parse(&out)?) } else { Ok(()) }
}

/// The mounts that are none of a plain bundle's.
fn extra(report: &Value) -> impl Iterator<Item = &Value> {
    let known =
        |at: &str| at == "/" || at == "/data" || ["/proc", "/dev"].iter().any(|top| at.starts_with(top));
    report["mounts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(move |m| !known(m["at"].as_str().unwrap_or_default()))
}

fn no_mount_at(report: &Value, path: &str) -> Verdict {
    let mounts = report["mounts"].as_array().into_iter().flatten();
    let there: Vec<_> = mounts.filter(|m| m["at"].as_str().is_some_and(|at| at.starts_with(path))).collect();
    check!(there.is_empty(), "mounted at {path}, where a path of the host leads to: {there:?}");
    Ok(())
}

fn host_cgroups(suite: &mut Suite) {
    let mut g = suite.group("mounts", "CVE-2023-25809:");
    let what = "the host's cgroups are read-only for a user namespace without cgroups of its own";
    g.attack("host-cgroups-beneath-sys", what, Some("HostCgroups"), |t| {
        let mut b = t.bundle()?;
        b.user_namespace(100_000, 65536)?;
        b.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
        cgroups_are_read_only(t, &b)
    });
    g.attack("host-cgroups-beneath-a-bind-of-sys", what, None, |t| {
        let mut b = t.bundle()?;
        b.user_namespace(100_000, 65536)?;
        b.mount("/sys", "bind", "/sys", &["rbind", "rro", "nosuid", "noexec", "nodev"]);
        cgroups_are_read_only(t, &b)
    });
    g.attack("host-cgroups-by-a-mount", what, None, |t| {
        let mut b = t.bundle()?;
        b.user_namespace(100_000, 65536)?;
        b.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "ro"]);
        cgroups_are_read_only(t, &b)
    });
}

/// The container is refused, or none of the cgroups that it sees can be written.
fn cgroups_are_read_only(t: &Test, b: &Bundle) -> Verdict {
    let done = t.try_run(b)?;
    let out = done.stdout();
    if !settled(done)? {
        return Ok(());
    }
    for mount in parse(&out)?["mounts"].as_array().into_iter().flatten() {
        if mount["type"] == "cgroup" || mount["type"] == "cgroup2" {
            check!(strings(&mount["options"]).contains(&"ro"), "cgroups that can be written: {mount}");
        }
    }
    Ok(())
}

fn copy_up(suite: &mut Suite) {
    let mut g = suite.group("mounts", "of our own:");
    g.attack(
        "racing-copy-up",
        "a file is swapped for a FIFO while tmpcopyup reads it",
        Some("CopyUp"),
        |t| {
            let mut b = t.bundle()?;
            b.directory("/srv")?;
            b.file("/srv/a", "text")?;
            nix::unistd::mkfifo(&b.inside("/srv/b"), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
            b.mount("/srv", "tmpfs", "tmpfs", &["tmpcopyup"]);
            let swap = Swap::of(&b.inside("/srv/a"), &b.inside("/srv/b"));
            let verdict = race(|_| settled(t.try_run(&b)?).map(drop));
            drop(swap);
            verdict
        },
    );
    g.attack(
        "copy-up-of-odd-files",
        "tmpcopyup of FIFOs, sockets, devices, deep and many names",
        None,
        |t| {
            let mut b = t.bundle()?;
            let mut deep = String::from("/srv");
            for _ in 0..200 {
                deep.push_str("/d");
            }
            b.directory("/srv")?.directory(&deep[..4 + 60])?;
            for number in 0..5000 {
                fs::write(b.inside(&format!("/srv/{number}")), "")?;
            }
            nix::unistd::mkfifo(&b.inside("/srv/fifo"), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
            let _socket = std::os::unix::net::UnixListener::bind(b.inside("/srv/socket"))?;
            b.link("/srv/link", "/proc/self/root")?.link("/srv/loop", "loop")?;
            fs::write(b.inside("/srv/\n\\040 ]:"), "odd")?;
            b.mount("/srv", "tmpfs", "tmpfs", &["tmpcopyup"]);
            settled(t.try_run(&b)?)?;
            b.directory(&deep)?;
            settled(t.try_run(&b)?).map(drop)
        },
    );
}
