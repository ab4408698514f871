//! `mounts[].options` in the words of the mount API: what goes to fsconfig(2), what to mount_setattr(2), and what is
//! the runtime's own business. One table holds every option there is; `features` prints its names.
//!
//! Options are taken in their order and a later one overrules an earlier one, as in mount(8) and runc. What the table
//! does not know is data for the filesystem, or an error on a bind mount, which has no filesystem to ask.

use libc::{
    MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY, MOUNT_ATTR_RELATIME,
    MOUNT_ATTR_STRICTATIME, MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE,
};

/// What a mount's options ask for (config.md, "Linux mount options").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountOptions {
    /// `MOUNT_ATTR_*` to set on the mount itself, the access time mode (`MOUNT_ATTR_NOATIME`, `_STRICTATIME`, or nothing
    /// for relatime) included: fsmount(2)'s attributes, or mount_setattr(2)'s `attr_set` without `AT_RECURSIVE`.
    pub(crate) set: u64,
    /// `MOUNT_ATTR_*` that were cleared by name, for mount_setattr(2)'s `attr_clr`. Holds all of `MOUNT_ATTR__ATIME`
    /// whenever the options chose an access time mode, as the kernel wants it.
    pub(crate) clear: u64,
    /// As `set`, for the whole subtree: mount_setattr(2) with `AT_RECURSIVE`.
    pub(crate) recursive_set: u64,
    /// As `clear`, for the whole subtree.
    pub(crate) recursive_clear: u64,
    /// Flags of a new filesystem, by the names that fsconfig(2) has for `FSCONFIG_SET_FLAG`: `ro`, `sync`, `dirsync`,
    /// `mand`, `lazytime`. Always empty for a bind mount: its filesystem is someone else's. `ro` is in `set` too: a
    /// tmpfs that things are mounted upon, or filled by `tmpcopyup`, must get its `ro` late and from there.
    pub(crate) superblock_flags: Vec<&'static str>,
    /// Changes of propagation, in order, each one call of its own.
    pub(crate) propagation: Vec<Propagation>,
    /// Set when this is a bind mount.
    pub(crate) bind: Option<Bind>,
    /// What the filesystem is told, in order: a key for `FSCONFIG_SET_FLAG`, or a key and its value for
    /// `FSCONFIG_SET_STRING`. Always empty for a bind mount.
    pub(crate) data: Vec<(String, Option<String>)>,
    /// Change the mount that is at the destination already, and mount nothing.
    pub(crate) remount: bool,
    /// Fill the tmpfs with what it covers.
    pub(crate) tmpcopyup: bool,
    /// Map the ids of the mount's files.
    pub(crate) idmap: Option<Idmap>,
    /// When the source is a symbolic link, make the same link at the destination instead of a mount.
    pub(crate) copy_symlink: bool,
    /// When the source is a symbolic link, bind the link itself.
    pub(crate) src_nofollow: bool,
    /// When the destination is a symbolic link, mount on the link itself.
    pub(crate) dest_nofollow: bool,
}

/// One change of propagation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Propagation {
    /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED` or `MS_UNBINDABLE`, the value of mount_setattr(2)'s `propagation`.
    pub(crate) kind: u64,
    /// For the whole subtree.
    pub(crate) recursive: bool,
}

/// A bind mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    /// With everything that is mounted beneath the source (`rbind`).
    pub(crate) recursive: bool,
}

/// An id-mapped mount. Without ranges of its own it takes the mount's `uidMappings` and `gidMappings`, or else the
/// container's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Idmap {
    /// For the whole subtree (`ridmap`).
    pub(crate) recursive: bool,
    /// Ranges of user ids in the option itself (`idmap=uids=0-1000-10`, as crun has it), usually none.
    pub(crate) uids: Vec<IdRange>,
    /// Ranges of group ids in the option itself.
    pub(crate) gids: Vec<IdRange>,
}

/// A range of ids in `idmap=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdRange {
    /// The first id as the filesystem has it.
    pub(crate) inside: u32,
    /// The first id that it becomes.
    pub(crate) outside: u32,
    /// How many.
    pub(crate) size: u32,
    /// `outside` is an id of the container's user namespace and not of the host's (`@0-0-10`).
    pub(crate) relative: bool,
}

