//! The verb `start`: find the shim of the container's group or become it, and tell the daemon its address.
//!
//! The server is this same process forked, not executed again: that saves a program for each shim.

use crate::{
    error::{Error, Result},
    flags::Flags,
    group::{self, Socket},
    options, own_cgroup,
    server::{self, Identity},
    sys::{self, Side},
};
use corten_ttrpc::{
    Message,
    bootstrap::{BootstrapParams, BootstrapResult},
    options::Options,
    types::Any,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid, setpgid},
};
use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::net::UnixListener,
    path::PathBuf,
};

/// The most that is read from standard input; the daemon sends a few hundred bytes.
const MAX_INPUT: u64 = 10 << 20;

/// What the daemon wants to be told, and how.
struct Asked {
    options: Options,
    socket_dir: Option<String>,
    events: Option<String>,
    /// It speaks the bootstrap protocol of containerd 2.3.
    protocol: bool,
}

/// Answers the address, and goes on as the server in a process of its own.
pub(crate) fn run(flags: &Flags) -> Result<()> {
    sys::close_inherited();
    let bundle = env::current_dir().map_err(|error| Error::io("working directory", error))?;
    let asked = Asked::read(flags)?;
    let group = group::of(&bundle, &flags.id)?;
    let socket = match flags.socket.as_str() {
        "" => group::socket(asked.socket_dir.as_deref(), &flags.address, &flags.namespace, &group)?,
        given => group::path(given).to_owned(),
    };
    let address = group::address(&socket);
    match group::bind(&socket)? {
        Socket::Served => group::note(&bundle, &address)?,
        Socket::Bound(listener) => {
            let noted = group::note(&bundle, &address).and_then(|()| group::note_leader(&bundle, &group));
            let prepared = noted.and_then(|()| prepare(&asked.options));
            let forked =
                prepared.and_then(|()| sys::fork().map_err(|error| Error::io("fork the server", error)));
            let side = forked.inspect_err(|_| {
                let _ = fs::remove_file(&socket);
            })?;
            let Side::Parent(server) = side else {
                crate::log::start(bundle.join("log"), &flags.namespace, flags.debug);
                // What goes wrong from here on, the daemon learns from a connection that ends.
                let served = detach().and_then(|()| serve_socket(flags, socket, asked.events, listener));
                return served.inspect_err(|error| log::error!("{error}"));
            };
            // One whose address nobody gets would stay for ever.
            return answer(&asked, address).inspect_err(|_| {
                let _ = kill(Pid::from_raw(server), Signal::SIGKILL);
                let _ = fs::remove_file(&socket);
            });
        }
    }
    answer(&asked, address)
}

fn answer(asked: &Asked, address: String) -> Result<()> {
    let answer = if asked.protocol {
        let protocol = "ttrpc".to_owned();
        BootstrapResult { version: 3, address, protocol, ..BootstrapResult::default() }.encode_to_vec()
    } else {
        address.into_bytes()
    };
    crate::print(&answer)
}

/// Serves without a start: the socket is descriptor 3, or is named.
pub(crate) fn serve(flags: &Flags) -> Result<()> {
    let bundle = env::current_dir().map_err(|error| Error::io("working directory", error))?;
    crate::log::start(bundle.join("log"), &flags.namespace, flags.debug);
    let (socket, listener) = match flags.socket.as_str() {
        "" => (group::noted(&bundle).unwrap_or_default(), sys::inherited_listener()),
        given => match group::bind(group::path(given))? {
            Socket::Bound(listener) => (group::path(given).to_owned(), Ok(listener)),
            Socket::Served => return Err(Error::unknown(format!("socket {given}: somebody serves it"))),
        },
    };
    let listener =
        listener.map_err(|error| Error::io("descriptor 3: a listening socket is wanted", error))?;
    serve_socket(flags, socket, None, listener)
}

fn serve_socket(
    flags: &Flags,
    socket: PathBuf,
    events: Option<String>,
    listener: UnixListener,
) -> Result<()> {
    let events = env::var("TTRPC_ADDRESS").ok().or(events);
    let events = events.filter(|path| !path.is_empty()).map(|path| group::path(&path).to_owned());
    server::run(Identity { namespace: flags.namespace.clone(), events, socket }, listener)
}

impl Asked {
    fn read(flags: &Flags) -> Result<Self> {
        let mut input = Vec::new();
        let read = io::stdin().take(MAX_INPUT).read_to_end(&mut input);
        read.map_err(|error| Error::io("read standard input", error))?;
        Self::decode(&input, flags)
    }

