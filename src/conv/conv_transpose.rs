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

use ndarray::{Array1, ArrayRef1};

use super::engine::bias_gradient;
use super::engine::phases::Direction;
use super::grids::Grids;
use super::options::{AutoPad, OutputRule, Parameters, Precision};
use super::plan::{ConvPlan, PreparedConv};
use crate::element::FloatElement;
use crate::error::{Axis, Error};
use crate::kernels::Backend;
use crate::output_size::{self, Window};
use crate::resize::coordinates::PerAxis;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor};

/// A transposed convolution of signals, pictures or volumes: what PyTorch's `conv_transpose1d/2d/3d` and ONNX's `ConvTranspose` compute,
/// and every gradient. [The module](crate::conv_transpose) explains it.
///
/// Describe it, then run it; or [`plan`](Self::plan) it for a size, or [`prepare`](Self::prepare) it with its weights for many calls.
/// Stride, padding and the like are one number for all axes or an array with one for each, in the order depth, height, width.
///
/// Of `n` pixels and a kernel of `k` taps, with stride `s`, padding `p` and dilation `d`, an output has
/// `(n - 1)·s + d·(k - 1) + 1 + output_padding - p_begin - p_end` pixels, plainly `(n - 1)·s + k - 2p`.
///
/// ```
/// use ndarray::{Array1, Array4};
/// use upsample::ConvTranspose;
///
/// let x = Array4::<f32>::ones((1, 8, 16, 16));
/// let weight = Array4::<f32>::ones((8, 3, 4, 4)); // C_in, C_out / groups, kH, kW
/// let bias = Array1::<f32>::zeros(3);
///
/// let deconv = ConvTranspose::new().stride(2).padding(1); // (n - 1)·2 + 4 - 2 = 2n
/// let y = deconv.forward(&x, &weight, Some(&bias))?;
/// assert_eq!(y.dim(), (1, 3, 32, 32));
/// assert_eq!(y[[0, 0, 16, 16]], 32.0); // 8 channels × 2×2 taps
///
/// let dy = Array4::<f32>::ones(y.dim()); // the gradient of a loss that sums all outputs
/// assert_eq!(deconv.input_gradient(&dy, &weight)?.dim(), x.dim());
/// assert_eq!(deconv.weight_gradient(&x, &dy, [4, 4])?.dim(), weight.dim());
/// assert_eq!(deconv.bias_gradient(&dy)?.to_vec(), [1024.0; 3]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[doc(alias = "deconvolution")]
#[doc(alias = "deconv")]
#[doc(alias = "fractionally-strided convolution")]
#[doc(alias = "up-convolution")]
#[doc(alias = "upconv")]
#[doc(alias = "backward convolution")]
#[doc(alias = "conv_transpose2d")]
#[doc(alias = "ConvTranspose2d")]
#[doc(alias = "Conv2DTranspose")]
pub struct ConvTranspose {
    parameters: Parameters,
    rule: OutputRule,
}

/// The options.
impl ConvTranspose {
    /// Stride 1, no padding, dilation 1, one group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Doubles every axis exactly, with a kernel of this size: stride 2, and the padding and output padding
    /// that [`output_size::solve`] finds. `k = 4` needs padding 1, `k = 2` none; `k = 3` padding 1 and output padding 1, the classic
    /// "crop one pixel".
    ///
    /// ```
    /// use upsample::ConvTranspose;
    /// assert_eq!(ConvTranspose::doubling(3)?, ConvTranspose::new().stride(2).padding(1).output_padding(1));
    /// assert_eq!(ConvTranspose::doubling([2, 4])?.plan([5, 7], [2, 4])?.output_size(), [10, 14]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidAxisParameter`] for a kernel of 0, [`Error::SizeOverflow`].
    pub fn doubling(kernel: impl Into<PerAxis<usize>>) -> Result<Self, Error> {
        let solve = |axis: usize, kernel: usize| {
            // Which input size does not matter: each further pixel adds 2 to both sides.
            output_size::solve_of(Axis::Number(axis), 1, 2, &Window::new(kernel).stride(2))
        };
        let (padding, output_padding) = match kernel.into() {
            PerAxis::All(kernel) => {
                let window = solve(0, kernel)?;
                (PerAxis::All(window.padding_begin), PerAxis::All(window.output_padding))
            }
            PerAxis::Each(kernel) => {
                let windows: Vec<Window> =
                    kernel.into_iter().enumerate().map(|(axis, kernel)| solve(axis, kernel)).collect::<Result<_, _>>()?;
                let padding = windows.iter().map(|window| window.padding_begin).collect::<Vec<_>>();
                (padding.into(), windows.iter().map(|window| window.output_padding).collect::<Vec<_>>().into())
            }
        };
        Ok(Self::new().stride(2).padding(padding).output_padding(output_padding))
    }

