//! The log: the FIFO `log` of the bundle, which the daemon reads. It is opened when there is something to say, and never
//! holds the shim up: where nobody reads, nothing is written.

use crate::calendar;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::PathBuf,
    sync::{Mutex, OnceLock},
};

static LOGGER: OnceLock<Logger> = OnceLock::new();

struct Logger {
    path: PathBuf,
    namespace: String,
    file: Mutex<Option<File>>,
}

/// Logs to the FIFO at `path` from now on.
pub(crate) fn start(path: PathBuf, namespace: &str, debug: bool) {
    let logger =
        LOGGER.get_or_init(|| Logger { path, namespace: namespace.to_owned(), file: Mutex::new(None) });
    log::set_max_level(if debug { LevelFilter::Debug } else { LevelFilter::Info });
    let _ = log::set_logger(logger);
}

impl Logger {
    fn open(&self) -> io::Result<File> {
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOFOLLOW)
            .open(&self.path)?;
        match file.metadata()?.file_type().is_fifo() {
            true => Ok(file),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn write(&self, line: &str) {
        let Ok(mut file) = self.file.lock() else { return };
        // A daemon that was started again may have made the FIFO anew.
        for _ in 0..2 {
            if file.is_none() {
                *file = self.open().ok();
            }
            match file.as_mut().map(|file| file.write_all(line.as_bytes())) {
                Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => *file = None,
                _ => return,
            }
        }
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => "error",
            Level::Warn => "warning",
            Level::Info => "info",
            Level::Debug | Level::Trace => "debug",
        };
        // A JSON string is also what text has in quotes.
        let message = serde_json::Value::from(record.args().to_string().replace('\n', " "));
        let namespace = &self.namespace;
        let time = calendar::now();
        self.write(&format!(
            "time=\"{time}\" level={level} msg={message} namespace={namespace} runtime=io.containerd.corten.v1\n"
        ));
    }

    fn flush(&self) {}
}
