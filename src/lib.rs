//! Upsampling over `ndarray`.

mod alloc;
pub mod conv_transpose;
mod convolution;
mod coordinates;
mod element;
mod error;
mod interpolate;
mod nearest;
pub mod output_size;
mod parallel;
mod simd;
mod tensor;

pub use conv_transpose::{AutoPad, ConvTranspose, ConvTransposePlan, PreparedConvTranspose};
pub use convolution::{Convolution, ConvolutionPlan, PreparedConvolution};
pub use coordinates::{AspectRatio, Coordinates, PerAxis, Rounding, Target};
pub use element::{Element, FloatElement};
pub use error::{Axis, Error};
pub use interpolate::{CustomFilter, Filter, Profile, Resize, ResizePlan, bicubic, bilinear, linear, nearest, trilinear};
pub use ndarray;
pub use nearest::NearestRule;
pub use simd::Backend;
pub use tensor::{Output, Spatial, SpatialRank, Tensor, Tensor3, Tensor3Mut, Tensor4, Tensor4Mut, Tensor5, Tensor5Mut, TensorMut};