/// What one known option does.
#[derive(Clone, Copy)]
enum Effect {
    /// Nothing: a default, or a flag that the mount API has no word for.
    Nothing,
    /// Attributes of the mount set or cleared.
    Attr(u64, Is, Reach),
    /// An access time mode chosen or given up.
    Atime(u64, Is, Reach),
    /// `ro` and `rw`: of the mount and of a new filesystem.
    ReadOnly(Is),
    /// A flag of a new filesystem.
    Superblock(&'static str, Is),
    Propagation(u64, Reach),
    Bind(Reach),
    Idmap(Reach),
    Remount,
    TmpCopyUp(Is),
    CopySymlink,
    SrcNoFollow,
    DestNoFollow,
}

#[derive(Clone, Copy, PartialEq)]
enum Is {
    On,
    Off,
}

#[derive(Clone, Copy, PartialEq)]
enum Reach {
    Mount,
    Tree,
}

use Effect::{
    Atime, Attr, Bind as BindMount, CopySymlink, DestNoFollow, Idmap as MapIds, Nothing,
    Propagation as Propagate, ReadOnly, Remount, SrcNoFollow, Superblock, TmpCopyUp,
};
use Is::{Off, On};
use Reach::{Mount, Tree};

/// Every known option, sorted by name. `iversion`, `silent` and their opposites are mount(2)'s: fsconfig(2) does not
/// have them (kernels count versions without being asked since 6.1). The recursive forms of a filesystem's own flags
/// (`rsync` ...) are crun's and mean the plain ones: a flag of a filesystem has no subtree.
const TABLE: &[(&str, Effect)] = &[
    ("async", Superblock("sync", Off)),
    ("atime", Atime(MOUNT_ATTR_NOATIME, Off, Mount)),
    ("bind", BindMount(Mount)),
    ("copy-symlink", CopySymlink),
    ("defaults", Nothing),
    ("dest-nofollow", DestNoFollow),
    ("dev", Attr(MOUNT_ATTR_NODEV, Off, Mount)),
    ("diratime", Attr(MOUNT_ATTR_NODIRATIME, Off, Mount)),
    ("dirsync", Superblock("dirsync", On)),
    ("exec", Attr(MOUNT_ATTR_NOEXEC, Off, Mount)),
    ("idmap", MapIds(Mount)),
    ("iversion", Nothing),
    ("lazytime", Superblock("lazytime", On)),
    ("loud", Nothing),
    ("mand", Superblock("mand", On)),
    ("noatime", Atime(MOUNT_ATTR_NOATIME, On, Mount)),
    ("nodev", Attr(MOUNT_ATTR_NODEV, On, Mount)),
    ("nodiratime", Attr(MOUNT_ATTR_NODIRATIME, On, Mount)),
    ("noexec", Attr(MOUNT_ATTR_NOEXEC, On, Mount)),
    ("noiversion", Nothing),
    ("nolazytime", Superblock("lazytime", Off)),
    ("nomand", Superblock("mand", Off)),
    ("norelatime", Atime(MOUNT_ATTR_RELATIME, Off, Mount)),
    ("nostrictatime", Atime(MOUNT_ATTR_STRICTATIME, Off, Mount)),
    ("nosuid", Attr(MOUNT_ATTR_NOSUID, On, Mount)),
    ("nosymfollow", Attr(MOUNT_ATTR_NOSYMFOLLOW, On, Mount)),
    ("notmpcopyup", TmpCopyUp(Off)),
    ("private", Propagate(MS_PRIVATE, Mount)),
    ("rasync", Superblock("sync", Off)),
    ("ratime", Atime(MOUNT_ATTR_NOATIME, Off, Tree)),
    ("rbind", BindMount(Tree)),
    ("rdev", Attr(MOUNT_ATTR_NODEV, Off, Tree)),
    ("rdiratime", Attr(MOUNT_ATTR_NODIRATIME, Off, Tree)),
    ("rdirsync", Superblock("dirsync", On)),
    ("relatime", Atime(MOUNT_ATTR_RELATIME, On, Mount)),
    ("remount", Remount),
    ("rexec", Attr(MOUNT_ATTR_NOEXEC, Off, Tree)),
    ("ridmap", MapIds(Tree)),
    ("rmand", Superblock("mand", On)),
    ("rnoatime", Atime(MOUNT_ATTR_NOATIME, On, Tree)),
    ("rnodev", Attr(MOUNT_ATTR_NODEV, On, Tree)),
    ("rnodiratime", Attr(MOUNT_ATTR_NODIRATIME, On, Tree)),
    ("rnoexec", Attr(MOUNT_ATTR_NOEXEC, On, Tree)),
    ("rnomand", Superblock("mand", Off)),
    ("rnorelatime", Atime(MOUNT_ATTR_RELATIME, Off, Tree)),
    ("rnostrictatime", Atime(MOUNT_ATTR_STRICTATIME, Off, Tree)),
    ("rnosuid", Attr(MOUNT_ATTR_NOSUID, On, Tree)),
    ("rnosymfollow", Attr(MOUNT_ATTR_NOSYMFOLLOW, On, Tree)),
    ("ro", ReadOnly(On)),
    ("rprivate", Propagate(MS_PRIVATE, Tree)),
    ("rrelatime", Atime(MOUNT_ATTR_RELATIME, On, Tree)),
    ("rro", Attr(MOUNT_ATTR_RDONLY, On, Tree)),
    ("rrw", Attr(MOUNT_ATTR_RDONLY, Off, Tree)),
    ("rshared", Propagate(MS_SHARED, Tree)),
    ("rslave", Propagate(MS_SLAVE, Tree)),
    ("rstrictatime", Atime(MOUNT_ATTR_STRICTATIME, On, Tree)),
    ("rsuid", Attr(MOUNT_ATTR_NOSUID, Off, Tree)),
    ("rsymfollow", Attr(MOUNT_ATTR_NOSYMFOLLOW, Off, Tree)),
    ("rsync", Superblock("sync", On)),
    ("runbindable", Propagate(MS_UNBINDABLE, Tree)),
    ("rw", ReadOnly(Off)),
    ("shared", Propagate(MS_SHARED, Mount)),
    ("silent", Nothing),
    ("slave", Propagate(MS_SLAVE, Mount)),
    ("src-nofollow", SrcNoFollow),
    ("strictatime", Atime(MOUNT_ATTR_STRICTATIME, On, Mount)),
    ("suid", Attr(MOUNT_ATTR_NOSUID, Off, Mount)),
    ("symfollow", Attr(MOUNT_ATTR_NOSYMFOLLOW, Off, Mount)),
    ("sync", Superblock("sync", On)),
    ("tmpcopyup", TmpCopyUp(On)),
    ("unbindable", Propagate(MS_UNBINDABLE, Mount)),
];

/// The names of all known options, sorted, for `features`' `mountOptions`.
pub(crate) const NAMES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = TABLE[at].0;
        at += 1;
    }
    names
};

