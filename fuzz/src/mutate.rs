//! Inputs: a seed of the corpus with a few changes, of its JSON tree or of its bytes.

use crate::{Corpus, task_service};
use serde_json::{Map, Value, json};

const BUNDLES: [&str; 5] = [
    include_str!("../../spec-tests/bundles/docker.json"),
    include_str!("../../spec-tests/bundles/podman.json"),
    include_str!("../../spec-tests/bundles/containerd-ctr.json"),
    include_str!("../../spec-tests/bundles/cri-sandbox.json"),
    include_str!("../../spec-tests/bundles/cri-container.json"),
];

const STATE: &str = r#"{"ociVersion":"1.0.2","id":"x","bundle":"/b","rootfs":"/b/rootfs","created":"2026-01-01T00:00:00Z",
"owner":0,"annotations":{"a":"b"},"process":{"pid":77,"startTime":4711},"namespaces":1006764032,"newNamespaces":1006764032,
"cgroup":{"manager":"Cgroupfs","trees":[{"unified":true,"name":"unified","controllers":[],"mount":"/sys/fs/cgroup",
"path":"a/b","made":2}],"lenient":false,"claim":"Made"},"hooks":{"poststop":[{"path":"/bin/true","args":["true"]}]}}"#;

const HOST_FILES: [&str; 6] = [
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n32 31 0:29 / /sys/fs/my\\040cgroup/cpu \
     rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n34 31 0:31 /docker/x /unified rw - cgroup2 cgroup2 rw\n\
     3:cpu,cpuacct:/a\n1:name=systemd:/\n0::/b\n",
    "8:16 Read 100\n8:16 Total 200\nTotal 300\n",
    "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n",
    "mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=max hca_object=max\n",
    "some avg10=0.00 avg60=1.23 avg300=99.99 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "root:x:0:0:root:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n",
];

/// What the inputs of `corpus` are made from.
pub fn seeds(corpus: Corpus) -> Vec<Vec<u8>> {
    let whole = || BUNDLES.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    match corpus {
        Corpus::Configurations => whole().map(|tree| with_all(tree).to_string().into_bytes()).collect(),
        Corpus::Part(place) => {
            let parts = whole().filter_map(|tree| with_all(tree).pointer(place).map(Value::to_string));
            parts.map(String::into_bytes).collect()
        }
        Corpus::States => vec![STATE.replace('\n', "").into_bytes()],
        Corpus::Conversations => task_service::conversations(),
        Corpus::Messages => task_service::single_messages(),
        Corpus::HostFiles => HOST_FILES.map(|text| text.as_bytes().to_vec()).to_vec(),
    }
}

/// `tree` with what engines leave out, so that the whole of the specification is there to be changed.
fn with_all(mut tree: Value) -> Value {
    let parts = [
        (
            "scheduler",
            json!({"policy": "SCHED_DEADLINE", "flags": ["SCHED_FLAG_RECLAIM"], "runtime": 1, "deadline": 2}),
        ),
        ("ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 4})),
        ("execCPUAffinity", json!({"initial": "0-3,7", "final": "1"})),
        ("oomScoreAdj", json!(-5)),
        ("consoleSize", json!({"height": 24, "width": 80})),
    ];
    for (name, value) in parts {
        tree["process"][name] = value;
    }
    let parts = [
        ("timeOffsets", json!({"monotonic": {"secs": 1, "nanosecs": 2}})),
        ("sysctl", json!({"net.ipv4.ip_forward": "1"})),
        ("intelRdt", json!({"closID": "a", "l3CacheSchema": "L3:0=f"})),
        ("uidMappings", json!([{"containerID": 0, "hostID": 1000, "size": 10}])),
        ("gidMappings", json!([{"containerID": 0, "hostID": 1000, "size": 10}])),
        ("netDevices", json!({"eth0": {"name": "x"}})),
        ("personality", json!({"domain": "LINUX32"})),
        ("memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "0"})),
    ];
    for (name, value) in parts {
        tree["linux"][name] = value;
    }
    let parts = [
        ("hugepageLimits", json!([{"pageSize": "2MB", "limit": 1}])),
        ("network", json!({"classID": 1, "priorities": [{"name": "lo", "priority": 1}]})),
        ("rdma", json!({"mlx5_1": {"hcaHandles": 3}})),
        ("unified", json!({"memory.high": "100"})),
        ("blockIO", json!({"weight": 10, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}]})),
        (
            "cpu",
            json!({"shares": 1024, "quota": -1, "period": 1000, "cpus": "0-1", "mems": "0", "idle": 1, "burst": 3}),
        ),
        (
            "memory",
            json!({"limit": -1, "swap": -1, "reservation": 1, "swappiness": 60, "checkBeforeUpdate": true}),
        ),
        ("pids", json!({"limit": -1})),
    ];
    for (name, value) in parts {
        tree["linux"]["resources"][name] = value;
    }
    if let Some(rules) = tree["linux"]["seccomp"]["syscalls"].as_array_mut() {
        rules.truncate(12); // a profile of hundreds of names makes each try slow
    }
    tree
}