    /// Options in an `Any` decode as parameters too: it is the latter only if they name this container.
    fn decode(input: &[u8], flags: &Flags) -> Result<Self> {
        let params = BootstrapParams::decode(input).ok().filter(|params| {
            !flags.id.is_empty() && params.instance_id == flags.id && params.namespace == flags.namespace
        });
        if let Some(params) = params {
            let known = |any: &&Any| options::decode(Some(*any)).is_ok();
            let any = params.extensions.iter().filter_map(|extension| extension.value.as_ref()).find(known);
            return Ok(Self {
                options: options::decode(any)?,
                socket_dir: Some(params.socket_dir).filter(|dir| !dir.is_empty()),
                events: Some(params.containerd_ttrpc_address),
                protocol: true,
            });
        }
        let any = Any::decode(input).map_err(|error| Error::unknown(format!("standard input: {error}")))?;
        // Options that only `Create` can make sense of are not refused here.
        let options = options::decode(Some(&any)).unwrap_or_default();
        Ok(Self { options, socket_dir: None, events: None, protocol: false })
    }
}

/// Does what the server is to inherit.
fn prepare(options: &Options) -> Result<()> {
    adjust_oom_score();
    if env::var_os("SCHED_CORE").is_some_and(|value| !value.is_empty()) {
        sys::own_core_group().map_err(|error| Error::io("SCHED_CORE: enable core scheduling", error))?;
    }
    match options.shim_cgroup.as_str() {
        "" => Ok(()),
        path => own_cgroup::join(path).map_err(|error| error.context("runtime options: ShimCgroup")),
    }
}

/// Makes the server likelier than the daemon to be chosen when memory runs out. The parent is the daemon here.
fn adjust_oom_score() {
    let daemon = PathBuf::from(format!("/proc/{}/oom_score_adj", getppid()));
    let score = fs::read_to_string(daemon).ok().and_then(|text| text.trim().parse::<i32>().ok());
    if let Some(score) = score {
        // Without the privilege to lower it, what was inherited from the daemon stays.
        let _ = fs::write("/proc/self/oom_score_adj", (score + 1).min(1000).to_string());
    }
}

/// Makes the forked process a server: nothing of the daemon's is left in it.
fn detach() -> Result<()> {
    sys::drop_last_word();
    // A process group of its own, so that a signal to the daemon's does not reach it.
    setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(|error| Error::io("setpgid", error))?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null");
    let null: File = null.map_err(|error| Error::io("/dev/null: open", error))?;
    let streams = dup2_stdin(&null).and_then(|()| dup2_stdout(&null)).and_then(|()| dup2_stderr(&null));
    streams.map_err(|error| Error::io("dup2", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use corten_ttrpc::{bootstrap::Extension, options::OPTIONS};

    fn flags() -> Flags {
        Flags { id: "a".into(), namespace: "n".into(), ..Flags::default() }
    }

    #[test]
    fn old_daemons_send_options_or_nothing() {
        assert!(!Asked::decode(&[], &flags()).unwrap().protocol);
        let any = Any::new(OPTIONS, &Options { shim_cgroup: "/shims".into(), ..Options::default() });
        let asked = Asked::decode(&any.encode_to_vec(), &flags()).unwrap();
        assert_eq!((asked.options.shim_cgroup.as_str(), asked.protocol), ("/shims", false));
    }

    #[test]
    fn new_daemons_send_parameters_with_extensions() {
        let options = Options { shim_cgroup: "/shims".into(), ..Options::default() };
        let other = Any { type_url: "some.Thing".into(), value: vec![1] };
        let extensions = [other, Any::new(OPTIONS, &options)];
        let params = BootstrapParams {
            instance_id: "a".into(),
            namespace: "n".into(),
            socket_dir: "/s".into(),
            extensions: extensions.map(|any| Extension { value: Some(any) }).into(),
            ..BootstrapParams::default()
        };
        let asked = Asked::decode(&params.encode_to_vec(), &flags()).unwrap();
        assert!(asked.protocol && asked.socket_dir.as_deref() == Some("/s") && asked.options == options);
        let other = BootstrapParams { instance_id: "b".into(), ..params };
        assert!(!Asked::decode(&other.encode_to_vec(), &flags()).unwrap().protocol);
    }
}
