//! The network: namespaces and connections.

use crate::{
    ground::{
        assert_goes_on, checkpoint, counting, counting_in_perl, free_port, refused, restore, wait_for_count,
    },
    support::{Bundle, wait_until},
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

#[test]
fn a_network_namespace_that_was_joined_stays_where_it_is() {
    let Some(bundle) = counting("network") else { return };
    let mut holder = Command::new("unshare").args(["--net", "sleep", "1000"]).spawn().unwrap();
    let path = format!("/proc/{}/ns/net", holder.id());
    wait_until(|| fs::read_link(&path).unwrap() != fs::read_link("/proc/self/ns/net").unwrap());
    let set_path = |path: Option<&str>| {
        bundle.edit(|spec| {
            let list = spec["linux"]["namespaces"].as_array_mut().unwrap();
            let entry = list.iter_mut().find(|entry| entry["type"] == "network").unwrap();
            entry["path"] = path.into();
            if path.is_none() {
                entry.as_object_mut().unwrap().remove("path");
            }
        });
    };
    set_path(Some(&path));
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    checkpoint(&bundle, &[], "x");
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
    let own = fs::read_link(format!("/proc/{}/ns/net", bundle.state("x")["pid"])).unwrap();
    assert_eq!(own, fs::read_link(&path).unwrap());
    bundle.ok(&["delete", "--force", "x"]);
    set_path(None);
    let image = bundle.file("image");
    let restore = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, "x"];
    refused(&bundle, &restore, "linux.namespaces[");
    holder.kill().unwrap();
    holder.wait().unwrap();
}

/// A container in this network namespace: `begin` and `each` of a program in perl, with `SERVER` listening at `$ENV{PORT}`.
fn serving(name: &str, begin: &str, each: &str) -> Option<(Bundle, u16)> {
    let listen = "use Socket; socket(SERVER, PF_INET, SOCK_STREAM, 0); \
        bind(SERVER, sockaddr_in($ENV{PORT}, INADDR_LOOPBACK)) or die; listen(SERVER, 5);";
    let bundle = counting_in_perl(name, &format!("{listen} {begin}"), each)?;
    let port = free_port();
    bundle.edit(|spec| {
        spec["process"]["env"].as_array_mut().unwrap().push(format!("PORT={port}").into());
        spec["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != "network");
    });
    Some((bundle, port))
}

fn connect(port: u16) -> TcpStream {
    let mut connection = None;
    wait_until(|| {
        connection = TcpStream::connect(("127.0.0.1", port)).ok();
        connection.is_some()
    });
    let connection = connection.unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    connection
}

#[test]
fn a_connection_with_the_host_goes_on() {
    let answer = "accept(C, SERVER); C->blocking(0);";
    let each = "if (sysread(C, $said, 99)) { syswrite(C, \"heard $said\") }";
    let Some((bundle, port)) = serving("tcp", answer, each) else { return };
    bundle.start("x");
    let mut connection = connect(port);
    let mut say = |words: &str, and_then: &mut dyn FnMut()| {
        connection.write_all(words.as_bytes()).unwrap();
        and_then();
        let mut heard = vec![0; "heard ".len() + words.len()];
        connection.read_exact(&mut heard).unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), format!("heard {words}"));
    };
    say("one", &mut || ());
    let image = bundle.file("image");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "--tcp-established");
    assert_goes_on(&bundle, "x");
    checkpoint(&bundle, &["--tcp-established"], "x");
    // What is said while nobody is there comes again: nobody has refused it.
    say("two", &mut || restore(&bundle, &["--tcp-established"], "x"));
    assert_goes_on(&bundle, "x");
    say("three", &mut || ());
}

/// The loopback device of the new network namespace has to be up before CRIU connects.
#[test]
fn a_connection_within_the_container_goes_on() {
    let begin = "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(77, INADDR_LOOPBACK)) or die; \
        listen(S, 5); socket(B, PF_INET, SOCK_STREAM, 0); connect(B, sockaddr_in(77, INADDR_LOOPBACK)) or die; \
        accept(A, S);";
    let each = "syswrite(A, $i); sysread(B, $said, 99); $said == $i or exit 1;";
    let Some(bundle) = counting_in_perl("tcp-within", begin, each) else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 2);
    checkpoint(&bundle, &["--tcp-established"], "x");
    restore(&bundle, &["--tcp-established"], "x");
    assert_goes_on(&bundle, "x");
    // A container that has just been created has it up too.
    bundle.edit(|spec| {
        let script = "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); \
            bind(S, sockaddr_in(0, INADDR_LOOPBACK)) ? print 'up' : print \"down: $!\"";
        spec["process"]["args"] = ["perl", "-e", script].as_slice().into();
        spec["linux"]["cgroupsPath"] =
            format!("{}-up", spec["linux"]["cgroupsPath"].as_str().unwrap()).into();
    });
    assert_eq!(bundle.ok(&["run", "--bundle", bundle.path(), "up"]), "up");
}

/// One that the container has not accepted yet.
#[test]
fn a_connection_in_flight_is_passed_over_if_asked() {
    let each = "if (-e '/accept') { accept(C, SERVER); syswrite(C, 'accepted'); close C; }";
    let Some((bundle, port)) = serving("in-flight", "", each) else { return };
    bundle.start("x");
    let in_flight = connect(port);
    let image = bundle.file("image");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "In-flight connection");
    assert_goes_on(&bundle, "x");
    checkpoint(&bundle, &["--tcp-skip-in-flight"], "x");
    drop(in_flight);
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
    fs::write(bundle.file("rootfs/accept"), "").unwrap();
    let mut heard = String::new();
    connect(port).read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "accepted");
}

#[test]
fn an_own_network_namespace_is_made_empty() {
    let Some(bundle) = counting("empty") else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    checkpoint(&bundle, &["--empty-ns", "network"], "x");
    restore(&bundle, &["--empty-ns", "network"], "x");
    assert_goes_on(&bundle, "x");
    let pid = bundle.state("x")["pid"].to_string();
    assert_ne!(
        fs::read_link(format!("/proc/{pid}/ns/net")).unwrap(),
        fs::read_link("/proc/self/ns/net").unwrap()
    );
    let routes = fs::read_to_string(format!("/proc/{pid}/net/fib_trie")).unwrap();
    assert!(routes.contains("127.0.0.1"), "lo is up: {routes}");
}
