//! Containers to be saved, the commands that save and restore them, and what shows that they go on.

use crate::support::{Bundle, text, wait_until};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

/// Counts in a tmpfs of its own and on standard output.
pub(crate) const COUNT: &str =
    "i=0; while true; do i=$((i+1)); echo $i >/tmp/now; echo count $i; sleep 0.1; done";

/// Whether criu can save a plain process here and bring it back.
pub(crate) fn criu_works() -> bool {
    static WORKS: OnceLock<Result<(), String>> = OnceLock::new();
    let works = WORKS.get_or_init(try_criu);
    if let Err(why) = works {
        println!("skipped: criu cannot save and restore a process here: {why}");
    }
    works.is_ok()
}

pub(crate) fn try_criu() -> Result<(), String> {
    let dir = std::env::temp_dir().join(format!("corten-test-criu-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let result = (|| {
        let mut sleep = Command::new("setsid");
        sleep.args(["sleep", "1000"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut sleep = sleep.spawn().map_err(|error| format!("setsid: {error}"))?;
        thread::sleep(Duration::from_millis(100));
        let criu = |args: &[&str]| {
            let run = Command::new("criu").args(args).arg("-D").arg(&dir).output();
            let run = run.map_err(|error| format!("criu: {error}"))?;
            let said = text(&run.stderr);
            let last =
                || said.lines().rev().find(|line| !line.contains("FAILED")).unwrap_or_default().to_owned();
            if run.status.success() { Ok(()) } else { Err(format!("criu {}: {}", args[0], last())) }
        };
        let dumped = criu(&["dump", "-t", &sleep.id().to_string()]);
        let _ = sleep.kill();
        sleep.wait().unwrap();
        dumped?;
        criu(&["restore", "--restore-detached", "--pidfile", "pid"])?;
        let pid = fs::read_to_string(dir.join("pid")).unwrap();
        assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
        Ok(())
    })();
    fs::remove_dir_all(&dir).unwrap();
    result
}

/// A bundle whose process counts, with a tmpfs and a bind mount; none where it cannot be saved.
pub(crate) fn counting(name: &str) -> Option<Bundle> {
    with_script(name, COUNT).filter(|_| criu_works())
}

pub(crate) fn with_script(name: &str, script: &str) -> Option<Bundle> {
    let bundle = Bundle::new(&format!("criu-{name}"), false, script)?;
    fs::create_dir(bundle.file("data")).unwrap();
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        mounts.push(serde_json::json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }));
        let data = bundle.file("data");
        mounts
            .push(serde_json::json!({ "destination": "/data", "source": data, "options": ["rbind", "ro"] }));
    });
    Some(bundle)
}

/// A container that runs this host's perl: `begin` once, then counts on, with `each` at each count.
pub(crate) fn counting_in_perl(name: &str, begin: &str, each: &str) -> Option<Bundle> {
    if !Path::new("/usr/bin/perl").exists() {
        println!("skipped: there is no /usr/bin/perl here");
        return None;
    }
    let bundle = counting(name)?;
    for dir in ["usr", "lib", "lib64"] {
        let _ = fs::create_dir(bundle.file(&format!("rootfs/{dir}")));
    }
    let script = format!(
        "use IO::Handle; $| = 1; {begin} while (1) {{ $i++; open N, '>', '/tmp/new'; print N $i; close N; \
         rename '/tmp/new', '/tmp/now'; {each} select undef, undef, undef, 0.1 }}"
    );
    bundle.edit(|spec| {
        spec["process"]["args"] = ["perl", "-e", &script].as_slice().into();
        spec["root"]["readonly"] = false.into();
        let mounts = spec["mounts"].as_array_mut().unwrap();
        for dir in ["/usr", "/lib", "/lib64"].into_iter().filter(|dir| Path::new(dir).exists()) {
            mounts.push(serde_json::json!({ "destination": dir, "source": dir, "options": ["bind", "ro"] }));
        }
    });
    Some(bundle)
}

/// What the container has counted up to, once that is `least`. It is read from outside: an exec each time would take long.
fn counted(bundle: &Bundle, id: &str, least: u32) -> u32 {
    let file = format!("/proc/{}/root/tmp/now", bundle.state(id)["pid"]);
    let mut now = 0;
    wait_until(|| {
        thread::sleep(Duration::from_millis(20));
        now = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        now >= least
    });
    now
}

/// What the container has counted up to.
pub(crate) fn count(bundle: &Bundle, id: &str) -> u32 {
    counted(bundle, id, 1)
}

pub(crate) fn wait_for_count(bundle: &Bundle, id: &str, least: u32) {
    counted(bundle, id, least);
}

pub(crate) fn checkpoint(bundle: &Bundle, flags: &[&str], id: &str) {
    bundle.ok(&[&["checkpoint", "--image-path", &bundle.file("image")], flags, &[id]].concat());
}

pub(crate) fn restore(bundle: &Bundle, flags: &[&str], id: &str) {
    let image = bundle.file("image");
    let command = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image];
    bundle.quiet(&[&command[..], flags, &[id]].concat());
}

/// The command must fail with one line, which has `words`.
pub(crate) fn refused(bundle: &Bundle, args: &[&str], words: &str) {
    let output = bundle.corten(args);
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{args:?}");
    assert!(said.contains(words) && said.trim_end().lines().count() == 1, "{args:?}: {said}");
}

/// It runs on as if nothing had been: not even frozen.
pub(crate) fn assert_goes_on(bundle: &Bundle, id: &str) {
    assert_eq!(bundle.state(id)["status"], "running");
    let now = count(bundle, id);
    wait_for_count(bundle, id, now + 2);
}

pub(crate) fn bundle_has(bundle: &Bundle, id: &str) {
    let is_running = |state: &[u8]| text(state).contains("\"status\": \"running\"");
    wait_until(|| is_running(&bundle.corten(&["state", id]).stdout));
}

/// A port that nobody has.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
