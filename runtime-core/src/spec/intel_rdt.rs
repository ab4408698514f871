//! `linux.intelRdt` (config-linux.md, "IntelRdt").

use super::define::objects;

objects! {
    /// The share of caches and memory bandwidth: config-linux.md, "IntelRdt".
    ///
    /// ```
    /// use runtime_core::spec::LinuxIntelRdt;
    ///
    /// let mut rdt = LinuxIntelRdt::default();
    /// rdt.l3_cache_schema = Some("L3:0=f;1=f0".to_owned());
    /// rdt.enable_monitoring = true;
    /// ```
    #[non_exhaustive]
    LinuxIntelRdt {
        /// The group of resctrl that the container joins, the container's id if there is none.
        clos_id: Option<String> = "closID",
        /// The lines of the file `schemata`, as resctrl has them. They are written last.
        schemata: Vec<String> = "schemata",
        /// A line for the third level of caches, as `L3:0=f;1=f0`.
        l3_cache_schema: Option<String> = "l3CacheSchema",
        /// A line for the memory bandwidth, as `MB:0=20;1=70`, in per cent or as the host is set up.
        mem_bw_schema: Option<String> = "memBwSchema",
        /// Before 1.3 of the specification: the use of caches is monitored.
        enable_cmt: bool = "enableCMT",
        /// Before 1.3 of the specification: the use of memory bandwidth is monitored.
        enable_mbm: bool = "enableMBM",
        /// The container gets a monitoring group of its own.
        enable_monitoring: bool = "enableMonitoring",
    }
}
