//! Upsampling over [`ndarray`]: nearest, linear and cubic interpolation, transposed convolution and the operators around them,
//! forward and with every gradient, for signals (N×C×L), pictures (N×C×H×W) and volumes (N×C×D×H×W).
//!
//! | operator | in one line | described, planned, run |
//! |---|---|---|
//! | nearest | [`nearest`] | [`Resize::nearest`], [`Resize::nearest_exact`], [`NearestRule`] |
//! | linear, bilinear, trilinear | [`linear`], [`bilinear`], [`trilinear`] | [`Resize::linear`] |
//! | cubic, bicubic, tricubic | [`bicubic`] | [`Resize::cubic`] |
//! | Lanczos, Mitchell, box, Hamming, Gaussian, your own | | [`Resize::filter`] with a [`Filter`] |
//! | adaptive average | | [`Resize::area`] |
//! | any axes of any array | | [`Resize::resize_axes`] |
//! | transposed convolution, convolution | | [`ConvTranspose`], [`Convolution`] |
//! | pixel shuffle, unpooling, zero insertion, cropping | [`pixel_shuffle`], [`zero_insert`], [`center_crop`] | [`MaxPool`], [`MaxUnpool`], [`rearrange`] |
//! | sizes, and which padding gives them | [`output_size`] | |
//! | checkerboards: where they come from, what to begin with instead | [`checkerboard`], [`initial_weights`] | |
//!
//! The numbers are PyTorch's unless another framework's are asked for: [`Profile`] and [`Coordinates`] list the conventions.
//! Operators take `impl Into<`[`Tensor`]`>`: arrays, views and slices go straight in, whatever their strides.
//! What cannot be done is an [`Error`] with its numbers, before memory is taken or an output is touched.
//! Results are the same bits for any number of threads.
//!
//! ```
//! use ndarray::Array4;
//! use upsample::{Resize, bilinear};
//!
//! let x = Array4::<f32>::ones((1, 3, 64, 64));
//! assert_eq!(bilinear(&x, 2.0)?.dim(), (1, 3, 128, 128));
//!
//! let up = Resize::bicubic().plan([64, 64], [100, 200])?; // weights computed once, shared by threads
//! let y = up.forward(&x)?;
//! let dx = up.backward(&y)?; // the exact adjoint
//! assert_eq!(dx.dim(), x.dim());
//! # Ok::<(), upsample::Error>(())
//! ```

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

pub use conv_transpose::{AutoPad, ConvTranspose, ConvTransposePlan, Precision, PreparedConvTranspose};
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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDocTests;
