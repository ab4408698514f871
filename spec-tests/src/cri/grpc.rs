//! As much of gRPC as a single small request over a socket of this machine takes: HTTP/2 (RFC 9113) with a connection for
//! each call, headers as literals (RFC 7541), and of the answer the message alone. An answer without one is an error,
//! whose text the server's log has.

use prost::Message;
use std::{
    error::Error,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// The types of frames that matter here, and the flags.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Where a service is reached.
pub(super) struct Client {
    socket: PathBuf,
    service: &'static str,
}

impl Client {
    pub(super) fn new(socket: &Path, service: &'static str) -> Self {
        Self { socket: socket.to_owned(), service }
    }

    /// A request and its answer.
    pub(super) fn call<T: Message + Default>(
        &self,
        method: &str,
        message: &impl Message,
    ) -> Result<T, Box<dyn Error>> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        frame(&mut out, SETTINGS, 0, 0, &[])?;
        frame(&mut out, HEADERS, END_HEADERS, 1, &headers(&format!("/{}/{method}", self.service))?)?;
        let body = message.encode_to_vec();
        let mut data = vec![0];
        data.extend(u32::try_from(body.len())?.to_be_bytes());
        data.extend(body);
        frame(&mut out, DATA, END_STREAM, 1, &data)?;
        stream.write_all(&out)?;
        let answer = answer(&mut stream)?;
        match answer.get(5..) {
            Some(message) => Ok(T::decode(message)?),
            None => Err(format!("{method}: an error; the daemon's log has its text").into()),
        }
    }
}

/// Appends a frame: length of 3 bytes, type, flags, stream.
fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, body: &[u8]) -> Result<(), Box<dyn Error>> {
    let length = u32::try_from(body.len())?.to_be_bytes();
    if body.len() > 16384 {
        return Err("a request of more than one frame".into());
    }
    out.extend(&length[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(body);
    Ok(())
}

/// Literal header fields without indexing and without Huffman's code.
fn headers(path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            // One byte holds lengths below 127.
            out.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).ok_or("a long header")?);
            out.extend(text.as_bytes());
        }
    }
    Ok(out)
}

/// The data of the answer: a flag, the length of 4 bytes, the message; empty if there is none.
fn answer(stream: &mut UnixStream) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut all = Vec::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, ..] = head;
        let mut body = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut body)?;
        let mut reply = Vec::new();
        match kind {
            SETTINGS if flags & ACK == 0 => frame(&mut reply, SETTINGS, ACK, 0, &[])?,
            PING if flags & ACK == 0 => frame(&mut reply, PING, ACK, 0, &body)?,
            DATA => all.extend(body),
            RESET | GO_AWAY => return Err("the server ended the connection".into()),
            _ => {}
        }
        stream.write_all(&reply)?;
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            return Ok(all);
        }
    }
}
