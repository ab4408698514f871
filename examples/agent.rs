//! Answers system calls in the kernel's place: a container without privileges may mount a tmpfs below /mnt, and nothing else; each
//! wish is logged. As root:
//!
//! ```text
//! cargo run --example agent
//! ```

use examples::Image;
use runtime_core::{
    Container, ContainerBuilder, Job, Stdio,
    agent::{Agent, Notification},
    spec::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall, Mount},
};
use std::{error::Error, path::Path, process, thread};

/// What the container tries.
const SCRIPT: &str = "
    mount -t tmpfs tmpfs /mnt && echo data > /mnt/file && cat /mnt/file
    mount -t tmpfs tmpfs /etc || echo refused
    mount -t proc proc /mnt   || echo refused
";

fn main() -> Result<(), Box<dyn Error>> {
    let image = Image::busybox("agent")?;
    std::fs::create_dir(image.rootfs().join("etc"))?;
    let socket = image.folder().join("agent.sock");
    let agent = Agent::bind(&socket)?;

    let spec = Job::new(image.rootfs(), ["sh", "-c", SCRIPT]).seccomp(ask_about(&["mount"], &socket));
    let container = ContainerBuilder::new(format!("agent-{}", process::id()))
        .root(image.states())
        .spec(spec)
        .stdin(Stdio::Null)
        .delete_on_drop(true)
        .create()?;

    // The start waits until the agent has taken the listener: the agent is another thread, as it could be another program.
    let states = image.states();
    let answers = thread::spawn(move || -> runtime_core::Result<()> {
        let (process, calls) = agent.accept()?;
        let container = Container::load(&states, &process.state.id)?;
        calls.into_iter().try_for_each(|call| answer(&container, call?))
    });
    let container = container.start()?;
    println!("{}", container.wait()?);
    answers.join().map_err(|_| "the agent has panicked")??;
    Ok(())
}

/// mount(2): source, target, type, flags, data.
fn answer(container: &Container, call: Notification) -> runtime_core::Result<()> {
    let [_, target, kind, ..] = call.arguments();
    // Read once, and only these copies are used: the process cannot change its mind.
    let target = call.read_text(target)?.to_string_lossy().into_owned();
    let kind = call.read_text(kind)?.to_string_lossy().into_owned();
    let allowed = kind == "tmpfs" && Path::new(&target).starts_with("/mnt") && !target.contains("..");
    println!("{} of {kind} at {target}: {}", call.name().unwrap_or("?"), if allowed { "yes" } else { "no" });
    if !allowed {
        return call.refuse(libc::EPERM);
    }
    // The runtime does it: beneath the container's root, whatever symlinks there are.
    let options = ["nosuid", "nodev", "size=1m"];
    let mount = Mount::new(target).of_type("tmpfs").from_source("tmpfs").with_options(options);
    match container.add_mounts(&[mount]) {
        Ok(()) => call.succeed(0),
        Err(error) => {
            println!("{}", error.report());
            call.refuse(libc::EIO)
        }
    }
}

/// All calls are allowed but these, about which the agent at `socket` is asked.
fn ask_about(calls: &[&str], socket: &Path) -> LinuxSeccomp {
    let mut profile = LinuxSeccomp::new(LinuxSeccompAction::ScmpActAllow);
    profile.listener_path = Some(socket.to_owned());
    profile.syscalls.push(LinuxSyscall::new(calls.iter().copied(), LinuxSeccompAction::ScmpActNotify));
    profile
}
