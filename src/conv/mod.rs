//! Transposed convolution, convolution and resize-convolution.
//!
//! [`conv_transpose`], [`convolution`] and [`resize_conv`] describe an operator. A [`plan`] fixes its sizes; [`operator`] is what it runs,
//! for any number of axes. [`grids`] checks every shape, then the [`engine`] computes and cannot fail.

pub mod conv_transpose;
pub(crate) mod convolution;
pub(crate) mod engine;
mod grids;
mod operator;
mod options;
mod plan;
pub mod resize_conv;
mod resized;
mod spread;

pub use operator::ConvElement;
pub use options::{AutoPad, Precision};
pub use plan::{ConvPlan, PreparedConv};
