//! x
#![no_std]
/// p
pub static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/corten-init"));
