use super::*;
use serde_json::{Value, json};

fn read(profile: Value, options: &Options) -> Result<Filter, Error> {
    compile_for(Arch::ScmpArchX86_64, &serde_json::from_value(profile).unwrap(), options)
}

fn filter(profile: Value) -> Filter {
    read(profile, &Options::default()).unwrap()
}

fn complaint(profile: Value) -> String {
    let error = read(profile, &Options::default()).unwrap_err();
    crate::Error::from(error).report()
}

/// A profile that allows what is not in `syscalls`.
fn denying(syscalls: Value) -> Value {
    let mut profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent.sock"});
    profile["syscalls"] = syscalls;
    profile
}

#[test]
fn complaints_name_their_place() {
    let wrong =
        |rule: Value| complaint(denying(json!([{"names": ["read"], "action": "SCMP_ACT_KILL"}, rule])));
    let errno = "SCMP_ACT_ERRNO";
    for (rule, expected) in [
        (
            json!({"names": ["read"], "action": errno, "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}),
            "linux.seccomp.syscalls[1].args[0].index: 6 is more than 5, the last argument",
        ),
        (
            json!({"names": ["read"], "action": errno, "errnoRet": 4096}),
            "linux.seccomp.syscalls[1].errnoRet: 4096 is more than 4095",
        ),
        (
            json!({"names": ["read"], "action": "SCMP_ACT_TRACE", "errnoRet": 65536}),
            "linux.seccomp.syscalls[1].errnoRet: 65536 is more than 65535",
        ),
        (
            json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}),
            "linux.seccomp.syscalls[1].errnoRet: SCMP_ACT_ALLOW takes no errno",
        ),
        (
            json!({"names": ["read", ""], "action": errno}),
            "linux.seccomp.syscalls[1].names[1]: unknown system call \"\"",
        ),
        (
            json!({"names": ["execve"], "action": errno}),
            "linux.seccomp.syscalls[1].action: execve is never allowed, so the container's program cannot be executed",
        ),
    ] {
        assert_eq!(wrong(rule), expected);
    }
    assert_eq!(
        complaint(json!({"defaultAction": "SCMP_ACT_NOTIFY"})),
        "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default action"
    );
    assert_eq!(
        complaint(json!({"defaultAction": "SCMP_ACT_ERRNO"})),
        "linux.seccomp.defaultAction: execve is never allowed, so the container's program cannot be executed"
    );
    assert_eq!(
        complaint(json!({"defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1})),
        "linux.seccomp.defaultErrnoRet: SCMP_ACT_KILL takes no errno"
    );
}

#[test]
fn execve_may_depend_on_its_arguments() {
    let args = json!([{"index": 2, "value": 0, "op": "SCMP_CMP_EQ"}]);
    filter(denying(json!([{"names": ["execve"], "action": "SCMP_ACT_KILL", "args": args}])));
}

#[test]
fn a_listener_is_there_if_and_only_if_something_notifies() {
    let notify = json!([{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]);
    let with = |path: Value, metadata: Value, syscalls: &Value| {
        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": syscalls, "listenerPath": path,
               "listenerMetadata": metadata})
    };
    let listening = filter(with(json!("/a"), json!("data"), &notify));
    assert_eq!(listening.listener, Some(Listener { path: "/a".into(), metadata: Some("data".into()) }));
    assert_eq!(filter(with(json!("/a"), json!("data"), &json!([]))).listener, None);
    assert_eq!(
        complaint(with(Value::Null, Value::Null, &notify)),
        "linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs a listener"
    );
    assert_eq!(
        complaint(with(Value::Null, json!("data"), &json!([]))),
        "linux.seccomp.listenerMetadata: there is no listenerPath to send it to"
    );
    let annotated = Options { receiver: Some("/b".into()), ..Options::default() };
    let listener = read(with(Value::Null, Value::Null, &notify), &annotated).unwrap().listener;
    assert_eq!(listener, Some(Listener { path: "/b".into(), metadata: None }));
}

#[test]
fn flags_are_those_that_the_kernel_takes_together() {
    let notify = json!([{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]);
    let flags = |flags: Value, syscalls: &Value| {
        let mut profile = denying(syscalls.clone());
        profile["flags"] = flags;
        filter(profile).flags
    };
    let all = json!(FLAGS.map(|(name, _)| name));
    assert_eq!(flags(Value::Null, &json!([])), supported::SPEC_ALLOW);
    assert_eq!(flags(json!([]), &json!([])), 0);
    assert_eq!(flags(all.clone(), &json!([])), supported::LOG | supported::SPEC_ALLOW | supported::TSYNC);
    assert_eq!(flags(Value::Null, &notify), supported::SPEC_ALLOW | supported::NEW_LISTENER);
    assert_eq!(flags(all, &notify), 0b11_1111);
}

#[test]
fn whether_read_passes_is_known() {
    let reads = |action: &str, args: Value| {
        filter(denying(json!([{"names": ["read"], "action": action, "args": args}]))).lets_read()
    };
    for (action, passes) in [
        ("SCMP_ACT_ALLOW", true),
        ("SCMP_ACT_LOG", true),
        ("SCMP_ACT_NOTIFY", false),
        ("SCMP_ACT_ERRNO", false),
        ("SCMP_ACT_KILL", false),
    ] {
        assert_eq!(reads(action, json!([])), passes, "{action}");
    }
    assert!(!reads("SCMP_ACT_KILL", json!([{"index": 2, "value": 0, "op": "SCMP_CMP_EQ"}])));
}

#[test]
fn the_listener_is_known_without_a_filter() {
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/a",
        "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]});
    let profile: LinuxSeccomp = serde_json::from_value(profile).unwrap();
    let options = Options::default();
    let found = listener(&profile, &options).unwrap();
    assert_eq!(found, Some(Listener { path: "/a".into(), metadata: None }));
    assert_eq!(compile_for(Arch::ScmpArchX86_64, &profile, &options).unwrap().listener, found);
}

#[test]
fn unknown_names_are_skipped_or_refused() {
    let profile = denying(json!([{"names": ["read", "reed", "s390_sthyi"], "action": "SCMP_ACT_ERRNO"}]));
    assert_eq!(filter(profile.clone()).unknown, ["reed"]);
    let options = Options { fail_unknown_syscall: true, ..Options::default() };
    let error = read(profile, &options).unwrap_err();
    assert_eq!(error.to_string(), "linux.seccomp.syscalls[0].names[1]: unknown system call \"reed\"");
}

#[test]
fn too_long_a_program_is_refused() {
    let rule = |value: u32| {
        json!({"names": ["ioctl"], "action": "SCMP_ACT_ERRNO",
                                   "args": [{"index": 1, "value": value, "op": "SCMP_CMP_EQ"}]})
    };
    let profile = |rules: u32| denying((0..rules).map(rule).collect());
    assert!(filter(profile(700)).instructions.len() <= MAX_INSTRUCTIONS);
    assert!(complaint(profile(1000)).ends_with("instructions, the kernel takes 4096"));
}

#[test]
fn what_profiles_can_say_is_what_the_specification_lists() {
    let read = |key: &str, name: &str| {
        let mut profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mknod"],
            "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]}]});
        match key {
            "op" => profile["syscalls"][0]["args"][0]["op"] = json!(name),
            "action" => profile["syscalls"][0]["action"] = json!(name),
            key => profile[key] = json!([name]),
        }
        serde_json::from_value::<LinuxSeccomp>(profile).unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    ACTIONS.iter().for_each(|action| read("action", action.as_str()));
    OPERATORS.iter().for_each(|name| read("op", name));
    ARCHITECTURES.iter().for_each(|arch| read("architectures", arch.as_str()));
    FLAGS.iter().for_each(|(name, _)| read("flags", name));
}

#[test]
fn bytes_are_instructions_in_native_order() {
    let filter = filter(denying(json!([])));
    let bytes = filter.to_bytes();
    assert_eq!(bytes.len(), filter.instructions.len() * 8);
    assert_eq!(bytes[..8], [0x20u16.to_ne_bytes().as_slice(), &[0, 0], &4u32.to_ne_bytes()].concat());
}
