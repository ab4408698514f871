//! Entries that lie beside each other: the directory that holds one is kept open for the next, and what is made or mounted
//! there is named beneath its descriptor. One name that is not followed cannot lead out, so that nothing has to be opened.
//!
//! Only a directory that was reached without a symlink is kept. What is then put into it does not change what its path
//! leads to, and it is let go of before any step that may: a mount elsewhere, a hook, the pivot.

use super::{
    State,
    paths::Strictness,
    sys::{self, CStr, Fault, Fd, errno},
};
use crate::{
    guards::{self, Guard},
    step::{NO_SLOT, Slot, Step},
    wire::Text,
};

/// The longest path of a directory that is kept, its NUL included.
const LONGEST: usize = 256;

/// The directory of the entry before.
pub(super) struct Kept {
    /// Beneath which root; [`NO_SLOT`] where none is kept.
    root: Slot,
    /// Its path, and a NUL.
    path: [u8; LONGEST],
    length: usize,
    /// Its descriptor; none where it is the root itself.
    directory: Option<Fd>,
    /// The last mount point in it was missing: so will the next be, as in a new tmpfs.
    lacks: bool,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self { root: NO_SLOT, path: [0; LONGEST], length: 0, directory: None, lacks: false }
    }

    fn is(&self, root: Slot, path: &[u8]) -> bool {
        self.root == root && &self.path[..self.length] == path
    }

    fn forget(&mut self) {
        self.root = NO_SLOT;
        self.directory = None;
    }
}

/// Lets go of the directory where `step` may change what its path leads to.
pub(super) fn before(state: &mut State, step: &Step) {
    let harmless = matches!(
        step,
        Step::NewFilesystem { .. }
            | Step::Clone { .. }
            | Step::CloneWith { .. }
            | Step::Attributes { .. }
            | Step::InheritMode { .. }
            | Step::CopyUp { .. }
            | Step::Release { .. }
            | Step::Device { .. }
            | Step::Symlink { .. }
            | Step::Await { .. }
            | Step::EnterNetwork { .. }
            | Step::Attach { .. } // these tell themselves
            | Step::Bind { .. }
    );
    if !harmless {
        state.kept.forget();
    }
    if !matches!(step, Step::Bind { .. }) {
        state.done_with.close();
    }
}

/// Descriptors that nothing needs any more. Those whose numbers follow each other are closed together, by a call for many.
pub(super) struct DoneWith {
    descriptors: [i32; Self::MOST],
    count: usize,
}

impl DoneWith {
    /// Few, for the process may have a low limit.
    const MOST: usize = 16;

    pub(super) fn new() -> Self {
        Self { descriptors: [0; Self::MOST], count: 0 }
    }

    /// `fd` is to be closed, before any step of another kind.
    pub(super) fn add(&mut self, fd: Fd) {
        self.descriptors[self.count] = fd.leak();
        self.count += 1;
        if self.count == Self::MOST {
            self.close();
        }
    }

    fn close(&mut self) {
        let mut rest = &self.descriptors[..core::mem::take(&mut self.count)];
        while let [first, ..] = *rest {
            let in_a_row = (first..).zip(rest).take_while(|(number, fd)| number == *fd).count();
            sys::close_range(first, rest[in_a_row - 1]);
            rest = &rest[in_a_row..];
        }
    }
}

/// The path of the directory that holds `target`, and the name there. Nothing for a name that is none, and for a path that
/// goes up: what is mounted on its way could change it.
fn split(target: Text<'_>) -> Option<(&[u8], CStr<'_>)> {
    let whole = target.0;
    let start = whole.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (path, name) = (&whole[..start], &whole[start..]);
    if matches!(name, b"" | b"." | b"..") || path.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return None;
    }
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    // A NUL follows the target, and so the name.
    Some((&path[..end], Text(name).into()))
}

/// The descriptor of the directory that holds `target`, and the name there. Nothing where a symlink is on the way or the
/// directory is missing: then the whole path must be walked.
pub(super) fn directory<'t>(state: &mut State, root: Slot, target: Text<'t>) -> Option<(i32, CStr<'t>)> {
    if !guards::on(Guard::InRoot) || !guards::on(Guard::OneResolution) {
        return None;
    }
    let (path, name) = split(target)?;
    let base = state.fd(root);
    if !state.kept.is(root, path) {
        state.kept.forget();
        state.kept.path.get_mut(..=path.len())?[path.len()] = 0;
        state.kept.path[..path.len()].copy_from_slice(path);
        state.kept.length = path.len();
        if !path.is_empty() {
            let text = CStr::new(&state.kept.path[..=path.len()]);
            let resolve = sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_SYMLINKS;
            let flags = sys::O_PATH | sys::O_DIRECTORY;
            state.kept.directory = Some(sys::openat2(base, text, flags, 0, resolve).ok()?);
        }
        state.kept.root = root;
        state.kept.lacks = false;
    }
    Some((state.kept.directory.as_ref().map_or(base, Fd::raw), name))
}

/// Attaches `mount` at `target` by its name in its directory, made if it is missing: false where that cannot be, and nothing
/// is attached. A symlink of that name is not followed, and covered only where that is asked for.
pub(super) fn attach(
    state: &mut State,
    mount: i32,
    target: Text,
    strictness: Strictness,
    root: Slot,
) -> bool {
    let is_directory =
        || strictness == Strictness::Directory || sys::stat_fd(mount).is_ok_and(|stat| stat.is(sys::S_IFDIR));
    // A file would be mounted on the symlink. The kernel sees to that, but not before a directory is opened.
    let at_hand = split(target).is_some_and(|(path, _)| path.is_empty() || state.kept.is(root, path));
    if strictness == Strictness::Follow && !at_hand && !is_directory() {
        return false;
    }
    let Some((directory, name)) = directory(state, root, target) else { return false };
    let onto = || match strictness {
        Strictness::NoFollowLast => sys::move_mount_to(mount, directory, name),
        Strictness::Follow | Strictness::Directory => sys::move_directory_to(mount, directory, name),
    };
    let make = || is_directory() && sys::mkdirat(directory, name, 0o755).is_ok();
    let made = state.kept.lacks && make();
    let mut done = onto();
    state.kept.lacks = made;
    if !made && matches!(done, Err(Fault { errno: errno::ENOENT, .. })) && make() {
        state.kept.lacks = true;
        done = onto();
    }
    done.is_ok()
}

/// Lets go of the directory: a directory was attached at a path that had to be walked.
pub(super) fn forget(state: &mut State) {
    state.kept.forget();
}
