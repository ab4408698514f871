//! linux.resources.devices: rules in their order, reduced to a default and the exceptions to it, then as the lists of v1 or
//! as a program for v2.

use super::{
    dir::Dir,
    error::{Error, Result},
};
use crate::spec::{LinuxDeviceCgroup, LinuxDeviceType};
use std::{collections::BTreeSet, fmt};

pub(super) const PROPERTY: &str = "linux.resources.devices";

/// What may be done to a device, as bits: those of the kernel's `BPF_DEVCG_ACC_*`.
pub(super) const MKNOD: u8 = 1;
pub(super) const READ: u8 = 2;
pub(super) const WRITE: u8 = 4;
pub(super) const ALL: u8 = MKNOD | READ | WRITE;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Block,
    Char,
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) allow: bool,
    pub(super) kind: Kind,
    /// Nothing is any.
    pub(super) major: Option<u32>,
    /// Nothing is any.
    pub(super) minor: Option<u32>,
    pub(super) access: u8,
    /// Its place in the configuration, for an error; nothing for one of [`ALWAYS_ALLOWED`].
    place: Option<usize>,
}

/// Rules that mean the same as a list in order: each only says what those before it and the default do not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// What holds for a device that no rule names.
    pub(super) default: bool,
    /// Later ones win.
    pub(super) rules: Vec<Rule>,
}

/// What every container gets after the rules of its configuration, the same as with runc: to make any node, and to use
/// those that the specification puts into every container's /dev. config-linux.md, "Default Devices".
const ALWAYS_ALLOWED: [(Kind, Option<u32>, Option<u32>, u8); 10] = [
    (Kind::Char, None, None, MKNOD),
    (Kind::Block, None, None, MKNOD),
    (Kind::Char, Some(1), Some(3), ALL), // null
    (Kind::Char, Some(1), Some(5), ALL), // zero
    (Kind::Char, Some(1), Some(7), ALL), // full
    (Kind::Char, Some(1), Some(8), ALL), // random
    (Kind::Char, Some(1), Some(9), ALL), // urandom
    (Kind::Char, Some(5), Some(0), ALL), // tty
    (Kind::Char, Some(5), Some(2), ALL), // ptmx
    (Kind::Char, Some(136), None, ALL),  // pts
];

impl Rule {
    /// Whether every device of `other` is one of this rule's.
    fn covers(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }

    /// Whether some device is in both.
    fn meets(&self, other: &Self) -> bool {
        let same = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.kind == other.kind && same(self.major, other.major) && same(self.minor, other.minor)
    }

    /// Its access as letters.
    pub(super) fn letters(&self) -> String {
        let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
        letters.into_iter().filter(|(bit, _)| self.access & bit != 0).map(|(_, letter)| letter).collect()
    }
}

/// As `devices.allow` of v1 takes it: `c 1:3 rwm`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        let kind = match self.kind {
            Kind::Block => 'b',
            Kind::Char => 'c',
        };
        write!(f, "{kind} {}:{} {}", number(self.major), number(self.minor), self.letters())
    }
}

impl Policy {
    /// The configuration's rules in their order, on top of all being denied, and then [`ALWAYS_ALLOWED`].
    pub(super) fn new(config: &[LinuxDeviceCgroup]) -> Result<Self> {
        let mut policy = Self { default: false, rules: Vec::new() };
        for (place, rule) in config.iter().enumerate() {
            policy.take(rule, place)?;
        }
        for (kind, major, minor, access) in ALWAYS_ALLOWED {
            policy.push(Rule { allow: true, kind, major, minor, access, place: None });
        }
        Ok(policy)
    }

    fn take(&mut self, rule: &LinuxDeviceCgroup, place: usize) -> Result<()> {
        let wrong =
            |field: &str, reason: String| Error::config(format!("{PROPERTY}[{place}].{field}"), reason);
        let access =
            access(rule.access.as_deref().unwrap_or("")).map_err(|reason| wrong("access", reason))?;
        let major = number(rule.major).map_err(|reason| wrong("major", reason))?;
        let minor = number(rule.minor).map_err(|reason| wrong("minor", reason))?;
        let kinds = match rule.typ.unwrap_or_default() {
            LinuxDeviceType::A => &[Kind::Block, Kind::Char][..],
            LinuxDeviceType::B => &[Kind::Block],
            LinuxDeviceType::C | LinuxDeviceType::U => &[Kind::Char],
            LinuxDeviceType::P => return Err(wrong("type", "a FIFO is no device".to_owned())),
        };
        let allow = rule.allow;
        if let ([_, _], None, None, ALL) = (kinds, major, minor, access) {
            *self = Self { default: allow, rules: Vec::new() };
        } else {
            for &kind in kinds {
                self.push(Rule { allow, kind, major, minor, access, place: Some(place) });
            }
        }
        Ok(())
    }