/// Numbers by SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }
}

/// Makes one input after the other.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    random: Random,
}

impl Mutator {
    /// From these seeds of a corpus, as the number `seed` decides.
    pub fn new(seeds: Vec<Vec<u8>>, seed: u64) -> Self {
        Self { seeds, random: Random(seed) }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let at = self.random.below(self.seeds.len());
        let mut bytes = self.seeds.get(at).cloned().unwrap_or_default();
        let tree = serde_json::from_slice::<Value>(&bytes);
        let no_tree = tree.is_err();
        if self.random.below(4) > 0
            && let Ok(mut tree) = tree
        {
            for _ in 0..=self.random.below(4) {
                self.change_tree(&mut tree);
            }
            bytes = tree.to_string().into_bytes();
        }
        if no_tree || self.random.below(3) == 0 {
            for _ in 0..=self.random.below(6) {
                self.change_bytes(&mut bytes);
            }
        }
        bytes
    }

    /// Changes one node: each step down is decided anew.
    fn change_tree(&mut self, node: &mut Value) {
        let deeper = self.random.below(8) > 0;
        match node {
            Value::Object(map) if deeper && !map.is_empty() => {
                let at = self.random.below(map.len());
                match self.random.below(12) {
                    0 => self.rename(map, at),
                    1 => drop(map.keys().nth(at).cloned().map(|key| map.remove(&key))),
                    _ => {
                        if let Some(value) = map.values_mut().nth(at) {
                            self.change_tree(value);
                        }
                    }
                }
            }
            Value::Array(list) if deeper && !list.is_empty() => {
                let at = self.random.below(list.len());
                match self.random.below(8) {
                    0 => drop(list.remove(at)),
                    1 => list.extend(list.get(at).cloned()),
                    _ => self.change_tree(&mut list[at]),
                }
            }
            Value::String(text) if self.random.below(2) == 0 => {
                let mut bytes = std::mem::take(text).into_bytes();
                self.change_bytes(&mut bytes);
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
            node => *node = self.value(),
        }
    }

    fn rename(&mut self, map: &mut Map<String, Value>, at: usize) {
        let Some(key) = map.keys().nth(at).cloned() else { return };
        let value = map.remove(&key).unwrap_or_default();
        let mut bytes = key.into_bytes();
        self.change_bytes(&mut bytes);
        map.insert(String::from_utf8_lossy(&bytes).into_owned(), value);
    }

    /// A value that is often a bad one.
    fn value(&mut self) -> Value {
        let numbers = [
            json!(0),
            json!(-1),
            json!(1),
            json!(i32::MAX),
            json!(i32::MIN),
            json!(u32::MAX),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1.5),
            json!(1e300),
            json!(self.random.next() >> self.random.below(64)),
        ];
        let texts = [
            "",
            "/",
            "..",
            "a/../b",
            "\0",
            "\u{fffd}",
            "0-",
            "-",
            ",",
            "=",
            "max",
            "0-4294967295",
            "/proc/self/fd/0",
        ];
        match self.random.below(8) {
            0 => Value::Null,
            1 => json!(self.random.below(2) == 0),
            2 | 3 => numbers[self.random.below(numbers.len())].clone(),
            4 | 5 => json!(texts[self.random.below(texts.len())]),
            6 => json!("x".repeat(1 << self.random.below(14))),
            _ if self.random.below(2) == 0 => json!([]),
            _ => json!({}),
        }
    }

    fn change_bytes(&mut self, bytes: &mut Vec<u8>) {
        let at = self.random.below(bytes.len() + 1);
        let any = self.random.next().to_le_bytes()[0];
        match self.random.below(7) {
            0 => bytes.insert(at, any),
            1 if at < bytes.len() => bytes[at] = any,
            2 if at < bytes.len() => bytes[at] ^= 1 << self.random.below(8),
            3 => bytes.truncate(at),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            5 => {
                let end = (at + self.random.below(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = self.random.below(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            _ => {
                let deep = "[".repeat(1 << self.random.below(9));
                bytes.splice(at..at, deep.into_bytes());
            }
        }
    }
}
