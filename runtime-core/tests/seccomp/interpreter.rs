//! Classic BPF as the kernel checks and runs it for seccomp: written from seccomp(2) and the kernel's documentation of
//! socket filters, and sharing nothing with the compiler.

use runtime_core::seccomp::Instruction;

/// struct seccomp_data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) architecture: u32,
    pub(crate) args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        let half =
            |value: u64, upper: bool| u32::try_from(if upper { value >> 32 } else { value & 0xffff_ffff });
        match offset {
            0 => self.number,
            4 => self.architecture,
            16..64 if offset.is_multiple_of(4) => {
                let index = usize::try_from((offset - 16) / 8).unwrap();
                half(self.args[index], (offset - 16) % 8 == 4).unwrap()
            }
            _ => panic!("load of {offset}"),
        }
    }
}

/// What the kernel demands of a program before it takes it.
pub(crate) fn check(program: &[Instruction]) -> Result<(), String> {
    if program.is_empty() || program.len() > 4096 {
        return Err(format!("{} instructions", program.len()));
    }
    for (at, Instruction { code, jt, jf, k }) in program.iter().enumerate() {
        let behind = program.len() - at - 1;
        let jumps = match code {
            0x20 if k.is_multiple_of(4) && *k < 64 => 0,
            0x54 | 0x06 => 0,
            0x05 => usize::try_from(*k).unwrap() + 1,
            0x15 | 0x25 | 0x35 | 0x45 => usize::from(*jt.max(jf)) + 1,
            _ => return Err(format!("instruction {at}: code {code:#x}, k {k:#x}")),
        };
        if jumps > behind {
            return Err(format!("instruction {at} jumps behind the end"));
        }
    }
    let last = program.last().unwrap();
    if last.code == 0x06 { Ok(()) } else { Err("the last instruction does not return".into()) }
}

/// The verdict on a call, and how many instructions it took.
pub(crate) fn run(program: &[Instruction], call: &Call) -> (u32, u32) {
    let mut at = 0;
    let mut accumulator = 0;
    let mut executed = 0;
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        executed += 1;
        at += 1;
        let holds = match code {
            0x20 => {
                accumulator = call.word(k);
                continue;
            }
            0x54 => {
                accumulator &= k;
                continue;
            }
            0x06 => return (k, executed),
            0x05 => {
                at += usize::try_from(k).unwrap();
                continue;
            }
            0x15 => accumulator == k,
            0x25 => accumulator > k,
            0x35 => accumulator >= k,
            0x45 => accumulator & k != 0,
            _ => panic!("code {code:#x}"),
        };
        at += usize::from(if holds { jt } else { jf });
    }
}

#[test]
fn programs_that_the_kernel_refuses_are_refused() {
    let program = |instructions: &[(u16, u8, u8, u32)]| {
        instructions.iter().map(|&(code, jt, jf, k)| Instruction { code, jt, jf, k }).collect::<Vec<_>>()
    };
    assert!(check(&program(&[(0x06, 0, 0, 0)])).is_ok());
    assert!(check(&program(&[])).is_err());
    assert!(check(&program(&[(0x15, 0, 1, 0), (0x06, 0, 0, 0)])).is_err());
    assert!(check(&program(&[(0x05, 0, 0, 1), (0x06, 0, 0, 0)])).is_err());
    assert!(check(&program(&[(0x20, 0, 0, 64), (0x06, 0, 0, 0)])).is_err());
    assert!(check(&program(&[(0x06, 0, 0, 0), (0x20, 0, 0, 0)])).is_err());
}
