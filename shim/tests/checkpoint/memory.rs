//! Memory: saved ahead, sent elsewhere, fetched when it is first used.

use crate::{
    ground::{
        assert_goes_on, checkpoint, count, counting, counting_in_perl, free_port, refused, restore,
        wait_for_count,
    },
    support::{text, wait_until},
};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::{
    fs,
    io::Read,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::Path,
    process::{Child, Command, Stdio},
};

#[test]
fn memory_is_saved_ahead_and_the_container_runs_on() {
    let Some(bundle) = counting("ahead") else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    let image = |name: &str| bundle.file(name);
    let first = bundle.corten(&["checkpoint", "--pre-dump", "--image-path", &image("1"), "x"]);
    if text(&first.stderr).contains("tracking of memory") {
        println!("skipped: {}", text(&first.stderr));
        return;
    }
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert_goes_on(&bundle, "x");
    bundle.ok(&["checkpoint", "--pre-dump", "--parent-path", "../1", "--image-path", &image("2"), "x"]);
    assert_goes_on(&bundle, "x");
    checkpoint(&bundle, &["--parent-path=../2", "--leave-running"], "x");
    assert_goes_on(&bundle, "x");
    // What is paused stays so.
    bundle.ok(&["pause", "x"]);
    bundle.ok(&["checkpoint", "--leave-running", "--image-path", &image("3"), "x"]);
    assert_eq!(bundle.state("x")["status"], "paused");
    bundle.ok(&["resume", "x"]);
    for parent in ["../none", "/tmp", "../config.json"] {
        let image = image("4");
        refused(
            &bundle,
            &["checkpoint", "--parent-path", parent, "--image-path", &image, "x"],
            "parent path",
        );
    }
    assert_goes_on(&bundle, "x");
    bundle.ok(&["delete", "--force", "x"]);
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
}

/// A criu that was started for pages, in a directory with an image.
struct Pages(Child);

impl Pages {
    fn start(command: &str, args: &[&str], port: Option<u16>, dir: &str) -> Self {
        fs::create_dir_all(dir).unwrap();
        let log = format!("{command}.log");
        let mut criu = Command::new("criu");
        criu.arg(command).args(["-D", dir, "-W", dir, "-o", &log, "-v4"]).args(args);
        let pages = Self(criu.stdin(Stdio::null()).spawn().unwrap());
        // A server can be connected to once: whether it listens the kernel tells. A daemon has a socket in its directory.
        wait_until(|| match port {
            Some(port) => listens(port),
            None => Path::new(dir).join("lazy-pages.socket").exists(),
        });
        pages
    }

    fn wait(mut self) {
        wait_until(|| self.0.try_wait().unwrap().is_some());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether something listens at `port` of 127.0.0.1.
fn listens(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table.contains(&format!(":{port:04X} 00000000:0000 0A"))
}

/// Kibibytes on disk of the pages in an image: what is removed from them leaves holes.
fn size(dir: &str) -> u64 {
    let pages = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let pages = pages.filter(|entry| entry.file_name().to_string_lossy().starts_with("pages-"));
    pages.map(|entry| entry.metadata().unwrap().blocks() / 2).sum()
}

/// Two mebibytes that are all written to again with each count.
const FILL: &str = "$data = chr(65 + $i % 26) x (2 << 20);";

#[test]
fn memory_is_sent_to_a_page_server_in_a_chain() {
    let Some(bundle) = counting_in_perl("page-server", "", FILL) else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 2);
    let (first, last) = (bundle.file("1"), bundle.file("image"));
    let port = free_port();
    let (number, server) = (port.to_string(), format!("127.0.0.1:{port}"));
    let address = ["--address", "127.0.0.1", "--port", &number];
    let pages = Pages::start("page-server", &address, Some(port), &first);
    bundle.ok(&["checkpoint", "--pre-dump", "--page-server", &server, "--image-path", &first, "x"]);
    pages.wait();
    assert_goes_on(&bundle, "x");
    assert!(size(&first) >= 2 << 10, "{}", size(&first));
    let chained = [&address[..], &["--prev-images-dir", "../1"]].concat();
    let pages = Pages::start("page-server", &chained, Some(port), &last);
    checkpoint(&bundle, &["--parent-path", "../1", "--page-server", &server], "x");
    pages.wait();
    let dumped = fs::read_to_string(format!("{last}/dump.log")).unwrap();
    assert!(dumped.contains("Connecting to server"), "the pages went by the network");
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
    bundle.ok(&["delete", "--force", "x"]);
    // Without the image before it, the last one is not whole.
    fs::remove_dir_all(&first).unwrap();
    let restore = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &last, "x"];
    refused(&bundle, &restore, "restore.log");
    // Nobody listens.
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    let other = bundle.file("2");
    refused(&bundle, &["checkpoint", "--page-server", &server, "--image-path", &other, "x"], "connect");
    assert_goes_on(&bundle, "x");
}

