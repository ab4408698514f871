//! The daemon's side of a shim without a daemon: its directories, the command line and the environment with which it starts
//! shims, and its event service.

use super::{
    client::{Client, REQUEST, RESPONSE, TASK_V2, TASK_V3, frame, read_frame},
    messages::{Envelope, ForwardRequest, Request, Response},
};
use crate::harness::{Call, Done, Verdict, fail, within};
use prost::Message;
use std::{
    collections::BTreeMap,
    fs, io,
    net::Shutdown,
    os::unix::{
        fs::{OpenOptionsExt, symlink},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// The namespace of all containers here.
pub(crate) const NAMESPACE: &str = "probe";

/// The event service of a daemon: it puts on record what comes.
#[derive(Clone, Default)]
pub(crate) struct Events {
    heard: Arc<Mutex<Vec<Envelope>>>,
    streams: Arc<Mutex<Vec<UnixStream>>>,
}

impl Events {
    /// Serves at `path`.
    pub(crate) fn serve(&self, path: &Path) -> io::Result<()> {
        let listener = UnixListener::bind(path)?;
        let events = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                events.streams.lock().unwrap_or_else(PoisonError::into_inner).extend(stream.try_clone());
                let events = events.clone();
                thread::spawn(move || events.attend(stream));
            }
        });
        Ok(())
    }

    /// The daemon goes: its socket is no more, and its connections end.
    pub(crate) fn hang_up(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        for stream in self.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        Ok(())
    }

    fn attend(&self, mut stream: UnixStream) {
        while let Ok(Some((header, body))) = read_frame(&mut stream) {
            if header.kind != REQUEST {
                continue;
            }
            let request = Request::decode(&body[..]).unwrap_or_default();
            let service = "containerd.services.events.ttrpc.v1.Events";
            let envelope = match ForwardRequest::decode(&request.payload[..]) {
                Ok(ForwardRequest { envelope: Some(envelope) })
                    if request.service == service && request.method == "Forward" =>
                {
                    envelope
                }
                _ => Envelope {
                    topic: format!("no event: {}/{}", request.service, request.method),
                    ..Envelope::default()
                },
            };
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(envelope);
            let answer = frame(header.stream, RESPONSE, &Response::default().encode_to_vec());
            if io::Write::write_all(&mut stream, &answer).is_err() {
                return;
            }
        }
    }

    /// All that came so far.
    pub(crate) fn all(&self) -> Vec<Envelope> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The topics of all that came so far.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.all().into_iter().map(|envelope| envelope.topic).collect()
    }

    /// The `number`th event (from 0) of this topic, once it has come.
    pub(crate) fn nth<T: Message + Default>(&self, topic: &str, number: usize) -> Verdict<T> {
        let find = || self.all().into_iter().filter(|envelope| envelope.topic == topic).nth(number);
        let Some(envelope) = within(Duration::from_secs(5), find) else {
            return fail(format!("no event {topic} ({number}) came: {:?}", self.topics()));
        };
        Ok(T::decode(&envelope.event.unwrap_or_default().value[..])?)
    }

    /// Waits until `count` events have come, and a little for those that should not.
    pub(crate) fn settled(&self, count: usize) -> Vec<String> {
        within(Duration::from_secs(5), || (self.all().len() >= count).then_some(()));
        thread::sleep(Duration::from_millis(50));
        self.topics()
    }
}

/// How a shim is started: what differs by the daemon's version and by its user's wishes.
#[derive(Clone, Default)]
pub(crate) struct Bootstrap {
    /// What the daemon writes to standard input.
    pub(crate) input: Vec<u8>,
    /// Flags beyond the daemon's own.
    pub(crate) flags: Vec<String>,
    /// Variables beyond the daemon's own; they may change those.
    pub(crate) env: Vec<(String, String)>,
}

/// Where a daemon of our own keeps its things.
pub(crate) struct Daemon {
    pub(crate) dir: PathBuf,
    pub(crate) shim: PathBuf,
    pub(crate) events: Events,
    /// The reading ends of shims' logs.
    logs: Mutex<BTreeMap<String, fs::File>>,
    calls: AtomicU32,
}

impl Daemon {
    /// A daemon below `dir` that starts `shim`.
    pub(crate) fn new(dir: &Path, shim: &Path) -> io::Result<Self> {
        let dir = dir.join("daemon");
        fs::create_dir_all(dir.join("work"))?;
        let events = Events::default();
        events.serve(&dir.join("d.sock.ttrpc"))?;
        let (logs, calls) = (Mutex::default(), AtomicU32::new(0));
        Ok(Self { dir, shim: shim.to_owned(), events, logs, calls })
    }

    /// The address of the daemon's own service, of which a shim only passes on the name.
    pub(crate) fn address(&self) -> String {
        self.dir.join("d.sock").to_string_lossy().into_owned()
    }

    /// The socket of the event service.
    pub(crate) fn event_socket(&self) -> PathBuf {
        self.dir.join("d.sock.ttrpc")
    }

