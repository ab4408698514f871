//! seccomp(2): only what is asked of the kernel before there is a container. The filter itself is the init program's to install.

use std::ptr;

/// Whether the kernel takes this one SECCOMP_FILTER_FLAG_*: a filter at no address fails for its address then, and for
/// its flag otherwise.
pub(crate) fn takes_flag(flag: u32) -> bool {
    // WAIT_KILLABLE_RECV is refused without a listener.
    let flags = if flag == WAIT_KILLABLE_RECV { flag | NEW_LISTENER } else { flag };
    // SAFETY: the kernel reads a program at the null address, or does not come to it; it installs nothing.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            ptr::null::<libc::sock_fprog>(),
        )
    };
    answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

const NEW_LISTENER: u32 = 1 << 3;
const WAIT_KILLABLE_RECV: u32 = 1 << 5;

#[cfg(test)]
mod tests {
    use super::takes_flag;

    #[test]
    fn kernels_know_tsync_and_not_the_last_bit() {
        assert!(takes_flag(1) && !takes_flag(1 << 31));
    }
}
