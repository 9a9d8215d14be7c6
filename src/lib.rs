//! Upsampling over `ndarray`.

mod alloc;
pub mod checkerboard;
pub mod element;
mod error;
pub mod initial_weights;
pub mod output_size;
mod parallel;
mod per_axis;
mod pieces;
pub mod rearrange;
mod simd;
mod tensor;

pub use element::{Element, FloatElement};
pub use error::{Axis, Error};
pub use ndarray;
pub use per_axis::PerAxis;
pub use rearrange::{ChannelOrder, MaxPool, MaxUnpool, center_crop, pixel_shuffle, pixel_unshuffle, zero_insert};
pub use simd::Backend;
pub use tensor::{
    Output, Spatial, SpatialArray, SpatialRank, Tensor, Tensor3, Tensor3Mut, Tensor4, Tensor4Mut, Tensor5, Tensor5Mut, TensorMut,
};
