//! The container's tree of files: `root`, `mounts`, `linux.devices`, `linux.maskedPaths`, `linux.readonlyPaths` and
//! `linux.rootfsPropagation`. Everything is planned as steps beneath the root's descriptor; nothing is done here.

mod cgroup_mount;
mod devices;
mod entry;
mod hidden;
pub(crate) mod idmap;
mod label;
mod live;
mod long_options;
mod mounts;
pub(crate) mod options;

pub(crate) use live::Change;

use crate::{
    Error, ErrorKind, Result,
    cgroup::View,
    namespace::flag,
    plan::{Place, Program, path_text},
    spec::Spec,
};
use corten_init::{
    step::{NO_SLOT, Slot, Step},
    wire::Text,
};
use std::path::{Path, PathBuf};

/// MS_* of mount(2) as 64 bits.
mod ms {
    pub(super) const REC: u64 = libc::MS_REC;
    pub(super) const SHARED: u64 = libc::MS_SHARED;
    pub(super) const SLAVE: u64 = libc::MS_SLAVE;
    pub(super) const PRIVATE: u64 = libc::MS_PRIVATE;
    pub(super) const UNBINDABLE: u64 = libc::MS_UNBINDABLE;
}

/// How the root is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RootChange {
    /// pivot_root(2).
    #[default]
    Pivot,
    /// MS_MOVE and chroot(2), `--no-pivot`: for a host whose root is an initramfs.
    Move,
}

/// What the planning of the tree needs to know.
pub(crate) struct Rootfs<'a> {
    spec: &'a Spec,
    bundle: &'a Path,
    path: &'a Path,
    /// CLONE_NEW* flags of all that is the container's own.
    own: u32,
    /// The runtime has the host's privilege and the container a user namespace: what is the host's must be taken before it
    /// is entered.
    take_early: bool,
    change: RootChange,
    slots: Slots,
    /// User namespaces for id-mapped mounts.
    id_mapped: &'a [idmap::Ready],
    early: early::Early,
    /// The option that labels new file systems.
    label: Option<String>,
    /// Mounts that become read-only when all is in place: their slot and place.
    read_only_at_last: Vec<(Place, Slot)>,
    /// Who makes the network namespace, until it is entered.
    network: NetworkComes,
    cgroup: CgroupComes,
    /// Mounts of cgroups that are still empty: the place, the tmpfs, the attributes of what it will hold.
    unfilled: Vec<(Place, Slot, u64)>,
    /// The devices are in the plan.
    has_devices: bool,
    /// So are the masked and read-only files of /proc that are common to all.
    has_common_hidden: bool,
}

/// When the container's cgroup is there for the init program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CgroupComes {
    /// Before anything is mounted.
    BeforeMounts,
    /// It has to be awaited before it is mounted.
    BeforeMount,
    /// It is to be awaited as late as can be.
    AfterPivot,
}

/// How the process comes into its new network namespace, which takes the kernel as long as all mounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NetworkComes {
    /// It is born in it, or there is no new one.
    #[default]
    WithClone,
    /// The parent makes it beside the mounts: it has nothing better to do.
    FromParent,
    /// The process makes it, for the parent is busy with the cgroups of v1.
    Itself,
}

/// The slots that more than one step uses.
struct Slots {
    root: Slot,
    null: Slot,
    empty: Slot,
}

mod early {
    use super::{Place, Slot};
    use std::collections::HashMap;