    /// s: how many times longer each axis becomes.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis<usize>>) -> Self {
        self.parameters.stride = stride.into();
        self
    }

    /// p: pixels cropped from both ends of each axis of the output. A negative number makes the output wider, as ONNX allows: so many
    /// pixels around it have the bias alone, or 0, and gradients do not depend on them.
    ///
    /// ```
    /// use ndarray::array;
    /// use upsample::ConvTranspose;
    ///
    /// let (x, weight) = (array![[[1.0, 2.0]]], array![[[1.0, 1.0]]]);
    /// assert_eq!(ConvTranspose::new().padding(1).forward(&x, &weight, None)?, array![[[3.0]]]);
    /// assert_eq!(ConvTranspose::new().padding(-1).forward(&x, &weight, None)?, array![[[0.0, 1.0, 3.0, 2.0, 0.0]]]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn padding(mut self, padding: impl Into<PerAxis<isize>>) -> Self {
        self.parameters.padding_begin = padding.into();
        self.parameters.padding_end = self.parameters.padding_begin.clone();
        self
    }

    /// p of the beginning and of the end of each axis. ONNX's `pads` are all beginnings, then all ends.
    #[must_use]
    pub fn padding_of(mut self, begin: impl Into<PerAxis<isize>>, end: impl Into<PerAxis<isize>>) -> Self {
        self.parameters.padding_begin = begin.into();
        self.parameters.padding_end = end.into();
        self
    }

    /// Pixels added to the end of each axis of the output; fewer than the stride or the dilation.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Into<PerAxis<usize>>) -> Self {
        self.rule.output_padding = output_padding.into();
        self
    }

    /// d: the distance between neighbouring taps.
    #[must_use]
    #[doc(alias = "atrous")]
    pub fn dilation(mut self, dilation: impl Into<PerAxis<usize>>) -> Self {
        self.parameters.dilation = dilation.into();
        self
    }

    /// Divides the channels into groups that are convolved each by itself. As many groups as input channels: depthwise.
    #[must_use]
    #[doc(alias = "depthwise")]
    pub fn groups(mut self, groups: usize) -> Self {
        self.parameters.groups = groups;
        self
    }

    /// Computes the padding by ONNX's rule instead of taking it from [`padding`](Self::padding).
    ///
    /// ```
    /// use upsample::{AutoPad, ConvTranspose};
    /// let same = ConvTranspose::new().stride(2).auto_pad(AutoPad::SameUpper);
    /// assert_eq!(same.plan([5], [3])?.output_size(), [10]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn auto_pad(mut self, auto_pad: AutoPad) -> Self {
        self.rule.auto_pad = Some(auto_pad);
        self
    }

    /// Asks for an output size as ONNX's `output_shape` does: the padding follows from it, so none may be given.
    /// [`output_size`](Self::output_size) is PyTorch's way, which keeps the padding.
    ///
    /// `total = (n - 1)·s + output_padding + d·(k - 1) + 1 - size` pixels are cropped, half of them from each end; of an odd total the
    /// larger part from the end with [`AutoPad::SameUpper`], from the beginning otherwise. A size that is a little larger than the natural
    /// one is filled up at the end, by fewer pixels than the stride or the dilation.
    #[must_use]
    pub fn output_shape(mut self, size: impl Into<PerAxis<usize>>) -> Self {
        self.rule.output_shape = Some(size.into());
        self
    }

    /// Asks for an output size as the argument `output_size` of PyTorch's modules does: the padding stays, and the output padding, fewer
    /// pixels than the stride, follows from it. Of the sizes that a convolution with stride makes one of, this says which to come back to.
    /// [`output_shape`](Self::output_shape) is ONNX's way, which computes the padding.
    ///
    /// ```
    /// use upsample::{ConvTranspose, Error};
    /// let deconv = ConvTranspose::new().stride(2).padding(1);
    /// assert_eq!(deconv.clone().output_size([10, 9]).plan([5, 5], [3, 3])?.output_size(), [10, 9]);
    /// let error = deconv.output_size([10, 11]).plan([5, 5], [3, 3]).unwrap_err();
    /// assert!(matches!(error, Error::OutputSizeOutOfRange { smallest: 9, largest: 10, .. }));
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn output_size(mut self, size: impl Into<PerAxis<usize>>) -> Self {
        self.rule.output_size = Some(size.into());
        self
    }

    /// Whether `f32` may be computed with fewer multiplications than the definition has, which is the default.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.parameters.precision = precision;
        self
    }

    /// Runs the loops compiled for a certain instruction set, for comparisons. One that the machine lacks runs as
    /// [`Backend::Portable`].
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.parameters.backend = Some(backend);
        self
    }
}

