//! Small attempts that a case asks the payload for, as `stat:/dev/null` or `write:/proc/sys/kernel/msgmax=1`: each is
//! answered with what came of it, or with the error's name.

use super::{Arg0, files, sys};
use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Options},
        stat::{Mode, SFlag, major, makedev, minor, mknod},
        statfs::statfs,
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use serde_json::{Map, Value, json};
use std::{
    env, fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::UnixStream,
        process::ExitStatusExt,
    },
    path::Path,
    process::{Command, Stdio},
};

/// The answers to all `probes`, by their own text.
pub(super) fn all(probes: &[String]) -> Value {
    let answers = probes.iter().map(|probe| {
        let answer = one(probe).unwrap_or_else(|error| json!({"error": name(&error)}));
        (probe.clone(), answer)
    });
    Value::Object(answers.collect::<Map<_, _>>())
}

/// The error by its name in errno(3), or in words.
fn name(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |raw| format!("{:?}", Errno::from_raw(raw)))
}

fn one(probe: &str) -> io::Result<Value> {
    let (verb, rest) = probe.split_once(':').unwrap_or((probe, ""));
    match verb {
        "stat" => Ok(metadata(&fs::metadata(rest)?)),
        "lstat" => Ok(metadata(&fs::symlink_metadata(rest)?)),
        "read" => Ok(json!({"text": String::from_utf8_lossy(&fs::read(rest)?)})),
        "peek" => peek(rest),
        "link" => Ok(json!({"to": fs::read_link(rest)?})),
        "list" => Ok(json!({"names": fs::read_dir(rest).map(|_| files::names(rest))?})),
        "write" => write(rest),
        "create" => fs::write(rest, "x").map(|()| json!({"ok": true})),
        "mkdir" => fs::create_dir(rest).map(|()| json!({"ok": true})),
        "remove" => fs::remove_file(rest).map(|()| json!({"ok": true})),
        "open-to-read" => fs::File::open(rest).map(|_| json!({"ok": true})),
        "open-to-write" => fs::OpenOptions::new().write(true).open(rest).map(|_| json!({"ok": true})),
        "open" => fs::OpenOptions::new().read(true).write(true).open(rest).map(|_| json!({"ok": true})),
        "statfs" => file_system(rest),
        "connect" => UnixStream::connect(rest).map(|_| json!({"ok": true})),
        "mknod" => device(rest),
        "exec" => run(Command::new(rest).stdin(Stdio::null())),
        "call" => system_call(rest),
        "call32" => sys::call32(&numbers(rest.split(','))?).map(|result| json!({"result": result})),
        "traced" => traced(rest),
        // In a child, since the probe may end the process that makes it.
        "child" => run(Command::new(env::current_exe()?).arg0_payload().args(["probe", rest])),
        _ => Err(io::Error::other("no such probe")),
    }
}

fn metadata(data: &fs::Metadata) -> Value {
    let kind = data.file_type();
    let kind = match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "directory",
        () if kind.is_symlink() => "link",
        () if kind.is_char_device() => "c",
        () if kind.is_block_device() => "b",
        () if kind.is_fifo() => "p",
        () => "socket",
    };
    json!({
        "type": kind, "mode": data.mode() & 0o7777, "uid": data.uid(), "gid": data.gid(), "size": data.size(),
        "major": major(data.rdev()), "minor": minor(data.rdev()), "device": data.dev(), "inode": data.ino(),
    })
}

/// The first bytes of a file that may have no end.
fn peek(path: &str) -> io::Result<Value> {
    let mut bytes = [0u8; 8];
    let count = io::Read::read(&mut fs::File::open(path)?, &mut bytes)?;
    Ok(json!({"count": count, "bytes": bytes[..count]}))
}

fn write(rest: &str) -> io::Result<Value> {
    let (path, value) = rest.split_once('=').unwrap_or((rest, ""));
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    io::Write::write_all(&mut file, value.as_bytes())?;
    Ok(json!({"ok": true}))
}

fn file_system(path: &str) -> io::Result<Value> {
    let data = statfs(Path::new(path))?;
    let bytes = data.blocks().saturating_mul(u64::try_from(data.block_size()).unwrap_or(1));
    Ok(json!({"bytes": bytes, "inodes": data.files(), "flags": data.flags().bits()}))
}

