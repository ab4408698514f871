//! Bytes that no client should send, and bundles that change: an error or a closed connection, and the shim lives on.

use crate::{
    harness::{Suite, Verdict, check, check_eq, fail},
    shim::{
        client::{Client, DATA, Header, LARGEST, LIMIT, REQUEST, RESPONSE, TASK_V2, frame, words},
        messages::{Code, ConnectResponse, Empty, ProcessRequest, Request, StateResponse, status},
        probe::{Probe, State, Task, probe},
    },
};
use prost::Message;
use std::{
    fs,
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("bad-input", "ttrpc");
    group.must("unknown-service", "an unknown service", probe(|p| unknown(p, "no.such.Service", "State")));
    group.must("unknown-method", "an unknown method", probe(unknown_method));
    group.must("empty-request", "a request without a message", probe(|p| unknown(p, "", "")));
    group.must("bad-payload", "a message that is none", probe(bad_payload));
    group.must("not-utf-8", "a text that is not UTF-8", probe(not_utf8));
    group.must("id-with-path", "an id that is a path", probe(id_with_path));
    for (name, bytes) in frames() {
        group.must(&format!("frame-{name}"), "frames", probe(move |p| hostile(p, &bytes)));
    }
    group.must("frame-too-long", "a request beyond the limit", probe(too_long));
    group.must("frame-of-4-mib", "a request of the largest size", probe(largest));
    group.must("random-bytes", "frames", probe(random));
    group.must("byte-by-byte", "a request in pieces", probe(slowly));
    group.must("pipelined", "many requests at once", probe(pipelined));
    group.must("streams-not-in-order", "streams out of order", probe(out_of_order));
    group.must("half-closed", "a connection closed in one direction", probe(half_closed));
    group.must("many-connections", "connections that come and go", probe(connections));
    group.must("timeout", "a request's timeout", probe(timeout));
    group.must("config-changed", "config.json changed after Create", probe(config_changed));
    group.must("config-gone", "config.json removed after Create", probe(config_gone));
    group.must("config-missing", "config.json missing at Create", probe(config_missing));
}

/// The shim answers, and its container runs.
fn well(task: &Task) -> Verdict {
    let client = task.connection()?;
    let told: StateResponse = client.call("State", &task.me())?;
    check_eq!(told.status, status::RUNNING, "the container's status after it");
    Ok(())
}

fn request(service: &str, method: &str, payload: Vec<u8>) -> Vec<u8> {
    Request { service: service.into(), method: method.into(), payload, timeout_nano: 0 }.encode_to_vec()
}

fn unknown_method(probe: &Probe) -> Verdict {
    let service = probe.task()?.client.service();
    unknown(probe, service, "NoSuchMethod")
}

fn unknown(probe: &Probe, service: &str, method: &str) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let stream = task.client.next_stream();
    task.client.send(&frame(stream, REQUEST, &request(service, method, Vec::new())))?;
    match task.client.end::<Empty>(stream)? {
        Err(status) if status.code == Code::Unimplemented as i32 => well(&task),
        Err(status) => fail(format!("{} where Unimplemented was due", words(&status))),
        Ok(_) => fail("it succeeded"),
    }
}

fn bad_payload(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let methods = [
        "State",
        "Create",
        "Start",
        "Delete",
        "Pids",
        "Pause",
        "Resume",
        "Checkpoint",
        "Kill",
        "Exec",
        "ResizePty",
        "CloseIO",
        "Update",
        "Wait",
        "Stats",
        "Connect",
        "Shutdown",
    ];
    for method in methods {
        for payload in
            [vec![0xff; 50], vec![0x0a, 0x7f, b'x'], vec![0x0b], vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]]
        {
            let stream = task.client.next_stream();
            task.client.send(&frame(
                stream,
                REQUEST,
                &request(task.client.service(), method, payload.clone()),
            ))?;
            if task.client.end::<Empty>(stream)?.is_ok() {
                return fail(format!("{method} took the payload {payload:x?}"));
            }
        }
    }
    well(&task)
}

fn not_utf8(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    for payload in [vec![0x0a, 2, 0xff, 0xfe], vec![0x0a, 1, 0]] {
        let stream = task.client.next_stream();
        task.client.send(&frame(stream, REQUEST, &request(task.client.service(), "State", payload)))?;
        check!(task.client.end::<Empty>(stream)?.is_err(), "State took a bad id");
    }
    well(&task)
}

