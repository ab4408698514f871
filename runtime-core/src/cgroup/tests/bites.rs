//! Limits that bite: real programs are stopped or slowed.

use super::*;

/// Waits for what comes soon, but later on a busy host.
fn wait_until(mut done: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it has not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn a_quota_slows_a_spinner() {
    let made = Made::new();
    if made.lacks("cpu") {
        return;
    }
    made.apply(&resources(r#"{"cpu":{"quota":10000,"period":50000}}"#)).unwrap();
    let mut spinner = waiting("while :; do :; done");
    made.attach(pid(&spinner)).unwrap();
    let begin = std::time::Instant::now();
    spinner.stdin.take().unwrap().write_all(b"\n").unwrap();
    std::thread::sleep(Duration::from_millis(600));
    // Where others use the processors too, the spinner comes to the end of its quota late.
    wait_until(|| made.stats().unwrap().cpu.throttling.throttled_periods > 0);
    let stats = made.stats().unwrap();
    let share = Duration::from_nanos(stats.cpu.usage.total).as_secs_f64() / begin.elapsed().as_secs_f64();
    assert!(share < 0.35, "{share} of a processor instead of 0.2");
    assert!(stats.cpu.throttling.throttled_periods > 0, "{:?}", stats.cpu);
    made.kill_all(libc::SIGKILL).unwrap();
    spinner.wait().unwrap();
}

pub(super) fn memory_is_limited() {
    let made = Made::new();
    if made.lacks("memory") {
        return;
    }
    made.apply(&resources(r#"{"memory":{"limit":16777216,"swap":16777216}}"#)).unwrap();
    assert_eq!(run_in(&made, "exec head -c 1000 /dev/zero"), 0);
    // The size of the last part is what is held in memory.
    let fill = "exec dd if=/dev/zero of=/dev/null bs=100000000 count=1";
    assert_eq!(run_in(&made, fill), 128 + libc::SIGKILL);
    let stats = made.stats().unwrap();
    assert!(stats.memory.event_count.unwrap().oom_kill >= 1);
    assert_eq!(stats.memory.usage.limit, 16_777_216);
    assert!(stats.memory.usage.max > 10_000_000);
    // A limit below what is in use is refused where that is asked for, and always on v1.
    let mut holder = waiting("head -c 8000000 /dev/zero | tail -c 8000000 | (sleep 100)");
    made.attach(pid(&holder)).unwrap();
    holder.stdin.take().unwrap().write_all(b"\n").unwrap();
    let begin = std::time::Instant::now();
    while made.stats().unwrap().memory.usage.usage < 8_000_000 {
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", made.stats().unwrap().memory.usage);
        std::thread::sleep(Duration::from_millis(10));
    }
    let low = r#"{"memory":{"limit":1000000,"checkBeforeUpdate":true}}"#;
    let error = made.update(&resources(low)).unwrap_err().to_string();
    assert!(error.starts_with("linux.resources.memory.limit: 1000000 is "), "{error}");
    made.kill_all(libc::SIGKILL).unwrap();
    holder.wait().unwrap();
}

/// Keeps the first processor busy.
fn spinner_in(made: &Made) -> Child {
    let mut spinner = waiting("exec taskset -c 0 sh -c 'while :; do :; done'");
    made.attach(pid(&spinner)).unwrap();
    spinner.stdin.take().unwrap().write_all(b"\n").unwrap();
    spinner
}

pub(super) fn shares_divide_a_processor() {
    let (large, small) = (Made::new(), Made::new());
    if large.lacks("cpu") {
        return;
    }
    large.apply(&resources(r#"{"cpu":{"shares":4096}}"#)).unwrap();
    small.apply(&resources(r#"{"cpu":{"shares":256}}"#)).unwrap();
    let mut spinners = [spinner_in(&large), spinner_in(&small)];
    let used = || {
        [&large, &small].map(|made| Duration::from_nanos(made.stats().unwrap().cpu.usage.total).as_secs_f64())
    };
    let sum = |times: [f64; 2]| times[0] + times[1];
    // Of what the two get: others may use the processor too.
    let ratio = || {
        let begin = used();
        wait_until(|| sum(used()) - sum(begin) > 0.1); // the shells have become spinners
        let before = used();
        wait_until(|| sum(used()) - sum(before) > 0.8);
        let after = used();
        (after[0] - before[0]) / (after[1] - before[1])
    };
    // 16 by v1's shares, 8.7 by v2's weights.
    let found = ratio();
    assert!(found > 4.0, "the larger share has {found} times the smaller one's time");
    // The other way round while they run.
    large.update(&resources(r#"{"cpu":{"shares":256}}"#)).unwrap();
    small.update(&resources(r#"{"cpu":{"shares":4096}}"#)).unwrap();
    let found = ratio();
    assert!(found < 0.4, "the share that was the larger has {found} times the other's time");
    for (made, spinner) in [&large, &small].into_iter().zip(&mut spinners) {
        made.kill_all(libc::SIGKILL).unwrap();
        spinner.wait().unwrap();
    }
}

pub(super) fn processors_are_confined() {
    let made = Made::new();
    if made.lacks("cpuset") {
        return;
    }
    let mut child = waiting("sleep 100");
    made.attach(pid(&child)).unwrap();
    let allowed = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
    };
    let all = allowed();
    made.update(&resources(r#"{"cpu":{"cpus":"0"}}"#)).unwrap();
    assert_eq!(allowed(), "0");
    if all != "0" {
        made.update(&resources(r#"{"cpu":{"cpus":"1"}}"#)).unwrap();
        assert_eq!(allowed(), "1");
        made.update(&resources(&format!(r#"{{"cpu":{{"cpus":"{all}"}}}}"#))).unwrap();
        assert_eq!(allowed(), all);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The number of the disk, `MAJOR:MINOR`, that the file system of `path` is on, and not of its partition.
fn disk_below(path: &Path) -> Option<String> {
    let device = nix::sys::stat::stat(path).unwrap().st_dev;
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let entry = std::fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    let disk = if entry.join("partition").exists() { entry.parent()? } else { &entry };
    std::fs::read_to_string(disk.join("dev")).ok().map(|number| number.trim().to_owned())
}

pub(super) fn a_throttled_disk_is_slower() {
    let made = Made::new();
    if made.lacks(if made.v1() { "blkio" } else { "io" }) {
        return;
    }
    let me = std::env::current_exe().unwrap();
    let places = [std::env::temp_dir(), PathBuf::from("/var/tmp"), me.parent().unwrap().to_owned()];
    let Some((place, disk)) = places.iter().find_map(|place| disk_below(place).map(|disk| (place, disk)))
    else {
        println!("skipped: no file system here is on a disk");
        return;
    };
    let (major, minor) = disk.split_once(':').unwrap();
    let limit = |kind: &str, rate: u64| {
        let json =
            format!(r#"{{"blockIO":{{"{kind}":[{{"major":{major},"minor":{minor},"rate":{rate}}}]}}}}"#);
        made.update(&resources(&json)).unwrap();
    };
    let file = place.join(name());
    let file = file.to_str().unwrap();
    let time = |what: &str| {
        let begin = std::time::Instant::now();
        assert_eq!(run_in(&made, &format!("exec dd bs=65536 count=8 {what}")), 0, "dd {what}");
        begin.elapsed()
    };
    // Half a MiB past the page cache: half a second at a MiB a second, or at 16 operations a second.
    let write = format!("if=/dev/zero of={file} oflag=direct conv=notrunc");
    let read = format!("if={file} of=/dev/null iflag=direct");
    time(&write);
    let mut times = Vec::new();
    for (kind, rate, what) in [
        ("throttleWriteBpsDevice", 1 << 20, &write),
        ("throttleReadBpsDevice", 1 << 20, &read),
        ("throttleWriteIOPSDevice", 16, &write),
        ("throttleReadIOPSDevice", 16, &read),
    ] {
        limit(kind, rate);
        let slow = time(what);
        limit(kind, 0);
        // Others may use the disk too.
        let free = (0..10).map(|_| time(what)).find(|free| *free < slow);
        times.push((kind, slow, free));
    }
    std::fs::remove_file(file).unwrap();
    for (kind, slow, free) in times {
        assert!(
            slow > Duration::from_millis(300) && free.is_some(),
            "{kind}: {slow:?}, and without {free:?}"
        );
    }
    let stats = made.stats().unwrap().blkio;
    let written = stats.io_service_bytes_recursive.iter().find(|entry| {
        (entry.major.to_string(), entry.minor.to_string(), entry.op.as_str())
            == (major.to_owned(), minor.to_owned(), "Write")
    });
    assert!(written.is_some_and(|entry| entry.value > 0), "{:?}", stats.io_service_bytes_recursive);
}

pub(super) fn huge_pages_run_out() {
    let made = Made::new();
    if made.lacks("hugetlb") {
        return;
    }
    let free = std::fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    if free.ok().and_then(|free| free.trim().parse().ok()).unwrap_or(0) < 3 {
        println!("skipped: fewer than three huge pages of 2 MiB are free here");
        return;
    }
    let dir = std::env::temp_dir().join(name());
    std::fs::create_dir(&dir).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "hugetlbfs", "-o", "pagesize=2M", "none"]).arg(&dir).status();
    assert!(mounted.unwrap().success());
    let take =
        |pages: u32| run_in(&made, &format!("exec fallocate -l {} {}/pages", pages << 21, dir.display()));
    let limit =
        |pages: u32| format!(r#"{{"hugepageLimits":[{{"pageSize":"2MB","limit":{}}}]}}"#, pages << 21);
    made.update(&resources(&limit(1))).unwrap();
    let few = [take(2), take(1)];
    std::fs::remove_file(dir.join("pages")).unwrap();
    made.update(&resources(&limit(3))).unwrap();
    let more = take(3);
    let usage = made.stats().unwrap().hugetlb["2MB"];
    let umounted = Command::new("umount").arg(&dir).status();
    std::fs::remove_dir(&dir).unwrap();
    assert!(umounted.unwrap().success());
    assert!(few[0] != 0 && few[1] == 0 && more == 0, "{few:?} {more}");
    assert!(usage.usage == 3 << 21 && usage.failcnt > 0, "{usage:?}");
}
