//! Which function carries out which step.

use super::{
    State, beside, channel, copy_up,
    hooks::{self, Hook},
    identity, listener, malformed, mounts, procfs, program,
    sys::{self, CStr, Forked, Res},
    terminal::{self, Terminal},
};
use crate::{
    guards::{self, Guard},
    message::{Kind, Phase},
    step::Step,
};

/// Carries out one step. The order of the arms is the order of a container's birth.
pub(super) fn carry_out(state: &mut State, step: &Step) -> Res<()> {
    beside::before(state, step);
    match *step {
        Step::Dumpable { on } => sys::set_dumpable(on || !guards::on(Guard::Dumpable)),
        Step::Procfs { slot } => {
            state.procfs = slot;
            Ok(())
        }
        Step::Join { fd, flags } => sys::setns(state.fd(fd), flags),
        Step::Unshare { flags } => sys::unshare(flags),
        Step::Ask { phase } => {
            channel::tell(state, Kind::Reached, i32::from(phase))?;
            channel::wait(state, phase)
        }
        Step::Await { phase } => channel::wait(state, phase),
        Step::EnterNetwork { comes } => enter_network(state, comes),
        Step::ParentDeath { kills } => sys::set_parent_death(kills),
        Step::BecomeRoot { clear_groups } => identity::become_root(clear_groups),
        Step::TimeOffsets { text } => procfs::write_self(state, crate::wire::Text(TIMENS_OFFSETS), text),
        Step::Fork { flags } => fork(state, flags),
        Step::ShareNetlink { socket } => {
            let netlink = sys::netlink()?;
            sys::send(state.fd(socket), b"netlink", Some(netlink.raw()))
        }
        Step::LoopbackUp {} => {
            // Without CAP_NET_ADMIN there is nothing to be done, and it was never promised.
            sys::loopback_up().unwrap_or_else(|fault| channel::warn(state, fault));
            Ok(())
        }
        Step::NewSession {} => {
            if !guards::on(Guard::Dumpable) {
                sys::set_dumpable(true)?; // the kernel has taken it back when the user namespace was entered
            }
            sys::setsid()
        }
        Step::Hook { index: _, path, arguments, environment, timeout, state: input, output, errors } => {
            let hook = Hook { path, arguments, environment, timeout, state: input, output, errors };
            hooks::run(state, &hook)
        }
        Step::Hostname { name } => sys::sethostname(name.0),
        Step::Domainname { name } => sys::setdomainname(name.0),
        Step::Sysctl { path, value } => procfs::write(state, path, value),
        Step::Label { path, value } => procfs::write_self(state, path, value),
        Step::CloseSlots { keep, count } => {
            state.close_all_but(keep, count);
            Ok(())
        }
        Step::FindProgram { candidates, name } => program::find(state, candidates, name),
        Step::Lock { file } => sys::lock(state.fd(file)),
        Step::WaitForStart { listener } => channel::wait_for_start(state, listener),
        Step::Announce {} => program::announce(state),
        Step::Execute { candidates, arguments, environment } => {
            program::execute(state, candidates, arguments, environment)
        }
        _ => carry_out_in_root(state, step),
    }
}

