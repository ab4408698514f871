//! Open files: locked, removed, and sockets to the host.

use crate::{
    ground::{assert_goes_on, checkpoint, count, counting_in_perl, refused, restore, wait_for_count},
    support::{text, wait_until},
};
use std::{fs, os::unix::net::UnixDatagram, time::Duration};

#[test]
fn file_locks_are_held_again() {
    let Some(bundle) = counting_in_perl("locks", "open F, '>', '/lock'; flock F, 2 or die;", "") else {
        return;
    };
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    let image = bundle.file("image");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "--file-locks");
    assert_goes_on(&bundle, "x");
    checkpoint(&bundle, &["--file-locks"], "x");
    restore(&bundle, &["--file-locks"], "x");
    assert_goes_on(&bundle, "x");
    let lock = "open F, '>>', '/lock'; print flock(F, 6) ? 'free' : 'held'";
    assert_eq!(bundle.ok(&["exec", "x", "perl", "-e", lock]), "held");
}

#[test]
fn a_removed_file_is_found_by_its_other_name() {
    let begin = "open F, '>', '/first'; F->autoflush(1); link '/first', '/second'; unlink '/first';";
    let Some(bundle) = counting_in_perl("removed", begin, "print F \"$i\\n\";") else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 3);
    let image = bundle.file("image");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "link-remap");
    assert_goes_on(&bundle, "x");
    checkpoint(&bundle, &["--link-remap"], "x");
    restore(&bundle, &["--link-remap"], "x");
    assert_goes_on(&bundle, "x");
    let written = fs::read_to_string(bundle.file("rootfs/second")).unwrap();
    assert!(!fs::exists(bundle.file("rootfs/first")).unwrap());
    assert!((1..).zip(written.lines()).all(|(count, line)| line == count.to_string()), "{written}");
    let now: usize = count(&bundle, "x").try_into().unwrap();
    wait_until(|| fs::read_to_string(bundle.file("rootfs/second")).unwrap().lines().count() > now);
    let left: Vec<_> =
        fs::read_dir(bundle.file("rootfs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("remap")), "{left:?}");
}

/// As programs talk to a log's daemon. Of streams whose other end is outside criu cannot save any, with the flag or without.
#[test]
fn a_socket_of_the_host_is_connected_to_again() {
    let begin =
        "use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); connect(S, pack_sockaddr_un($ENV{HEARS})) or die;";
    let Some(bundle) = counting_in_perl("unix", begin, "send S, $i, MSG_DONTWAIT;") else { return };
    // Its name has to be one that leads to it on both sides: criu connects by it. Sockets of another network namespace it
    // does not see.
    let dir = bundle.file("data");
    let path = bundle.file("data/hears");
    let hears = UnixDatagram::bind(&path).unwrap();
    hears.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    bundle.edit(|spec| {
        spec["process"]["env"].as_array_mut().unwrap().push(format!("HEARS={path}").into());
        let mount = serde_json::json!({ "destination": dir, "source": dir, "options": ["bind"] });
        spec["mounts"].as_array_mut().unwrap().push(mount);
        spec["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != "network");
    });
    let hear = || {
        let mut bytes = [0; 16];
        let length = hears.recv(&mut bytes).unwrap();
        text(&bytes[..length]).parse::<u32>().unwrap()
    };
    bundle.start("x");
    wait_for_count(&bundle, "x", 3);
    assert_eq!((hear(), hear()), (1, 2));
    let image = bundle.file("image");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "--ext-unix-sk");
    assert_goes_on(&bundle, "x");
    checkpoint(&bundle, &["--ext-unix-sk"], "x");
    restore(&bundle, &["--ext-unix-sk"], "x");
    // What was said before is heard first; some of it may have found the queue full.
    let now = count(&bundle, "x");
    let mut last = 2;
    while last <= now {
        let next = hear();
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}
