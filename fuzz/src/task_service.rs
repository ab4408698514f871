//! What a client of the task service sends: bytes that should be frames, and what is in them.

use corten_ttrpc::{
    Decoder, Frame, Kind, Message, Request, Response, bootstrap::BootstrapParams, encode,
    events::ForwardRequest, options, task, types,
};

/// A method of the service: its name and what takes its message.
type Method = (&'static str, fn(&[u8]));

const METHODS: [Method; 17] = [
    ("State", message::<task::StateRequest>),
    ("Create", create),
    ("Start", message::<task::StartRequest>),
    ("Delete", message::<task::DeleteRequest>),
    ("Pids", message::<task::PidsRequest>),
    ("Pause", message::<task::PauseRequest>),
    ("Resume", message::<task::ResumeRequest>),
    ("Checkpoint", message::<task::CheckpointTaskRequest>),
    ("Kill", message::<task::KillRequest>),
    ("Exec", message::<task::ExecProcessRequest>),
    ("ResizePty", message::<task::ResizePtyRequest>),
    ("CloseIO", message::<task::CloseIoRequest>),
    ("Update", message::<task::UpdateTaskRequest>),
    ("Wait", message::<task::WaitRequest>),
    ("Stats", message::<task::StatsRequest>),
    ("Connect", message::<task::ConnectRequest>),
    ("Shutdown", message::<task::ShutdownRequest>),
];

/// Bytes of a connection. However they are cut, the same frames come out.
pub(crate) fn frames(bytes: &[u8]) {
    let whole = decode(bytes, bytes.len().max(1));
    let cut = usize::from(bytes.first().copied().unwrap_or(1)) % 23 + 1;
    assert_eq!(whole, decode(bytes, cut), "in pieces of {cut} bytes");
    let mut again = Vec::new();
    for frame in &whole {
        if encode(frame.stream, frame.kind, frame.flags, &frame.data, &mut again).is_err() {
            panic!("a frame that was received cannot be sent");
        }
        call(&frame.data);
    }
    assert!(bytes.starts_with(&again), "frames are not what was sent");
}

fn decode(bytes: &[u8], piece: usize) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for mut piece in bytes.chunks(piece) {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
        assert!(piece.is_empty(), "bytes are left over");
    }
    frames
}

/// One message, whatever it is meant to be.
pub(crate) fn messages(bytes: &[u8]) {
    call(bytes);
    METHODS.iter().for_each(|(_, take)| take(bytes));
    message::<Response>(bytes);
    message::<BootstrapParams>(bytes);
    message::<ForwardRequest>(bytes);
    message::<options::CheckpointOptions>(bytes);
    message::<types::RuntimeInfo>(bytes);
}

fn call(bytes: &[u8]) {
    message::<Request>(bytes);
    let Ok(request) = Request::decode(bytes) else { return };
    if let Some((_, take)) = METHODS.iter().find(|(name, _)| *name == request.method) {
        take(&request.payload);
    }
}

/// What can be read can be written, and is the same again.
fn message<M: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(message) = M::decode(bytes) else { return };
    let again = message.encode_to_vec();
    assert_eq!(again.len(), message.encoded_len());
    assert!(M::decode(again.as_slice()).is_ok_and(|other| other == message), "{message:?}");
}

/// With what its options may be.
fn create(bytes: &[u8]) {
    message::<task::CreateTaskRequest>(bytes);
    let Ok(request) = task::CreateTaskRequest::decode(bytes) else { return };
    if let Some(any) = request.options {
        message::<options::Options>(&any.value);
        message::<options::CreateOptions>(&any.value);
        message::<options::RuntimeOptions>(&any.value);
    }
}

/// Conversations of a daemon with a shim.
pub(crate) fn conversations() -> Vec<Vec<u8>> {
    let requests = requests();
    let frames = |requests: &[Request]| {
        let mut bytes = Vec::new();
        for (stream, request) in (1..).step_by(2).zip(requests) {
            // Each of them is far below the limit.
            let _ = encode(stream, Kind::Request, 0, &request.encode_to_vec(), &mut bytes);
        }
        bytes
    };
    requests.chunks(1).chain(requests.chunks(5)).chain([requests.as_slice()]).map(frames).collect()
}

/// The same without frames, and what else is sent.
pub(crate) fn single_messages() -> Vec<Vec<u8>> {
    let requests = requests();
    let mut all: Vec<_> = requests.iter().map(Message::encode_to_vec).collect();
    all.extend(requests.into_iter().map(|request| request.payload));
    let params = BootstrapParams {
        instance_id: "web".into(),
        namespace: "k8s.io".into(),
        containerd_version: "2.3.0".into(),
        socket_dir: "/run/containerd/s".into(),
        ..BootstrapParams::default()
    };
    all.push(params.encode_to_vec());
    all
}

fn requests() -> Vec<Request> {
    let mount = types::Mount {
        kind: "overlay".into(),
        source: "overlay".into(),
        options: vec!["lowerdir=/a:/b".into(), "uidmap=0:100000:65536".into()],
        ..types::Mount::default()
    };
    let create = task::CreateTaskRequest {
        id: "web".into(),
        bundle: "/run/bundle".into(),
        rootfs: vec![mount],
        stdin: "/run/fifo/in".into(),
        stdout: "binary:///bin/log?a=b".into(),
        options: Some(types::Any::new(
            options::OPTIONS,
            &options::Options { root: "/r".into(), systemd_cgroup: true, io_uid: 7, ..Default::default() },
        )),
        ..Default::default()
    };
    let exec = task::ExecProcessRequest {
        id: "web".into(),
        exec_id: "e1".into(),
        terminal: true,
        spec: Some(types::Any {
            type_url: "Process".into(),
            value: br#"{"args":["sh"],"cwd":"/"}"#.to_vec(),
        }),
        ..Default::default()
    };
    let update = task::UpdateTaskRequest {
        id: "web".into(),
        resources: Some(types::Any { type_url: "LinuxResources".into(), value: b"{}".to_vec() }),
        ..Default::default()
    };
    let kill = task::KillRequest { id: "web".into(), exec_id: "e1".into(), signal: 9, all: true };
    let plain = task::StateRequest { id: "web".into(), exec_id: "e1".into() };
    let of = |(method, _): &Method| Request {
        service: task::SERVICE_V2.to_owned(),
        method: (*method).to_owned(),
        payload: match *method {
            "Create" => create.encode_to_vec(),
            "Exec" => exec.encode_to_vec(),
            "Update" => update.encode_to_vec(),
            "Kill" => kill.encode_to_vec(),
            _ => plain.encode_to_vec(),
        },
        timeout_nano: 5_000_000_000,
        metadata: vec![corten_ttrpc::KeyValue {
            key: "containerd-namespace-ttrpc".into(),
            value: "n".into(),
        }],
    };
    METHODS.iter().map(of).collect()
}