#[test]
fn pages_that_are_saved_again_leave_the_image_before() {
    let Some(bundle) = counting_in_perl("dedup", "", FILL) else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 2);
    let first = bundle.file("1");
    bundle.ok(&["checkpoint", "--pre-dump", "--image-path", &first, "x"]);
    let before = size(&first);
    let now = count(&bundle, "x");
    wait_for_count(&bundle, "x", now + 2);
    checkpoint(&bundle, &["--parent-path", "../1", "--auto-dedup"], "x");
    assert!(size(&first) + (1 << 10) < before, "{before}, then {}", size(&first));
    let image = bundle.file("image");
    let before = size(&image);
    restore(&bundle, &["--auto-dedup"], "x");
    assert_goes_on(&bundle, "x");
    assert!(size(&image) + (1 << 10) < before, "{before}, then {}", size(&image));
}

#[test]
fn memory_is_fetched_when_it_is_used() {
    let Some(bundle) = counting_in_perl("lazy", "$rest = 'r' x (8 << 20);", FILL) else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 2);
    let (image, port) = (bundle.file("image"), free_port().to_string());
    let server = format!("127.0.0.1:{port}");
    let (ready, status) = nix::unistd::pipe().unwrap();
    let number = status.as_raw_fd().to_string();
    fcntl(&status, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let flags = ["checkpoint", "--lazy-pages", "--page-server", &server, "--status-fd", &number];
    let mut saves = bundle.command(&[&flags[..], &["--image-path", &image, "x"]].concat());
    let mut saves =
        saves.stdout(Stdio::null()).stderr(fs::File::create(bundle.file("said")).unwrap()).spawn().unwrap();
    drop(status);
    let said = || fs::read_to_string(bundle.file("said")).unwrap();
    let mut told = Vec::new();
    fs::File::from(ready).take(1).read_to_end(&mut told).unwrap();
    if said().contains("userfaultfd") {
        saves.wait().unwrap();
        println!("skipped: {}", said());
        return;
    }
    assert_eq!(told, [0], "{}", said());
    // It serves its pages until all are fetched, and is there so long.
    assert!(saves.try_wait().unwrap().is_none());
    assert!(size(&image) < 8 << 10, "{}", size(&image));
    let daemon = ["--page-server", "--address", "127.0.0.1", "--port", &port];
    let daemon = Pages::start("lazy-pages", &daemon, None, &image);
    // The one that is saved still has its cgroup.
    bundle.edit(|spec| {
        let path = format!("{}-y", spec["linux"]["cgroupsPath"].as_str().unwrap());
        spec["linux"]["cgroupsPath"] = path.into();
    });
    restore(&bundle, &["--lazy-pages"], "y");
    assert_goes_on(&bundle, "y");
    daemon.wait();
    wait_until(|| saves.try_wait().unwrap().is_some());
    assert!(saves.wait().unwrap().success(), "{}", said());
    assert_eq!(bundle.ok(&["list", "--quiet"]), "y\n");
    assert_goes_on(&bundle, "y");
}
