//! `process.capabilities` (config.md, "Linux Process"; capabilities(7)).

use super::{
    define::{objects, words},
    node::Node,
    read::{Outcome, Property},
};

objects! {
    /// The five sets of a process: config.md, "process.capabilities"; capabilities(7). A name that is not known is left out with a
    /// warning when they are read.
    ///
    /// ```
    /// use runtime_core::spec::{Capability, LinuxCapabilities};
    ///
    /// // A program that is not root, and may listen on port 80.
    /// let port = vec![Capability::NetBindService];
    /// let sets = LinuxCapabilities {
    ///     bounding: port.clone(),
    ///     permitted: port.clone(),
    ///     inheritable: port.clone(),
    ///     ambient: port.clone(),
    ///     effective: port,
    /// };
    /// ```
    LinuxCapabilities {
        /// What the process and those that it becomes can have at all.
        bounding: Vec<Capability> = "bounding",
        /// What is in force.
        effective: Vec<Capability> = "effective",
        /// What stays across execve(2) where the program has it, too.
        inheritable: Vec<Capability> = "inheritable",
        /// What can be put in force.
        permitted: Vec<Capability> = "permitted",
        /// What stays across execve(2) of a program without privileges.
        ambient: Vec<Capability> = "ambient",
    }
}

words! {
    /// A right that root has: capabilities(7). In the order of the kernel's numbers.
    ///
    /// ```
    /// use runtime_core::spec::Capability;
    ///
    /// assert_eq!(Capability::SysAdmin.to_string(), "CAP_SYS_ADMIN");
    /// assert_eq!(Capability::from_name("net_raw"), Some(Capability::NetRaw));
    /// assert_eq!(serde_json::from_str::<Capability>(r#""CAP_KILL""#).unwrap(), Capability::Kill);
    /// ```
    #[non_exhaustive]
    Capability {
        /// To change the owner of files.
        #[default]
        Chown = "CAP_CHOWN",
        /// To read, write and execute any file.
        DacOverride = "CAP_DAC_OVERRIDE",
        /// To read any file and search any folder.
        DacReadSearch = "CAP_DAC_READ_SEARCH",
        /// To do with files what their owner may.
        Fowner = "CAP_FOWNER",
        /// To keep the set-user-ID bits of files that are changed.
        Fsetid = "CAP_FSETID",
        /// To send signals to any process.
        Kill = "CAP_KILL",
        /// To be any group.
        Setgid = "CAP_SETGID",
        /// To be any user.
        Setuid = "CAP_SETUID",
        /// To add capabilities to the inheritable set and drop them from the bounding set.
        Setpcap = "CAP_SETPCAP",
        /// To change the immutable and append-only attributes of files.
        LinuxImmutable = "CAP_LINUX_IMMUTABLE",
        /// To listen on ports below 1024.
        NetBindService = "CAP_NET_BIND_SERVICE",
        /// Nothing yet.
        NetBroadcast = "CAP_NET_BROADCAST",
        /// To configure networks.
        NetAdmin = "CAP_NET_ADMIN",
        /// To use raw and packet sockets.
        NetRaw = "CAP_NET_RAW",
        /// To lock memory.
        IpcLock = "CAP_IPC_LOCK",
        /// To use any System V IPC object.
        IpcOwner = "CAP_IPC_OWNER",
        /// To load kernel modules.
        SysModule = "CAP_SYS_MODULE",
        /// To use I/O ports and /dev/mem.
        SysRawio = "CAP_SYS_RAWIO",
        /// To change the root and join mount namespaces.
        SysChroot = "CAP_SYS_CHROOT",
        /// To trace any process.
        SysPtrace = "CAP_SYS_PTRACE",
        /// To switch process accounting.
        SysPacct = "CAP_SYS_PACCT",
        /// To mount, and much else.
        SysAdmin = "CAP_SYS_ADMIN",
        /// To reboot.
        SysBoot = "CAP_SYS_BOOT",
        /// To raise priorities.
        SysNice = "CAP_SYS_NICE",
        /// To raise resource limits.
        SysResource = "CAP_SYS_RESOURCE",
        /// To set the clock.
        SysTime = "CAP_SYS_TIME",
        /// To configure terminals.
        SysTtyConfig = "CAP_SYS_TTY_CONFIG",
        /// To make device files.
        Mknod = "CAP_MKNOD",
        /// To take leases on files of others.
        Lease = "CAP_LEASE",
        /// To write to the audit log.
        AuditWrite = "CAP_AUDIT_WRITE",
        /// To configure auditing.
        AuditControl = "CAP_AUDIT_CONTROL",
        /// To give capabilities to files.
        Setfcap = "CAP_SETFCAP",
        /// To override Smack.
        MacOverride = "CAP_MAC_OVERRIDE",
        /// To configure Smack.
        MacAdmin = "CAP_MAC_ADMIN",
        /// To read the kernel's log.
        Syslog = "CAP_SYSLOG",
        /// To wake up the machine.
        WakeAlarm = "CAP_WAKE_ALARM",
        /// To keep the machine from sleeping.
        BlockSuspend = "CAP_BLOCK_SUSPEND",
        /// To read the audit log.
        AuditRead = "CAP_AUDIT_READ",
        /// To watch performance. Linux 5.8.
        Perfmon = "CAP_PERFMON",
        /// To load BPF programs. Linux 5.8.
        Bpf = "CAP_BPF",
        /// To checkpoint and restore processes. Linux 5.9.
        CheckpointRestore = "CAP_CHECKPOINT_RESTORE",
    }
}

