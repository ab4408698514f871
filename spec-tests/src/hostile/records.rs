//! config.json, process.json and the state on record: half written, huge, deep, of another kind.

use super::ground::settled;
use crate::harness::{Bundle, Container, Suite, Test, Verdict, check, check_eq, parse};
use nix::sys::{
    resource::{UsageWho, getrusage},
    stat::Mode,
};
use serde_json::Value;
use std::{
    fs, io,
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

type Make = fn(&Path, &[u8]) -> io::Result<()>;

/// What can be in the place of a document. The first argument is where, the second what should be there.
const DOCUMENTS: [(&str, Make); 15] = [
    ("empty", |at, _| fs::write(at, "")),
    ("half", |at, text| fs::write(at, &text[..text.len() / 2])),
    ("all-but-its-end", |at, text| fs::write(at, &text[..text.len() - 1])),
    ("twice", |at, text| fs::write(at, [text, text].concat())),
    ("zeroes", |at, text| fs::write(at, vec![0; text.len()])),
    ("deep-lists", |at, _| fs::write(at, "[".repeat(1 << 20))),
    ("deep-objects", |at, _| fs::write(at, "{\"a\":".repeat(1 << 18))),
    ("not-utf-8", |at, _| fs::write(at, b"{\"ociVersion\": \"\xff\xfe\"}")),
    ("endless-text", |at, _| {
        fs::write(at, [b"{\"ociVersion\": \"".as_slice(), &vec![b'x'; 20 << 20]].concat())
    }),
    ("wrong-root", |at, _| fs::write(at, "[1, 2, 3]")),
    ("huge-number", |at, _| fs::write(at, "{\"ociVersion\": 1e999999, \"pid\": 99999999999999999999999}")),
    ("fifo", |at, _| Ok(nix::unistd::mkfifo(at, Mode::from_bits_truncate(0o600))?)),
    ("directory", |at, _| fs::create_dir(at)),
    ("socket", |at, _| UnixListener::bind(at).map(drop)),
    ("link-to-itself", |at, _| symlink(at, at)),
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("records", "of our own:");
    for (name, make) in DOCUMENTS {
        g.attack(&format!("config-{name}"), "a config.json that is none", None, move |t| {
            let b = t.bundle()?;
            b.write()?;
            let file = b.dir.join("config.json");
            let text = fs::read(&file)?;
            fs::remove_file(&file)?;
            make(&file, &text)?;
            let done = t.call(&["create", "--bundle"]).arg(&b.dir).arg(t.id()).done()?;
            check!(!settled(done)?, "a container was made of it");
            Ok(())
        });
        g.attack(&format!("process-{name}"), "a process.json that is none", None, move |t| {
            let c = t.running()?;
            let file = t.dir().join("process.json");
            make(
                &file,
                b"{\"args\": [\"/bin/payload\"], \"cwd\": \"/\", \"user\": {\"uid\": 0, \"gid\": 0}}",
            )?;
            let done = t.call(&["exec", "--process"]).arg(&file).arg(&c.id).done()?;
            check!(!settled(done)?, "a process was made of it");
            c.is("running")
        });
        g.attack(&format!("state-{name}"), "a state on record that is none", None, move |t| state(t, make));
    }
    g.attack("config-endless", "a config.json without end", Some("ConfigSize"), |t| {
        let b = t.bundle()?;
        symlink("/dev/zero", b.dir.join("config.json"))?;
        not_read(t, &b)
    });
    g.attack("config-huge", "a config.json of two gigabytes", Some("ConfigSize"), |t| {
        let b = t.bundle()?;
        fs::File::create(b.dir.join("config.json"))?.set_len(2 << 30)?;
        not_read(t, &b)
    });
    g.attack("state-directory-is-full", "nothing can be written to the state directory", None, |t| {
        let b = t.waiting()?;
        b.write()?;
        let root = t.dir().join("small");
        fs::create_dir(&root)?;
        nix::mount::mount(
            Some("none"),
            &root,
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            Some("size=4k,nr_inodes=4"),
        )?;
        let id = t.id();
        // The last --root counts.
        let verdict =
            t.call(&["--root"]).arg(&root).arg("create").arg("--bundle").arg(&b.dir).arg(&id).done();
        let left: Vec<_> = fs::read_dir(&root)?.flatten().map(|entry| entry.path()).collect();
        let deleted = t.call(&["--root"]).arg(&root).arg("delete").arg("--force").arg(&id).done();
        nix::mount::umount(&root)?;
        let made = settled(verdict?)?;
        check!(made || left.iter().all(|path| !path.ends_with(&id)), "left behind: {left:?}");
        settled(deleted?).map(drop)
    });
    g.attack("read-while-written", "the state is read while it is written", None, |t| {
        let b = t.waiting()?;
        b.write()?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            let id = t.id();
            let running = t.call(&["create", "--bundle"]).arg(&b.dir).arg(&id).spawn()?;
            for _ in 0..4 {
                let done = t.call(&["state", &id]).done()?;
                let errors = done.stderr();
                if done.code() != 0 {
                    check!(
                        !["EOF", "parse", "unexpected end", "not valid", "invalid character"]
                            .iter()
                            .any(|word| errors.contains(word)),
                        "half a state was read: {errors}"
                    );
                }
            }
            running.done()?.ok()?;
            t.call(&["delete", "--force", &id]).done()?.ok()?;
        }
        Ok(())
    });
}

