use proptest::{collection, prelude::*, sample::select};

use super::*;

const TMPFS: &str = "tmpfs";

fn of(options: &[&str], fstype: &str) -> Result<MountOptions, (usize, String)> {
    parse(&options.iter().map(|&option| option.to_owned()).collect::<Vec<_>>(), fstype)
}

fn attributes(options: &[&str]) -> [u64; 4] {
    let parsed = of(options, TMPFS).unwrap();
    [parsed.set, parsed.clear, parsed.recursive_set, parsed.recursive_clear]
}

#[test]
fn the_table_is_sorted_and_has_every_option_of_the_specification() {
    assert!(NAMES.is_sorted_by(|a, b| a < b));
    let spec = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime \
        noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev \
        rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid \
        rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared \
        silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap";
    for name in spec.split_whitespace() {
        assert!(NAMES.contains(&name), "{name}");
    }
}

#[test]
fn every_known_option_is_taken_alone() {
    for name in NAMES {
        let fstype = if name == "tmpcopyup" { TMPFS } else { "bind" };
        let parsed = of(&[name], fstype).unwrap();
        assert!(parsed.data.is_empty(), "{name}");
    }
}

#[test]
fn attributes_are_set_and_cleared() {
    for (attr, on, off) in [
        (MOUNT_ATTR_RDONLY, "ro", "rw"),
        (MOUNT_ATTR_NOSUID, "nosuid", "suid"),
        (MOUNT_ATTR_NODEV, "nodev", "dev"),
        (MOUNT_ATTR_NOEXEC, "noexec", "exec"),
        (MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime"),
        (MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow", "symfollow"),
    ] {
        assert_eq!(attributes(&[on]), [attr, 0, 0, 0], "{on}");
        assert_eq!(attributes(&[off]), [0, attr, 0, 0], "{off}");
        assert_eq!(attributes(&[on, off]), [0, attr, 0, 0], "{on},{off}");
        assert_eq!(attributes(&[off, on]), [attr, 0, 0, 0], "{off},{on}");
        let (on, off) = (format!("r{on}"), format!("r{off}"));
        assert_eq!(attributes(&[&on]), [0, 0, attr, 0], "{on}");
        assert_eq!(attributes(&[&off]), [0, 0, 0, attr], "{off}");
    }
}

#[test]
fn access_time_modes_exclude_each_other() {
    const ALL: u64 = MOUNT_ATTR__ATIME;
    for (options, expected) in [
        (&["noatime"][..], [MOUNT_ATTR_NOATIME, ALL]),
        (&["strictatime"], [MOUNT_ATTR_STRICTATIME, ALL]),
        (&["relatime"], [MOUNT_ATTR_RELATIME, ALL]),
        (&["noatime", "strictatime"], [MOUNT_ATTR_STRICTATIME, ALL]),
        (&["noatime", "relatime"], [0, ALL]),
        (&["noatime", "atime"], [0, ALL]),
        (&["atime"], [0, ALL]),
        (&["strictatime", "atime"], [MOUNT_ATTR_STRICTATIME, ALL]),
        (&["strictatime", "nostrictatime"], [0, ALL]),
        (&["noatime", "nostrictatime"], [MOUNT_ATTR_NOATIME, ALL]),
        (&["norelatime"], [0, 0]),
        (&["relatime", "norelatime"], [0, 0]),
        (&["noatime", "norelatime"], [MOUNT_ATTR_NOATIME, ALL]),
    ] {
        let [set, clear, ..] = attributes(options);
        assert_eq!([set, clear], expected, "{options:?}");
        let recursive: Vec<String> = options.iter().map(|option| format!("r{option}")).collect();
        let recursive: Vec<&str> = recursive.iter().map(String::as_str).collect();
        let [.., set, clear] = attributes(&recursive);
        assert_eq!([set, clear], expected, "{recursive:?}");
    }
}

#[test]
fn superblock_flags_are_those_of_a_new_filesystem_only() {
    let flags = |options: &[&str], fstype| of(options, fstype).unwrap().superblock_flags;
    assert_eq!(
        flags(&["ro", "sync", "dirsync", "mand", "lazytime"], "ext4"),
        ["ro", "sync", "dirsync", "mand", "lazytime"]
    );
    assert_eq!(flags(&["rsync", "rdirsync", "rmand"], "ext4"), ["sync", "dirsync", "mand"]);
    assert!(
        flags(&["ro", "rw", "sync", "async", "mand", "nomand", "lazytime", "nolazytime"], "ext4").is_empty()
    );
    assert!(flags(&["rsync", "rasync", "rmand", "rnomand"], "ext4").is_empty());
    assert!(flags(&["bind", "ro", "sync"], "none").is_empty());
    assert_eq!(of(&["bind", "ro"], "none").unwrap().set, MOUNT_ATTR_RDONLY);
}

#[test]
fn options_without_effect_have_none() {
    for name in ["defaults", "iversion", "noiversion", "silent", "loud", "notmpcopyup", ""] {
        assert_eq!(of(&[name], "ext4").unwrap(), MountOptions::default(), "{name}");
    }
}

#[test]
fn propagation_keeps_its_order() {
    for (name, kind, recursive) in [
        ("private", MS_PRIVATE, false),
        ("rprivate", MS_PRIVATE, true),
        ("slave", MS_SLAVE, false),
        ("rslave", MS_SLAVE, true),
        ("shared", MS_SHARED, false),
        ("rshared", MS_SHARED, true),
        ("unbindable", MS_UNBINDABLE, false),
        ("runbindable", MS_UNBINDABLE, true),
    ] {
        assert_eq!(propagation(name), Some(Propagation { kind, recursive }));
        assert_eq!(of(&[name], TMPFS).unwrap().propagation, [Propagation { kind, recursive }]);
    }
    assert_eq!(propagation("ro"), None);
    let both = of(&["rslave", "shared"], TMPFS).unwrap().propagation;
    let kinds: Vec<_> = both.iter().map(|change| (change.kind, change.recursive)).collect();
    assert_eq!(kinds, [(MS_SLAVE, true), (MS_SHARED, false)]);
}

#[test]
fn a_bind_is_one_by_option_or_by_type() {
    let bind = |options: &[&str], fstype| of(options, fstype).unwrap().bind.map(|bind| bind.recursive);
    assert_eq!(bind(&["bind"], "none"), Some(false));
    assert_eq!(bind(&["rbind"], ""), Some(true));
    assert_eq!(bind(&["rbind", "bind"], "bind"), Some(true));
    assert_eq!(bind(&[], "bind"), Some(false));
    assert_eq!(bind(&[], "rbind"), Some(true));
    assert_eq!(bind(&["ro"], "proc"), None);
}

#[test]
fn the_runtimes_own_options() {
    assert!(of(&["remount", "bind", "ro"], "bind").unwrap().remount);
    assert!(of(&["tmpcopyup"], TMPFS).unwrap().tmpcopyup);
    assert!(!of(&["tmpcopyup", "notmpcopyup"], TMPFS).unwrap().tmpcopyup);
    assert!(of(&["bind", "copy-symlink"], "bind").unwrap().copy_symlink);
    let nofollow = of(&["bind", "src-nofollow", "dest-nofollow"], "bind").unwrap();
    assert!(nofollow.src_nofollow && nofollow.dest_nofollow);
}

#[test]
fn what_is_not_known_is_data_of_the_filesystem() {
    let data = |options: &[&str]| of(options, TMPFS).unwrap().data;
    let pair = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
    assert_eq!(data(&["nosuid", "mode=755", "size=65536k"]), [pair("mode", "755"), pair("size", "65536k")]);
    assert_eq!(data(&["newinstance"]), [("newinstance".to_owned(), None)]);
    assert_eq!(data(&["mode=755,size=1m,,noswap"]).len(), 3);
    assert_eq!(data(&["a=b=c"]), [pair("a", "b=c")]);
    assert_eq!(data(&["a="]), [pair("a", "")]);
    let context = "context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
    assert_eq!(data(&[context]), [pair("context", "system_u:object_r:container_file_t:s0:c1,c2")]);
    assert_eq!(data(&["RO"]), [("RO".to_owned(), None)]);
}

#[test]
fn a_bind_has_no_filesystem_to_ask() {
    let options = ["rbind", "rprivate", "rw", "Z", "z", "U", "nocopy", "consistent", "x-systemd.automount"];
    assert!(of(&options, "bind").unwrap().data.is_empty());
    let (index, fault) = of(&["rbind", "foo"], "bind").unwrap_err();
    assert_eq!((index, fault.as_str()), (1, "unknown option \"foo\" of a bind mount"));
    assert_eq!(of(&["foo", "bind"], "none").unwrap_err().0, 0);
}

#[test]
fn id_mapping() {
    assert_eq!(of(&["bind", "idmap"], "bind").unwrap().idmap, Some(Idmap::default()));
    assert!(of(&["rbind", "ridmap"], "bind").unwrap().idmap.unwrap().recursive);
    let custom =
        of(&["bind", "idmap=uids=0-1000-10#10-2000-5;gids=@0-0-4294967295"], "bind").unwrap().idmap.unwrap();
    let range = |inside, outside, size, relative| IdRange { inside, outside, size, relative };
    assert_eq!(custom.uids, [range(0, 1000, 10, false), range(10, 2000, 5, false)]);
    assert_eq!(custom.gids, [range(0, 0, u32::MAX, true)]);
    for wrong in [
        "",
        "uids=0-0-1",
        "uids=0-0;gids=0-0-1",
        "uids=0-0-0;gids=0-0-1",
        "pids=0-0-1",
        "uids=-1-0-1;gids=0-0-1",
    ] {
        assert_eq!(of(&["bind", &format!("idmap={wrong}")], "bind").unwrap_err().0, 1, "{wrong}");
    }
}

#[test]
fn options_that_do_not_fit_the_mount() {
    for (options, fstype, index, fault) in [
        (&["nosuid", "tmpcopyup"][..], "proc", 1, "\"tmpcopyup\" needs a mount of type tmpfs"),
        (&["tmpcopyup", "bind"], "tmpfs", 0, "\"tmpcopyup\" needs a mount of type tmpfs"),
        (&["idmap"], "tmpfs", 0, "\"idmap\" needs a bind mount"),
        (&["src-nofollow"], "tmpfs", 0, "\"src-nofollow\" needs a bind mount"),
        (
            &["bind", "src-nofollow", "copy-symlink"],
            "bind",
            2,
            "\"copy-symlink\" excludes \"src-nofollow\" and \"dest-nofollow\"",
        ),
        (&["ro", "a\0b"], "tmpfs", 1, "must not hold a NUL byte"),
        (&["ro\0"], "tmpfs", 0, "must not hold a NUL byte"),
        (&["rbind", "rnostrictatimes+"], "", 1, "unknown option \"rnostrictatimes+\" of a bind mount"),
        (
            &["rbind", "a-name-that-is-too-long"],
            "",
            1,
            "unknown option \"a-name-that-is-too-long\" of a bind mount",
        ),
    ] {
        assert_eq!(of(options, fstype), Err((index, fault.to_owned())), "{options:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any list of known and unknown options gets an answer that fits it.
    #[test]
    fn anything_gets_an_answer(
        options in collection::vec(prop_oneof![select(NAMES.to_vec()).prop_map(str::to_owned), ".*", "r?idmap=.*", "[a-z,=\"]*"], 0..12),
        fstype in select(vec!["", "bind", "rbind", "tmpfs", "proc", "none"]),
    ) {
        match parse(&options, fstype) {
            Ok(parsed) => {
                prop_assert_eq!(parsed.set & parsed.clear & !MOUNT_ATTR__ATIME, 0);
                prop_assert_eq!(parsed.recursive_set & parsed.recursive_clear & !MOUNT_ATTR__ATIME, 0);
                for (set, clear) in [(parsed.set, parsed.clear), (parsed.recursive_set, parsed.recursive_clear)] {
                    let mode = set & MOUNT_ATTR__ATIME;
                    prop_assert!([0, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME].contains(&mode));
                    prop_assert!(mode == 0 || clear & MOUNT_ATTR__ATIME == MOUNT_ATTR__ATIME);
                }
                prop_assert!(parsed.bind.is_none() || parsed.data.is_empty() && parsed.superblock_flags.is_empty());
            }
            Err((index, fault)) => prop_assert!(index < options.len() && !fault.is_empty()),
        }
    }
}
