//! Upsampling over `ndarray`.

mod alloc;
pub mod checkerboard;
pub mod conv_transpose;
mod convolution;
mod coordinates;
mod each_axis;
mod element;
mod error;
pub mod initial_weights;
mod interpolate;
mod nearest;
pub mod output_size;
mod parallel;
mod pieces;
pub mod rearrange;
mod simd;
mod tensor;

pub use conv_transpose::{AutoPad, ConvTranspose, ConvTransposePlan, PreparedConvTranspose};
pub use convolution::{Convolution, ConvolutionPlan, PreparedConvolution};
pub use coordinates::{AspectRatio, Coordinates, PerAxis, Rounding, Target};
pub use each_axis::EachAxis;
pub use element::{Element, FloatElement};
pub use error::{Axis, Error};
pub use interpolate::{AxesTarget, CustomFilter, Filter, Profile, Resize, ResizePlan, bicubic, bilinear, linear, nearest, trilinear};
pub use ndarray;
pub use nearest::NearestRule;
pub use rearrange::{ChannelOrder, MaxPool, MaxUnpool, center_crop, pixel_shuffle, pixel_unshuffle, zero_insert};
pub use simd::{Backend, StreamingStores};
pub use tensor::{
    Output, Spatial, SpatialArray, SpatialRank, Tensor, Tensor3, Tensor3Mut, Tensor4, Tensor4Mut, Tensor5, Tensor5Mut, TensorMut,
};
