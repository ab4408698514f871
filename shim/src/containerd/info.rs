//! `-info`: what this runtime is and can do.

use crate::error::{Error, Result};
use corten_ttrpc::{
    Message,
    types::{Any, RuntimeInfo, RuntimeVersion},
};
use std::io::{self, Read};

/// The runtime type that daemons know this shim by.
pub(crate) const NAME: &str = "io.containerd.corten.v1";
/// The type of the specification's `features` document.
const FEATURES: &str = "types.containerd.io/opencontainers/runtime-spec/1/features/Features";
/// The most that is read.
const MAX_INPUT: u64 = 10 << 20;

/// Tells it, for the options on standard input.
pub(crate) fn run() -> Result<()> {
    let mut input = Vec::new();
    let read = io::stdin().take(MAX_INPUT).read_to_end(&mut input);
    read.map_err(|error| Error::io("read standard input", error))?;
    let options = Any::decode(input.as_slice())
        .map_err(|error| Error::unknown(format!("standard input: options: {error}")))?;
    crate::print(&info(options)?.encode_to_vec())
}

fn info(options: Any) -> Result<RuntimeInfo> {
    let features = serde_json::to_vec(&runtime_core::features())
        .map_err(|error| Error::unknown(format!("encode the features: {error}")))?;
    Ok(RuntimeInfo {
        name: NAME.to_owned(),
        version: Some(RuntimeVersion {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: option_env!("CORTEN_COMMIT").unwrap_or_default().to_owned(),
        }),
        options: Some(options).filter(|options| *options != Any::default()),
        features: Some(Any { type_url: FEATURES.to_owned(), value: features }),
        annotations: [].into(),
    })
}
