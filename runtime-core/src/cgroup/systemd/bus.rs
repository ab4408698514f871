//! systemd's own object, org.freedesktop.systemd1(5), and the ways to it: the message bus and, where that is missing or refuses,
//! the socket that systemd has for its own tools.
//!
//! The socket would need neither a greeting nor a subscription, and for one container alone costs a third. But systemd sends
//! every signal of every unit to whoever is connected there, so that ten creates at once cost it three times as much as
//! by the bus, which passes on what was asked for; and it reserves the right to take the socket away.

use super::{
    super::error::{Error, Result},
    dbus::{Address, Connection, Failure, Method, Value},
};
use std::{
    env, fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long an errand may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

const NAME: &str = "org.freedesktop.systemd1";
const OBJECT: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const JOB_REMOVED: &str = "JobRemoved";

/// Errors that it answers with.
pub(super) const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
pub(super) const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";
/// For a property that it does not know too.
pub(super) const READ_ONLY: &str = "org.freedesktop.DBus.Error.PropertyReadOnly";
pub(super) const INVALID: &str = "org.freedesktop.DBus.Error.InvalidArgs";

/// A connection to systemd.
pub(super) struct Bus(Connection);

fn manager(member: &'static str) -> Method {
    Method { destination: NAME, path: OBJECT, interface: MANAGER, member }
}

fn of_bus(member: &'static str) -> Method {
    let name = "org.freedesktop.DBus";
    Method { destination: name, path: "/org/freedesktop/DBus", interface: name, member }
}

/// The ways to the system's systemd or, by the runtime directory, to that of a user: buses, and systemd's own socket.
fn ways(runtime_dir: Option<&Path>) -> (Vec<Address>, Address) {
    let variable = |name| env::var_os(name).map(|value| Address::list(&value.into_vec())).unwrap_or_default();
    match runtime_dir {
        None => {
            let mut buses = variable("DBUS_SYSTEM_BUS_ADDRESS");
            buses.push(Address::File("/run/dbus/system_bus_socket".into()));
            (buses, Address::File("/run/systemd/private".into()))
        }
        Some(dir) => {
            let mut buses = variable("DBUS_SESSION_BUS_ADDRESS");
            buses.push(Address::File(dir.join("bus")));
            (buses, Address::File(dir.join("systemd/private")))
        }
    }
}

impl Bus {
    /// Connects to the system's systemd, or to that of the user with this runtime directory; ready to wait for jobs of `unit`,
    /// if one is named.
    pub(super) fn open(runtime_dir: Option<&Path>, unit: Option<&str>) -> Result<Self> {
        let (buses, own) = ways(runtime_dir);
        for address in &buses {
            match Connection::open(address, PATIENCE, JOB_REMOVED).and_then(|bus| Self::greet(bus, unit)) {
                Ok(bus) => return Ok(bus),
                Err(failure) => log::debug!("systemd: connect to {address}: {failure}"),
            }
        }
        let connection = Connection::open(&own, PATIENCE, JOB_REMOVED);
        connection.map(Self).map_err(|failure| failed(format!("systemd: connect to {own}"), failure))
    }

    /// What a message bus wants to hear first. Its answer tells whether we are taken: it may have
    /// too many connections.
    fn greet(mut connection: Connection, unit: Option<&str>) -> Result<Self, Failure> {
        let hello = connection.begin(of_bus("Hello"), &[])?;
        if let Some(unit) = unit {
            // Its answer is not waited for.
            let rule = format!("type='signal',interface='{MANAGER}',member='{JOB_REMOVED}',arg2='{unit}'");
            connection.begin(of_bus("AddMatch"), &[Value::Text(rule)])?;
        }
        connection.finish(hello)?;
        Ok(Self(connection))
    }

    /// Calls a method of systemd.
    pub(super) fn call(&mut self, member: &'static str, arguments: &[Value]) -> Result<Vec<Value>, Failure> {
        self.0.call(manager(member), arguments)
    }

    /// Calls a method that starts a job, and waits for the job's end; gives its result, `done` for a good one.
    pub(super) fn run_job(
        &mut self,
        member: &'static str,
        arguments: &[Value],
        begun: impl FnOnce(),
    ) -> Result<String, Failure> {
        let answer = self.call(member, arguments)?;
        begun();
        let [Value::Path(job)] = &answer[..] else { return Err(Failure::Malformed) };
        loop {
            let signal = self.0.signal()?;
            if let [_, Value::Path(path), _, Value::Text(result)] = &signal[..]
                && path == job
            {
                return Ok(result.clone());
            }
        }
    }

    /// The version of this systemd.
    pub(super) fn version(&mut self) -> Result<u32, Failure> {
        version(&self.property("Version")?).ok_or(Failure::Malformed)
    }

    fn property(&mut self, name: &str) -> Result<String, Failure> {
        let get = Method { interface: "org.freedesktop.DBus.Properties", ..manager("Get") };
        match &self.0.call(get, &[Value::text(MANAGER), Value::text(name)])?[..] {
            [Value::Variant(value)] => value.as_text().map(str::to_owned).ok_or(Failure::Malformed),
            _ => Err(Failure::Malformed),
        }
    }
}

/// The cgroup below which systemd makes its own.
pub(super) fn root(runtime_dir: Option<&Path>) -> Result<PathBuf> {
    let cgroup_of = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok();
    let Some(dir) = runtime_dir else {
        // Out of sight it is the root, as nearly everywhere.
        return Ok(cgroup_of(1).and_then(|text| root_of(&text)).unwrap_or_default());
    };
    // The kernel knows who listens, without a call.
    let (_, own) = ways(runtime_dir);
    let listener = Connection::peer(&own).ok().filter(|pid| *pid > 0);
    if let Some(root) = listener.and_then(cgroup_of).and_then(|text| root_of(&text)) {
        return Ok(root);
    }
    let root = Bus::open(Some(dir), None)?.property("ControlGroup");
    let root = root.map_err(|failure| failed("systemd: ask for its cgroup".to_owned(), failure))?;
    Ok(root.trim_start_matches('/').into())
}

/// The cgroup of a process, by the lines of /proc/PID/cgroup, without the scope that systemd puts itself into.
fn root_of(text: &str) -> Option<PathBuf> {
    let of = |start: &str| {
        text.lines().find_map(|line| line.split_once(':').and_then(|(_, rest)| rest.strip_prefix(start)))
    };
    // On v1 the unified hierarchy, should it be mounted, is not systemd's.
    let path = of("name=systemd:/").or_else(|| of(":/"))?;
    Some(path.strip_suffix("init.scope").unwrap_or(path).trim_end_matches('/').into())
}

/// The number in `252.38-1~deb12u1`, `v245` or `systemd 219`.
pub(super) fn version(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What went wrong while `doing` what it says.
pub(super) fn failed(doing: String, failure: Failure) -> Error {
    match failure {
        Failure::Io(source) => Error::Io { doing, source },
        Failure::Late => Error::Timeout { doing, seconds: PATIENCE.as_secs() },
        Failure::Answer { ref name, .. } => {
            let name = name.clone();
            Error::Systemd { doing, answer: failure.to_string(), name }
        }
        other => Error::Systemd { doing, answer: other.to_string(), name: String::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::{root_of, version};
    use std::path::Path;

    #[test]
    fn versions_are_read_as_distributions_write_them() {
        let table = [
            ("252.38-1~deb12u1", Some(252)),
            ("v245.4-1.fc32", Some(245)),
            ("systemd 219", Some(219)),
            ("\"257~rc1\"", Some(257)),
            ("", None),
            ("x", None),
            ("99999999999", None),
        ];
        for (text, number) in table {
            assert_eq!(version(text), number, "{text}");
        }
    }

    #[test]
    fn systemds_own_scope_is_not_above_others() {
        let table = [
            ("0::/init.scope\n", Some("")),
            ("0::/\n", Some("")),
            (
                "0::/user.slice/user-7.slice/user@7.service/init.scope\n",
                Some("user.slice/user-7.slice/user@7.service"),
            ),
            ("5:memory:/\n1:name=systemd:/a/init.scope\n0::/b\n", Some("a")),
            ("", None),
            ("4:cpu:/\n", None),
        ];
        for (text, root) in table {
            assert_eq!(root_of(text).as_deref(), root.map(Path::new), "{text}");
        }
    }
}
