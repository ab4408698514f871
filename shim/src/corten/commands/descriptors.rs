//! The descriptors from 3 up that a container's process gets: `--preserve-fds`, and before them those of LISTEN_FDS.

use crate::{cli::Given, failure::Failure, sys};
use std::env;

/// There are never so many.
const MOST: u32 = 1 << 20;

/// What is passed on.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    /// How many descriptors from 3 up.
    pub(super) count: u32,
    /// What tells the process of those that are sockets to listen on.
    pub(super) environment: Vec<String>,
}

impl Descriptors {
    /// What the caller's environment and flags say. All must be open: what opens later, as our log, is none of them.
    pub(super) fn of(flags: &Given) -> Result<Self, Failure> {
        let mut all = Self::default();
        if let Some(count) = sockets() {
            all.add(count, "LISTEN_FDS")?;
            // Programs compare LISTEN_PID with their own id; the first process of a container is 1, as it sees itself.
            all.environment = vec![format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()];
            all.environment
                .extend(env::var("LISTEN_FDNAMES").ok().map(|names| format!("LISTEN_FDNAMES={names}")));
        }
        if let Some(count) = flags.number::<u32>("preserve-fds")? {
            all.add(count, "--preserve-fds")?;
        }
        Ok(all)
    }

    fn add(&mut self, count: u32, who: &str) -> Result<(), Failure> {
        let first = 3 + self.count;
        if count > MOST {
            return Err(Failure::usage(format!("{who} {count}: there are not so many descriptors")));
        }
        match (first..first + count).find(|fd| !i32::try_from(*fd).is_ok_and(sys::is_inherited)) {
            Some(fd) => Err(Failure::usage(format!("{who} {count}: descriptor {fd} is not open"))),
            None => {
                self.count += count;
                Ok(())
            }
        }
    }
}

/// How many sockets we were given, sd_listen_fds(3). They are another's if LISTEN_PID says so: a shell between systemd
/// and us has left the variables behind. Without LISTEN_PID they are ours, as for crun.
fn sockets() -> Option<u32> {
    let count = env::var("LISTEN_FDS").ok()?.parse().ok().filter(|count| *count > 0)?;
    let ours = env::var_os("LISTEN_PID").is_none_or(|pid| pid == *std::process::id().to_string());
    ours.then_some(count)
}