impl Capability {
    /// The kernel's number, linux/capability.h.
    ///
    /// ```
    /// use runtime_core::spec::Capability;
    ///
    /// assert_eq!(Capability::SysAdmin.number(), 21);
    /// ```
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The one of this name, in capital letters or small ones, `CAP_` before it or not.
    ///
    /// ```
    /// use runtime_core::spec::Capability;
    ///
    /// assert_eq!(Capability::from_name("cap_sys_admin"), Some(Capability::SysAdmin));
    /// assert_eq!(Capability::from_name("SYS_ADMIN"), Some(Capability::SysAdmin));
    /// assert_eq!(Capability::from_name("everything"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        const PREFIX: &str = "CAP_";
        if let Some(number) = Self::WORDS.iter().position(|known| *known == name) {
            return Some(Self::ALL[number]);
        }
        let mut bare = name;
        while bare.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) {
            bare = &bare[PREFIX.len()..];
        }
        let is_it = |known: &Self| known.as_str()[PREFIX.len()..].eq_ignore_ascii_case(bare);
        Self::ALL.iter().copied().find(is_it)
    }
}

impl Property for Capability {
    fn set(&mut self, node: &Node<'_>) -> Outcome {
        *self = match node.text().and_then(Self::from_name) {
            Some(known) => known,
            None => Self::ALL[super::read::choose(node, Self::WORDS)?],
        };
        Ok(())
    }

    fn node(&self) -> Node<'_> {
        Node::borrowed(self.as_str())
    }

    /// A capability that this runtime does not know is a warning (config.md, "process.capabilities").
    fn element(node: &Node<'_>) -> Outcome<Option<Self>> {
        let Some(name) = node.text() else {
            let mut value = Self::default();
            return value.set(node).map(|()| Some(value));
        };
        let known = Self::from_name(name);
        if known.is_none() {
            log::warn!("process.capabilities: ignoring unknown capability {name:?}");
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        use Capability::{AuditRead, CheckpointRestore, Chown, Mknod, SysAdmin};
        for (capability, expected) in
            [(Chown, 0), (SysAdmin, 21), (Mknod, 27), (AuditRead, 37), (CheckpointRestore, 40)]
        {
            assert_eq!(capability.number(), expected);
        }
        assert_eq!(Capability::ALL.len(), 41);
    }

    #[test]
    fn names_are_taken_with_and_without_their_beginning() {
        for name in ["CAP_SYS_ADMIN", "SYS_ADMIN", "cap_sys_admin", "CAP_CAP_SYS_ADMIN"] {
            assert_eq!(Capability::from_name(name), Some(Capability::SysAdmin), "{name}");
        }
        for name in ["", "CAP_", "CAP", "CAP_SYS", "\u{e4}\u{e4}"] {
            assert_eq!(Capability::from_name(name), None, "{name}");
        }
    }
}
