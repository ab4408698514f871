//! Signals by name and by number, as signal(7) and the command line of `kill` have them.

use crate::{Error, ErrorKind};
use std::{fmt, str::FromStr};

/// A signal's number, 0 (which only asks whether the process is there) to 64.
///
/// ```
/// use runtime_core::Signal;
///
/// assert_eq!("SIGTERM".parse::<Signal>().ok(), Some(Signal::TERM));
/// assert_eq!("9".parse::<Signal>().ok(), Some(Signal::KILL));
/// assert!("bogus".parse::<Signal>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(i32);

/// The names of signals 1 to 31 on every architecture that Corten runs on, signal(7).
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// What glibc names SIGRTMIN and SIGRTMAX.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

impl Signal {
    /// SIGHUP, which most services take as a request to read their configuration again.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// container.kill(runtime_core::Signal::HUP)?; // it reads its configuration again
    /// # Ok(()) }
    /// ```
    pub const HUP: Self = Self(1);
    /// SIGINT, as the terminal sends it for Ctrl-C.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// container.kill(runtime_core::Signal::INT)?; // as if somebody had pressed Ctrl-C
    /// # Ok(()) }
    /// ```
    pub const INT: Self = Self(2);
    /// SIGKILL, which cannot be caught.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// container.kill(runtime_core::Signal::KILL)?; // no cgroup and no state is removed: `delete` does that
    /// # Ok(()) }
    /// ```
    pub const KILL: Self = Self(9);
    /// SIGTERM, the polite request to end.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// container.kill(runtime_core::Signal::TERM)?; // it has time to end in order
    /// # Ok(()) }
    /// ```
    pub const TERM: Self = Self(15);

    /// The signal of number `raw`, or nothing where the kernel has none of that number.
    ///
    /// ```
    /// use runtime_core::Signal;
    ///
    /// assert_eq!(Signal::from_raw(15), Some(Signal::TERM));
    /// assert_eq!(Signal::from_raw(65), None);
    /// ```
    #[must_use]
    pub fn from_raw(raw: i32) -> Option<Self> {
        (0..=RTMAX).contains(&raw).then_some(Self(raw))
    }

    /// Its number, as kill(2) takes it.
    ///
    /// ```
    /// assert_eq!(runtime_core::Signal::KILL.as_raw(), libc::SIGKILL);
    /// ```
    #[must_use]
    pub fn as_raw(self) -> i32 {
        self.0
    }
}

impl FromStr for Signal {
    type Err = Error;

    /// `9`, `KILL`, `SIGKILL` in any case, `RTMIN+3`, `RTMAX-2`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::new(ErrorKind::InvalidArgument, format!("unknown signal {text:?}"));
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().and_then(Self::from_raw).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let raw = match name {
            "IOT" => Some(6),
            "CLD" => Some(17),
            "POLL" => Some(29),
            "RTMIN" => Some(RTMIN),
            "RTMAX" => Some(RTMAX),
            _ => named(name).or_else(|| real_time(name)),
        };
        raw.map(Self).ok_or_else(unknown)
    }
}

fn named(name: &str) -> Option<i32> {
    NAMES.iter().zip(1..).find(|(known, _)| **known == name).map(|(_, raw)| raw)
}

fn real_time(name: &str) -> Option<i32> {
    let offset = |digits: &str| digits.parse::<u8>().ok().filter(|_| !digits.starts_with('+')).map(i32::from);
    let raw = match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
        (Some(digits), _) => RTMIN + offset(digits)?,
        (_, Some(digits)) => RTMAX - offset(digits)?,
        _ => return None,
    };
    (RTMIN..=RTMAX).contains(&raw).then_some(raw)
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            raw @ 1..=31 => write!(f, "SIG{}", NAMES[usize::try_from(raw - 1).unwrap_or_default()]),
            raw => write!(f, "{raw}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_understood() {
        for (text, raw) in [
            ("9", 9),
            ("KILL", 9),
            ("SIGKILL", 9),
            ("sigterm", 15),
            ("0", 0),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
        ] {
            assert_eq!(text.parse::<Signal>().unwrap().as_raw(), raw, "{text}");
        }
    }

    #[test]
    fn junk_is_refused() {
        for text in ["", "0x9", "9 ", "-9", "65", "SIGFOO", "RTMIN+31", "RTMIN++1", "99999999999"] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }
}
