//! An interactive shell in a container: a terminal of its own, which this program passes on to the one that it is called from. As root:
//!
//! ```text
//! cargo run --example terminal
//! ```

use examples::Image;
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use runtime_core::{Console, ContainerBuilder, Job};
use rustix::{
    event::{PollFd, PollFlags, poll},
    termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize},
};
use std::{
    error::Error,
    fs::File,
    io::{self, Read, Write, stdin, stdout},
    process,
};

fn main() -> Result<(), Box<dyn Error>> {
    let image = Image::busybox("terminal")?;
    let job = Job::new(image.rootfs(), ["sh"]).terminal().hostname("terminal").env("PS1", "\\h:\\w\\$ ");
    let mut container = ContainerBuilder::new(format!("terminal-{}", process::id()))
        .root(image.states())
        .spec(job)
        .console(Console::Return)
        .delete_on_drop(true)
        .create()?;
    let master = File::from(container.take_terminal().ok_or("no terminal")?);
    pass_size(&master)?;
    let container = container.start()?;
    let raw = Raw::set()?;
    pass_on(&master)?;
    drop(raw);
    println!("The shell has ended: {}", container.wait()?);
    Ok(())
}

/// Makes the container's terminal as large as ours.
fn pass_size(master: &File) -> io::Result<()> {
    match isatty(stdin()) {
        true => Ok(tcsetwinsize(master, tcgetwinsize(stdin())?)?),
        false => Ok(()),
    }
}

/// Our terminal passes each key on as it is, ^C too, until this is dropped: the container's makes of it what it should.
struct Raw(Option<Termios>);

impl Raw {
    fn set() -> io::Result<Self> {
        if !isatty(stdin()) {
            return Ok(Self(None));
        }
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

/// Passes on what is typed and what is written, until the shell has closed its terminal.
fn pass_on(mut master: &File) -> io::Result<()> {
    let mut resized = SigSet::empty();
    resized.add(Signal::SIGWINCH);
    resized.thread_block()?;
    let signals = SignalFd::with_flags(&resized, SfdFlags::SFD_CLOEXEC)?;
    let mut typed = Some(stdin().lock());
    let mut buffer = [0; 4096];
    loop {
        let (own, keys) = (stdin(), if typed.is_some() { PollFlags::IN } else { PollFlags::empty() });
        let mut ready = [
            PollFd::new(&master, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
            PollFd::new(&own, keys),
        ];
        poll(&mut ready, None)?;
        let [written, resized, key] = ready.map(|fd| !fd.revents().is_empty());
        if resized {
            signals.read_signal()?;
            pass_size(master)?;
        }
        if let Some(keys) = typed.as_mut().filter(|_| key) {
            match keys.read(&mut buffer)? {
                0 => {
                    typed = None;
                    master.write_all(&[4])?; // ^D
                }
                count => master.write_all(&buffer[..count])?,
            }
        }
        if written {
            match master.read(&mut buffer) {
                // EIO: nobody has the other side any more.
                Ok(0) | Err(_) => return Ok(()),
                Ok(count) => stdout().write_all(&buffer[..count])?,
            }
            stdout().flush()?;
        }
    }
}
