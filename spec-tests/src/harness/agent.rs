//! A seccomp agent: it takes listeners at a socket and answers what they tell, config-linux.md, `listenerPath`.

use super::{
    Verdict, check_eq, fail,
    sys::{self, Answer, Notification},
    within,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::{
            fs::FileExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What it was told, by all connections.
#[derive(Default)]
struct Heard {
    /// A container process state each, or what was wrong with the connection.
    states: Vec<Result<Value, String>>,
    /// How many connections were closed after their state.
    closed: usize,
    /// The numbers of the calls that were answered.
    calls: Vec<i32>,
}

/// An agent that runs beside the case. It lets every call go on but these:
///
/// - `mkdir` of a path that ends with `emulated` is made by the agent, in the caller's root, with `-by-agent` behind it;
/// - `mkdir` of a path that ends with `refused` fails with ENOSPC, which no such call there gives by itself;
/// - `getsid` gives [`SESSION`].
pub(crate) struct Agent {
    path: PathBuf,
    heard: Arc<Mutex<Heard>>,
}

/// No process' session.
pub(crate) const SESSION: i64 = 424_242;

impl Agent {
    /// An agent that takes connections at `path`.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(Self { path: path.to_owned(), heard })
    }

    /// Where it is reached.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What all connections so far brought.
    fn states(&self) -> Vec<Result<Value, String>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).states.clone()
    }

    /// Whether a connection brought anything.
    pub(crate) fn was_told(&self) -> bool {
        !self.states().is_empty()
    }

    /// Whether `count` connections were closed.
    pub(crate) fn saw_close(&self, count: usize) -> bool {
        let closed = || self.heard.lock().unwrap_or_else(PoisonError::into_inner).closed;
        within(Duration::from_secs(2), || (closed() == count).then_some(())).is_some()
    }

    /// Whether it has answered call `number`.
    pub(crate) fn answered(&self, number: i64) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.calls.iter().any(|call| i64::from(*call) == number)
    }

    /// The container process states, of which there must be `count`: each by a connection of its own.
    pub(crate) fn told(&self, count: usize) -> Verdict<Vec<Value>> {
        within(Duration::from_secs(5), || (self.states().len() >= count).then_some(()));
        let states = self.states();
        check_eq!(states.len(), count, "container process states sent");
        let mut all = Vec::new();
        for state in states {
            match state {
                Ok(state) => all.push(state),
                Err(why) => return fail(why),
            }
        }
        Ok(all)
    }
}

/// One connection: a state with a descriptor, the end of the connection, and beside it what the descriptor tells.
fn serve(stream: UnixStream, heard: &Arc<Mutex<Heard>>) {
    let lock = || heard.lock().unwrap_or_else(PoisonError::into_inner);
    let listener = match take(&stream) {
        Ok((state, listener)) => {
            lock().states.push(Ok(state));
            listener
        }
        Err(error) => return lock().states.push(Err(error.to_string())),
    };
    let shared = Arc::clone(heard);
    thread::spawn(move || {
        let ended = (&stream).read(&mut [0; 1]);
        let mut heard = shared.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Ok(0) => heard.closed += 1,
            other => heard.states.push(Err(format!("more than one state came: {other:?}"))),
        }
    });
    // An error means that nobody is left whom the filter holds for.
    while let Ok(notification) = sys::next_notification(&listener) {
        lock().calls.push(notification.number);
        let answer = answer(&notification);
        // The caller may be gone.
        let _ = sys::answer_notification(&listener, &answer);
    }
}

fn take(stream: &UnixStream) -> io::Result<(Value, OwnedFd)> {
    let (mut bytes, mut descriptors) = sys::receive(stream)?;
    let mut state = loop {
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(state) => break state,
            Err(error) if error.is_eof() && !bytes.is_empty() => {
                let (more, _) = sys::receive(stream)?;
                if more.is_empty() {
                    return Err(error.into());
                }
                bytes.extend(more);
            }
            Err(error) => return Err(error.into()),
        }
    };
    state["descriptors"] = json!(descriptors.len());
    match descriptors.pop() {
        Some(listener) => Ok((state, listener)),
        None => Err(io::Error::other("no descriptor came with the container process state")),
    }
}

fn answer(call: &Notification) -> Answer {
    const CONTINUE: u32 = 1;
    let text = match i64::from(call.number) {
        libc::SYS_mkdirat => text(call.pid, call.arguments[1]),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mkdir => text(call.pid, call.arguments[0]),
        libc::SYS_getsid => return Answer { id: call.id, value: SESSION, ..Answer::default() },
        _ => None,
    };
    let refuse = |errno: i32| Answer { id: call.id, error: -errno, ..Answer::default() };
    match text {
        Some(path) if path.ends_with("emulated") => {
            let inside = format!("/proc/{}/root/{path}-by-agent", call.pid);
            match fs::create_dir(inside) {
                Ok(()) => Answer { id: call.id, ..Answer::default() },
                Err(error) => refuse(error.raw_os_error().unwrap_or(libc::EIO)),
            }
        }
        Some(path) if path.ends_with("refused") => refuse(libc::ENOSPC),
        _ => Answer { id: call.id, flags: CONTINUE, ..Answer::default() },
    }
}

/// The C string at `address` of the process.
fn text(pid: u32, address: u64) -> Option<String> {
    let mut bytes = [0; 256];
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let count = memory.read_at(&mut bytes, address).ok()?;
    let end = bytes[..count].iter().position(|byte| *byte == 0)?;
    String::from_utf8(bytes[..end].to_vec()).ok()
}