/// Words that engines and users leave among the options of a bind mount, though they are for the engine (SELinux
/// relabelling, ownership, consistency, copying), for mount(8), or for the filesystem below: mount(2) never looked at
/// them, so they do nothing here either.
const LEFT_BY_ENGINES: &[&str] = &[
    "O",
    "U",
    "Z",
    "_netdev",
    "acl",
    "auto",
    "cached",
    "consistent",
    "copy",
    "delegated",
    "noacl",
    "noauto",
    "nocopy",
    "nofail",
    "nouser",
    "user",
    "z",
];

/// Turns the options of a mount of type `fstype` into what the mount API wants.
///
/// # Errors
/// The index of the option at fault, and what is wrong with it.
pub(crate) fn parse(options: &[String], fstype: &str) -> Result<MountOptions, (usize, String)> {
    let mut parsed = MountOptions::default();
    if matches!(fstype, "bind" | "rbind") {
        parsed.bind = Some(Bind { recursive: fstype == "rbind" });
    }
    let mut unknown = Vec::new();
    let mut bind_only = None;
    let mut of_filesystem = false;
    for (index, option) in options.iter().enumerate() {
        if let Some(effect) = effect_of(option) {
            parsed.apply(effect);
            of_filesystem |= matches!(effect, ReadOnly(_) | Superblock(..));
            if matches!(effect, MapIds(_) | CopySymlink | SrcNoFollow | DestNoFollow) {
                bind_only = Some(index);
            }
        } else if option.contains('\0') {
            return Err((index, "must not hold a NUL byte".to_owned()));
        } else if let Some((reach, ranges)) = idmap_with_ranges(option) {
            let (uids, gids) = parse_ranges(ranges).map_err(|fault| (index, fault))?;
            parsed.idmap = Some(Idmap { recursive: reach == Tree, uids, gids });
            bind_only = Some(index);
        } else if !option.is_empty() {
            unknown.push(index);
        }
    }
    if parsed.bind.is_some() {
        let foreign = unknown.into_iter().find(|&index| !is_left_by_engine(&options[index]));
        if let Some(index) = foreign {
            return Err((index, format!("unknown option {:?} of a bind mount", options[index])));
        }
    } else {
        if let Some(index) = bind_only {
            return Err((index, format!("{:?} needs a bind mount", options[index])));
        }
        for index in unknown {
            split_data(&options[index], &mut parsed.data);
        }
        if of_filesystem {
            options
                .iter()
                .filter_map(|option| effect_of(option))
                .for_each(|effect| parsed.apply_to_filesystem(effect));
        }
    }
    parsed.check(options, fstype)?;
    Ok(parsed)
}

