//! The log: text or JSON, to standard error, a file, journald or syslog. Never blocks, and never fails once it is open:
//! engines give a FIFO as the log, and go away.

use crate::{cli::Given, clock, failure::Failure, output};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::{fs::OpenOptionsExt, net::UnixDatagram},
    path::Path,
    sync::OnceLock,
};

const O_NONBLOCK: i32 = nix::fcntl::OFlag::O_NONBLOCK.bits();
const JOURNALD: &str = "/run/systemd/journal/socket";
const SYSLOG: &str = "/dev/log";

static LOGGER: OnceLock<Logger> = OnceLock::new();

#[derive(Debug)]
struct Logger {
    sink: Sink,
    json: bool,
}

#[derive(Debug)]
enum Sink {
    Stderr,
    File(File),
    /// A FIFO that nobody reads.
    Nobody,
    Journald(UnixDatagram, String),
    Syslog(UnixDatagram, String),
}

/// Opens the log that the global flags ask for. Where that fails, the log is standard error.
pub(crate) fn start(globals: &Given) -> Result<(), Failure> {
    let level = level(globals);
    let json = format(globals);
    let sink = match globals.text("log") {
        Ok(Some(destination)) => open(destination),
        Ok(None) => Ok(Sink::Stderr),
        Err(failure) => Err(failure),
    };
    let (sink, failed) = match sink {
        Ok(sink) => (sink, None),
        Err(failure) => (Sink::Stderr, Some(failure)),
    };
    let logger = LOGGER.get_or_init(|| Logger { sink, json: *json.as_ref().unwrap_or(&false) });
    log::set_max_level(*level.as_ref().unwrap_or(&LevelFilter::Info));
    let _ = log::set_logger(logger);
    failed.map_or(Ok(()), Err)?;
    json?;
    level?;
    Ok(())
}

fn level(globals: &Given) -> Result<LevelFilter, Failure> {
    let named = globals.read("log-level", |text| match text.to_ascii_lowercase().as_str() {
        "trace" => Ok(LevelFilter::Trace),
        "debug" => Ok(LevelFilter::Debug),
        "info" | "" => Ok(LevelFilter::Info),
        "warn" | "warning" => Ok(LevelFilter::Warn),
        "error" | "fatal" | "panic" => Ok(LevelFilter::Error),
        _ => Err("debug, info, warn or error is wanted"),
    })?;
    let debug = globals.is_on("debug").then_some(LevelFilter::Debug);
    Ok(named.max(debug).unwrap_or(LevelFilter::Info))
}

fn format(globals: &Given) -> Result<bool, Failure> {
    let format = globals.read("log-format", |text| match text {
        "text" | "" => Ok(false),
        "json" => Ok(true),
        _ => Err("text or json is wanted"),
    })?;
    Ok(format.unwrap_or(false))
}

/// `PATH`, `file:PATH`, `journald:NAME` or `syslog:NAME`.
fn open(destination: &str) -> Result<Sink, Failure> {
    let name = |name: &str| if name.is_empty() { "corten".to_owned() } else { name.to_owned() };
    match destination.split_once(':') {
        Some(("journald", id)) => Ok(Sink::Journald(connect(JOURNALD)?, name(id))),
        Some(("syslog", id)) => Ok(Sink::Syslog(connect(SYSLOG)?, name(id))),
        Some(("file", path)) => open_file(Path::new(path)),
        _ if destination.is_empty() || destination == "/dev/stderr" => Ok(Sink::Stderr),
        _ => open_file(Path::new(destination)),
    }
}

fn open_file(path: &Path) -> Result<Sink, Failure> {
    match OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(O_NONBLOCK).open(path) {
        Ok(file) => Ok(Sink::File(file)),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(Sink::Nobody),
        Err(error) => Err(Failure::io(format!("--log: open {}", path.display()), error)),
    }
}

