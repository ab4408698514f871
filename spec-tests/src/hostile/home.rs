//! The image's /etc/passwd, which the runtime reads for HOME.

use super::ground::{Outside, settled};
use crate::harness::{Bundle, Suite, Test, Verdict, check, parse, strings};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;
use std::{fs, io, os::unix::net::UnixListener};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("home", "of our own:");
    let what = "an /etc/passwd of the image that cannot be read as one";
    type Make = fn(&Bundle, &Outside) -> io::Result<()>;
    let cases: [(&str, Option<&'static str>, Make); 12] = [
        ("fifo", Some("Passwd"), |b, _| {
            Ok(nix::unistd::mkfifo(&b.inside(PASSWD), Mode::from_bits_truncate(0o666))?)
        }),
        ("link-to-the-host", None, |b, outside| b.link(PASSWD, &outside.text("passwd")).map(drop)),
        ("link-above-the-root", None, |b, outside| {
            b.link(PASSWD, &format!("../../../../../../../../..{}", outside.text("passwd"))).map(drop)
        }),
        ("link-to-itself", None, |b, _| b.link(PASSWD, "passwd").map(drop)),
        ("directory", None, |b, _| b.directory(PASSWD).map(drop)),
        ("socket", None, |b, _| UnixListener::bind(b.inside(PASSWD)).map(drop)),
        ("endless-device", None, |b, _| {
            let device = makedev(1, 5);
            Ok(mknod(&b.inside(PASSWD), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), device)?)
        }),
        ("huge", None, |b, _| fs::File::create(b.inside(PASSWD))?.set_len(1 << 40)),
        ("endless-line", None, |b, _| fs::write(b.inside(PASSWD), vec![b'x'; 8 << 20])),
        ("not-utf-8", None, |b, _| {
            fs::write(b.inside(PASSWD), b"\xff\xfe:x:0:0:\xff:/\xff:/\n\0\0\0\nroot:x:0:0::/root:/\n")
        }),
        ("relative-home", None, |b, _| fs::write(b.inside(PASSWD), "root:x:0:0:root:../../up:/bin/sh\n")),
        ("forged-variable", None, |b, _| {
            fs::write(b.inside(PASSWD), "root:x:0:0:root:/a\0LD_PRELOAD=/evil:/bin/sh\n")
        }),
    ];
    for (name, guard, make) in cases {
        g.attack(name, what, guard, move |t| looked_up(t, make));
    }
    g.attack(
        "etc-is-a-link-to-the-host",
        "the image's /etc is a symlink to a directory of the host",
        None,
        |t| {
            let outside = Outside::new(t)?;
            let b = bundle(t)?;
            fs::remove_dir(b.inside("/etc"))?;
            b.link("/etc", &outside.text(""))?;
            ran(t, &b)?;
            outside.untouched()
        },
    );
    g.attack(
        "exec-fifo",
        "the container swaps its /etc/passwd for a FIFO before an exec",
        Some("Passwd"),
        |t| {
            let mut b = bundle(t)?;
            b.payload(&["wait"]);
            let c = t.running_of(&b)?;
            nix::unistd::mkfifo(&b.inside(PASSWD), Mode::from_bits_truncate(0o666))?;
            let done = c.exec(&[], &["report"])?;
            settled(done).map(drop)
        },
    );
}

const PASSWD: &str = "/etc/passwd";

fn bundle(t: &Test) -> Verdict<Bundle> {
    let mut b = t.bundle()?;
    b.config["process"]["env"] = json!(["PATH=/bin"]);
    Ok(b)
}

fn looked_up(t: &Test, make: impl Fn(&Bundle, &Outside) -> io::Result<()>) -> Verdict {
    let outside = Outside::new(t)?;
    let b = bundle(t)?;
    make(&b, &outside)?;
    ran(t, &b)?;
    outside.untouched()
}

/// It is refused, or HOME is a path of the image.
fn ran(t: &Test, b: &Bundle) -> Verdict {
    let done = t.try_run(b)?;
    let out = done.stdout();
    if settled(done)? {
        let r = parse(&out)?;
        let variables = strings(&r["env"]);
        let home = variables.iter().find_map(|variable| variable.strip_prefix("HOME=")).unwrap_or("/");
        check!(home.starts_with('/') && !home.contains("of-the-host"), "HOME is {home:?}");
        check!(
            !variables.iter().any(|variable| variable.starts_with("LD_")),
            "a forged variable: {variables:?}"
        );
    }
    Ok(())
}
