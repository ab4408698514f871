//! `linux.resources.blockIO` (config-linux.md, "Block IO").

use super::define::objects;

objects! {
    /// How the container shares block devices: config-linux.md, "Block IO".
    ///
    /// ```
    /// use runtime_core::spec::{LinuxBlockIo, LinuxResources, LinuxThrottleDevice};
    ///
    /// let mut disks = LinuxBlockIo::default();
    /// disks.weight = Some(100);
    /// disks.throttle_write_bps_device.push(LinuxThrottleDevice { major: 8, minor: 0, rate: 10 << 20 });
    /// let mut limits = LinuxResources::default();
    /// limits.block_io = Some(disks);
    /// ```
    #[non_exhaustive]
    LinuxBlockIo {
        /// Its weight among its siblings, 10 to 1000.
        weight: Option<u16> = "weight",
        /// The weight of its own processes against the cgroups beneath it, 10 to 1000: cgroup v1 and the CFQ scheduler only.
        leaf_weight: Option<u16> = "leafWeight",
        /// Weights for single devices.
        weight_device: Vec<LinuxWeightDevice> = "weightDevice",
        /// The most bytes a second that are read from a device.
        throttle_read_bps_device: Vec<LinuxThrottleDevice> = "throttleReadBpsDevice",
        /// The most bytes a second that are written to a device.
        throttle_write_bps_device: Vec<LinuxThrottleDevice> = "throttleWriteBpsDevice",
        /// The most reads a second from a device.
        throttle_read_iops_device: Vec<LinuxThrottleDevice> = "throttleReadIOPSDevice",
        /// The most writes a second to a device.
        throttle_write_iops_device: Vec<LinuxThrottleDevice> = "throttleWriteIOPSDevice",
    }

    /// Weights for one device: config-linux.md, "Block IO".
    ///
    /// ```
    /// use runtime_core::spec::LinuxWeightDevice;
    ///
    /// let sda = LinuxWeightDevice { major: 8, minor: 0, weight: Some(500), leaf_weight: None };
    /// ```
    #[derive(Copy)]
    LinuxWeightDevice {
        /// The device's major number.
        major: i64 = "major" Written,
        /// Its minor number.
        minor: i64 = "minor" Written,
        /// As [`LinuxBlockIo::weight`].
        weight: Option<u16> = "weight",
        /// As [`LinuxBlockIo::leaf_weight`].
        leaf_weight: Option<u16> = "leafWeight",
    }

    /// A rate for one device: config-linux.md, "Block IO".
    ///
    /// ```
    /// use runtime_core::spec::LinuxThrottleDevice;
    ///
    /// let ten_mebibytes = LinuxThrottleDevice { major: 8, minor: 0, rate: 10 << 20 };
    /// ```
    #[derive(Copy)]
    LinuxThrottleDevice {
        /// The device's major number.
        major: i64 = "major" Written,
        /// Its minor number.
        minor: i64 = "minor" Written,
        /// Bytes or operations a second.
        rate: u64 = "rate" Written,
    }
}