/// The steps of the container's tree of files.
fn carry_out_in_root(state: &mut State, step: &Step) -> Res<()> {
    match *step {
        Step::Propagation { flags } => sys::mount_propagation(CStr::new(b"/\0"), flags),
        Step::ParentPrivate { path } => mounts::parent_private(path),
        Step::Root { path, slot, mount } => mounts::root(state, path, slot, mount),
        Step::OpenRoot { slot } => {
            let flags = sys::O_PATH | sys::O_DIRECTORY;
            let root = sys::openat(sys::AT_FDCWD, CStr::new(b"/\0"), flags, 0)?;
            state.fill(slot, root);
            Ok(())
        }
        Step::NewFilesystem { slot, kind, source, options, attributes } => {
            mounts::new_filesystem(state, slot, kind, source, options, attributes)
        }
        Step::MountOnto { slot, kind, source, data, flags, target, root } => {
            let what = mounts::Classic { kind, source, data, flags };
            mounts::mount_onto(state, slot, &what, target, root)
        }
        Step::Clone { slot, path, from, recursive, no_follow } => {
            mounts::clone(state, slot, path, from, (recursive, no_follow), None)
        }
        Step::CloneWith { slot, path, from, recursive, no_follow, set, clear } => {
            let change = sys::MountAttr { set, clear, propagation: 0, user_namespace: 0 };
            mounts::clone(state, slot, path, from, (recursive, no_follow), Some(&change))
        }
        Step::Attributes { slot, recursive, set, clear, propagation, user_namespace } => {
            mounts::attributes(state, slot, recursive, set, clear, propagation, user_namespace)
        }
        Step::Attach { slot, target, strictness, root } => {
            mounts::attach(state, state.fd(slot), target, strictness, root)
        }
        Step::Bind {
            path,
            recursive,
            no_follow,
            set,
            clear,
            target,
            strictness,
            root,
            propagation,
            propagate_all,
        } => {
            let change = sys::MountAttr { set, clear, propagation: 0, user_namespace: 0 };
            let tree = mounts::clone_changed(path, recursive, no_follow, &change)?;
            mounts::attach(state, tree.raw(), target, strictness, root)?;
            if propagation != 0 {
                let change = sys::MountAttr { set: 0, clear: 0, propagation, user_namespace: 0 };
                sys::mount_setattr(tree.raw(), propagate_all, &change)?;
            }
            state.done_with.add(tree);
            Ok(())
        }
        Step::Release { slot } => {
            state.close(slot);
            Ok(())
        }
        Step::Remount { root, target, recursive, set, clear, propagation } => {
            let change = sys::MountAttr { set, clear, propagation, user_namespace: 0 };
            mounts::remount(state.fd(root), target, recursive, &change)
        }
        Step::Unmount { root, target } => mounts::unmount(state, root, target),
        Step::CopyUp { slot, target, root } => copy_up::copy_up(state.fd(root), target, state.fd(slot)),
        Step::InheritMode { slot, target, root } => {
            copy_up::inherit_mode(state.fd(root), target, state.fd(slot))
        }
        Step::Directory { root, target } => mounts::directory(state.fd(root), target),
        Step::Device { root, target, mode, device, uid, gid, bind } => {
            mounts::device(state, root, target, &mounts::Device { mode, device, uid, gid, bind })
        }
        Step::Symlink { root, points_to, target, replace } => {
            mounts::symlink(state, root, points_to, target, replace)
        }
        Step::Terminal { root, socket, height, width, console, uid } => {
            terminal::open(state, &Terminal { root, socket, height, width, console, uid })
        }
        Step::ReopenNull { root } => terminal::reopen_null(state.fd(root)),
        Step::Pivot { root, old, shared } => mounts::pivot(state, root, old, shared),
        Step::LeaveOldRoot { old, shared } => mounts::leave_old_root(state, old, shared),
        Step::MoveRoot { root } => mounts::move_root(state.fd(root)),
        Step::Chroot { root } => mounts::chroot(state.fd(root)),
        Step::ReadOnlyPath { root, target } => mounts::read_only_path(state.fd(root), target),
        Step::MaskedPath { root, target, directory, null } => {
            mounts::masked_path(state, root, target, directory, null)
        }
        _ => carry_out_on_process(state, step),
    }
}

/// The steps that make the process what the container's program will be.
fn carry_out_on_process(state: &mut State, step: &Step) -> Res<()> {
    match *step {
        Step::Keyring { name } => identity::keyring(state, name.into()),
        Step::Rlimit { resource, soft, hard } => identity::rlimit(resource, soft, hard),
        Step::OwnStdio { uid } => {
            terminal::own_stdio(uid);
            Ok(())
        }
        Step::NoNewPrivileges {} => sys::no_new_privileges(),
        Step::Seccomp { flags, program } => sys::seccomp(flags, program.0).map(drop),
        Step::Listen { flags, program, reads } => listener::install(state, flags, program.0, reads),
        Step::Bounding { keep } => identity::bounding(keep),
        Step::Identity { uid, gid, groups, set_groups } => identity::identity(uid, gid, groups, set_groups),
        Step::Capabilities { effective, permitted, inheritable, ambient } => {
            identity::capabilities(effective, permitted, inheritable, ambient)
        }
        Step::DropCapabilities { effective, permitted, inheritable } => {
            sys::capset(effective, permitted, inheritable)
        }
        Step::Umask { mask } => {
            state.no_umask = false;
            sys::umask(mask);
            Ok(())
        }
        Step::WorkingDirectory { path, again } => program::working_directory(state, path, again),
        Step::Home { uid } => {
            state.home.look_up(uid);
            Ok(())
        }
        Step::Scheduler { attributes } => sys::sched_setattr(attributes.0),
        Step::IoPriority { value } => sys::ioprio_set(value),
        Step::Personality { persona } => sys::personality(persona),
        Step::MemoryPolicy { mode, nodes } => sys::set_mempolicy(mode, nodes.0),
        Step::Affinity { mask } => sys::sched_setaffinity(mask.0),
        _ => Err(malformed()),
    }
}

/// The file of /proc/PID that takes a time namespace's offsets; a NUL follows it as texts have it.
const TIMENS_OFFSETS: &[u8] = {
    let bytes: &[u8] = b"timens_offsets\0";
    bytes.split_at(bytes.len() - 1).0
};

/// The child goes on; this process tells its id and ends. The child is the parent's own, as this process was.
fn fork(state: &State, flags: u32) -> Res<()> {
    match sys::fork(flags, true)? {
        Forked::Child => Ok(()),
        Forked::Parent(pid, _) => {
            channel::tell(state, Kind::Pid, pid)?;
            sys::exit(0)
        }
    }
}

fn enter_network(state: &mut State, comes: bool) -> Res<()> {
    const NETWORK: u32 = 0x4000_0000; // CLONE_NEWNET
    if !comes {
        return sys::unshare(NETWORK);
    }
    channel::wait(state, Phase::Network as u8)?;
    match state.received.take() {
        Some(network) => sys::setns(network.raw(), NETWORK),
        None => sys::unshare(NETWORK),
    }
}
