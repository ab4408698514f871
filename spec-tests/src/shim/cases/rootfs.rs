//! The root's mounts of a Create request.

use crate::{
    harness::{Bundle, Suite, Verdict, check, check_eq, fail, skip},
    shim::{
        messages::{Code, Empty, Mount},
        probe::{Probe, State, Task, probe},
    },
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("rootfs", "task service");
    group.must("bind", "Create, rootfs: bind", probe(bind));
    group.must("bind-read-only", "Create, rootfs: bind, ro", probe(read_only));
    group.must("overlay", "Create, rootfs: overlay", probe(overlay));
    group.must(
        "overlay-of-many-layers",
        "Create, rootfs: overlay with more than a page of options",
        probe(layers),
    );
    group.must("several", "Create, rootfs: several in a row", probe(several));
    group.must("fails", "Create, rootfs: a mount that fails", probe(fails));
    group.must("fails-after-one", "Create, rootfs: a second mount that fails", probe(fails_late));
    for (name, layered) in [("mapped-bind", false), ("mapped-overlay", true)] {
        let body = probe(move |p| mapped(p, layered));
        group.must(name, "Create, rootfs: uidmap and gidmap, as containerd 2 sends them", body);
    }
    group.must("map-of-one-kind", "Create, rootfs: uidmap without gidmap", probe(half_mapped));
    group.must("unmounted-by-delete", "delete", probe(by_delete));
}

fn mount(kind: &str, source: &Path, options: &[&str]) -> Mount {
    Mount {
        kind: kind.to_owned(),
        source: source.to_string_lossy().into_owned(),
        target: String::new(),
        options: options.iter().map(|&option| option.to_owned()).collect(),
    }
}

/// A bundle whose image lies elsewhere, and where.
fn apart(probe: &Probe) -> Verdict<(Bundle, PathBuf)> {
    let bundle = probe.bundle()?;
    let image = probe.test.dir().join(format!("image{}", probe.test.next()));
    fs::rename(bundle.rootfs(), &image)?;
    fs::create_dir(bundle.rootfs())?;
    Ok((bundle, image))
}

fn is_mounted(path: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().any(|line| line.split(' ').nth(4) == path.to_str())
}

/// Creates with these mounts; gives the task, which runs.
fn run<'p, 't>(probe: &'p Probe<'t>, bundle: Bundle, rootfs: Vec<Mount>) -> Verdict<Task<'p, 't>> {
    let task = probe.task_of(bundle)?;
    let mut request = task.create_request();
    request.rootfs = rootfs;
    task.create_as(&request)?;
    check!(is_mounted(&task.bundle.rootfs()), "nothing is mounted at {}", task.bundle.rootfs().display());
    task.start()?;
    Ok(task)
}

fn end(task: &Task) -> Verdict {
    check_eq!(task.stop()?, 137, "the exit status");
    task.delete()?;
    check!(!is_mounted(&task.bundle.rootfs()), "the root is mounted after Delete");
    Ok(())
}

fn bind(probe: &Probe) -> Verdict {
    let (bundle, image) = apart(probe)?;
    end(&run(probe, bundle, vec![mount("bind", &image, &["rbind", "rw"])])?)
}

fn read_only(probe: &Probe) -> Verdict {
    let (mut bundle, image) = apart(probe)?;
    for dir in ["proc", "dev"] {
        fs::create_dir_all(image.join(dir))?;
    }
    bundle.config["root"]["readonly"] = true.into();
    let task = run(probe, bundle, vec![mount("bind", &image, &["rbind", "ro"])])?;
    let denied = fs::write(task.bundle.rootfs().join("new"), "");
    check!(denied.is_err(), "the root can be written");
    end(&task)
}

/// Directories for an overlay's upper and work.
fn upper(probe: &Probe) -> Verdict<(PathBuf, PathBuf)> {
    let base = probe.test.dir().join(format!("upper{}", probe.test.next()));
    fs::create_dir_all(base.join("fs"))?;
    fs::create_dir_all(base.join("work"))?;
    Ok((base.join("fs"), base.join("work")))
}

