use serde_json::Value;
use serde_json::json;

use super::{accepted, told};

#[test]
fn the_limits_of_a_cgroup() {
    let told = |patch: Value, fault: &str| {
        told(&[(json!({"linux": {"resources": patch}}), &format!("linux.resources.{fault}"))]);
    };
    told(
        json!({"devices": [{"allow": true}]}),
        "devices[0].access: must be some of \"r\", \"w\" and \"m\" and not \"\"",
    );
    told(
        json!({"devices": [{"access": "rx"}]}),
        "devices[0].access: must be some of \"r\", \"w\" and \"m\" and not \"rx\"",
    );
    told(
        json!({"devices": [{"access": "r", "type": "p"}]}),
        "devices[0].type: must be \"a\", \"b\" or \"c\"",
    );
    told(
        json!({"devices": [{"access": "r", "major": -2}]}),
        "devices[0].major: must be -1 to 4294967295 and not -2",
    );
    told(json!({"memory": {"limit": -2}}), "memory.limit: must be a number of bytes or -1 and not -2");
    told(
        json!({"memory": {"limit": 9, "swap": 8}}),
        "memory.swap: must be at least memory.limit (9), as it counts both, and not 8",
    );
    told(json!({"memory": {"swappiness": 101}}), "memory.swappiness: must be at most 100 and not 101");
    told(
        json!({"cpu": {"quota": i64::MIN}}),
        "cpu.quota: must be a time in microseconds or -1 and not -9223372036854775808",
    );
    told(json!({"cpu": {"period": 999}}), "cpu.period: must be 1000 to 1000000 microseconds and not 999");
    told(json!({"cpu": {"idle": 2}}), "cpu.idle: must be 0 to 1 and not 2");
    told(json!({"cpu": {"cpus": "0;1"}}), "cpu.cpus: must be a list as \"0-3,7\"");
    told(json!({"cpu": {"mems": "\u{0}"}}), "cpu.mems: must be a list as \"0-3,7\"");
    told(json!({"blockIO": {"weight": 9}}), "blockIO.weight: must be 10 to 1000 and not 9");
    told(
        json!({"blockIO": {"weightDevice": [{"leafWeight": 1001}]}}),
        "blockIO.weightDevice[0].leafWeight: must be 10 to 1000 and not 1001",
    );
    told(
        json!({"blockIO": {"throttleReadIOPSDevice": [{"major": 8, "minor": -1, "rate": 1}]}}),
        "blockIO.throttleReadIOPSDevice[0].minor: must be 0 to 4294967295 and not -1",
    );
    for size in ["", "2", "MB", "02MB", "2mb", "../MB", "2 MB"] {
        told(
            json!({"hugepageLimits": [{"pageSize": size, "limit": 1}]}),
            &format!("hugepageLimits[0].pageSize: must be a size as \"2MB\" and not {size:?}"),
        );
    }
    told(json!({"rdma": {"mlx5_1": {}}}), "rdma[\"mlx5_1\"]: must have hcaHandles or hcaObjects");
    told(json!({"rdma": {"a b": {"hcaHandles": 1}}}), "rdma[\"a b\"]: must be the name of an RDMA device");
    for file in ["", "memory", "../x.y", ".x", "a/b.c"] {
        told(
            json!({"unified": {file: "1"}}),
            &format!("unified[{file:?}]: must be the name of a cgroup file, as \"memory.high\""),
        );
    }
    accepted(&[json!({"linux": {"resources": {
        "devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": -1, "minor": 3, "access": "m"}],
        "memory": {"limit": i64::MAX, "swap": -1, "reservation": 0, "swappiness": 0, "kernel": -1},
        "cpu": {"quota": -1, "period": 0, "shares": u64::MAX, "cpus": "0-31:2/4,all", "mems": "", "idle": 1},
        "pids": {"limit": -1},
        "blockIO": {"weight": 0, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": u64::MAX}]},
        "hugepageLimits": [{"pageSize": "1GB", "limit": u64::MAX}],
        "network": {"classID": u32::MAX, "priorities": [{"name": "eth0", "priority": 1}]},
        "rdma": {"mlx5_1": {"hcaHandles": 1}},
        "unified": {"memory.high": "max"},
    }}})]);
}