/// Planning.
impl ConvTranspose {
    /// Fixes the spatial sizes of input and kernel, and checks everything that depends on them.
    ///
    /// There are one, two or three spatial axes; other numbers do not compile:
    ///
    /// ```compile_fail,E0277
    /// let _ = upsample::ConvTranspose::new().plan([2, 2, 2, 2], [1, 1, 1, 1]);
    /// ```
    /// ```compile_fail,E0277
    /// let _ = upsample::ConvTranspose::new().plan([], []);
    /// ```
    ///
    /// # Errors
    /// [`Error::AxisCount`] if an array does not have one entry for each axis; [`Error::InvalidAxisParameter`] for a kernel, stride or
    /// dilation of 0 or too large an output padding; [`Error::InvalidParameter`] for 0 groups; [`Error::ZeroSize`],
    /// [`Error::NoOutput`] if padding crops everything, [`Error::UnreachableSize`] if no padding gives the
    /// [`output_shape`](Self::output_shape), [`Error::OutputSizeOutOfRange`] if no output padding gives the
    /// [`output_size`](Self::output_size), [`Error::SizeOverflow`]; [`Error::Unsupported`] for options that compute what another says:
    /// padding beside [`auto_pad`](Self::auto_pad) or `output_shape`, output padding beside `output_size`, two of the three together but
    /// for `auto_pad` beside `output_shape`.
    pub fn plan<const RANK: usize>(&self, input: [usize; RANK], kernel: [usize; RANK]) -> Result<ConvPlan<RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let windows = self.rule.apply(self.parameters.windows(kernel)?, input)?;
        let mut output = input;
        output_size::of_axes(&mut output, &windows, output_size::conv_transpose_of)?;
        Ok(ConvPlan::of_grids(Grids::new(input, output, &windows, &self.parameters), Direction::Expand, windows))
    }

    /// A plan with its weights packed: for many calls with the same weights.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan) and of [`ConvPlan::prepare`].
    pub fn prepare<'w, A: FloatElement, const RANK: usize>(
        &self,
        weight: impl Into<Tensor<'w, A, RANK>>,
        input: [usize; RANK],
    ) -> Result<PreparedConv<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let weight = weight.into();
        self.plan(input, weight.spatial())?.prepare(weight)
    }

    /// The plan for an output gradient, where the input size has to be found: the size whose output is `output`.
    fn plan_backwards<const RANK: usize>(&self, output: [usize; RANK], kernel: [usize; RANK]) -> Result<ConvPlan<RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let windows = self.parameters.windows(kernel)?;
        let output_padding = self.rule.output_padding.resolve::<RANK>("output padding")?;
        if let Some(shape) = &self.rule.output_shape {
            return Err(Self::ambiguous(&windows, shape.resolve::<RANK>("output shape")?)?);
        }
        let asked = self.rule.output_size.as_ref().map(|size| size.resolve::<RANK>("output size")).transpose()?;
        let same = matches!(self.rule.auto_pad, Some(AutoPad::SameUpper | AutoPad::SameLower));
        let mut input = [0; RANK];
        for index in 0..RANK {
            let (axis, window) = (Axis::spatial(RANK, index), windows[index].output_padding(output_padding[index]));
            input[index] = match asked {
                _ if same => (output[index] / window.stride.max(1)).max(1),
                None => output_size::conv_transpose_input_of(axis, output[index], &window, 0)?,
                Some(size) => output_size::conv_transpose_input_of(axis, size[index], &windows[index], window.stride.saturating_sub(1))?,
            };
        }
        // Of the sizes between two outputs there is no input: the check of the output gradient says so.
        self.plan(input, kernel)
    }

    /// Which inputs have an output shape.
    fn ambiguous<const RANK: usize>(windows: &[Window; RANK], shape: [usize; RANK]) -> Result<Error, Error> {
        let mut smallest = [0; RANK];
        for index in 0..RANK {
            smallest[index] = OutputRule::smallest_input(Axis::spatial(RANK, index), shape[index], &windows[index])?;
        }
        let what = format!("an input gradient with output_shape, which every input of at least {smallest:?} pixels has");
        Ok(Error::Unsupported { what, why: "use a plan, which knows the size of the input" })
    }
}

