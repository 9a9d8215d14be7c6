//! The checkerboard of transposed convolution: how much of it there is, and what would cure it.
//!
//! A transposed convolution adds copies of its kernel, `stride` pixels apart. Where the kernel's size is not divisible by the stride,
//! more copies overlap on some output pixels than on their neighbours, in a pattern with the stride's period: pictures made with
//! it, and gradients that go back through a convolution with the same numbers, show a checkerboard. In two dimensions the counts multiply:
//!
//! | kernel, stride | copies per pixel along one axis | in a picture | even away from the border |
//! |---|---|---|---|
//! | 3, 2 | 2, 1, 2, 1, … | 4, 2, 1: four times as many on some as on others | no |
//! | 4, 2 | 2, 2, … | 4 | yes |
//! | 2, 2 | 1, 1, … | 1: copies do not even touch | yes, and at the border too |
//! | 5, 3 | 2, 2, 1, … | 4, 2, 1 | no |
//!
//! Four questions, an answer each:
//!
//! - Is this configuration even? [`Overlap`] counts the copies on every output pixel. It needs nothing but sizes.
//! - Which one would be, for the same sizes? [`nearest_even`].
//! - Have these trained weights made up for it, or made it worse? [`WeightOverlap`] says how each phase of the output answers to a
//!   constant input. Even overlap does not bind the weights: a kernel of size 4 with stride 2 can still draw a checkerboard,
//!   and often begins with one, since its random weights do not sum to the same on every phase.
//! - Does this picture have a checkerboard? [`StrideSpectrum`] measures its energy at the stride's frequencies.
//!
//! Cures: a kernel divisible by the stride, begun with [initial weights](crate::initial_weights) that are even; or resizing
//! (nearest or bilinear) and then an ordinary convolution, which has no phases at all.
//!
//! Source: Odena, Dumoulin and Olah, *Deconvolution and Checkerboard Artifacts*, Distill, 2016.
//!
//! ```
//! use upsample::checkerboard::{Overlap, nearest_even};
//! use upsample::output_size::{Window, conv_transpose};
//!
//! let window = Window::new(3).stride(2).padding(1).output_padding(1); // 32 -> 64
//! let overlap = Overlap::of([32, 32], [window; 2])?;
//! assert!(!overlap.is_even());
//! assert_eq!(overlap.ratio(), 4.0);
//!
//! let even = nearest_even(32, &window)?;
//! assert_eq!(even, Window::new(4).stride(2).padding(1));
//! assert_eq!(conv_transpose(32, &even)?, 64);
//! assert!(Overlap::of([32, 32], [even; 2])?.is_even());
//! # Ok::<(), upsample::Error>(())
//! ```

mod advice;
mod overlap;
mod spectrum;
mod weights;

pub use advice::nearest_even;
pub use overlap::Overlap;
pub use spectrum::StrideSpectrum;
pub use weights::WeightOverlap;
