//! What is asked of criu, read by criu's own definition of its messages: for all flags, those too that no kernel here can show at
//! work, as SELinux's. Needs the Python package that criu comes with.

use crate::{
    ground::{COUNT, with_script},
    support::{Bundle, text},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

/// In place of criu: it says that it is 3.17 and can do all, and writes down what else it is asked for, which fails.
const RECORDER: &str = r#"#!/usr/bin/python3
import socket, sys
from pycriu import rpc_pb2 as rpc
from google.protobuf import json_format
caller = socket.socket(fileno=int(sys.argv[2]))
while data := caller.recv(65536):
    asked = rpc.criu_req.FromString(data)
    answer = rpc.criu_resp(type=asked.type, success=True)
    if asked.type == rpc.VERSION:
        answer.version.major_number, answer.version.minor_number = 3, 17
    elif asked.type == rpc.FEATURE_CHECK:
        answer.features.mem_track = answer.features.lazy_pages = True
    else:
        with open(sys.argv[0] + ".told", "w") as told:
            told.write(json_format.MessageToJson(asked, preserving_proto_field_name=True))
        asked.DiscardUnknownFields()
        answer.success = len(asked.SerializeToString()) != len(data)
    caller.send(answer.SerializeToString())
"#;

/// What criu is asked for by `args`.
fn asked(bundle: &Bundle, args: &[&str]) -> Value {
    let recorder = bundle.file("recorder");
    let output = bundle.corten(&[&["--criu", &recorder], args].concat());
    assert!(!output.status.success(), "criu knows all that it is told");
    let told = fs::read(format!("{recorder}.told")).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    fs::remove_file(format!("{recorder}.told")).unwrap();
    serde_json::from_slice(&told).unwrap()
}

fn recording(name: &str) -> Option<Bundle> {
    let has_messages = Command::new("/usr/bin/python3").args(["-c", "import pycriu.rpc_pb2"]).output();
    if !has_messages.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no Python package pycriu here");
        return None;
    }
    let bundle = with_script(name, COUNT)?;
    fs::write(bundle.file("recorder"), RECORDER).unwrap();
    fs::set_permissions(bundle.file("recorder"), fs::Permissions::from_mode(0o755)).unwrap();
    Some(bundle)
}

/// Flags that are a switch, and criu's name of each.
const SWITCHES: [(&str, &str); 7] = [
    ("--tcp-established", "tcp_established"),
    ("--ext-unix-sk", "ext_unix_sk"),
    ("--shell-job", "shell_job"),
    ("--file-locks", "file_locks"),
    ("--lazy-pages", "lazy_pages"),
    ("--auto-dedup", "auto_dedup"),
    ("--link-remap", "link_remap"),
];
const MODES: [(&str, &str); 4] =
    [("soft", "SOFT"), ("full", "FULL"), ("strict", "STRICT"), ("ignore", "IGNORE")];
const NEW_NETWORK: u32 = 0x4000_0000;