/// One call each. Sizes come from the arguments.
impl ConvTranspose {
    /// The output, a new array, channels last if `x` has them last. `x` is N×C×spatial, `weight` is `C_in × C_out/groups × kernel`, the
    /// bias has an entry for each output channel.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan) and of [`ConvPlan::forward`].
    pub fn forward<'x, 'w, A: FloatElement, const RANK: usize>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Output<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let (x, weight) = (x.into(), weight.into());
        self.plan(x.spatial(), weight.spatial())?.forward(x, weight, bias)
    }

    /// The gradient of the input, N×C_in×spatial, given that of the output, N×C_out×spatial: a [`Convolution`](crate::Convolution) of `dy`
    /// with the same weights. The size of the input follows from that of `dy`: outputs grow with their inputs, so that one at most has it.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::ShapeMismatch`] if no input has an output of the size of `dy`, which names the next smaller
    /// size that one has, or the smallest of all; [`Error::Unsupported`] with
    /// [`output_shape`](Self::output_shape), where any larger input has the output, too: a plan knows which.
    pub fn input_gradient<'y, 'w, A: FloatElement, const RANK: usize>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
    ) -> Result<Output<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let (dy, weight) = (dy.into(), weight.into());
        self.plan_backwards(dy.spatial(), weight.spatial())?.input_gradient(dy, weight)
    }

    /// The gradient of the weights of a kernel of the given size, `C_in × C_out/groups × kernel`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn weight_gradient<'x, 'y, A: FloatElement, const RANK: usize>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        dy: impl Into<Tensor<'y, A, RANK>>,
        kernel: [usize; RANK],
    ) -> Result<Output<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let x = x.into();
        self.plan(x.spatial(), kernel)?.weight_gradient(x, dy)
    }

    /// The gradient of the bias, C_out numbers: the sum of `dy`, N×C_out×spatial, over batch and space.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn bias_gradient<'y, A: FloatElement, const RANK: usize>(&self, dy: impl Into<Tensor<'y, A, RANK>>) -> Result<Array1<A>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        bias_gradient::new(dy.into())
    }
}
