//! Whatever comes in, the decoders answer with a message or an error, and what was encoded is what is decoded.

use corten_ttrpc::{
    Decoder, Frame, Kind, MAX_LENGTH, Message, Request, Response, bootstrap, encode, events, options, task,
    types,
};
use proptest::prelude::*;

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Request), Just(Kind::Response), Just(Kind::Data)]
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let frame = (any::<u32>(), kinds(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..600))
        .prop_map(|(stream, kind, flags, data)| Frame { stream, kind, flags, data });
    prop::collection::vec(frame, 0..12)
}

fn decode_in_pieces(bytes: &[u8], pieces: &[usize]) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    let mut rest = bytes;
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
        rest = after;
        while let Ok(Some(frame)) = decoder.next(&mut piece) {
            frames.push(frame);
        }
    }
    frames
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in(frames in frames(), pieces in prop::collection::vec(1usize..700, 1..6)) {
        let mut bytes = Vec::new();
        for frame in &frames {
            encode(frame.stream, frame.kind, frame.flags, &frame.data, &mut bytes).unwrap();
        }
        prop_assert_eq!(decode_in_pieces(&bytes, &pieces), frames);
    }

    #[test]
    fn any_bytes_end_in_frames_an_error_or_a_wait(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let mut decoder = Decoder::new();
        let mut input = bytes.as_slice();
        while let Ok(Some(frame)) = decoder.next(&mut input) {
            prop_assert!(frame.data.len() <= MAX_LENGTH);
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let bytes = bytes.as_slice();
        let _ = Request::decode(bytes);
        let _ = Response::decode(bytes);
        let _ = task::CreateTaskRequest::decode(bytes);
        let _ = task::ExecProcessRequest::decode(bytes);
        let _ = task::UpdateTaskRequest::decode(bytes);
        let _ = bootstrap::BootstrapParams::decode(bytes);
        let _ = options::Options::decode(bytes);
        let _ = options::RuntimeOptions::decode(bytes);
        let _ = events::ForwardRequest::decode(bytes);
        let _ = types::Any::decode(bytes);
    }

    #[test]
    fn a_changed_request_is_a_message_or_an_error(
        id in "[a-z0-9]{1,40}", at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let create = task::CreateTaskRequest { id, bundle: "/run/bundle".into(), terminal: true, ..Default::default() };
        let request = Request {
            service: task::SERVICE_V2.into(), method: "Create".into(), payload: create.encode_to_vec(),
            timeout_nano: 5, metadata: Vec::new(),
        };
        let mut bytes = request.encode_to_vec();
        prop_assert_eq!(&Request::decode(bytes.as_slice()).unwrap(), &request);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(request) = Request::decode(bytes.as_slice()) {
            let _ = task::CreateTaskRequest::decode(request.payload.as_slice());
        }
    }
}

#[test]
fn a_message_that_nests_without_end_is_an_error() {
    // Status.details holds Any, whose value is opaque: unknown groups are what can nest. Field 15, start of group.
    let bytes = vec![0x7b; 1 << 16];
    assert!(Request::decode(bytes.as_slice()).is_err());
}