fn overlay_of(probe: &Probe, lower: &str) -> Verdict<Mount> {
    let (upper, work) = upper(probe)?;
    let options = [
        format!("lowerdir={lower}"),
        format!("upperdir={}", upper.display()),
        format!("workdir={}", work.display()),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Ok(mount("overlay", Path::new("overlay"), &options))
}

fn overlay(probe: &Probe) -> Verdict {
    let (bundle, image) = apart(probe)?;
    let task = run(probe, bundle, vec![overlay_of(probe, &image.to_string_lossy())?])?;
    fs::write(task.bundle.rootfs().join("new"), "")?;
    check!(!image.join("new").exists(), "the lower directory was written");
    end(&task)
}

fn layers(probe: &Probe) -> Verdict {
    let (bundle, image) = apart(probe)?;
    // As the overlay snapshotter names them: with 60 layers the options are longer than a page, which mount(2) takes.
    let snapshots = probe.test.dir().join("io.containerd.snapshotter.v1.overlayfs/snapshots");
    let mut lower = Vec::new();
    for number in 0..60 {
        let dir = snapshots.join(format!("{number}/fs"));
        fs::create_dir_all(&dir)?;
        lower.push(dir.to_string_lossy().into_owned());
    }
    lower.push(image.to_string_lossy().into_owned());
    let lower = lower.join(":");
    check!(lower.len() > 4096, "the options have only {} bytes", lower.len());
    let rootfs = vec![overlay_of(probe, &lower)?];
    end(&run(probe, bundle, rootfs)?)
}

fn several(probe: &Probe) -> Verdict {
    let (bundle, image) = apart(probe)?;
    let empty = probe.test.dir().join("empty");
    fs::create_dir(&empty)?;
    let rootfs = vec![mount("bind", &empty, &["rbind"]), overlay_of(probe, &image.to_string_lossy())?];
    end(&run(probe, bundle, rootfs)?)
}

fn fails(probe: &Probe) -> Verdict {
    let (bundle, _) = apart(probe)?;
    refused(probe, bundle, vec![mount("bind", Path::new("/no/such/image"), &["rbind"])])
}

fn fails_late(probe: &Probe) -> Verdict {
    let (bundle, image) = apart(probe)?;
    let rootfs = vec![mount("bind", &image, &["rbind"]), mount("no-such-type", Path::new("none"), &[])];
    refused(probe, bundle, rootfs)
}

fn refused(probe: &Probe, bundle: Bundle, rootfs: Vec<Mount>) -> Verdict {
    let task = probe.task_of(bundle)?;
    let mut request = task.create_request();
    request.rootfs = rootfs;
    let Err(status) = task.client.ask::<Empty>("Create", &request)? else {
        return fail("a mount that cannot be was taken");
    };
    check!(!status.message.is_empty(), "no reason is given");
    check!(!is_mounted(&task.bundle.rootfs()), "the root is mounted after a failed Create");
    task.client.refused("State", &task.me(), Code::NotFound).map(drop)
}

/// The host's ids of the image are shown from this one on.
const FIRST: u32 = 100_000;

/// An image that belongs to root is, mapped, that of a user namespace.
fn mapped(probe: &Probe, layered: bool) -> Verdict {
    let (mut bundle, image) = apart(probe)?;
    fs::create_dir_all(bundle.rootfs())?;
    bundle.user_namespace(FIRST, 65536)?;
    fs::write(image.join("of-root"), "")?;
    let maps = [format!("uidmap=0:{FIRST}:65536"), format!("gidmap=0:{FIRST}:65536")];
    let mut wanted = match layered {
        true => overlay_of(probe, &image.to_string_lossy())?,
        false => mount("bind", &image, &["rbind", "rw"]),
    };
    if layered {
        // What the container writes goes to its own user, as the snapshotter prepares it.
        let upper = wanted.options.iter().find_map(|option| option.strip_prefix("upperdir="));
        std::os::unix::fs::chown(upper.unwrap_or_default(), Some(FIRST), Some(FIRST))?;
    }
    wanted.options.extend(maps);
    let task = probe.task_of(bundle)?;
    let mut request = task.create_request();
    request.rootfs = vec![wanted];
    match task.client.ask::<Empty>("Create", &{
        task.bundle.write()?;
        request
    })? {
        Err(status) if status.message.contains("mount_setattr: Invalid argument") => {
            return skip("this kernel maps no ids of the file system");
        }
        Err(status) => return fail(status.message),
        Ok(_) => {}
    }
    task.start()?;
    let owner = |path: &Path| Ok::<_, std::io::Error>(fs::metadata(path)?.uid());
    check_eq!(owner(&task.bundle.rootfs().join("of-root"))?, FIRST, "the owner as it is shown");
    check_eq!(owner(&image.join("of-root"))?, 0, "the owner of the image's own file");
    let pid = task.state()?.pid;
    check_eq!(owner(Path::new(&format!("/proc/{pid}")))?, FIRST, "the user of the process");
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let mounts = table.lines().filter(|line| line.contains(&*task.bundle.dir.to_string_lossy())).count();
    check_eq!(mounts, 1, "the mounts in the bundle");
    end(&task)
}

fn half_mapped(probe: &Probe) -> Verdict {
    let (bundle, image) = apart(probe)?;
    refused(probe, bundle, vec![mount("bind", &image, &["rbind", "uidmap=0:100000:65536"])])
}

fn by_delete(probe: &Probe) -> Verdict {
    let (bundle, image) = apart(probe)?;
    let task = run(probe, bundle, vec![mount("bind", &image, &["rbind"])])?;
    task.kill_shim()?;
    probe.daemon.delete(&task.bundle.dir, &task.id)?.ok()?;
    check!(!is_mounted(&task.bundle.rootfs()), "the root is mounted after `delete`");
    task.bring(State::Unknown)
}
