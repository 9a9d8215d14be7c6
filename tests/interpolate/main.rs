//! Interpolation through the public API.

#[path = "../common/mod.rs"]
mod common;
mod golden;
mod onnx;
mod properties;
mod torch;
mod traps;
