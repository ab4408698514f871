//! Resources and annotations as properties.

use super::{
    dbus::Value,
    properties::{self, PERIOD, Property},
    *,
};

const V2: Host = Host { unified: true, user: false, bfq: false, idle: false, quota: None, period: None };
const V1: Host = Host { unified: false, ..V2 };

/// `Name=value ...`, as the tables have them.
fn told(properties: &[Property]) -> String {
    let one = |property: &Property| format!("{}={}", property.name, shown(&property.value));
    properties.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::U64(u64::MAX) => "infinity".to_owned(),
        Value::U64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::Byte(number) => format!("{number:#x}"),
        Value::Bool(yes) => yes.to_string(),
        Value::Text(text) => text.clone(),
        Value::Array(_, items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
        Value::Struct(fields) => fields.iter().map(shown).collect::<Vec<_>>().join(":"),
        other => format!("{other:?}"),
    }
}

fn of(json: &str, host: &Host) -> String {
    told(&properties::resources(&serde_json::from_str(json).unwrap(), host).unwrap())
}

#[test]
fn resources_become_properties_of_v2() {
    let table = [
        ("{}", ""),
        (r#"{"memory":{"limit":1024}}"#, "MemoryMax=1024"),
        (r#"{"memory":{"limit":-1}}"#, "MemorySwapMax=infinity MemoryMax=infinity"),
        (
            r#"{"memory":{"limit":100,"swap":300,"reservation":50}}"#,
            "MemorySwapMax=200 MemoryMax=100 MemoryLow=50",
        ),
        (r#"{"memory":{"limit":100,"swap":100}}"#, "MemorySwapMax=0 MemoryMax=100"),
        (r#"{"memory":{"limit":0,"swappiness":7}}"#, ""),
        (r#"{"cpu":{"shares":1024}}"#, "CPUWeight=100"),
        (r#"{"cpu":{"shares":0}}"#, ""),
        (r#"{"cpu":{"idle":1,"shares":1024}}"#, "CPUWeight=0"),
        (r#"{"cpu":{"idle":0}}"#, ""),
        (r#"{"cpu":{"quota":50000,"period":100000}}"#, "CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=500000"),
        (r#"{"cpu":{"quota":50000}}"#, "CPUQuotaPerSecUSec=500000"),
        (r#"{"cpu":{"quota":10000,"period":30000}}"#, "CPUQuotaPeriodUSec=30000 CPUQuotaPerSecUSec=333334"),
        (r#"{"cpu":{"quota":1000,"period":1000000}}"#, "CPUQuotaPeriodUSec=1000000 CPUQuotaPerSecUSec=10000"),
        (r#"{"cpu":{"quota":-1,"period":50000}}"#, "CPUQuotaPeriodUSec=50000 CPUQuotaPerSecUSec=infinity"),
        (r#"{"cpu":{"period":50000}}"#, "CPUQuotaPeriodUSec=50000 CPUQuotaPerSecUSec=infinity"),
        (r#"{"cpu":{"cpus":"0-2,8","mems":"0"}}"#, "AllowedCPUs=[0x7,0x1] AllowedMemoryNodes=[0x1]"),
        (r#"{"pids":{"limit":64}}"#, "TasksMax=64"),
        (r#"{"pids":{"limit":-1}}"#, "TasksMax=infinity"),
        (r#"{"pids":{"limit":0}}"#, ""),
        (r#"{"blockIO":{"weight":500}}"#, "IOWeight=4950"),
        (
            r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":10}]}}"#,
            "IODeviceWeight=[/dev/block/8:0:1]",
        ),
        (
            r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":7},{"major":8,"minor":1,"rate":0}],
                "throttleWriteIOPSDevice":[{"major":9,"minor":0,"rate":5}]}}"#,
            "IOReadBandwidthMax=[/dev/block/8:0:7] IOReadBandwidthMax=[/dev/block/8:1:infinity] \
             IOWriteIOPSMax=[/dev/block/9:0:5]",
        ),
        (r#"{"hugepageLimits":[{"pageSize":"2MB","limit":0}],"rdma":{"x":{"hcaHandles":1}}}"#, ""),
    ];
    for (json, expected) in table {
        assert_eq!(of(json, &V2), expected, "{json}");
    }
}

#[test]
fn what_a_cgroup_has_now_counts() {
    let now = Host { quota: Some(20_000), period: Some(50_000), idle: true, bfq: true, ..V2 };
    let table = [
        (r#"{"cpu":{"quota":10000}}"#, "CPUQuotaPerSecUSec=200000"),
        (r#"{"cpu":{"period":100000}}"#, "CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=200000"),
        (r#"{"cpu":{"idle":0}}"#, "CPUWeight=infinity"),
        (r#"{"cpu":{"idle":0,"shares":1024}}"#, "CPUWeight=100"),
        (r#"{"unified":{"cpu.idle":"0"}}"#, "CPUWeight=infinity"),
        (r#"{"blockIO":{"weight":500}}"#, "IOWeight=4500"),
        (r#"{"blockIO":{"weight":100}}"#, "IOWeight=100"),
        (r#"{"blockIO":{"weight":1000}}"#, "IOWeight=10000"),
    ];
    for (json, expected) in table {
        assert_eq!(of(json, &now), expected, "{json}");
    }
}

#[test]
fn resources_become_properties_of_v1() {
    let table = [
        (r#"{"memory":{"limit":1024,"reservation":7,"swap":2048}}"#, "MemoryLimit=1024"),
        (r#"{"memory":{"limit":-1}}"#, "MemoryLimit=infinity"),
        (r#"{"cpu":{"shares":512,"idle":1}}"#, "CPUShares=512"),
        (r#"{"cpu":{"quota":50000}}"#, "CPUQuotaPerSecUSec=500000"),
        (r#"{"cpu":{"cpus":"1"}}"#, "AllowedCPUs=[0x2]"),
        (r#"{"pids":{"limit":64}}"#, "TasksMax=64"),
        (
            r#"{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":0,"weight":10}],
                "throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":7}],
                "throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":7}]}}"#,
            "BlockIOWeight=500 BlockIODeviceWeight=[/dev/block/8:0:10] BlockIOWriteBandwidth=[/dev/block/8:0:7]",
        ),
        (r#"{"unified":{"memory.max":"1"}}"#, ""),
    ];
    for (json, expected) in table {
        assert_eq!(of(json, &V1), expected, "{json}");
    }
}

#[test]
fn files_of_v2_become_properties() {
    let table = [
        ("cpu.idle", "1", "CPUWeight=0"),
        ("cpu.idle", "0", ""),
        ("cpu.max", "max", "CPUQuotaPerSecUSec=infinity"),
        ("cpu.max", "max 50000", "CPUQuotaPeriodUSec=50000 CPUQuotaPerSecUSec=infinity"),
        ("cpu.max", "25000 50000\n", "CPUQuotaPeriodUSec=50000 CPUQuotaPerSecUSec=500000"),
        ("cpu.max", "25000", "CPUQuotaPerSecUSec=250000"),
        ("cpu.max", "25000 x", ""),
        ("cpu.max", "-5", ""),
        ("cpu.max", "1 2 3", ""),
        ("cpu.max", "", ""),
        ("cpu.weight", "7", "CPUWeight=7"),
        ("cpuset.cpus", "0,9", "AllowedCPUs=[0x1,0x2]"),
        ("cpuset.mems", "0", "AllowedMemoryNodes=[0x1]"),
        ("cpuset.cpus", "x", ""),
        ("memory.high", "max", "MemoryHigh=infinity"),
        ("memory.low", "1024", "MemoryLow=1024"),
        ("memory.max", "1G", "MemoryMax=1073741824"),
        ("memory.min", " 2k ", "MemoryMin=2048"),
        ("memory.swap.max", "0", "MemorySwapMax=0"),
        ("memory.zswap.max", "5m", "MemoryZSwapMax=5242880"),
        ("memory.max", "5x", ""),
        ("memory.max", "99999999999T", ""),
        ("memory.oom.group", "1", ""),
        ("pids.max", "9", "TasksMax=9"),
        ("io.weight", "50", "IOWeight=50"),
        ("io.weight", "default 50\n8:0 60", "IOWeight=50 IODeviceWeight=[/dev/block/8:0:60]"),
        ("io.bfq.weight", "200", "IOWeight=1200"),
        ("io.bfq.weight", "2000", ""),
        ("io.weight", "x 5", ""),
        (
            "io.max",
            "8:0 rbps=100 wbps=max riops=1 wiops=2 other=3\nx rbps=1",
            "IOReadBandwidthMax=[/dev/block/8:0:100] IOWriteBandwidthMax=[/dev/block/8:0:infinity] \
             IOReadIOPSMax=[/dev/block/8:0:1] IOWriteIOPSMax=[/dev/block/8:0:2]",
        ),
        ("hugetlb.2MB.max", "0", ""),
    ];
    for (file, value, expected) in table {
        let json = serde_json::json!({"unified": {file: value}}).to_string();
        assert_eq!(of(&json, &V2), expected, "{file} {value}");
    }
}

proptest::proptest! {
    /// systemd counts back as quota * period / 1 s, rounded down.
    #[test]
    fn a_quota_comes_back_from_systemd_as_it_was(quota in 10_000_u64..10_000_000, period in 1_000_u64..=1_000_000) {
        let json = format!(r#"{{"cpu":{{"quota":{quota},"period":{period}}}}}"#);
        let properties = properties::resources(&serde_json::from_str(&json).unwrap(), &V2).unwrap();
        let Value::U64(per_second) = properties[1].value else { panic!() };
        proptest::prop_assert_eq!(per_second * period / 1_000_000, quota);
    }
}

fn devices(json: &str, host: &Host, fresh: bool) -> String {
    let policy = Policy::new(&serde_json::from_str::<Vec<_>>(json).unwrap()).unwrap();
    told(&properties::devices(&policy, host, fresh))
}

#[test]
fn devices_become_a_list() {
    const USUAL: &str = "[char-*:m,block-*:m,/dev/char/1:3:rwm,/dev/char/1:5:rwm,/dev/char/1:7:rwm,/dev/char/1:8:rwm,\
                         /dev/char/1:9:rwm,/dev/char/5:0:rwm,/dev/char/5:2:rwm,char-136:rwm]";
    assert_eq!(devices("[]", &V2, true), format!("DevicePolicy=strict DeviceAllow={USUAL}"));
    assert_eq!(devices("[]", &V1, false), format!("DevicePolicy=strict DeviceAllow=[] DeviceAllow={USUAL}"));
    assert_eq!(devices("[]", &Host { user: true, ..V2 }, true), "");
    let all = r#"[{"allow":true,"access":"rwm"}]"#;
    assert_eq!(devices(all, &V2, true), "DevicePolicy=auto");
    assert_eq!(devices(all, &V1, false), "DevicePolicy=auto DeviceAllow=[]");
    let disk = r#"[{"allow":true,"type":"b","major":8,"access":"r"}]"#;
    assert!(devices(disk, &V2, true).contains("DeviceAllow=[block-8:r,char-*:m"));
    // What systemd cannot say is left to the cgroup's own program, and on v1 to its list.
    let minor = r#"[{"allow":true,"type":"c","minor":7,"access":"rw"}]"#;
    assert_eq!(devices(minor, &V2, true), "DevicePolicy=auto");
    assert_eq!(devices(minor, &V1, true), format!("DevicePolicy=strict DeviceAllow={USUAL}"));
    let all_but = r#"[{"allow":true,"access":"rwm"},{"allow":false,"type":"b","access":"w"}]"#;
    assert_eq!(devices(all_but, &V2, true), "DevicePolicy=auto");
}

#[test]
fn a_scope_and_a_slice_have_what_they_need() {
    let place = |unit: &str| path::Place { unit: unit.to_owned(), slice: "a.slice".to_owned() };
    assert_eq!(
        told(&properties::unit(&place("x.scope"), "c1", Some(7), true)),
        "Description=corten container c1 Slice=a.slice PIDs=[7] Delegate=true CollectMode=inactive-or-failed \
         DefaultDependencies=false CPUAccounting=true MemoryAccounting=true TasksAccounting=true IOAccounting=true"
    );
    assert_eq!(
        told(&properties::unit(&place("a-b.slice"), "c1", None, false)),
        "Description=corten container c1 Wants=[a.slice] DefaultDependencies=false CPUAccounting=true \
         MemoryAccounting=true TasksAccounting=true BlockIOAccounting=true"
    );
}

fn annotated(key: &str, value: &str) -> Result<String> {
    let all = BTreeMap::from([
        (key.to_owned(), value.to_owned()),
        ("org.systemd.propert".to_owned(), "x".to_owned()),
    ]);
    properties::annotations(&all).map(|all| told(&all))
}

#[test]
fn annotations_become_properties() {
    let table = [
        ("CollectMode", "'inactive-or-failed'", "CollectMode=inactive-or-failed"),
        ("TimeoutStopUSec", "uint64 123456789", "TimeoutStopUSec=123456789"),
        ("TimeoutStopSec", "uint64 7", "TimeoutStopUSec=7000000"),
        ("TimeoutStopSec", "7", "TimeoutStopUSec=7000000"),
        ("TimeoutStopSec", "1.5", "TimeoutStopUSec=1500000"),
        ("TimeoutStopSec", "byte 2", "TimeoutStopUSec=2000000"),
        ("CPUQuotaPerSecUSec", "uint64 5", "CPUQuotaPerSecUSec=5"),
        ("After", "['a.service', 'b.service']", "After=[a.service,b.service]"),
        ("SendSIGHUP", "true", "SendSIGHUP=true"),
    ];
    for (name, value, expected) in table {
        assert_eq!(annotated(&format!("org.systemd.property.{name}"), value).unwrap(), expected);
    }
    assert_eq!(annotated("org.other", "x").unwrap(), "");
}

#[test]
fn annotations_that_cannot_be_are_refused_by_their_name() {
    let table = [
        ("CollectMode", "inactive"),
        ("CollectMode", ""),
        ("Ab", "true"),
        ("", "true"),
        ("A-B-C", "true"),
        ("Timeout Sec", "5"),
        ("TimeoutStopSec", "'5'"),
        ("TimeoutStopSec", "-5"),
        ("TimeoutStopSec", "uint64 18446744073709551615"),
        ("TimeoutStopSec", "1e300"),
        ("PIDs", "[uint32 1]"),
        ("Slice", "'a.slice'"),
    ];
    for (name, value) in table {
        let key = format!("org.systemd.property.{name}");
        let error = annotated(&key, value).unwrap_err().to_string();
        assert!(error.starts_with(&format!("annotations[{key:?}]: ")), "{error}");
    }
}

#[test]
fn an_older_systemd_is_done_without_what_it_lacks() {
    let properties = properties::resources(
        &serde_json::from_str(r#"{"unified":{"memory.zswap.max":"0","memory.max":"1"},"cpu":{"idle":1}}"#)
            .unwrap(),
        &V2,
    );
    let of = |version: u32| {
        let mut properties = properties.as_ref().unwrap().clone();
        properties.retain(|property| property.since.is_none_or(|since| since <= version));
        told(&properties)
    };
    assert_eq!(of(251), "MemoryMax=1");
    assert_eq!(of(252), "CPUWeight=0 MemoryMax=1");
    assert_eq!(of(253), "CPUWeight=0 MemoryMax=1 MemoryZSwapMax=0");
    assert_eq!(PERIOD, 100_000);
}