    /// Adds `rule` as the last, takes what it decides away from those before, and leaves it out where it changes nothing.
    fn push(&mut self, rule: Rule) {
        for earlier in &mut self.rules {
            if rule.covers(earlier) {
                earlier.access &= !rule.access;
            }
        }
        self.rules.retain(|earlier| earlier.access != 0);
        let contradicts = |earlier: &Rule| {
            earlier.allow != rule.allow && earlier.access & rule.access != 0 && rule.meets(earlier)
        };
        let same = |earlier: &Rule| {
            earlier.allow == rule.allow
                && earlier.access & rule.access == rule.access
                && earlier.covers(&rule)
        };
        let contradicted = self.rules.iter().any(contradicts);
        if contradicted || (rule.allow != self.default && !self.rules.iter().any(same)) {
            self.rules.push(rule);
        }
    }

    /// The lines for `devices.allow` (true) and `devices.deny` (false) of a v1 cgroup without exceptions, in order. v1
    /// cannot make an exception from an exception.
    pub(super) fn v1_lines(&self) -> Result<Vec<(bool, String)>> {
        let mut lines = vec![(self.default, "a".to_owned())];
        for rule in &self.rules {
            if rule.allow == self.default {
                let place = rule.place.map(|place| format!("[{place}]")).unwrap_or_default();
                let (what, of) = if rule.allow { ("allow", "denied") } else { ("deny", "allowed") };
                let reason = format!("cgroup v1 cannot {what} {rule} alone out of what is {of} before");
                return Err(Error::unsupported(format!("{PROPERTY}{place}"), reason));
            }
            lines.push((rule.allow, rule.to_string()));
        }
        Ok(lines)
    }
}

fn access(text: &str) -> Result<u8, String> {
    if text.is_empty() {
        return Err("empty, must be of r, w and m".to_owned());
    }
    text.chars().try_fold(0, |bits, letter| match letter {
        'r' => Ok(bits | READ),
        'w' => Ok(bits | WRITE),
        'm' => Ok(bits | MKNOD),
        _ => Err(format!("{text:?} must be of r, w and m")),
    })
}

/// A device number; -1 is any, as absence is.
fn number(number: Option<i64>) -> Result<Option<u32>, String> {
    match number {
        None | Some(-1) => Ok(None),
        Some(number) => u32::try_from(number).map(Some).map_err(|_| format!("{number} is no device number")),
    }
}