    /// Makes a bundle's directory what containerd makes of it: the `log` FIFO, whose reading end is held, and the `work` link.
    pub(crate) fn prepare(&self, bundle: &Path, id: &str) -> io::Result<()> {
        let work = self.dir.join("work").join(id);
        fs::create_dir_all(&work)?;
        if !bundle.join("work").exists() {
            symlink(&work, bundle.join("work"))?;
        }
        let log = bundle.join("log");
        if !log.exists() {
            nix::unistd::mkfifo(&log, nix::sys::stat::Mode::from_bits_truncate(0o700))?;
        }
        let from = fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&log)?;
        // It is read when somebody asks: until then all must fit.
        let _ = nix::fcntl::fcntl(&from, nix::fcntl::FcntlArg::F_SETPIPE_SZ(1 << 20));
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.insert(id.to_owned(), from);
        Ok(())
    }

    /// What a shim of container `id` has written to its log since this was asked last.
    pub(crate) fn log(&self, id: &str) -> String {
        let mut text = Vec::new();
        if let Some(from) = self.logs.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id) {
            // The end of what is there is an error: there is none to the FIFO.
            let _ = io::Read::read_to_end(from, &mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Keeps nothing of container `id`.
    pub(crate) fn forget(&self, id: &str) -> io::Result<()> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        fs::remove_dir_all(self.dir.join("work").join(id))
    }

    /// A call of the shim's binary for container `id`, as containerd makes it.
    pub(crate) fn command(
        &self,
        bundle: &Path,
        id: &str,
        verb: &[&str],
        bootstrap: &Bootstrap,
    ) -> std::process::Command {
        let mut command = std::process::Command::new(&self.shim);
        let address = self.address();
        command.args(["-namespace", NAMESPACE, "-address", &address]);
        command.args(["-publish-binary", "/usr/bin/containerd", "-id", id]);
        command.args(&bootstrap.flags).args(verb).current_dir(bundle);
        command.env("TTRPC_ADDRESS", format!("{address}.ttrpc")).env("GRPC_ADDRESS", &address);
        command.env("NAMESPACE", NAMESPACE).env("MAX_SHIM_VERSION", "2").env("GOMAXPROCS", "2");
        command.envs(bootstrap.env.iter().map(|(key, value)| (key, value)));
        command
    }

    /// `start` under strace(1), which writes the programs executed by it and by all that comes of it to `file`.
    pub(crate) fn start_traced(&self, bundle: &Path, id: &str, file: &Path) -> Verdict<(String, Client)> {
        self.prepare(bundle, id)?;
        let command = traced(&self.command(bundle, id, &["start"], &Bootstrap::default()), file);
        let done = self.call(command, "start").done()?.ok()?;
        let address = address(&done)?;
        let client = Client::connect(&address)?.of(service(&done));
        Ok((address, client))
    }

    /// `delete` under strace(1).
    pub(crate) fn delete_traced(&self, bundle: &Path, id: &str, file: &Path) -> Verdict {
        let flags = vec!["-bundle".to_owned(), bundle.to_string_lossy().into_owned()];
        let command = self.command(bundle, id, &["delete"], &Bootstrap { flags, ..Bootstrap::default() });
        self.call(traced(&command, file), "delete").done()?.ok().map(drop)
    }

    /// `start`, whatever comes of it: what it wrote on standard output and standard error, which containerd reads as one.
    pub(crate) fn start(&self, bundle: &Path, id: &str, bootstrap: &Bootstrap) -> Verdict<Done> {
        self.prepare(bundle, id)?;
        let command = self.command(bundle, id, &["start"], bootstrap);
        self.call(command, "start").input(bootstrap.input.clone()).done()
    }

    /// `delete`, as containerd calls it once a shim has ended or does not answer.
    pub(crate) fn delete(&self, bundle: &Path, id: &str) -> Verdict<Done> {
        let flags = vec!["-bundle".to_owned(), bundle.to_string_lossy().into_owned()];
        let command = self.command(bundle, id, &["delete"], &Bootstrap { flags, ..Bootstrap::default() });
        self.call(command, "delete").done()
    }

    /// A call of a program.
    pub(crate) fn call(&self, command: std::process::Command, words: &str) -> Call {
        Call::of(command, words, &self.dir, self.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// `start` that is to give an address, and a connection to it.
    pub(crate) fn connect(
        &self,
        bundle: &Path,
        id: &str,
        bootstrap: &Bootstrap,
    ) -> Verdict<(String, Client)> {
        let done = self.start(bundle, id, bootstrap)?.ok()?;
        let address = address(&done)?;
        let client = Client::connect(&address)?.of(service(&done));
        Ok((address, client))
    }
}

/// The same command under strace(1), whose tracer is nobody's parent.
fn traced(command: &std::process::Command, file: &Path) -> std::process::Command {
    let mut outer = std::process::Command::new("strace");
    outer.args(["-D", "-f", "-qq", "-A", "-e", "trace=execve,execveat", "-e", "signal=none", "-o"]).arg(file);
    outer.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        outer.env(key, value.unwrap_or_default());
    }
    if let Some(dir) = command.get_current_dir() {
        outer.current_dir(dir);
    }
    outer
}

/// The address in what `start` wrote: plain text, or JSON.
pub(crate) fn address(done: &Done) -> Verdict<String> {
    let (text, stray) = (done.stdout(), done.stderr());
    if !stray.is_empty() {
        return fail(format!("start wrote to standard error, which is part of its reply: {stray:?}"));
    }
    if text.starts_with('{') {
        let reply = crate::harness::parse(&text)?;
        return Ok(reply["address"].as_str().unwrap_or_default().to_owned());
    }
    if text.starts_with("unix://") && !text.contains(char::is_whitespace) {
        return Ok(text);
    }
    fail(format!("start gave no address: {text:?}"))
}

/// The service that `start` wrote of: only JSON names a version, and only some have more than one.
fn service(done: &Done) -> &'static str {
    let reply = crate::harness::parse(&done.stdout()).unwrap_or_default();
    if reply["version"].as_u64().is_some_and(|version| version >= 3) { TASK_V3 } else { TASK_V2 }
}
