//! Transposed convolution: upsampling with weights that a network can learn.
//!
//! # What it is
//!
//! A convolution slides a kernel over its input; each output pixel is a weighted sum of the pixels under the kernel. That is linear, so it
//! is a matrix: `y = W x`, one row of `W` an output pixel, the kernel's taps along it. A stride `s` above 1 skips rows: the output is
//! smaller. The **transposed** convolution multiplies with the transposed matrix, `y = Wᵀ x`. It has the shape of the convolution turned
//! round, so it *enlarges* by `s`, and it is what carries gradients back through the convolution. (It does not undo the convolution:
//! `Wᵀ` is not `W⁻¹`, so the popular name "deconvolution" means something else to everybody outside machine learning.)
//!
//! Read by columns, `Wᵀ x` is the picture to keep in mind: every input pixel puts down a **copy of the kernel, weighted by its value**, `s`
//! pixels from its neighbour's copy, and where copies overlap they are **summed**.
//!
//! ```
//! use ndarray::{Array1, Array2, Array3};
//! use upsample::ConvTranspose;
//!
//! let (stride, kernel) = (2, [1.0, 3.0, 3.0, 1.0]);
//! let x = Array1::from(vec![1.0, 10.0, 100.0]);
//!
//! // The convolution from 8 pixels to 3, kernel 4, stride 2, as a matrix.
//! let mut w = Array2::<f64>::zeros((3, 8));
//! for row in 0..3 {
//!     for tap in 0..4 {
//!         w[[row, row * stride + tap]] = kernel[tap];
//!     }
//! }
//! let by_matrix = w.t().dot(&x);
//!
//! // Copies of the kernel, weighted and summed where they overlap.
//! let mut by_copies = Array1::<f64>::zeros(8);
//! for (i, value) in x.iter().enumerate() {
//!     for tap in 0..4 {
//!         by_copies[i * stride + tap] += value * kernel[tap];
//!     }
//! }
//! assert_eq!(by_matrix, by_copies);
//! assert_eq!(by_matrix.to_vec(), [1.0, 3.0, 13.0, 31.0, 130.0, 310.0, 300.0, 100.0]);
//!
//! // The operator: N×C×L in, weight C_in × C_out × k.
//! let signal = x.into_shape_with_order((1, 1, 3))?;
//! let weight = Array3::from_shape_vec((1, 1, 4), kernel.to_vec())?;
//! let y = ConvTranspose::new().stride(stride).forward(&signal, &weight, None)?;
//! assert_eq!(y.into_raw_vec_and_offset().0, by_matrix.to_vec());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When to choose it
//!
//! For filters that are learned and cheap: 4×4 with stride 2 takes 5.9 ms for 64 channels of 64×64 pixels to 128×128 in `f32`, one thread,
//! where bilinear takes 0.55 ms and a 3×3 [`ResizeConv`](crate::ResizeConv) 5.8 ms. Trained alone to undo halving (example `learn`, kernel
//! 8×8) it reaches 18.97 dB PSNR, bilinear 17.98, bicubic 18.57; as the decoder of a small SegNet (example `segment`) a mean IoU of 0.866,
//! max unpooling 0.871, bilinear 0.857. Its artifact is the checkerboard. With random weights the energy at the stride's frequencies is, in
//! the example `checkerboard`, 211.2 times that at any other with 3×3, 89.6 times with 4×4, 0.3 times with a resize-convolution; trained it
//! is 0.2, 0.1 and 0.0. So: a kernel that the stride divides, [begun as an interpolation](crate::initial_weights), or a
//! [`ResizeConv`](crate::ResizeConv) where no trace may be left. The crate's [front page](crate) compares all.
//!
//! # Its numbers
//!
//! | | meaning | |
//! |---|---|---|
//! | `k` | kernel size | taps on each axis |
//! | `s` | stride | enlarges by `s`: how far apart the copies of the kernel are |
//! | `p` | padding | pixels *cropped* from each end of the output (they pad the input of the convolution it transposes); negative: *added* |
//! | | output padding | pixels added to the end: a convolution with stride maps several sizes to one, this says which of them to come back to |
//! | `d` | dilation | distance between the taps |
//! | | groups | input and output channels are divided, each group convolved by itself; as many groups as channels: depthwise |
//!
//! The output has `(n - 1)·s + d·(k - 1) + 1 + output_padding - p_begin - p_end` pixels, plainly `(n - 1)·s + k - 2p`
//! ([`output_size::conv_transpose`](crate::output_size::conv_transpose)); [`ConvTranspose::doubling`] chooses what makes it exactly `2n`.
//! A kernel that the stride divides covers every output pixel by equally many copies; any other leaves a checkerboard pattern
//! (Odena, Dumoulin, Olah: *Deconvolution and Checkerboard Artifacts*, 2016).
//!
//! Weights are `C_in × C_out/groups × k…`, as PyTorch's `conv_transpose1d/2d/3d` and ONNX's `ConvTranspose` store them. Names and
//! arithmetic are theirs: Dumoulin and Visin, *A guide to convolution arithmetic for deep learning* (2016).
//!
//! # How it is computed
//!
//! Not by summing overlapping copies, which would write each output pixel many times, and not by spreading the input out with zeros. Output
//! pixel `o = s·m + phase` meets only the taps `t` with `d·t ≡ phase + p (mod s)`: each of the `s` **phases** is a small dense convolution
//! of stride 1 over the input. All phases read the same zero-padded strip of input, whose size depends on the caches, not on the picture;
//! no column matrix is built. The input gradient is a [`Convolution`](crate::Convolution) with the same weights and runs through the same
//! loops; the weight gradient multiplies strips of input and output gradient. Phases of two and three taps are computed with **fewer
//! multiplications** than the definition has, unless [`Precision::Strict`] is asked for; depthwise convolutions, and groups of very few
//! channels, row by row. Sums of `f16` and `bf16` are kept in `f32`, gradients too. Results are the same bits for any number of threads.
//!
//! Beyond the border the loops multiply with zeros, so a NaN or an infinity among the *weights* can show in border pixels that its tap
//! does not reach. One in the input shows where its copies of the kernel are and nowhere else, or in its whole tile of 4 × 4 pixels where
//! multiplications are saved. In the weight gradient one shows in every tap that meets its pixel, and so can one in a pixel of `x` or `dy`
//! at a cropped border, which is multiplied with the zeros beyond, in taps that do not meet it.

pub(crate) mod bias_gradient;
mod channel_rows;
mod correlate;
mod few_channels;
mod fill;
mod gather;
mod guard;
mod operator;
mod pair;
mod panels;
mod params;
mod phases;
mod plan;
mod store;
mod strips;
mod typed;
mod winograd;

pub use operator::ConvTranspose;
pub use params::{AutoPad, Precision};
pub use plan::{ConvPlan, PreparedConv};
#[doc(hidden)]
pub use typed::TypedConvolution;

pub(crate) use pair::{Call, Pair};
pub(crate) use panels::Packed;
pub(crate) use params::Parameters;
pub(crate) use phases::Direction;
pub(crate) use store::Slot;