/// Makes `policy` that of the v1 cgroup `dir`. A cgroup `fresh`ly made has its parent's; that of any other is compared and
/// changed rule by rule, so that what stays allowed is never refused meanwhile, and since one with sub-cgroups takes nothing
/// else.
pub(super) fn apply_v1(dir: &Dir, policy: &Policy, fresh: bool) -> Result<()> {
    let lines = policy.v1_lines()?;
    if !fresh {
        let present = dir.read("devices.list")?;
        let present: BTreeSet<_> = present.lines().filter(|line| !line.is_empty()).collect();
        // The kernel shows the exceptions of a denying default only, and one line for an allowing one.
        let denying = !present.iter().any(|line| line.starts_with('a'));
        if denying && !policy.default {
            let wanted: BTreeSet<_> = lines.iter().skip(1).map(|(_, line)| line.as_str()).collect();
            wanted.difference(&present).try_for_each(|line| dir.write("devices.allow", line))?;
            return present.difference(&wanted).try_for_each(|line| {
                dir.write("devices.deny", line)?;
                // A rule of the same device with less access was denied along with it.
                let device = |line: &str| line.rsplit_once(' ').map(|(device, _)| device.to_owned());
                let again = wanted.iter().filter(|other| device(other) == device(line));
                again.into_iter().try_for_each(|line| dir.write("devices.allow", line))
            });
        }
        if !denying && policy.default && lines.len() == 1 {
            return Ok(());
        }
    }
    let all = |file: &str, allow| {
        dir.write_all(file, lines.iter().filter(|line| line.0 == allow).map(|(_, line)| line.as_str()))
    };
    // The first line is the default, the others are the exceptions to it.
    if policy.default {
        all("devices.allow", true)?;
        all("devices.deny", false)
    } else {
        all("devices.deny", false)?;
        all("devices.allow", true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Vec<LinuxDeviceCgroup> {
        serde_json::from_str(json).unwrap()
    }

    fn lines(json: &str) -> Vec<String> {
        let lines = Policy::new(&config(json)).unwrap().v1_lines().unwrap();
        lines.into_iter().map(|(allow, line)| format!("{}{line}", if allow { '+' } else { '-' })).collect()
    }

    const DENY: &str = r#"{"allow":false,"access":"rwm"}"#;
    const DEFAULTS: [&str; 11] = [
        "-a",
        "+c *:* m",
        "+b *:* m",
        "+c 1:3 rwm",
        "+c 1:5 rwm",
        "+c 1:7 rwm",
        "+c 1:8 rwm",
        "+c 1:9 rwm",
        "+c 5:0 rwm",
        "+c 5:2 rwm",
        "+c 136:* rwm",
    ];

    #[test]
    fn the_plain_default_is_a_denial_with_the_usual_devices() {
        assert_eq!(lines("[]"), DEFAULTS);
        assert_eq!(lines(&format!("[{DENY}]")), DEFAULTS);
    }

    #[test]
    fn dockers_rules_add_nothing_to_the_usual_devices() {
        let docker = format!(
            r#"[{DENY}, {{"allow":true,"type":"c","major":1,"minor":5,"access":"rwm"}},
            {{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}},
            {{"allow":false,"type":"c","major":10,"minor":229,"access":"rwm"}}]"#
        );
        assert_eq!(lines(&docker).into_iter().collect::<BTreeSet<_>>(), DEFAULTS.map(str::to_owned).into());
    }

    #[test]
    fn later_rules_win() {
        let allow = r#"{"allow":true,"type":"c","major":10,"minor":200,"access":"rw"}"#;
        assert!(lines(&format!("[{DENY},{allow}]")).contains(&"+c 10:200 rw".to_owned()));
        assert_eq!(lines(&format!("[{allow},{DENY}]")), DEFAULTS);
        let without_write = r#"{"allow":false,"type":"c","major":10,"access":"w"}"#;
        assert!(lines(&format!("[{DENY},{allow},{without_write}]")).contains(&"+c 10:200 r".to_owned()));
    }

    #[test]
    fn a_privileged_container_has_no_exceptions() {
        assert_eq!(lines(r#"[{"allow":true,"access":"rwm"}]"#), ["+a"]);
        assert_eq!(lines(r#"[{"allow":true,"type":"a","major":-1,"minor":-1,"access":"rwm"}]"#), ["+a"]);
    }

    #[test]
    fn v1_cannot_deny_one_of_an_allowed_range() {
        let rules = format!(
            r#"[{DENY},{{"allow":true,"type":"c","major":10,"access":"rw"}},
            {{"allow":false,"type":"c","major":10,"minor":229,"access":"rw"}}]"#
        );
        let error = Policy::new(&config(&rules)).unwrap().v1_lines().unwrap_err().to_string();
        assert!(error.starts_with("linux.resources.devices[2]: "), "{error}");
    }

    #[test]
    fn rules_that_cannot_be_are_refused() {
        for (rule, place) in [
            (r#"{"allow":true}"#, "[0].access"),
            (r#"{"allow":true,"access":"x"}"#, "[0].access"),
            (r#"{"allow":true,"type":"p","access":"r"}"#, "[0].type"),
            (r#"{"allow":true,"type":"c","major":-2,"access":"r"}"#, "[0].major"),
            (r#"{"allow":true,"type":"c","minor":4294967296,"access":"r"}"#, "[0].minor"),
        ] {
            let error = Policy::new(&config(&format!("[{rule}]"))).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{PROPERTY}{place}: ")), "{error}");
        }
    }
}
