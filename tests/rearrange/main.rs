//! The rearranging operators against ONNX, PyTorch, their definitions, and each other.

mod bad_input;
mod golden;
mod properties;