fn connect(path: &str) -> Result<UnixDatagram, Failure> {
    let connected = UnixDatagram::unbound().and_then(|socket| {
        socket.connect(path)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    connected.map_err(|error| Failure::io(format!("--log: connect to {path}"), error))
}

/// Tells the log of the failure that ends the program, and standard error too where that is not the log.
pub(crate) fn report(failure: &Failure) {
    if failure.is_unheard() {
        return;
    }
    log::error!("{failure}");
    if !matches!(LOGGER.get(), Some(Logger { sink: Sink::Stderr, .. })) {
        let _ = io::stderr().write_all(format!("error: {failure}\n").as_bytes());
    }
}

impl Logger {
    /// Writes all of a message at once: several processes may share the log.
    fn write(&self, level: Level, message: &str) {
        let name = name(level);
        let _ = match &self.sink {
            Sink::Nobody => Ok(0),
            Sink::Stderr if !self.json && io::stderr().is_terminal() => {
                io::stderr().write(&for_people(level, message))
            }
            Sink::Stderr => io::stderr().write(&line(self.json, name, message)),
            Sink::File(file) => (&mut &*file).write(&line(self.json, name, message)),
            Sink::Journald(socket, id) => {
                let text =
                    format!("MESSAGE={message}\nPRIORITY={}\nSYSLOG_IDENTIFIER={id}\n", severity(level));
                socket.send(text.as_bytes())
            }
            Sink::Syslog(socket, id) => {
                const DAEMON: u8 = 3 << 3;
                socket.send(format!("<{}>{id}: {message}", DAEMON | severity(level)).as_bytes())
            }
        };
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.write(record.level(), &record.args().to_string().replace('\n', " "));
    }

    fn flush(&self) {}
}

/// The level as runc's logs name it.
fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// The level as syslog(3) counts it.
fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// A line as runc writes it; a JSON string is also what its text has in quotes.
fn line(json: bool, level: &str, message: &str) -> Vec<u8> {
    let time = clock::now();
    let message = serde_json::Value::from(message);
    let line = if json {
        format!("{{\"level\":\"{level}\",\"msg\":{message},\"time\":\"{time}\"}}\n")
    } else {
        format!("time=\"{time}\" level={level} msg={message}\n")
    };
    line.into_bytes()
}

fn for_people(level: Level, message: &str) -> Vec<u8> {
    let name = name(level);
    let line = match level {
        Level::Error | Level::Warn if output::colour(&io::stderr()) => {
            let colour = if level == Level::Error { 31 } else { 33 };
            format!("\x1b[{colour}m{name}\x1b[0m: {message}\n")
        }
        _ => format!("{name}: {message}\n"),
    };
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_shape_of_runcs() {
        let text = String::from_utf8(line(false, "error", "exec: \"x\": not found")).unwrap();
        assert!(
            text.starts_with("time=\"20")
                && text.ends_with(" level=error msg=\"exec: \\\"x\\\": not found\"\n")
        );
        let json = line(true, "warning", "a\\b");
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((&value["level"], &value["msg"]), (&"warning".into(), &"a\\b".into()));
        assert!(value["time"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn the_systems_logs_get_what_their_protocols_say() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let heard = |sink: fn(UnixDatagram, String) -> Sink| {
            let sink = sink(ours.try_clone().unwrap(), "web".to_owned());
            Logger { sink, json: false }.write(Level::Warn, "a = b");
            let mut message = [0; 100];
            let length = theirs.recv(&mut message).unwrap();
            String::from_utf8(message[..length].to_vec()).unwrap()
        };
        assert_eq!(heard(Sink::Syslog), "<28>web: a = b");
        assert_eq!(heard(Sink::Journald), "MESSAGE=a = b\nPRIORITY=4\nSYSLOG_IDENTIFIER=web\n");
    }

    #[test]
    fn a_fifo_that_nobody_reads_does_not_block() {
        let path = std::env::temp_dir().join(format!("corten-test-fifo-{}", std::process::id()));
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let sink = open(path.to_str().unwrap()).unwrap();
        assert!(matches!(sink, Sink::Nobody));
        Logger { sink, json: false }.write(Level::Error, "nobody hears it");
        std::fs::remove_file(path).unwrap();
    }
}
