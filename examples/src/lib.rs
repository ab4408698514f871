//! Programs that embed `runtime-core`; see the files beside `src`.
