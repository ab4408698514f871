//! `regex-lite` under the name of `regex`: the same interface in a tenth of the size.
//! Our dependencies match ASCII only, for which the two agree.
pub use regex_lite::*;
