//! One call, and the answers to it.

use crate::{Error, ErrorKind, Result, seccomp, sys};
use std::{
    ffi::CString,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    sync::Arc,
};

/// The largest errno of the kernel.
const MAX_ERRNO: i32 = 4095;
/// The longest text that is read of a process, PATH_MAX.
const MAX_TEXT: usize = 4096;

/// A system call that waits for its answer. Dropped without one, it fails with ENOSYS.
///
/// ```no_run
/// use runtime_core::agent::Notification;
///
/// /// Some calls are made in the container's place, the others are refused.
/// fn answer(call: Notification) -> runtime_core::Result<()> {
///     match call.name() {
///         Some("sethostname") => call.succeed(0),
///         _ => call.refuse(libc::EPERM),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Notification {
    listener: Arc<OwnedFd>,
    call: sys::notify::Call,
    answered: bool,
}

impl Notification {
    pub(super) fn new(listener: Arc<OwnedFd>, call: sys::notify::Call) -> Self {
        Self { listener, call, answered: false }
    }

    /// The thread that makes the call, in this process' pid namespace; 0 where it is not to be seen from there.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// fn program(call: &Notification) -> std::io::Result<std::path::PathBuf> {
    ///     std::fs::read_link(format!("/proc/{}/exe", call.pid()))
    /// }
    /// ```
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.call.pid
    }

    /// The call's number, in the [`architecture`](Self::architecture) that it is made in.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// Calls that this library has no name for, as they are newer than it.
    /// fn is_unknown(call: &Notification) -> bool {
    ///     if call.name().is_none() {
    ///         println!("call {} of architecture {:#x}", call.number(), call.architecture());
    ///     }
    ///     call.name().is_none()
    /// }
    /// ```
    #[must_use]
    pub fn number(&self) -> i32 {
        self.call.number
    }

    /// The architecture, AUDIT_ARCH_* of <linux/audit.h>.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// Programs of 32 bits have other numbers, and arguments that mean something else.
    /// fn is_native(call: &Notification) -> bool {
    ///     const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
    ///     call.architecture() == AUDIT_ARCH_X86_64
    /// }
    /// ```
    #[must_use]
    pub fn architecture(&self) -> u32 {
        self.call.architecture
    }

    /// The call's name; nothing for one that is newer than this library.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// fn is_mount(call: &Notification) -> bool {
    ///     matches!(call.name(), Some("mount" | "fsopen" | "open_tree" | "move_mount"))
    /// }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        seccomp::syscall_name(self.call.architecture, self.call.number.cast_unsigned())
    }

    /// Its six arguments; what the call takes fewer of is whatever the registers had.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// The mode that chmod(2) asks for.
    /// fn mode(call: &Notification) -> Option<u64> {
    ///     let [_, mode, ..] = call.arguments();
    ///     (call.name() == Some("chmod")).then_some(mode)
    /// }
    /// ```
    #[must_use]
    pub fn arguments(&self) -> [u64; 6] {
        self.call.arguments
    }

    /// Whether it still waits: the process may have been killed, or have got a signal.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// What was looked up by the thread's number is only right if the thread was still there afterwards.
    /// fn user(call: &Notification) -> Option<String> {
    ///     let status = std::fs::read_to_string(format!("/proc/{}/status", call.pid())).ok()?;
    ///     call.is_waiting().then_some(status)
    /// }
    /// ```
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        sys::notify::is_valid(self.listener.as_fd(), self.call.id)
    }

    /// Reads the memory of the process at `address`; as much as is there, at most all of `bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the call does not wait any more; [`ErrorKind::Permission`] without the right to trace the process;
    /// [`ErrorKind::Io`] where there is no memory.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// The file handle's size, of name_to_handle_at(2).
    /// fn size(call: &Notification) -> runtime_core::Result<u32> {
    ///     let [_, _, handle, ..] = call.arguments();
    ///     let mut size = [0; 4];
    ///     call.read_memory(handle, &mut size)?;
    ///     Ok(u32::from_ne_bytes(size))
    /// }
    /// ```
    pub fn read_memory(&self, address: u64, bytes: &mut [u8]) -> Result<usize> {
        let path = format!("/proc/{}/mem", self.call.pid);
        let failed = |what: &str, error| Error::io(format!("{what} {path}"), error);
        let memory = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.gone(),
            _ => failed("open", error),
        })?;
        // Only now is it known to be the memory of that process, and of none that got its number.
        if !self.is_waiting() {
            return Err(self.gone());
        }
        memory.read_at(bytes, address).map_err(|error| failed("read", error))
    }

    /// Reads a text that ends with NUL at `address`, as a path, of at most 4095 bytes.
    ///
    /// # Errors
    /// As [`read_memory`](Self::read_memory); [`ErrorKind::Io`] if it is longer.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// What mount(2) is to mount, and where.
    /// fn mount(call: &Notification) -> runtime_core::Result<()> {
    ///     let [source, target, ..] = call.arguments();
    ///     println!("mount {:?} at {:?}", call.read_text(source)?, call.read_text(target)?);
    ///     Ok(())
    /// }
    /// ```
    pub fn read_text(&self, address: u64) -> Result<CString> {
        let mut text = Vec::new();
        while text.len() < MAX_TEXT {
            // Page by page: behind the text there may be no memory.
            let mut page = [0; 4096];
            let at = address.wrapping_add(text.len() as u64);
            let left = 4096 - usize::try_from(at % 4096).unwrap_or_default();
            let count = self.read_memory(at, &mut page[..left])?;
            let part = &page[..count];
            match part.iter().position(|byte| *byte == 0) {
                Some(end) => {
                    text.extend_from_slice(&part[..end]);
                    // It has no NUL.
                    return Ok(CString::new(text).unwrap_or_default());
                }
                None if count == 0 => break,
                None => text.extend_from_slice(part),
            }
        }
        Err(Error::new(ErrorKind::Io, "a text in the memory of a process does not end"))
    }

    /// Lets the kernel make the call after all. What it points to may have changed: see the [module](super).
    ///
    /// # Errors
    /// The system's answer. That nobody waits any more is none.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// What a process may ask of itself is harmless.
    /// fn answer(call: Notification) -> runtime_core::Result<()> {
    ///     match call.name() {
    ///         Some("getpid" | "getuid") => call.go_on(),
    ///         _ => call.refuse(libc::ENOSYS),
    ///     }
    /// }
    /// ```
    pub fn go_on(mut self) -> Result<()> {
        self.send(0, 0, true)
    }

    /// The call returns `value`.
    ///
    /// # Errors
    /// As [`go_on`](Self::go_on).
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// A chown that changes nothing: for an image that was unpacked by somebody who is not root.
    /// fn answer(call: Notification) -> runtime_core::Result<()> {
    ///     match call.name() {
    ///         Some("chown" | "fchown" | "lchown" | "fchownat") => call.succeed(0),
    ///         _ => call.go_on(),
    ///     }
    /// }
    /// ```
    pub fn succeed(mut self, value: i64) -> Result<()> {
        self.send(value, 0, false)
    }

    /// The call fails with `errno`, as `libc::EPERM`.
    ///
    /// # Errors
    /// As [`go_on`](Self::go_on); [`ErrorKind::InvalidArgument`] for what is no errno, 1 to 4095: the call then fails with ENOSYS.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// fn answer(call: Notification) -> runtime_core::Result<()> {
    ///     call.refuse(libc::EPERM)
    /// }
    /// ```
    pub fn refuse(mut self, errno: i32) -> Result<()> {
        // To the kernel 0 would be a success.
        if !(1..=MAX_ERRNO).contains(&errno) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("refuse a call: {errno} is no errno"),
            ));
        }
        self.send(0, errno, false)
    }

    /// The call returns a new descriptor of the process, a copy of `fd`: as openat(2) does.
    ///
    /// # Errors
    /// As [`go_on`](Self::go_on). The call then fails.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    /// use std::{fs::File, os::fd::AsFd};
    ///
    /// /// open(2) of anything gives the process one file of ours.
    /// fn answer(call: Notification) -> Result<(), Box<dyn std::error::Error>> {
    ///     let file = File::open("/srv/web/only-this")?;
    ///     Ok(call.return_descriptor(file.as_fd(), true)?)
    /// }
    /// ```
    pub fn return_descriptor(mut self, fd: BorrowedFd<'_>, close_on_exec: bool) -> Result<()> {
        let sent = sys::notify::send_fd(self.listener.as_fd(), self.call.id, fd, close_on_exec);
        self.answered = sent.is_ok();
        Self::over(sent)
    }

    fn send(&mut self, value: i64, errno: i32, go_on: bool) -> Result<()> {
        self.answered = true;
        Self::over(sys::notify::send(self.listener.as_fd(), self.call.id, value, errno, go_on))
    }

    /// Who does not wait any more needs no answer.
    fn over(result: io::Result<()>) -> Result<()> {
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other.map_err(|error| Error::io("answer a notification", error)),
        }
    }

    fn gone(&self) -> Error {
        Error::new(ErrorKind::NotFound, format!("the call of process {} waits no more", self.call.pid))
    }
}

impl Drop for Notification {
    fn drop(&mut self) {
        if !self.answered {
            let _ = self.send(0, libc::ENOSYS, false);
        }
    }
}
