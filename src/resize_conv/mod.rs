//! Resize, then convolve: enlarging with learned weights and without a checkerboard.
//!
//! A [`ConvTranspose`](crate::ConvTranspose) whose kernel its stride does not divide draws a pattern of its own over every picture
//! ([`checkerboard`](crate::checkerboard)). Enlarging first, by nearest or bilinear interpolation, and convolving the enlarged
//! picture treats every output pixel alike: Odena, Dumoulin and Olah, *Deconvolution and Checkerboard Artifacts*, Distill, 2016.
//!
//! # When to choose it
//!
//! Where a transposed convolution would do but a checkerboard must not be: with random weights the energy at the stride's frequencies is
//! 0.3 times that at any other frequency, with a 3×3 transposed convolution 211.2 times (example `checkerboard`; the picture itself has
//! 2.4). Trained to enlarge, it is as good: 18.59 dB PSNR there, the transposed convolutions 3×3 and 4×4 18.52 and 18.60. The price is
//! time: fused 3×3 takes 5.8 ms for 64 channels of 64×64 pixels to 128×128 in `f32`, one thread, as a transposed 4×4 does (5.9 ms), and a
//! transposed 3×3 3.6 ms; in two steps it is 13.2 ms by nearest and 13.7 ms by bilinear, whose blur is smoother to begin with. The crate's
//! [front page](crate) compares all.
//!
//! # From a transposed convolution to this, in one line
//!
//! ```
//! use ndarray::{Array1, Array4};
//! use upsample::{ConvTranspose, ResizeConv};
//!
//! let (x, weight, bias) = (Array4::<f32>::ones((1, 8, 16, 16)), Array4::<f32>::ones((8, 4, 3, 3)), Array1::<f32>::zeros(4));
//! for y in [
//!     ConvTranspose::doubling(3)?.forward(&x, &weight, Some(&bias))?,
//!     ResizeConv::doubling(3)?.forward(&x, &weight, Some(&bias))?, // the one line: the same arguments, the same size
//! ] {
//!     assert_eq!(y.dim(), (1, 4, 32, 32));
//! }
//! # Ok::<(), upsample::Error>(())
//! ```
//!
//! | | transposed convolution | resize, then convolution |
//! |---|---|---|
//! | enlarges by | `stride(2)` | `factor(2)`, also `scale(1.5)`, `size([480, 640])` |
//! | `padding(p)` | pixels *cropped* from each end: `(n - 1)·s + d·(k - 1) + 1 - 2p` | zeros *added* to the enlarged picture: `n·s + 2p - d·(k - 1)` |
//! | twice the size | `doubling(k)` | `doubling(k)` |
//! | weights | `C_in × C_out/groups × kernel` | the same shape; see below |
//! | forward, gradients, plan, prepare | | the same names and arguments |
//!
//! What the numbers of a weight do is not the same, so trained weights do not carry over: the layer is swapped before training. Weights
//! stand in the order of the transposed convolution, input channels first, and are applied as a
//! [`Convolution`](crate::Convolution) applies them, not mirrored. Weights of PyTorch's `Upsample` and `Conv2d`, C_out × C_in × kernel, go
//! in as `weight.view().permuted_axes([1, 0, 2, 3])`, without a copy; depthwise ones as they are.
//!
//! # Fused
//!
//! Where the resize repeats every pixel a whole number of times (nearest, by integer factors) the enlarged picture never exists.
//! Taps that fall on copies of the same input pixel are summed beforehand: of 3 taps on a doubled picture, each of the two phases has 2
//! left. That is a transposed convolution, exactly and for every padding, with the kernel convolved with a box of `s` ones:
//!
//! `y[o] = Σ_t w[t]·x[⌊(o + d·t - p)/s⌋] = Σ_i x[i]·D[o - s·i + d·(k - 1) - p]`, where `D[u]` sums the `w[t]` with
//! `0 ≤ u - d·(k - 1 - t) < s`.
//!
//! So it runs through the loops of [`conv_transpose`](crate::conv_transpose), `⌈(d·(k - 1) + s)/s⌉` taps an axis and output instead of `k`;
//! the weight gradient is that of `D`, summed over the boxes. Every other resize is done in two steps. Both are linear, and the gradients
//! are exact adjoints.

mod operator;
mod plan;
mod spread;

pub use operator::ResizeConv;
pub(crate) use plan::ResizedConvolution;