fn id_with_path(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let long = "x".repeat(5000);
    for id in ["../x", "/", "..", ".", "", "a/b", "a\0b", "a\nb", long.as_str()] {
        let mut request = task.create_request();
        request.id = id.to_owned();
        if task.client.ask::<Empty>("Create", &request)?.is_ok() {
            return fail(format!("id {id:?} was taken"));
        }
        let me = ProcessRequest { id: id.to_owned(), exec_id: String::new() };
        task.client.refused("State", &me, Code::NotFound)?;
    }
    well(&task)
}

/// Frames that are wrong by themselves.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let state = request(TASK_V2, "State", Vec::new());
    let head = |length, stream, kind, flags| Header { length, stream, kind, flags }.bytes().to_vec();
    let with = |mut head: Vec<u8>, body: &[u8]| {
        head.extend(body);
        head
    };
    vec![
        ("huge-length", head(u32::MAX, 1, REQUEST, 0)),
        ("length-of-2-gib", with(head(1 << 31, 1, REQUEST, 0), &state)),
        ("of-no-type", frame(1, 0, &state)),
        ("of-unknown-type", frame(1, 99, &state)),
        ("all-flags", with(head(u32::try_from(state.len()).unwrap_or_default(), 1, REQUEST, 0xff), &state)),
        ("response", frame(1, RESPONSE, &state)),
        ("data-of-no-stream", frame(7, DATA, b"data")),
        ("data-after-its-request", with(frame(1, REQUEST, &state), &frame(1, DATA, b"data"))),
        ("stream-0", frame(0, REQUEST, &state)),
        ("even-stream", frame(2, REQUEST, &state)),
        ("same-stream-twice", with(frame(1, REQUEST, &state), &frame(1, REQUEST, &state))),
        ("no-body", head(0, 1, REQUEST, 0)),
        ("body-is-no-request", frame(1, REQUEST, &[0xff; 64])),
        ("cut-in-the-header", vec![0, 0, 0]),
        ("cut-in-the-body", head(100, 1, REQUEST, 0)),
        ("deep", frame(1, REQUEST, &nested(2000))),
    ]
}

/// Messages in messages, as deep as this.
fn nested(depth: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..depth {
        let mut outer = vec![0x2a];
        prost::encoding::encode_varint(body.len() as u64, &mut outer);
        outer.extend(&body);
        body = outer;
    }
    body
}

/// Sends the bytes, leaves, and finds the shim well.
fn hostile(probe: &Probe, bytes: &[u8]) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let client = Client::connect(&task.address)?;
    client.send(bytes)?;
    well(&task)?;
    // Whatever it does: it must not be waiting for what can never come, once the other side is gone.
    client.stream().shutdown(Shutdown::Write)?;
    check!(client.is_closed()?, "the shim keeps a connection whose other side has ended");
    well(&task)
}

fn too_long(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let client = Client::connect(&task.address)?;
    // The shim need not read all of it.
    let _ = client.send(&frame(1, REQUEST, &vec![b'x'; LARGEST + 1]));
    match client.frame(Instant::now() + LIMIT) {
        Ok(None) => return fail("neither an answer nor an end"),
        Ok(Some((header, body))) => {
            let answer = crate::shim::messages::Response::decode(&body[..])?;
            check!(header.kind == RESPONSE && answer.status.is_some_and(|s| s.code != 0), "it was taken");
        }
        Err(_) => {}
    }
    well(&task)
}

fn largest(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let client = Client::connect(&task.address)?;
    let mut body = request(task.client.service(), "Connect", task.me().encode_to_vec());
    let room = LARGEST - body.len() - 8;
    // A field that nobody knows takes the room that is left.
    body.extend([0xfa, 0x01]);
    prost::encoding::encode_varint(room as u64, &mut body);
    body.extend(vec![0; room]);
    body.truncate(LARGEST);
    client.send(&frame(1, REQUEST, &body))?;
    let told = client.end::<ConnectResponse>(1)?;
    check!(told.is_ok_and(|told| told.shim_pid > 0), "a request of {} bytes was not answered", body.len());
    well(&task)
}

/// The same bytes in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn random(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let mut random = Random(0x00c0_ffee);
    let good = frame(1, REQUEST, &request(task.client.service(), "State", task.me().encode_to_vec()));
    for round in 0..300 {
        let client = Client::connect(&task.address)?;
        let mut bytes = good.clone();
        if round % 3 == 0 {
            bytes = (0..random.next() % 200).flat_map(|_| random.next().to_le_bytes()).collect();
        } else {
            for _ in 0..=random.next() % 4 {
                let at = usize::try_from(random.next())? % bytes.len();
                bytes[at] = random.next().to_le_bytes()[0];
            }
        }
        let _ = client.send(&bytes);
    }
    well(&task)
}

