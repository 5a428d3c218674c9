//! The one place through which every change goes, made or pretended.

pub mod action;
pub mod hands;
pub mod input;
pub mod live;
pub mod naming;
pub mod performing;
pub mod planned;
pub mod planning;
pub mod scene;
pub mod world;
