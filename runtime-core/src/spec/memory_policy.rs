//! `linux.memoryPolicy` (config-linux.md, "Memory policy").

use super::define::{objects, words, words_are_properties};

objects! {
    /// Where on a NUMA machine memory comes from: config-linux.md, "Memory policy"; set_mempolicy(2).
    ///
    /// ```
    /// use runtime_core::spec::{LinuxMemoryPolicy, MemoryPolicyModeType};
    ///
    /// let mut policy = LinuxMemoryPolicy::new(MemoryPolicyModeType::MpolBind);
    /// policy.nodes = Some("0-1".to_owned());
    /// ```
    #[non_exhaustive]
    LinuxMemoryPolicy {
        /// The policy.
        mode: MemoryPolicyModeType = "mode" Required,
        /// The nodes that it is about, as `0-3,7`.
        nodes: Option<String> = "nodes",
        /// What is special about it.
        flags: Vec<MemoryPolicyFlagType> = "flags",
    }
}

words! {
    /// A policy of set_mempolicy(2).
    ///
    /// ```
    /// use runtime_core::spec::MemoryPolicyModeType;
    ///
    /// assert_eq!(MemoryPolicyModeType::MpolInterleave.as_str(), "MPOL_INTERLEAVE");
    /// ```
    #[non_exhaustive]
    MemoryPolicyModeType {
        /// The node of the processor that asks.
        #[default]
        MpolDefault = "MPOL_DEFAULT",
        /// None but the nodes.
        MpolBind = "MPOL_BIND",
        /// The nodes in turn, page by page.
        MpolInterleave = "MPOL_INTERLEAVE",
        /// The nodes in turn, by their weights. Linux 6.9.
        MpolWeightedInterleave = "MPOL_WEIGHTED_INTERLEAVE",
        /// One node as long as it has memory.
        MpolPreferred = "MPOL_PREFERRED",
        /// Some nodes as long as they have memory. Linux 5.15.
        MpolPreferredMany = "MPOL_PREFERRED_MANY",
        /// The node of the processor that asks, whatever other policy there is.
        MpolLocal = "MPOL_LOCAL",
    }

    /// A flag of set_mempolicy(2).
    ///
    /// ```
    /// use runtime_core::spec::{LinuxMemoryPolicy, MemoryPolicyFlagType, MemoryPolicyModeType};
    ///
    /// let mut policy = LinuxMemoryPolicy::new(MemoryPolicyModeType::MpolBind);
    /// policy.flags.push(MemoryPolicyFlagType::MpolFStaticNodes);
    /// ```
    #[non_exhaustive]
    MemoryPolicyFlagType {
        /// The kernel moves pages nearer to who uses them, among the nodes of [`MemoryPolicyModeType::MpolBind`].
        #[default]
        MpolFNumaBalancing = "MPOL_F_NUMA_BALANCING",
        /// Nodes are counted among those that the process may use.
        MpolFRelativeNodes = "MPOL_F_RELATIVE_NODES",
        /// Nodes stay what they are when those that the process may use change.
        MpolFStaticNodes = "MPOL_F_STATIC_NODES",
    }
}

words_are_properties! { MemoryPolicyModeType MemoryPolicyFlagType }

impl LinuxMemoryPolicy {
    /// This policy, without nodes and flags.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxMemoryPolicy, MemoryPolicyModeType};
    ///
    /// let local = LinuxMemoryPolicy::new(MemoryPolicyModeType::MpolLocal);
    /// ```
    pub fn new(mode: MemoryPolicyModeType) -> Self {
        Self { mode, ..Self::default() }
    }
}
