//! Kernel parameters, config-linux.md "Sysctl".

use crate::plan::{Place, Program, text};
use corten_init::step::Step;
use oci_spec::runtime::Spec;

/// Plans a write for each parameter, in the order of their names. That each belongs to a namespace of the container has
/// been validated.
pub(crate) fn plan(spec: &Spec, program: &mut Program) {
    let Some(sysctl) = spec.linux().as_ref().and_then(|linux| linux.sysctl().as_ref()) else { return };
    let mut sorted: Vec<_> = sysctl.iter().collect();
    sorted.sort();
    for (key, value) in sorted {
        let path = file(key);
        program
            .step(Place::Property("linux.sysctl"), &Step::Sysctl { path: text(&path), value: text(value) });
    }
}

/// The file of parameter `key` below /proc. As sysctl(8): the first separator decides, and a key with slashes may have
/// dots in its parts, as the names of network devices do.
fn file(key: &str) -> String {
    let slashes_first = key.find(['.', '/']).is_some_and(|at| key.as_bytes()[at] == b'/');
    if slashes_first {
        return format!("sys/{key}");
    }
    let swapped: String = key
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect();
    format!("sys/{swapped}")
}

#[cfg(test)]
mod tests {
    use super::file;

    #[test]
    fn both_separators_are_understood() {
        assert_eq!(file("net.ipv4.ip_forward"), "sys/net/ipv4/ip_forward");
        assert_eq!(file("net/ipv4/conf/eth0.1/forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
        assert_eq!(file("net.ipv4.conf.eth0/1.forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
    }
}
