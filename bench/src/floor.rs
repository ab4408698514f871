//! The floor: the least that the kernel can be asked for to start and end one container of the default bundle. No configuration, no
//! record, no checks, no errors that say what is wrong.

use crate::{
    Result,
    host::Hierarchy,
    sys::{self, Orders},
};
use nix::unistd::pipe2;
use std::{
    ffi::{CString, OsString},
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

/// The verb under which this program is the floor.
pub const VERB: &str = "floor";

/// The words after [`VERB`]: the image, how many bind mounts, and where cgroups are made: `2:` or `1:` and a
/// hierarchy's place; `c:` for the one of version 1 with cpuset, whose new cgroups are of no use before two files are written.
#[must_use]
pub fn words(rootfs: &Path, binds: usize, hierarchies: &[Hierarchy]) -> Vec<OsString> {
    let places = hierarchies.iter().map(|hierarchy| {
        let kind = match hierarchy {
            Hierarchy { v2: true, .. } => "2:",
            Hierarchy { controllers, .. } if controllers.split(',').any(|name| name == "cpuset") => "c:",
            _ => "1:",
        };
        let mut word = OsString::from(kind);
        word.push(&hierarchy.at);
        word
    });
    [rootfs.as_os_str().to_owned(), binds.to_string().into()].into_iter().chain(places).collect()
}

/// Starts and ends the container; the exit code.
///
/// # Errors
/// What the system answered.
pub fn main(words: &[OsString]) -> Result<i32> {
    floor(words).map_err(|error| format!("the floor: {error}"))
}

fn floor(words: &[OsString]) -> io::Result<i32> {
    let [root, binds, places @ ..] = words else { return Err(io::Error::other("words are missing")) };
    let binds: usize = binds.to_string_lossy().parse().map_err(io::Error::other)?;
    let name = format!("corten-bench-floor-{}", std::process::id());
    let dirs: Vec<_> = places.iter().map(|place| place_of(place, &name)).collect();
    for (kind, dir) in &dirs {
        fs::create_dir(dir)?;
        if *kind == b'c' {
            fs::write(dir.join("cpuset.cpus"), "0")?;
            fs::write(dir.join("cpuset.mems"), "0")?;
        }
    }
    let (v1, v2): (Vec<_>, Vec<_>) = dirs.iter().partition(|(kind, _)| *kind != b'2');
    let born_in = v2.first().map(|(_, dir)| File::open(dir)).transpose()?;
    let pipe = if v1.is_empty() { None } else { Some(pipe2(nix::fcntl::OFlag::O_CLOEXEC)?) };
    // A host with both versions shows the container version 1, which costs a mount for each: that is left out.
    let cgroup = v2.first().filter(|_| v1.is_empty());
    let orders = Orders {
        root: CString::new(root.as_bytes())?,
        cgroup: cgroup.map(|(_, dir)| CString::new(dir.as_os_str().as_bytes())).transpose()?,
        binds: (0..binds)
            .map(|number| CString::new(format!("mnt/{number}")))
            .collect::<std::result::Result<_, _>>()?,
        go: pipe.as_ref().map(|(read, write)| [read.as_raw_fd(), write.as_raw_fd()]),
    };
    let pid = sys::clone_into(&orders, born_in.as_ref().map(AsRawFd::as_raw_fd))?;
    for (_, dir) in &v1 {
        fs::write(dir.join("cgroup.procs"), pid.to_string())?;
    }
    if let Some((_, write)) = pipe {
        File::from(write).write_all(b"x")?;
    }
    let ended = sys::wait(pid)?;
    dirs.iter().try_for_each(|(_, dir)| fs::remove_dir(dir))?;
    Ok(ended.code)
}

fn place_of(word: &OsString, name: &str) -> (u8, PathBuf) {
    let bytes = word.as_bytes();
    let at = PathBuf::from(OsString::from_vec(bytes.get(2..).unwrap_or_default().to_vec()));
    (bytes.first().copied().unwrap_or_default(), at.join(name))
}
