//! Delete: runtime.md, "Lifecycle" steps 11 to 13.

use super::{
    Container, Status,
    exit::PATIENCE,
    kill, members,
    record::Record,
    status,
    store::{Lock, Store},
};
use crate::{
    Error, ErrorKind, Result,
    cgroup::Cgroup,
    guards::{self, Guard},
    hooks::{self, Kind, Output},
    resctrl::Group,
    sys::pidfd,
};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Removes what is left of a container. One that is created counts as stopped, as engines expect: its program never ran.
pub(super) fn delete(container: &mut Container, force: bool) -> Result<()> {
    let _lock = container.store.lock()?;
    // Who had the lock may have changed what is on record.
    container.record = container.store.read()?;
    let status = container.status()?;
    let over = matches!(status, Status::Stopped | Status::Created);
    if !over && !force {
        let message = format!("cannot delete container {} that is not stopped: {status}", container.id());
        return Err(Error::new(ErrorKind::InvalidState, message));
    }
    remove(&container.store, &container.record)
}

/// Removes whatever there is of `id`.
pub(super) fn delete_forced(root: &Path, id: &str) -> Result<()> {
    let store = match Store::open(root, id) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let _lock = match lock_forced(&store) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    // Without a record the making may have been cut short before anything but the directory was made.
    if let Some(record) = store.read_or_lost()? {
        return remove(&store, &record);
    }
    remove_by_config(&store, id)?;
    store.remove()
}

/// The container's lock. Who has it may wait for what is to be deleted, as a start for its hooks: then that is killed first.
/// What cannot be killed, as on a root file system that hangs, is not waited for without end.
fn lock_forced(store: &Store) -> Result<Lock> {
    if let Some(lock) = store.try_lock()? {
        return Ok(lock);
    }
    let stopped = store.read().map_or(Ok(Left::Nothing), |record| stop(&record));
    if !guards::on(Guard::BoundedDelete) {
        return store.lock();
    }
    // Who has the lock may be removing the same things just now: only what does not die matters.
    match stopped {
        Err(error) if error.kind() == ErrorKind::Timeout => return Err(error),
        _ => {}
    }
    let end = Instant::now() + PATIENCE;
    loop {
        match store.try_lock()? {
            Some(lock) => return Ok(lock),
            None if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            None => return Err(store.busy()),
        }
    }
}

/// Kills and removes what the copy of the configuration leads to, where the state is lost.
fn remove_by_config(store: &Store, id: &str) -> Result<()> {
    let spec = match store.config() {
        Ok(spec) => spec,
        // It is written when the first process is born, which dies with the runtime until then.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            log::warn!("{}: processes and cgroups may be left", error.report());
            return Ok(());
        }
    };
    let path = spec.linux.as_ref().and_then(|linux| linux.cgroups_path.as_deref());
    let cgroup = match Cgroup::recover(path, id) {
        Ok(cgroup) => cgroup,
        Err(error) => {
            log::warn!("{error}: processes may be left");
            return Ok(());
        }
    };
    cgroup.kill_all(libc::SIGKILL)?;
    Ok(cgroup.delete()?)
}

/// Kills, cleans up, and runs the poststop hooks, whose failure is only a warning.
fn remove(store: &Store, record: &Record) -> Result<()> {
    if stop(record)? == Left::Cgroup {
        record.cgroup.delete()?;
    }
    record.intel_rdt.as_ref().map_or(Ok(()), Group::delete)?;
    if !Kind::Poststop.of(record.hooks.as_ref()).is_empty()
        && let Ok(bytes) = serde_json::to_vec(&record.state(status::of(store, record)?.0))
    {
        let output = Output::open(&record.annotations).unwrap_or_else(|error| {
            log::warn!("{}", error.report());
            Output::default()
        });
        hooks::run_all(Kind::Poststop, record.hooks.as_ref(), &bytes, &output);
    }
    store.remove()
}

/// What [`stop`] leaves.
#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    Cgroup,
}

/// Kills the first process, which ends its pid namespace, and all that is in the cgroup. One in which nothing is is removed.
fn stop(record: &Record) -> Result<Left> {
    if let Some(process) = record.process
        && process.is_alive()?
    {
        let others = members::without_cgroup(record);
        let failed = |what: &str, error| {
            Error::io(format!("container {}: {what} process {}", record.id, process.pid), error)
        };
        let fd = match pidfd::open(process.pid) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => None,
            other => Some(other.map_err(|error| failed("open", error))?),
        };
        match kill::signal_process(process, libc::SIGKILL) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            other => other.map_err(|error| failed("kill", error))?,
        }
        if record.cgroup.is_frozen()? {
            record.cgroup.thaw()?;
        }
        if let Some(fd) = fd
            && process.is_alive()?
            && !hooks::readable_within(&fd, PATIENCE)
        {
            let message = format!("container {}: process {} does not die", record.id, process.pid);
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        others.into_iter().for_each(|process| {
            let _ = kill::signal_process(process, libc::SIGKILL); // it may have ended with the first one
        });
    }
    // Mostly nothing is left, and its cgroups can be removed at once.
    if record.cgroup.delete_unused() {
        return Ok(Left::Nothing);
    }
    record.cgroup.kill_all(libc::SIGKILL)?;
    Ok(Left::Cgroup)
}