impl MountOptions {
    fn apply(&mut self, effect: Effect) {
        match effect {
            Nothing | Superblock(..) => {}
            Attr(attr, is, reach) => self.change(attr, is, reach),
            Atime(mode, is, reach) => self.change_atime(mode, is, reach),
            ReadOnly(is) => self.change(MOUNT_ATTR_RDONLY, is, Mount),
            Propagate(kind, reach) => self.propagation.push(Propagation { kind, recursive: reach == Tree }),
            BindMount(reach) => {
                let recursive = reach == Tree || self.bind.is_some_and(|bind| bind.recursive);
                self.bind = Some(Bind { recursive });
            }
            MapIds(reach) => self.idmap = Some(Idmap { recursive: reach == Tree, ..Idmap::default() }),
            Remount => self.remount = true,
            TmpCopyUp(is) => self.tmpcopyup = is == On,
            CopySymlink => self.copy_symlink = true,
            SrcNoFollow => self.src_nofollow = true,
            DestNoFollow => self.dest_nofollow = true,
        }
    }

    fn sets(&mut self, reach: Reach) -> (&mut u64, &mut u64) {
        match reach {
            Mount => (&mut self.set, &mut self.clear),
            Tree => (&mut self.recursive_set, &mut self.recursive_clear),
        }
    }

    fn change(&mut self, attr: u64, is: Is, reach: Reach) {
        let (set, clear) = self.sets(reach);
        match is {
            On => {
                *set |= attr;
                *clear &= !attr;
            }
            Off => {
                *set &= !attr;
                *clear |= attr;
            }
        }
    }

    /// The modes exclude each other. Giving one up leaves relatime, the kernel's default, unless another was chosen.
    fn change_atime(&mut self, mode: u64, is: Is, reach: Reach) {
        let (set, clear) = self.sets(reach);
        let chosen = (*clear & MOUNT_ATTR__ATIME != 0).then_some(*set & MOUNT_ATTR__ATIME);
        match is {
            On => {
                *set = (*set & !MOUNT_ATTR__ATIME) | mode;
                *clear |= MOUNT_ATTR__ATIME;
            }
            Off if chosen.is_some_and(|chosen| chosen != mode) => {}
            Off if mode == MOUNT_ATTR_RELATIME => *clear &= !MOUNT_ATTR__ATIME,
            Off => {
                *set &= !MOUNT_ATTR__ATIME;
                *clear |= MOUNT_ATTR__ATIME;
            }
        }
    }

    /// The same for what a new file system is told, which a bind mount is not.
    fn apply_to_filesystem(&mut self, effect: Effect) {
        let (flag, is) = match effect {
            ReadOnly(is) => ("ro", is),
            Superblock(flag, is) => (flag, is),
            _ => return,
        };
        self.superblock_flags.retain(|&other| other != flag);
        if is == On {
            self.superblock_flags.push(flag);
        }
    }

