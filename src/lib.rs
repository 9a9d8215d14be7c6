//! Upsampling over `ndarray`.

mod alloc;
pub mod element;
mod error;
pub mod output_size;
mod parallel;
mod simd;
mod tensor;

pub use element::{Element, FloatElement};
pub use error::{Axis, Error};
pub use ndarray;
pub use simd::Backend;
pub use tensor::{Output, Spatial, SpatialRank, Tensor, Tensor3, Tensor3Mut, Tensor4, Tensor4Mut, Tensor5, Tensor5Mut, TensorMut};
