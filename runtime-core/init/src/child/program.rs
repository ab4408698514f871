//! The container's own program: found before the container counts as created, executed at its start.

use super::{
    State, channel,
    sys::{self, CStr, Fault, Res, errno, fault},
};
use crate::{
    arch::nr,
    guards::{self, Guard},
    message::Kind,
    wire::{Text, Texts},
};

/// Looks for the first of `candidates` that this user can execute. Where there is none the report carries `name`, and the
/// errno of what was there, if anything was.
pub(super) fn find(state: &mut State, candidates: Texts, name: Text) -> Res<()> {
    let mut why = fault(nr::FACCESSAT2, errno::ENOENT);
    for (index, candidate) in candidates.iter().enumerate() {
        match check(candidate.into()) {
            Ok(()) => {
                state.found = index;
                return Ok(());
            }
            Err(Fault { errno: errno::ENOENT | errno::ENOTDIR, .. }) if candidates.len() > 1 => {}
            Err(fault) => why = fault,
        }
    }
    // The value says whether a search was made: the parent words the two cases as users know them.
    let searched = i32::from(candidates.len() != 1);
    channel::report_failure_with(state, why, searched, name.0);
    sys::exit(1)
}

fn check(path: CStr) -> Res<()> {
    if !sys::stat_path(path)?.is(sys::S_IFREG) {
        return Err(fault(nr::EXECVE, errno::EACCES));
    }
    sys::may_execute(path)
}

/// Executes the program that was found. It returns only if that fails.
pub(super) fn execute(state: &State, candidates: Texts, arguments: Texts, environment: Texts) -> Res<()> {
    let path = candidates.iter().nth(state.found).ok_or(fault(nr::EXECVE, errno::ENOENT))?;
    let fault = sys::execve(path.into(), table(arguments)?, table_with(environment, state.home.address())?);
    channel::report_failure_with(state, fault, 0, path.0);
    sys::exit(1)
}

/// Says that nothing but the filter and execve follows.
pub(super) fn announce(state: &State) -> Res<()> {
    channel::tell(state, Kind::Executing, 0)
}

/// The addresses of `texts` and a 0, as execve(2) wants them.
pub(super) fn table(texts: Texts) -> Res<&'static [usize]> {
    table_with(texts, None)
}

/// The same with one more text, by its address.
fn table_with(texts: Texts, more: Option<usize>) -> Res<&'static [usize]> {
    let words = sys::map_words(texts.len() + 2)?;
    let addresses = texts.iter().map(|text| text.as_ptr() as usize).chain(more);
    for (place, address) in words.iter_mut().zip(addresses) {
        *place = address;
    }
    Ok(words)
}

/// Why execve refused a hook, for its output.
pub(super) fn explain(errno: i32) -> &'static [u8] {
    match errno {
        errno::ENOENT => b"no such file or directory",
        errno::EACCES => b"permission denied",
        8 => b"exec format error",
        _ => b"cannot be executed",
    }
}

/// Changes to `path` beneath the root. As root first, for directories that only root may enter; if root may not, as on a
/// file system that squashes it, once more as the container's user.
pub(super) fn working_directory(state: &mut State, path: Text, again: bool) -> Res<()> {
    if again && !core::mem::take(&mut state.directory_pending) {
        return Ok(());
    }
    match enter(path) {
        Err(Fault { errno: errno::EACCES, .. }) if !again => {
            state.directory_pending = true;
            Ok(())
        }
        other => other,
    }
}

fn enter(path: Text) -> Res<()> {
    if !guards::on(Guard::WorkingDirectory) {
        return sys::chdir(path.into());
    }
    if path.0 == b"/" {
        return sys::chdir(path.into()); // where it leads to no image has a say in
    }
    let resolve = sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_MAGICLINKS;
    let root = sys::openat(sys::AT_FDCWD, CStr::new(b"/\0"), sys::O_PATH | sys::O_DIRECTORY, 0)?;
    let directory = sys::openat2(root.raw(), path.into(), sys::O_PATH | sys::O_DIRECTORY, 0, resolve)?;
    sys::fchdir(directory.raw())?;
    match sys::cwd_is_beneath_root()? {
        true => Ok(()),
        false => Err(fault(nr::GETCWD, errno::ENOENT)),
    }
}
