//! `process.scheduler`, `process.ioPriority` and `process.execCPUAffinity` (config.md, "Linux Process").

use super::define::{objects, words, words_are_properties};

objects! {
    /// How the kernel schedules a process: config.md, "process.scheduler"; sched_setattr(2).
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSchedulerPolicy, Scheduler};
    ///
    /// let mut scheduler = Scheduler::new(LinuxSchedulerPolicy::SchedBatch);
    /// scheduler.nice = Some(10);
    /// ```
    #[non_exhaustive]
    Scheduler {
        /// The policy.
        policy: LinuxSchedulerPolicy = "policy" Required,
        /// The nice value, -20 to 19, for policies that are not of real time.
        nice: Option<i32> = "nice",
        /// The static priority, for SCHED_FIFO and SCHED_RR.
        priority: Option<i32> = "priority",
        /// What is special about it.
        flags: Vec<LinuxSchedulerFlag> = "flags",
        /// For SCHED_DEADLINE: how long it runs in each period, in nanoseconds.
        runtime: Option<u64> = "runtime",
        /// For SCHED_DEADLINE: by when in each period it is to be done, in nanoseconds.
        deadline: Option<u64> = "deadline",
        /// For SCHED_DEADLINE: the length of the period, in nanoseconds.
        period: Option<u64> = "period",
    }

    /// A priority for input and output: config.md, "process.ioPriority"; ioprio_set(2).
    ///
    /// ```
    /// use runtime_core::spec::{IOPriorityClass, LinuxIOPriority};
    ///
    /// let last = LinuxIOPriority { class: IOPriorityClass::IoprioClassBe, priority: 7 };
    /// ```
    #[derive(Copy)]
    LinuxIOPriority {
        /// The class.
        class: IOPriorityClass = "class" Required,
        /// The level within the class, 0 (highest) to 7.
        priority: i64 = "priority" Written,
    }

    /// The processors of a process that is executed in a container: config.md, "process.execCPUAffinity".
    ///
    /// ```
    /// use runtime_core::spec::{ExecCPUAffinity, Process};
    ///
    /// let mut check = Process::new(["/bin/check"]);
    /// check.exec_cpu_affinity =
    ///     Some(ExecCPUAffinity { initial: Some("0".to_owned()), cpu_affinity_final: Some("2-3".to_owned()) });
    /// ```
    ExecCPUAffinity {
        /// Where it is born, before it is moved to the container's cgroup, as `0-3,7`.
        initial: Option<String> = "initial",
        /// Where it runs from then on (`final`).
        cpu_affinity_final: Option<String> = "final",
    }
}

words! {
    /// A policy of sched(7).
    ///
    /// ```
    /// use runtime_core::spec::LinuxSchedulerPolicy;
    ///
    /// assert_eq!(LinuxSchedulerPolicy::SchedDeadline.as_str(), "SCHED_DEADLINE");
    /// ```
    #[non_exhaustive]
    LinuxSchedulerPolicy {
        /// The usual one.
        #[default]
        SchedOther = "SCHED_OTHER",
        /// Real time, first come first served.
        SchedFifo = "SCHED_FIFO",
        /// Real time, in turns.
        SchedRr = "SCHED_RR",
        /// Work that takes long and waits for nobody.
        SchedBatch = "SCHED_BATCH",
        /// Reserved by the kernel, which does not have it.
        SchedIso = "SCHED_ISO",
        /// What runs when nothing else does.
        SchedIdle = "SCHED_IDLE",
        /// Real time with a budget and a deadline.
        SchedDeadline = "SCHED_DEADLINE",
    }

    /// A flag of sched_setattr(2).
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSchedulerFlag, LinuxSchedulerPolicy, Scheduler};
    ///
    /// let mut scheduler = Scheduler::new(LinuxSchedulerPolicy::SchedFifo);
    /// scheduler.priority = Some(1);
    /// scheduler.flags.push(LinuxSchedulerFlag::SchedResetOnFork);
    /// ```
    #[non_exhaustive]
    LinuxSchedulerFlag {
        /// Children do not inherit it.
        #[default]
        SchedResetOnFork = "SCHED_FLAG_RESET_ON_FORK",
        /// Bandwidth that others do not use is taken.
        SchedFlagReclaim = "SCHED_FLAG_RECLAIM",
        /// SIGXCPU tells that the budget is used up.
        SchedFlagDLOverrun = "SCHED_FLAG_DL_OVERRUN",
        /// The policy is left as it is.
        SchedFlagKeepPolicy = "SCHED_FLAG_KEEP_POLICY",
        /// The parameters are left as they are.
        SchedFlagKeepParams = "SCHED_FLAG_KEEP_PARAMS",
        /// A lower bound for the utilization is given.
        SchedFlagUtilClampMin = "SCHED_FLAG_UTIL_CLAMP_MIN",
        /// An upper bound for the utilization is given.
        SchedFlagUtilClampMax = "SCHED_FLAG_UTIL_CLAMP_MAX",
    }

    /// A class of ioprio_set(2).
    ///
    /// ```
    /// use runtime_core::spec::IOPriorityClass;
    ///
    /// assert_eq!(IOPriorityClass::IoprioClassIdle.as_str(), "IOPRIO_CLASS_IDLE");
    /// ```
    #[non_exhaustive]
    IOPriorityClass {
        /// Real time: first.
        IoprioClassRt = "IOPRIO_CLASS_RT",
        /// Best effort.
        #[default]
        IoprioClassBe = "IOPRIO_CLASS_BE",
        /// When nobody else wants the device.
        IoprioClassIdle = "IOPRIO_CLASS_IDLE",
    }
}

words_are_properties! { LinuxSchedulerPolicy LinuxSchedulerFlag IOPriorityClass }

impl Scheduler {
    /// This policy, with nothing else set.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSchedulerPolicy, Scheduler};
    ///
    /// let idle = Scheduler::new(LinuxSchedulerPolicy::SchedIdle);
    /// ```
    pub fn new(policy: LinuxSchedulerPolicy) -> Self {
        Self { policy, ..Self::default() }
    }
}
