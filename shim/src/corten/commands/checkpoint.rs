//! `corten checkpoint`

use super::{Host, criu, select};
use crate::{cli::Args, cli::Given, failure::Failure, sys};
use runtime_core::{CheckpointOptions, ErrorKind};
use std::os::fd::OwnedFd;

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let flags = &args.flags;
    let options = options(flags, host)?;
    let container = select::one(args, host)?;
    let ends = !options.leaves_running();
    container.checkpoint(options)?;
    if ends {
        // Nothing of it is left here, as runc has it: who restores it makes it anew. Who waits for its end may be faster.
        match container.delete(true) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn options(flags: &Given, host: &Host) -> Result<CheckpointOptions, Failure> {
    let mut options = CheckpointOptions::new("");
    options.criu = criu::options(flags, host)?;
    options.parent_path = flags.path("parent-path");
    options.leave_running = flags.is_on("leave-running");
    options.pre_dump = flags.is_on("pre-dump");
    options.tcp_skip_in_flight = flags.is_on("tcp-skip-in-flight");
    options.page_server = flags.read("page-server", page_server)?.flatten();
    options.status_fd = status_fd(flags)?;
    Ok(options)
}

/// `ADDRESS:PORT`, or `[ADDRESS]:PORT` where the address has colons.
fn page_server(text: &str) -> Result<Option<(String, u16)>, &'static str> {
    const WANTED: &str = "ADDRESS:PORT is wanted, as 10.0.0.1:27000 or [::1]:27000";
    if text.is_empty() {
        return Ok(None);
    }
    let (address, port) = text.rsplit_once(':').ok_or(WANTED)?;
    let bare = match address.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or(WANTED)?,
        None if address.contains(':') => return Err(WANTED),
        None => address,
    };
    let port = crate::cli::values::number::<u16>(port).ok().filter(|port| *port > 0).ok_or(WANTED)?;
    if bare.is_empty() { Err(WANTED) } else { Ok(Some((bare.to_owned(), port))) }
}

/// The descriptor that hears when lazy pages can be had; without those it is of no use, as in runc.
fn status_fd(flags: &Given) -> Result<Option<OwnedFd>, Failure> {
    let number = flags.read("status-fd", |text| match text {
        "-1" => Ok(None),
        text => crate::cli::values::number::<u16>(text).map(Some),
    })?;
    let Some(number) = number.flatten().filter(|_| flags.is_on("lazy-pages")) else { return Ok(None) };
    let unusable = |why: &str| Failure::usage(format!("invalid --status-fd argument {number}: {why}"));
    let fd = sys::take_inherited(number.into()).ok_or_else(|| unusable("it is not open"))?;
    let flags = nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_GETFL)
        .map_err(|error| Failure::io(format!("--status-fd {number}"), error))?;
    match nix::fcntl::OFlag::from_bits_truncate(flags) & nix::fcntl::OFlag::O_ACCMODE {
        nix::fcntl::OFlag::O_RDONLY => Err(unusable("it cannot be written to")),
        _ => Ok(Some(fd)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_server_is_an_address_and_a_port() {
        assert_eq!(page_server("10.0.0.1:27"), Ok(Some(("10.0.0.1".to_owned(), 27))));
        assert_eq!(page_server("[::1]:27"), Ok(Some(("::1".to_owned(), 27))));
        assert_eq!(page_server(""), Ok(None));
        for text in ["x", ":1", "x:", "x:0", "x:65536", "x:1x", "::1:27", "[::1:27", "[]:1"] {
            assert!(page_server(text).is_err(), "{text}");
        }
    }
}
