//! What the init program and the parent say to each other over the sync socket, a SOCK_SEQPACKET pair: one message is one
//! packet.

/// What a message of the init program means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A phase is reached; `value` is the phase and the init program waits.
    Reached = 1,
    /// The process that goes on; `value` is its process id.
    Pid = 2,
    /// The next thing is execve: if the socket closes now, it succeeded, unless the process died.
    Executing = 3,
    /// A step failed; the process ends.
    Failed = 4,
    /// Something did not work that does not matter enough to fail.
    Warning = 5,
    /// The filter is in: the descriptor beside this message is its listener's. As [`Kind::Executing`] otherwise; it waits for
    /// [`Phase::Listener`].
    Listening = 6,
    /// The process could not enter a cgroup by the file that came as number `value` with [`Phase::Cgroup`]; it ends.
    Refused = 7,
}

/// How many descriptors a packet of the parent's brings at most.
pub const MOST_FILES: usize = 16;

/// Where the two wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// A new user namespace has no mappings yet.
    IdMaps = 1,
    /// The cgroups are there; with the answer come the files by which the process enters those of v1.
    Cgroup = 2,
    /// The namespaces and mounts are there, the root is not pivoted yet.
    Mounted = 3,
    /// The parent sets resource limits that the process itself may not.
    Limits = 4,
    /// All is ready but the start; the parent puts the process on record before it lives on its own.
    Created = 5,
    /// The seccomp agent has the listener.
    Listener = 6,
    /// The network namespace is there: its file comes with the answer, unless the process is to make its own.
    Network = 7,
}

/// A packet of the init program.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Message {
    /// A [`Kind`].
    pub kind: u32,
    /// What the kind says.
    pub value: i32,
    /// The step's place in the plan.
    pub step: u32,
    /// The system call that failed, a number of [`crate::arch::nr`], or 0.
    pub call: u32,
    /// What it answered.
    pub errno: i32,
    /// How much of `text` is used.
    pub length: u32,
    /// What the kernel's log of a file system says, a hook's path, or the program's name.
    pub text: [u8; 232],
}

impl Message {
    /// An empty message.
    pub const fn new(kind: Kind) -> Self {
        Self { kind: kind as u32, value: 0, step: 0, call: 0, errno: 0, length: 0, text: [0; 232] }
    }

    /// The same message with as much of `text` as fits.
    #[must_use]
    pub fn with_text(mut self, text: &[u8]) -> Self {
        let length = text.len().min(self.text.len());
        self.text[..length].copy_from_slice(&text[..length]);
        self.length = u32::try_from(length).unwrap_or(0);
        self
    }

    /// The part of `text` that is used.
    pub fn text(&self) -> &[u8] {
        self.text.get(..self.length as usize).unwrap_or(&self.text)
    }

    /// What the message means, nothing if it is not ours.
    pub fn kind(&self) -> Option<Kind> {
        use Kind::{Executing, Failed, Listening, Pid, Reached, Refused, Warning};
        [Reached, Pid, Executing, Failed, Warning, Listening, Refused]
            .into_iter()
            .find(|kind| *kind as u32 == self.kind)
    }

    /// The message as it goes over the socket.
    pub fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        let mut bytes = [0; size_of::<Self>()];
        let words = [
            self.kind,
            self.value.cast_unsigned(),
            self.step,
            self.call,
            self.errno.cast_unsigned(),
            self.length,
        ];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes[24..].copy_from_slice(&self.text);
        bytes
    }

    /// A message as it came over the socket, nothing if it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<Self>()] = bytes.try_into().ok()?;
        let word = |at: usize| bytes.get(at * 4..at * 4 + 4)?.try_into().ok().map(u32::from_ne_bytes);
        let mut message = Self::new(Kind::Warning);
        message.kind = word(0)?;
        message.value = word(1)?.cast_signed();
        message.step = word(2)?;
        message.call = word(3)?;
        message.errno = word(4)?.cast_signed();
        message.length = word(5)?;
        message.text.copy_from_slice(&bytes[24..]);
        Some(message)
    }
}
