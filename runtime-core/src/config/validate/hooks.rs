//! `hooks` (config.md, "POSIX-platform Hooks").

use crate::spec::{Hook, Hooks};

use super::{
    super::place::{Faults, Place},
    values,
};

pub(super) fn check(faults: &mut Faults, at: &Place<'_>, hooks: &Hooks) {
    let kinds = [
        ("prestart", &hooks.prestart),
        ("createRuntime", &hooks.create_runtime),
        ("createContainer", &hooks.create_container),
        ("startContainer", &hooks.start_container),
        ("poststart", &hooks.poststart),
        ("poststop", &hooks.poststop),
    ];
    for (kind, hooks) in kinds {
        for (index, one) in hooks.iter().enumerate() {
            hook(faults, &at.name(kind).index(index), one);
        }
    }
}

fn hook(faults: &mut Faults, at: &Place<'_>, hook: &Hook) {
    values::absolute(faults, &at.name("path"), &hook.path);
    for (name, list) in [("args", hook.args.as_slice()), ("env", hook.env.as_deref().unwrap_or_default())] {
        for (index, text) in list.iter().enumerate() {
            values::no_nul(faults, &at.name(name).index(index), text);
        }
    }
    if let Some(timeout) = hook.timeout.filter(|&timeout| timeout <= 0) {
        faults.add(&at.name("timeout"), format_args!("must be greater than 0 and not {timeout}"));
    }
}