fn slowly(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let client = Client::connect(&task.address)?;
    for byte in frame(1, REQUEST, &request(task.client.service(), "State", task.me().encode_to_vec())) {
        client.send(&[byte])?;
        thread::sleep(Duration::from_micros(200));
    }
    let told = client.end::<StateResponse>(1)?;
    check_eq!(told.map(|told| told.status), Ok(status::RUNNING), "the answer");
    Ok(())
}

fn pipelined(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let mut bytes = Vec::new();
    let streams: Vec<u32> = (0..500).map(|_| task.client.next_stream()).collect();
    for stream in &streams {
        bytes.extend(frame(
            *stream,
            REQUEST,
            &request(task.client.service(), "State", task.me().encode_to_vec()),
        ));
    }
    task.client.send(&bytes)?;
    for stream in streams {
        let told = task.client.end::<StateResponse>(stream)?;
        check_eq!(told.map(|told| told.status), Ok(status::RUNNING), "the answer on stream {stream}");
    }
    Ok(())
}

fn out_of_order(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let client = Client::connect(&task.address)?;
    let body = request(task.client.service(), "State", task.me().encode_to_vec());
    client.send(&frame(9, REQUEST, &body))?;
    check!(client.end::<StateResponse>(9)?.is_ok(), "stream 9 first");
    // Lower than one before: an error or the end of the connection.
    client.send(&frame(3, REQUEST, &body))?;
    if let Ok(Ok(_)) = client.end::<StateResponse>(3) {
        return fail("stream 3 was taken after 9");
    }
    well(&task)
}

fn half_closed(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let client = Client::connect(&task.address)?;
    client.send(&frame(1, REQUEST, &request(task.client.service(), "State", task.me().encode_to_vec())))?;
    client.stream().shutdown(Shutdown::Write)?;
    // An answer may still come; then the connection ends.
    check!(client.is_closed()?, "the shim keeps a connection whose other side has ended");
    well(&task)
}

fn connections(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let pid = task.shim_pid()?;
    let count = || fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let before = count();
    let mut open = Vec::new();
    for round in 0..200 {
        let client = Client::connect(&task.address)?;
        if round % 2 == 0 {
            let told: ConnectResponse = client.call("Connect", &task.me())?;
            check_eq!(told.shim_pid, pid, "the shim");
        }
        open.push(client);
    }
    drop(open);
    let closed = crate::harness::within(Duration::from_secs(3), || (count() <= before + 2).then_some(()));
    check!(closed.is_some(), "{} descriptors, {before} before", count());
    well(&task)
}

fn timeout(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let stream = task.client.next_stream();
    let payload = task.me().encode_to_vec();
    let message = Request {
        service: task.client.service().into(),
        method: "Wait".into(),
        payload,
        timeout_nano: 50_000_000,
    };
    task.client.send(&frame(stream, REQUEST, &message.encode_to_vec()))?;
    // The client gives up by itself; the shim may say so too. It must go on in any case.
    if let Some(response) = task.client.within(stream, Duration::from_millis(300))? {
        let code = response.status.map_or(0, |status| status.code);
        check_eq!(code, Code::DeadlineExceeded as i32, "the code");
    }
    check_eq!(task.stop()?, 137, "the exit status");
    Ok(())
}

fn config_changed(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Created)?;
    fs::write(task.bundle.dir.join("config.json"), "{\"ociVersion\": [")?;
    task.start()?;
    task.add_exec("e1", &["exit", "0"])?;
    task.start_exec("e1")?;
    task.client.call::<Empty>("Wait", &task.exec("e1"))?;
    task.stop()?;
    task.delete().map(drop)
}

fn config_gone(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    fs::remove_file(task.bundle.dir.join("config.json"))?;
    task.add_exec("e1", &["exit", "0"])?;
    task.start_exec("e1")?;
    task.client.call::<Empty>("Wait", &task.exec("e1"))?;
    task.stop()?;
    task.delete().map(drop)
}

fn config_missing(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    for text in [None, Some(""), Some("{"), Some("[]"), Some("{}"), Some("null")] {
        match text {
            None => fs::remove_file(task.bundle.dir.join("config.json"))?,
            Some(text) => fs::write(task.bundle.dir.join("config.json"), text)?,
        }
        if task.client.ask::<Empty>("Create", &task.create_request())?.is_ok() {
            return fail(format!("config.json {text:?} was taken"));
        }
        task.client.refused("State", &task.me(), Code::NotFound)?;
    }
    task.bring(State::Running)
}