/// A document that is refused before much of it was read.
fn not_read(t: &Test, b: &Bundle) -> Verdict {
    /// In KiB.
    const MOST: i64 = 256 << 10;
    // A runtime that reads all of it is stopped by its limit and not by the machine's.
    let call = t.call(&["create", "--bundle"]).arg(&b.dir).arg(t.id());
    let done = call.through(&["prlimit", "--as=3000000000"]).done()?;
    let taken = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    check!(!settled(done)?, "a container was made of it");
    check!(taken < MOST, "the runtime took {taken} KiB of memory for it");
    Ok(())
}

/// The file of a container's state that says what it is: as runc and Corten, and as crun call it.
fn documents(t: &Test, id: &str) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(t.root().join(id))?.flatten();
    let documents = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        entry.file_type().is_ok_and(|kind| kind.is_file()) && (name == "state.json" || name == "status")
    });
    Ok(documents.map(|entry| entry.path()).collect())
}

/// With one container's state spoilt each command ends in words, another container is as it was, and the spoilt one can be
/// deleted by force.
fn state(t: &Test, make: Make) -> Verdict {
    let (other, c): (Container<'_>, Container<'_>) = (t.running()?, t.running()?);
    for file in documents(t, &c.id)? {
        let text = fs::read(&file)?;
        fs::remove_file(&file)?;
        make(&file, &text)?;
    }
    for arguments in [
        &["state", &c.id][..],
        &["kill", &c.id, "URG"],
        &["ps", &c.id],
        &["exec", &c.id, "/bin/payload", "exit", "0"],
    ] {
        settled(t.call(arguments).done()?)?;
    }
    let done = t.call(&["list", "--format", "json"]).done()?;
    let out = done.stdout();
    check!(settled(done)?, "list fails for the sake of one");
    let list: Value = parse(&out)?;
    let listed = list.as_array().into_iter().flatten().any(|entry| entry["id"] == *other.id);
    check!(listed, "the other container is not listed: {out}");
    other.is("running")?;
    settled(t.call(&["delete", "--force", &c.id]).done()?)?;
    if t.root().join(&c.id).exists() {
        // What else is to be done to get rid of it, a person has to see.
        fs::remove_dir_all(t.root().join(&c.id))?;
    }
    check_eq!(c.wait()?, 137, "how the process ended");
    other.is("running")
}