/// `c:MAJOR:MINOR:PATH`: makes a device and opens it for reading.
fn device(rest: &str) -> io::Result<Value> {
    let parts: Vec<&str> = rest.splitn(4, ':').collect();
    let [kind, major, minor, path] = parts[..] else {
        return Err(io::Error::other("mknod:c:MAJOR:MINOR:PATH"));
    };
    let number = |text: &str| text.parse::<u64>().map_err(io::Error::other);
    let kind = if kind == "b" { SFlag::S_IFBLK } else { SFlag::S_IFCHR };
    mknod(path, kind, Mode::from_bits_truncate(0o600), makedev(number(major)?, number(minor)?))?;
    let opened = fs::File::open(path).map(|_| ());
    fs::remove_file(path)?;
    Ok(json!({"made": true, "opened": opened.map_err(|e| name(&e))}))
}

fn run(command: &mut Command) -> io::Result<Value> {
    let done = command.output()?;
    let text = String::from_utf8_lossy(&done.stdout).trim_end().to_owned();
    let answer = serde_json::from_str::<Value>(&text).ok();
    Ok(json!({"code": done.status.code(), "signal": done.status.signal(), "text": text, "answer": answer}))
}

/// `NAME,A,B,...`: makes the system call with these numbers.
fn system_call(rest: &str) -> io::Result<Value> {
    let mut parts = rest.split(',');
    let called = parts.next().unwrap_or_default();
    // The bit that marks calls of x32.
    let (called, bit) = called.strip_prefix("x32-").map_or((called, 0), |name| (name, 1 << 30));
    let number = number_of(called).ok_or_else(|| io::Error::other("no such call"))?;
    sys::call(number | bit, numbers(parts)?).map(|result| json!({"result": result}))
}

fn numbers<'a>(texts: impl Iterator<Item = &'a str>) -> io::Result<[u64; 6]> {
    let mut numbers = [0u64; 6];
    for (slot, text) in numbers.iter_mut().zip(texts) {
        *slot = text.parse().map_err(io::Error::other)?;
    }
    Ok(numbers)
}

/// A child of ours makes a system call while we trace it: what the kernel tells a tracer of it, if anything.
fn traced(rest: &str) -> io::Result<Value> {
    let mut command = Command::new(env::current_exe()?);
    command.arg0_payload().args(["probe", &format!("call:{rest}")]).stdout(Stdio::null());
    sys::trace_me(&mut command);
    let child = Pid::from_raw(command.spawn()?.id().cast_signed());
    waitpid(child, None)?;
    ptrace::setoptions(child, Options::PTRACE_O_TRACESECCOMP | Options::PTRACE_O_EXITKILL)?;
    let mut told = None;
    loop {
        ptrace::cont(child, None)?;
        match waitpid(child, None)? {
            WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_SECCOMP) => {
                told = told.or(Some(ptrace::getevent(child)?));
            }
            WaitStatus::Stopped(..) => {}
            _ => return Ok(json!({"told": told})),
        }
    }
}

/// The numbers of the calls that the cases name. All take numbers, or pointers that may be null.
fn number_of(name: &str) -> Option<i64> {
    Some(match name {
        "getpid" => libc::SYS_getpid,
        "getppid" => libc::SYS_getppid,
        "getuid" => libc::SYS_getuid,
        "getpgid" => libc::SYS_getpgid,
        "getsid" => libc::SYS_getsid,
        "getpriority" => libc::SYS_getpriority,
        "setpriority" => libc::SYS_setpriority,
        "personality" => libc::SYS_personality,
        "sethostname" => libc::SYS_sethostname,
        "socket" => libc::SYS_socket,
        "kill" => libc::SYS_kill,
        "unshare" => libc::SYS_unshare,
        "chroot" => libc::SYS_chroot,
        "mkdir" => libc::SYS_mkdirat,
        "sync" => libc::SYS_sync,
        "sched_yield" => libc::SYS_sched_yield,
        "umask" => libc::SYS_umask,
        "keyctl" => libc::SYS_keyctl,
        "dup" => libc::SYS_dup,
        _ => return None,
    })
}