    /// Clones of host mounts that were taken before the user namespace was entered, by what they are for.
    #[derive(Default)]
    pub(super) struct Early(pub(super) HashMap<(&'static str, usize), Slot>);

    impl Early {
        pub(super) fn find(&self, place: Place) -> Option<Slot> {
            match place {
                Place::Item(list, index) => self.0.get(&(list, index)).copied(),
                Place::Property(_) => None,
            }
        }
    }
}

impl<'a> Rootfs<'a> {
    /// The tree of `spec` at `path`; relative paths of its mounts are relative to `bundle`.
    pub(crate) fn new(
        spec: &'a Spec,
        (bundle, path): (&'a Path, &'a Path),
        own: u32,
        privileged: bool,
        (change, id_mapped): (RootChange, &'a [idmap::Ready]),
        program: &mut Program,
    ) -> Result<Self> {
        if own & flag::MOUNT == 0 {
            check_without_namespace(spec)?;
        }
        let slots = Slots { root: program.slot()?, null: NO_SLOT, empty: NO_SLOT };
        let take_early = privileged && own & flag::USER != 0;
        let early = early::Early::default();
        let read_only_at_last = Vec::new();
        Ok(Self {
            spec,
            bundle,
            path,
            own,
            take_early,
            change,
            slots,
            id_mapped,
            early,
            label: label::option(spec),
            read_only_at_last,
            network: NetworkComes::WithClone,
            cgroup: CgroupComes::BeforeMounts,
            unfilled: Vec::new(),
            has_devices: false,
            has_common_hidden: false,
        })
    }

    /// The slot of the root's descriptor.
    pub(crate) fn root(&self) -> Slot {
        self.slots.root
    }

    fn has_mount_namespace(&self) -> bool {
        self.own & flag::MOUNT != 0
    }

    fn in_user_namespace(&self) -> bool {
        self.own & flag::USER != 0
    }

    /// Plans what must be done before a user namespace is entered.
    pub(crate) fn plan_early(&mut self, program: &mut Program) -> Result<()> {
        if self.take_early && self.has_mount_namespace() {
            mounts::plan_early(self, program)?;
            devices::plan_early(self, program)?;
            hidden::plan_null(self, program)?;
        }
        Ok(())
    }

    /// Plans the root and all that is mounted beneath it, up to the point where hooks see the tree before the pivot. Where the
    /// container's cgroup comes late, it is awaited when it is mounted, or may be awaited later: true if that is planned.
    pub(crate) fn plan_tree(
        &mut self,
        program: &mut Program,
        view: &View,
        cgroup: CgroupComes,
        network: NetworkComes,
    ) -> Result<bool> {
        self.network = network;
        self.cgroup = cgroup;
        if cgroup == CgroupComes::AfterPivot
            && !(self.change == RootChange::Pivot && cgroup_mount::may_come_last(self))
        {
            self.cgroup = CgroupComes::BeforeMount;
        }
        let cgroup = self.cgroup;
        let path = self.path;
        let place = Place::Property("root.path");
        let root = self.slots.root;
        if !self.has_mount_namespace() {
            program.step(place, &Step::Root { path: path_text(path), slot: root, mount: false });
            return Ok(false);
        }
        let propagation = self.propagation()?;
        let flags = match propagation.unwrap_or(ms::SLAVE) & !ms::REC {
            // Only what is to be shared stays in touch with the host as it was.
            ms::SHARED => propagation.unwrap_or(ms::SHARED),
            // An unbindable tree could not be cloned: it becomes so at the end.
            ms::UNBINDABLE => ms::PRIVATE | ms::REC,
            // All of the tree, or what is mounted in the rootfs would come to the host.
            kind => kind | ms::REC,
        };
        program.step(Place::Property("linux.rootfsPropagation"), &Step::Propagation { flags });
        if flags & ms::SHARED != 0 {
            program.step(place, &Step::ParentPrivate { path: path_text(path) });
        }
        program.step(place, &Step::Root { path: path_text(path), slot: root, mount: true });
        hidden::plan_null(self, program)?;
        mounts::plan(self, program, view)?;
        devices::plan(self, program)?;
        Ok(cgroup != self.cgroup)
    }

    /// Whether the process is still to come into its network namespace.
    fn awaits_network(&self) -> bool {
        self.network != NetworkComes::WithClone
    }

    /// Plans to enter the network namespace, if the process is not born in it and that is not planned yet.
    pub(crate) fn plan_network(&mut self, program: &mut Program) {
        let place = Place::Property("linux.namespaces");
        let comes = match std::mem::take(&mut self.network) {
            NetworkComes::WithClone => return,
            NetworkComes::FromParent => true,
            NetworkComes::Itself => false,
        };
        program.step(place, &Step::EnterNetwork { comes });
        program.step(place, &Step::LoopbackUp {});
    }

    /// Plans the change to the new root. Where the cgroup comes after that, the slot of the old one, which is then to be left.
    pub(crate) fn plan_change(&self, program: &mut Program) -> Result<Option<Slot>> {
        let root = self.slots.root;
        let old = if self.unfilled.is_empty() { NO_SLOT } else { program.slot()? };
        let step = match (self.has_mount_namespace(), self.change) {
            (false, _) => Step::Chroot { root },
            (true, RootChange::Move) => Step::MoveRoot { root },
            (true, RootChange::Pivot) => Step::Pivot { root, old, shared: self.is_shared()? },
        };
        program.step(Place::Property("root.path"), &step);
        Ok(Some(old).filter(|old| *old != NO_SLOT))
    }

    /// Plans to await the cgroup that comes after the pivot, to mount it, and to leave the `old` root.
    pub(crate) fn plan_late_cgroup(&mut self, program: &mut Program, view: &View, old: Slot) -> Result<()> {
        cgroup_mount::plan_unfilled(self, old, program, view)?;
        let step = Step::LeaveOldRoot { old, shared: self.is_shared()? };
        program.step(Place::Property("root.path"), &step);
        Ok(())
    }

    /// Plans what comes when all is in place: what is read-only, hidden, or propagated.
    pub(crate) fn plan_last(&mut self, program: &mut Program) -> Result<()> {
        self.plan_read_only(program);
        if !self.has_mount_namespace() {
            return Ok(());
        }
        hidden::plan(self, program)?;
        if let Some(flags) = self.propagation()? {
            let place = Place::Property("linux.rootfsPropagation");
            program.step(place, &attributes(self.slots.root, false, 0, 0, flags & !ms::REC));
        }
        if self.spec.root.as_ref().is_some_and(|root| root.readonly) {
            let step = attributes(self.slots.root, false, libc::MOUNT_ATTR_RDONLY, 0, 0);
            program.step(Place::Property("root.readonly"), &step);
        }
        Ok(())
    }

    fn plan_read_only(&mut self, program: &mut Program) {
        for (place, slot) in std::mem::take(&mut self.read_only_at_last) {
            program.step(place, &attributes(slot, false, libc::MOUNT_ATTR_RDONLY, 0, 0));
        }
    }

    /// Whether the tree stays in touch with the host's both ways until the root is changed; else no mount of it does.
    fn is_shared(&self) -> Result<bool> {
        Ok(self.propagation()?.is_some_and(|flags| flags & ms::SHARED != 0))
    }

    /// linux.rootfsPropagation as MS_* flags.
    fn propagation(&self) -> Result<Option<u64>> {
        let asked = self.spec.linux.as_ref().and_then(|linux| linux.rootfs_propagation.as_deref());
        Ok(match asked {
            None | Some("") => None,
            Some(name) => match options::propagation(name) {
                Some(found) => Some(found.kind | if found.recursive { ms::REC } else { 0 }),
                None => {
                    let message = format!("linux.rootfsPropagation: unknown value {name:?}");
                    return Err(Error::new(ErrorKind::InvalidConfig, message));
                }
            },
        })
    }
}

/// Without a mount namespace of its own whatever a container mounts, hides or makes read-only would be the host's.
fn check_without_namespace(spec: &Spec) -> Result<()> {
    let linux = spec.linux.as_ref();
    let wanted = [
        ("mounts", !spec.mounts.is_empty()),
        ("linux.maskedPaths", linux.is_some_and(|linux| !linux.masked_paths.is_empty())),
        ("linux.readonlyPaths", linux.is_some_and(|linux| !linux.readonly_paths.is_empty())),
        ("linux.devices", linux.is_some_and(|linux| !linux.devices.is_empty())),
        ("root.readonly", spec.root.as_ref().is_some_and(|root| root.readonly)),
        ("linux.rootfsPropagation", linux.is_some_and(|linux| linux.rootfs_propagation.is_some())),
    ];
    match wanted.iter().find(|(_, wanted)| *wanted) {
        None => Ok(()),
        Some((place, _)) => {
            let message = format!("{place}: needs a mount namespace in linux.namespaces");
            Err(Error::new(ErrorKind::InvalidConfig, message))
        }
    }
}

/// A bind mount that a configuration asks for.
#[cfg(feature = "checkpoint")]
pub(crate) struct Bind {
    /// Where it is mounted, absolute.
    pub(crate) destination: PathBuf,
    /// What is bound, on the host: without symlinks in it, unless that is what is to be bound.
    pub(crate) source: PathBuf,
}

/// The bind mounts of `spec`; relative sources are relative to `bundle`.
#[cfg(feature = "checkpoint")]
pub(crate) fn binds(spec: &Spec, bundle: &Path) -> Result<Vec<Bind>> {
    let is_bind = |entry: &entry::Entry<'_>| entry.options.bind.is_some() && !entry.options.remount;
    let binds = entry::all(spec).filter(|entry| entry.as_ref().map_or(true, is_bind));
    let bind = |entry: Result<entry::Entry<'_>>| {
        let entry = entry?;
        let named = entry.source(bundle)?.into_owned();
        let real = if entry.options.src_nofollow { None } else { crate::fs::path::real(&named).ok() };
        Ok(Bind { source: real.unwrap_or(named), destination: entry.target.into_owned() })
    };
    binds.map(bind).collect()
}

/// The paths of all devices of `spec`, the default ones included.
#[cfg(feature = "checkpoint")]
pub(crate) fn device_paths(spec: &Spec) -> impl Iterator<Item = &Path> {
    devices::paths(spec)
}

/// linux.maskedPaths.
pub(crate) fn masked_paths(spec: &Spec) -> &[PathBuf] {
    spec.linux.as_ref().map_or(&[], |linux| &linux.masked_paths)
}

/// The rootfs on the host: root.path, absolute or relative to the bundle, without symlinks in it.
pub(crate) fn path(spec: &Spec, bundle: &Path) -> Result<PathBuf> {
    let missing = || Error::new(ErrorKind::InvalidConfig, "root.path: must be set");
    let path = bundle.join(&spec.root.as_ref().ok_or_else(missing)?.path);
    let real = crate::fs::path::real(&path).map_err(|error| {
        let message = format!("root.path ({}): find it", path.display());
        Error::new(ErrorKind::InvalidConfig, message).with_source(error)
    })?;
    if !real.is_dir() {
        let message = format!("root.path ({}): must be a directory", real.display());
        return Err(Error::new(ErrorKind::InvalidConfig, message));
    }
    Ok(real)
}

/// A clone of the host's tree at a path (beneath a slot) in a slot, whether recursive and not following a symlink at the end,
/// with attributes to set and to clear.
fn clone<'a>(
    (slot, path, from): (Slot, Text<'a>, Slot),
    (recursive, no_follow): (bool, bool),
    (set, clear): (u64, u64),
) -> Step<'a> {
    match set | clear {
        0 => Step::Clone { slot, path, from, recursive, no_follow },
        _ => Step::CloneWith { slot, path, from, recursive, no_follow, set, clear },
    }
}

/// A change of attributes without a mapping of ids.
fn attributes(slot: Slot, recursive: bool, set: u64, clear: u64, propagation: u64) -> Step<'static> {
    Step::Attributes { slot, recursive, set, clear, propagation, user_namespace: NO_SLOT }
}
