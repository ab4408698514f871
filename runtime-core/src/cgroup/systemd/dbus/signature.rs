//! Signatures of types: the D-Bus specification, "Type System".

use super::Malformed;

/// How deep values may lie in each other; the specification allows 64 in all.
pub(in super::super) const DEPTH: usize = 64;

/// The complete types that `signature` consists of.
pub(in super::super) fn split(mut signature: &str) -> Result<Vec<&str>, Malformed> {
    if signature.len() > 255 {
        return Err(Malformed);
    }
    let mut types = Vec::new();
    while !signature.is_empty() {
        let (one, rest) = signature.split_at(complete(signature.as_bytes(), DEPTH)?);
        types.push(one);
        signature = rest;
    }
    Ok(types)
}

/// How long the first complete type is.
fn complete(signature: &[u8], depth: usize) -> Result<usize, Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let (&first, rest) = signature.split_first().ok_or(Malformed)?;
    match first {
        b'y' | b'b' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b's' | b'o' | b'g' | b'v' | b'h' => {
            Ok(1)
        }
        b'a' if rest.first() == Some(&b'{') => entry(&rest[1..], depth).map(|length| length + 2),
        b'a' => complete(rest, depth).map(|length| length + 1),
        b'(' => {
            let mut at = 1;
            loop {
                at += complete(signature.get(at..).ok_or(Malformed)?, depth)?;
                if signature.get(at) == Some(&b')') {
                    return Ok(at + 1);
                }
            }
        }
        _ => Err(Malformed),
    }
}

/// The rest of a dictionary's entry, after its brace: a basic type, any type, a brace.
fn entry(signature: &[u8], depth: usize) -> Result<usize, Malformed> {
    let key = signature.first().ok_or(Malformed)?;
    if b"av({".contains(key) {
        return Err(Malformed);
    }
    let end = 1 + complete(signature.get(1..).ok_or(Malformed)?, depth)?;
    complete(signature, depth)?;
    if signature.get(end) == Some(&b'}') { Ok(end + 1) } else { Err(Malformed) }
}