#[test]
fn a_checkpoint_asks_for_what_its_flags_say() {
    let Some(bundle) = recording("asks") else { return };
    bundle.start("x");
    let (image, work) = (bundle.file("image"), bundle.file("work"));
    let ask =
        |flags: &[&str]| asked(&bundle, &[&["checkpoint", "--image-path", &image], flags, &["x"]].concat());
    let plain = ask(&[]);
    assert_eq!(plain["type"], "DUMP");
    let told = &plain["opts"];
    assert_eq!((&told["pid"], &told["log_file"]), (&bundle.state("x")["pid"], &json!("dump.log")));
    assert_eq!((&told["manage_cgroups_mode"], &told["empty_ns"]), (&json!("SOFT"), &json!(NEW_NETWORK)));
    let others =
        ["leave_running", "tcp_skip_in_flight", "tcp_close", "track_mem", "ps", "parent_img", "work_dir_fd"];
    for name in SWITCHES.iter().map(|(_, name)| name).chain(&others) {
        assert_eq!(told[name], Value::Null, "{name} was not asked for");
    }
    let mut switches: Vec<_> = SWITCHES.to_vec();
    switches.extend([("--leave-running", "leave_running"), ("--tcp-skip-in-flight", "tcp_skip_in_flight")]);
    for (flag, name) in switches {
        assert_eq!(ask(&[flag])["opts"][name], true, "{flag}");
    }
    for (mode, name) in MODES {
        assert_eq!(ask(&["--manage-cgroups-mode", mode])["opts"]["manage_cgroups_mode"], name);
    }
    assert_eq!(ask(&["--empty-ns", "network"])["opts"]["empty_ns"], NEW_NETWORK);
    let server = ask(&["--page-server", "[::1]:27000"]);
    assert_eq!(server["opts"]["ps"], json!({ "address": "::1", "port": 27000 }));
    assert_ne!(ask(&["--work-path", &work])["opts"]["work_dir_fd"], Value::Null);
    fs::create_dir(bundle.file("1")).unwrap();
    let ahead = ask(&["--pre-dump", "--parent-path", "../1"]);
    assert_eq!(ahead["type"], "PRE_DUMP");
    assert_eq!((&ahead["opts"]["track_mem"], &ahead["opts"]["parent_img"]), (&json!(true), &json!("../1")));
}

/// The labels of SELinux are restored where the kernel has it.
#[test]
fn a_restore_asks_for_what_its_flags_say() {
    let Some(bundle) = recording("asks-again") else { return };
    let image = bundle.file("image");
    fs::create_dir(&image).unwrap();
    fs::write(bundle.file("image/inventory.img"), "").unwrap();
    let mount = json!({ "key": "corten-0", "what": { "mount": { "destination": "/data", "below": "" } }, "point": "/data" });
    let contents = json!({ "mounts": [mount], "namespaces": [], "files": [[1, "file[1:2]"]] });
    fs::write(bundle.file("image/corten.json"), contents.to_string()).unwrap();
    fs::write(bundle.file("image/descriptors.json"), r#"["/dev/null","pipe:[7]","pipe:[8]"]"#).unwrap();
    let restore = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image];
    let ask = |flags: &[&str]| asked(&bundle, &[&restore[..], flags, &["x"]].concat());
    let plain = ask(&[]);
    assert_eq!(plain["type"], "RESTORE");
    let told = &plain["opts"];
    assert_eq!((&told["rst_sibling"], &told["log_file"]), (&json!(true), &json!("restore.log")));
    assert_eq!(told["external"], json!([format!("mnt[corten-0]:{}", bundle.file("data"))]));
    let inherited = json!([{ "key": "pipe:[7]", "fd": 1 }, { "key": "pipe:[8]", "fd": 2 }, { "key": "file[1:2]", "fd": 1 }]);
    assert_eq!(told["inherit_fd"], inherited);
    for name in SWITCHES.iter().map(|(_, name)| name).chain(&["lsm_profile", "lsm_mount_context"]) {
        assert_eq!(told[name], Value::Null, "{name} was not asked for");
    }
    for (flag, name) in SWITCHES {
        assert_eq!(ask(&[flag])["opts"][name], true, "{flag}");
    }
    // The container's own cgroup is made before criu is asked, so that criu cannot be as strict.
    for (mode, name) in MODES.map(|(mode, name)| (mode, if mode == "strict" { "SOFT" } else { name })) {
        assert_eq!(ask(&["--manage-cgroups-mode", mode])["opts"]["manage_cgroups_mode"], name);
    }
    let label = "system_u:object_r:container_file_t:s0:c1,c2";
    assert_eq!(ask(&["--lsm-mount-context", label])["opts"]["lsm_mount_context"], label);
    let profile = "selinux:system_u:system_r:container_t:s0:c1,c2";
    assert_eq!(ask(&["--lsm-profile", profile])["opts"]["lsm_profile"], profile);
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}