    /// What options must not be together, or not with this type.
    fn check(&self, options: &[String], fstype: &str) -> Result<(), (usize, String)> {
        let place = |name: &str| options.iter().position(|option| option == name).unwrap_or(0);
        if self.tmpcopyup && (self.bind.is_some() || fstype != "tmpfs") {
            return Err((place("tmpcopyup"), "\"tmpcopyup\" needs a mount of type tmpfs".to_owned()));
        }
        if self.copy_symlink && (self.src_nofollow || self.dest_nofollow) {
            let fault = "\"copy-symlink\" excludes \"src-nofollow\" and \"dest-nofollow\"".to_owned();
            return Err((place("copy-symlink"), fault));
        }
        Ok(())
    }
}

/// The longest known name.
const LONGEST: usize = 16;

/// The names as numbers, in the same order: they are compared at once and not letter by letter.
const KEYS: [u128; TABLE.len()] = {
    let mut keys = [0; TABLE.len()];
    let mut at = 0;
    while at < keys.len() {
        keys[at] = key(TABLE[at].0.as_bytes());
        assert!(at == 0 || keys[at - 1] < keys[at], "the table is sorted");
        at += 1;
    }
    keys
};

/// A name of no more than [`LONGEST`] bytes as a number that sorts as it does.
const fn key(name: &[u8]) -> u128 {
    let mut bytes = [0; LONGEST];
    bytes.split_at_mut(name.len()).0.copy_from_slice(name);
    u128::from_be_bytes(bytes)
}

fn effect_of(option: &str) -> Option<Effect> {
    if option.len() > LONGEST {
        return None;
    }
    let at = KEYS.binary_search(&key(option.as_bytes())).ok()?;
    // A name that ends with NUL has the number of the one without.
    TABLE.get(at).filter(|(name, _)| name.len() == option.len()).map(|(_, effect)| *effect)
}

fn is_left_by_engine(option: &str) -> bool {
    LEFT_BY_ENGINES.contains(&option) || option.starts_with("x-") || option.starts_with("X-")
}

/// The value of a propagation option, as `linux.rootfsPropagation` has it too.
pub(crate) fn propagation(name: &str) -> Option<Propagation> {
    match effect_of(name) {
        Some(Propagate(kind, reach)) => Some(Propagation { kind, recursive: reach == Tree }),
        _ => None,
    }
}

/// Splits what the kernel split before there was fsconfig(2): at commas, though not within double quotes (SELinux
/// contexts have both). The quotes were the kernel's to remove; now they are ours.
fn split_data(option: &str, data: &mut Vec<(String, Option<String>)>) {
    let mut quoted = false;
    let pieces = option.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        data.push(match piece.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(unquote(value).to_owned())),
            None => (piece.to_owned(), None),
        });
    }
}

fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

fn idmap_with_ranges(option: &str) -> Option<(Reach, &str)> {
    let (name, ranges) = option.split_once('=')?;
    match name {
        "idmap" => Some((Mount, ranges)),
        "ridmap" => Some((Tree, ranges)),
        _ => None,
    }
}

/// `uids=0-1000-10#10-2000-5;gids=@0-0-10`: for each range its first id in the filesystem, the id it becomes, a size.
fn parse_ranges(text: &str) -> Result<(Vec<IdRange>, Vec<IdRange>), String> {
    let (mut uids, mut gids) = (Vec::new(), Vec::new());
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (to, ranges) = match part.split_once('=') {
            Some(("uids", ranges)) => (&mut uids, ranges),
            Some(("gids", ranges)) => (&mut gids, ranges),
            _ => return Err(format!("expected \"uids=...\" or \"gids=...\" and not {part:?}")),
        };
        for range in ranges.split('#').filter(|range| !range.is_empty()) {
            let parsed = parse_range(range);
            to.push(parsed.ok_or_else(|| format!("expected a range ID-ID-SIZE and not {range:?}"))?);
        }
    }
    if uids.is_empty() || gids.is_empty() {
        return Err("expected ranges for both \"uids\" and \"gids\"".to_owned());
    }
    Ok((uids, gids))
}

fn parse_range(text: &str) -> Option<IdRange> {
    let digits = text.strip_prefix('@').unwrap_or(text);
    let mut numbers = digits.split('-').map(|number| number.parse().ok());
    let (inside, outside, size) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let whole = numbers.next().is_none() && size > 0;
    whole.then_some(IdRange { inside, outside, size, relative: digits.len() < text.len() })
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
