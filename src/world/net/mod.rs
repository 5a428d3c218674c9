//! Other machines: questions by HTTP, and messages that have to arrive.

pub mod ask;
pub mod deliver;
pub mod http;
