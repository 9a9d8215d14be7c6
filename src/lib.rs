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
//! | pictures: bytes with alpha, linear light, crops, thumbnails, `image` types | [`picture::resize`], [`picture::thumbnail`] | [`picture::PictureResize`] |
//! | any axes of any array | | [`Resize::resize_axes`] |
//! | transposed convolution, convolution | | [`ConvTranspose`], [`Convolution`] |
//! | resize, then convolution | | [`ResizeConv`] |
//! | pixel shuffle, unpooling, zero insertion, cropping | [`pixel_shuffle`], [`zero_insert`], [`center_crop`] | [`MaxPool`], [`MaxUnpool`], [`rearrange`] |
//! | sizes, and which padding gives them | [`output_size`] | |
//! | checkerboards: where they come from, what to begin with instead | [`checkerboard`], [`initial_weights`] | |
//!
//! # Which one to choose
//!
//! | to enlarge by | choose it for | artifacts | measured quality | cost |
//! |---|---|---|---|---|
//! | [`Resize::nearest`] | labels, masks, speed | jagged edges | | 0.16 ms |
//! | [`Resize::bilinear`], [`Resize::bicubic`] | enlarging without learning; bilinear also inside networks | blur; bicubic overshoots | PSNR 17.98, 18.57 dB; mean IoU 0.857 as decoder | 0.55, 0.94 ms |
//! | [`ConvTranspose`] | learned filters; kernel divisible by the stride | checkerboard, worst where the stride does not divide the kernel | PSNR 18.97 dB with a learned 8×8 kernel; mean IoU 0.866 | 3×3 3.6, 4×4 5.9 ms |
//! | [`ResizeConv`] | learned filters that must not draw a checkerboard | smoother than a transposed convolution | checkerboard 0.3 untrained, transposed 3×3 211.2 | 3×3 fused 5.8, bilinear 13.7 ms |
//! | convolution, then [`pixel_shuffle`] | the last layer of super-resolution | checkerboard unless begun with [`icnr`](initial_weights::icnr) | | 0.33 ms, with a 3×3 convolution before it 12.9 ms |
//! | [`MaxUnpool`] | decoders that mirror a max-pooling encoder | sparse: convolutions have to follow | mean IoU 0.871 | 0.31 ms |
//! | [`zero_insert`] | seeing how a transposed convolution works | holes | | 0.19 ms |
//!
//! PSNR is that of the example `learn`, mean IoU that of `segment`, and the checkerboard (energy at the stride's frequencies in multiples
//! of that at any other) that of `checkerboard`, each with its defaults. Cost is one thread's processor time for 64 channels of 64×64
//! pixels to 128×128, `f32`, weights packed beforehand: `benches/enlarging.rs`, 2026-11-24, on 2 cores of an AMD EPYC (Zen 4) shared with
//! other work, so that ratios tell more than milliseconds.
//!
//! # Numbers, layouts, errors
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
//! let dx = up.input_gradient(&y)?; // the exact adjoint
//! assert_eq!(dx.dim(), x.dim());
//! # Ok::<(), upsample::Error>(())
//! ```

// Nothing that a user passes may panic. Indexing is not forbidden: the loops index slices whose lengths are checked at the public entry, and
// `get` in them would hide a wrong index instead of showing it to the fuzzers.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::todo, clippy::unimplemented, clippy::exit)
)]
// Without `conv`, parts of the code that convolutions share with resizing have no caller.
#![cfg_attr(not(feature = "conv"), allow(dead_code, unused_imports))]

pub mod checkerboard;
#[cfg(feature = "conv")]
mod conv;
mod each_axis;
mod element;
mod error;
pub mod initial_weights;
mod kernels;
mod memory;
pub mod output_size;
pub mod picture;
pub mod rearrange;
mod resize;
mod tasks;
mod tensor;
mod update;

#[cfg(feature = "conv")]
pub use conv::convolution::Convolution;
#[cfg(feature = "conv")]
#[doc(inline)]
pub use conv::{
    AutoPad, ConvPlan, Precision, PreparedConv, conv_transpose, conv_transpose::ConvTranspose, resize_conv, resize_conv::ResizeConv,
};
pub use each_axis::EachAxis;
pub use element::{Element, FloatElement};
pub use error::{Axis, Error};
pub use kernels::{Backend, StreamingStores};
pub use memory::MemoryUse;
pub use ndarray;
#[doc(inline)]
pub use rearrange::{ChannelOrder, MaxPool, MaxUnpool, center_crop, pixel_shuffle, pixel_unshuffle, zero_insert};
pub use resize::coordinates::{AspectRatio, Coordinates, PerAxis, Rounding, Target};
pub use resize::nearest::NearestRule;
pub use resize::{AxesTarget, CustomFilter, Filter, Profile, Resize, ResizePlan, bicubic, bilinear, linear, nearest, trilinear};
pub use tensor::{
    Output, Spatial, SpatialArray, SpatialRank, Tensor, Tensor3, Tensor3Mut, Tensor4, Tensor4Mut, Tensor5, Tensor5Mut, TensorMut,
};
pub use update::Update;

#[cfg(all(doctest, feature = "conv", feature = "image"))]
#[doc = include_str!("../README.md")]
struct ReadmeDocTests;

#[cfg(all(test, feature = "conv"))]
mod tests {
    use std::fmt::Debug;

    use crate::rearrange::{MaxPool, MaxUnpool};
    use crate::*;

    fn is_plan<T: Clone + Debug + Send + Sync>() {}
    fn is_description<T: Clone + Debug + PartialEq + Send + Sync>() {}

    #[test]
    fn descriptions_and_plans_have_the_usual_traits() {
        is_description::<Resize>();
        is_description::<Filter>();
        is_description::<ConvTranspose>();
        is_description::<Convolution>();
        is_description::<ResizeConv>();
        is_description::<MaxPool<2>>();
        is_description::<MaxUnpool<2>>();
        is_description::<output_size::Window>();
        is_description::<Error>();
        is_plan::<ResizePlan<2>>();
        is_plan::<ConvPlan<2>>();
        is_plan::<PreparedConv<f32, 2>>();
        is_plan::<Tensor4<'_, f32>>();
    }

    #[test]
    fn plans_are_shown_without_their_tables_and_weights() {
        let weight = ndarray::Array4::<f32>::ones((32, 32, 3, 3));
        let conv = ConvTranspose::new().prepare(&weight, [8, 8]).unwrap();
        let up = ResizeConv::new().resize(Resize::linear()).factor(2).prepare(&weight, [8, 8]).unwrap();
        let resize = Resize::linear().plan([500, 500], 2.0).unwrap();
        for (name, shown) in
            [("convolution", format!("{conv:?}")), ("resize-convolution", format!("{up:?}")), ("resize", format!("{resize:?}"))]
        {
            assert!(shown.len() < 2000, "{name}: {shown}");
        }
    }

    #[test]
    fn custom_filters_are_equal_only_to_their_clones() {
        let filter = || Filter::custom(1.0, |distance| 1.0 - distance);
        let one = filter();
        assert_eq!(one, one.clone());
        assert_ne!(one, filter());
        assert_eq!(Resize::linear(), Resize::bilinear());
        assert_ne!(Resize::linear(), Resize::linear().antialias(true));
    }
}
