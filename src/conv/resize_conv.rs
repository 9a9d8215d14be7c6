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

use ndarray::{Array1, ArrayRef1};

use super::engine::bias_gradient;
use super::options::Parameters;
use super::resized::ResizedConvolution;
use super::spread::RepeatedConvolution;
use super::{ConvPlan, PreparedConv};
use crate::element::FloatElement;
use crate::error::{Axis, Error};
use crate::kernels::Backend;
use crate::output_size::{self, Window};
use crate::resize::Resize;
use crate::resize::coordinates::{PerAxis, Target};
use crate::resize::nearest::NearestRule;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor};

/// A resize and then a convolution, as one operator with the face of a [`ConvTranspose`](crate::ConvTranspose), and every gradient.
/// [The module](crate::resize_conv) explains it, and how it is swapped for a transposed convolution.
///
/// The resize is nearest neighbour unless [`resize`](Self::resize) names another; by integer factors it is fused into the convolution.
/// The output has `m + p_begin + p_end - d·(k - 1)` pixels, `m` being the enlarged size, `p` the padding, `d` the dilation and `k` the taps
/// of the kernel.
///
/// ```
/// use ndarray::{Array1, Array4};
/// use upsample::{Resize, ResizeConv};
///
/// let x = Array4::<f32>::ones((1, 8, 16, 16));
/// let weight = Array4::<f32>::ones((8, 3, 3, 3)); // C_in, C_out / groups, kH, kW
/// let bias = Array1::<f32>::zeros(3);
///
/// let up = ResizeConv::new().factor(2).padding(1); // 2n + 2 - 2 = 2n
/// let y = up.forward(&x, &weight, Some(&bias))?;
/// assert_eq!(y.dim(), (1, 3, 32, 32));
/// assert_eq!(y[[0, 0, 16, 16]], 72.0); // 8 channels × 3×3 taps, on every pixel away from the border
///
/// let dy = Array4::<f32>::ones(y.dim()); // the gradient of a loss that sums all outputs
/// assert_eq!(up.input_gradient(&dy, &weight)?.dim(), x.dim());
/// assert_eq!(up.weight_gradient(&x, &dy, [3, 3])?.dim(), weight.dim());
/// assert_eq!(up.bias_gradient(&dy)?.to_vec(), [1024.0; 3]);
///
/// // Bilinear, to any size.
/// let up = ResizeConv::new().resize(Resize::bilinear()).size([40, 25]).padding(1);
/// assert_eq!(up.forward(&x, &weight, None)?.dim(), (1, 3, 40, 25));
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[doc(alias = "resize-convolution")]
#[doc(alias = "NN-resize convolution")]
#[doc(alias = "upsample then conv")]
pub struct ResizeConv {
    /// The stride is always 1.
    parameters: Parameters,
    resize: Resize,
    enlargement: Enlargement,
}

#[derive(Debug, Clone, PartialEq)]
enum Enlargement {
    Factor(PerAxis<usize>),
    Scale(PerAxis<f64>),
    Size(PerAxis<usize>),
}

impl Default for ResizeConv {
    fn default() -> Self {
        Self {
            parameters: Parameters::default(),
            resize: Resize::nearest_by(NearestRule::Integer),
            enlargement: Enlargement::Factor(PerAxis::All(1)),
        }
    }
}

/// The options.
impl ResizeConv {
    /// Nearest neighbour with factor 1, no padding, dilation 1, one group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Doubles every axis exactly, with a kernel of this size: factor 2, and `k - 1` zeros around the enlarged
    /// picture, of an odd number the larger part at the end, as PyTorch's `padding="same"` has it.
    ///
    /// ```
    /// use upsample::ResizeConv;
    /// assert_eq!(ResizeConv::doubling(3)?.plan([5, 7], [3, 3])?.output_size(), [10, 14]);
    /// assert_eq!(ResizeConv::doubling([2, 5])?.plan([5, 7], [2, 5])?.output_size(), [10, 14]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidAxisParameter`] for a kernel of 0.
    pub fn doubling(kernel: impl Into<PerAxis<usize>>) -> Result<Self, Error> {
        let reach = |axis: usize, kernel: usize| Ok(Window::new(kernel).dilated_kernel_of(Axis::Number(axis))? - 1);
        let (begin, end): (PerAxis<usize>, PerAxis<usize>) = match kernel.into() {
            PerAxis::All(kernel) => {
                let reach = reach(0, kernel)?;
                (PerAxis::All(reach / 2), PerAxis::All(reach - reach / 2))
            }
            PerAxis::Each(kernel) => {
                let reach = kernel.into_iter().enumerate().map(|(axis, kernel)| reach(axis, kernel));
                let reach = reach.collect::<Result<Vec<_>, Error>>()?;
                let end = reach.iter().map(|reach| reach - reach / 2).collect::<Vec<_>>();
                (reach.iter().map(|reach| reach / 2).collect::<Vec<_>>().into(), end.into())
            }
        };
        Ok(Self::new().factor(2).padding_of(begin, end))
    }

    /// How the picture is enlarged, by its own rules for positions and borders. [`Resize::nearest`] is PyTorch's, whose positions are
    /// rounded and then not always the plain `⌊o/s⌋` that is used unless this is called.
    #[must_use]
    pub fn resize(mut self, resize: Resize) -> Self {
        self.resize = resize;
        self
    }

    /// s: how many times longer each axis becomes before the convolution.
    #[must_use]
    pub fn factor(mut self, factor: impl Into<PerAxis<usize>>) -> Self {
        self.enlargement = Enlargement::Factor(factor.into());
        self
    }

    /// The same as any positive number, by the resize's rule for scales.
    #[must_use]
    pub fn scale(mut self, scale: impl Into<PerAxis<f64>>) -> Self {
        self.enlargement = Enlargement::Scale(scale.into());
        self
    }

    /// The size of the enlarged picture, before the convolution.
    #[must_use]
    pub fn size(mut self, size: impl Into<PerAxis<usize>>) -> Self {
        self.enlargement = Enlargement::Size(size.into());
        self
    }

    /// p: zeros added to both ends of each axis of the enlarged picture. A negative number crops that many of its pixels.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<PerAxis<isize>>) -> Self {
        self.parameters.padding_begin = padding.into();
        self.parameters.padding_end = self.parameters.padding_begin.clone();
        self
    }

    /// p of the beginning and of the end of each axis.
    #[must_use]
    pub fn padding_of(mut self, begin: impl Into<PerAxis<isize>>, end: impl Into<PerAxis<isize>>) -> Self {
        self.parameters.padding_begin = begin.into();
        self.parameters.padding_end = end.into();
        self
    }

    /// d: the distance between neighbouring taps, in pixels of the enlarged picture.
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

    /// Runs the loops compiled for a certain instruction set, for comparisons. One that the machine lacks runs as
    /// [`Backend::Portable`].
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.parameters.backend = Some(backend);
        self.resize = self.resize.backend(backend);
        self
    }
}

/// Planning.
impl ResizeConv {
    /// Fixes the spatial sizes of input and kernel, and checks everything that depends on them.
    ///
    /// There are one, two or three spatial axes; other numbers do not compile:
    ///
    /// ```compile_fail,E0277
    /// let _ = upsample::ResizeConv::new().plan([2, 2, 2, 2], [1, 1, 1, 1]);
    /// ```
    /// ```compile_fail,E0277
    /// let _ = upsample::ResizeConv::new().plan([], []);
    /// ```
    ///
    /// # Errors
    /// [`Error::AxisCount`] if an array does not have one entry for each axis; [`Error::InvalidAxisParameter`] for a kernel, factor or
    /// dilation of 0; [`Error::InvalidParameter`] for 0 groups; [`Error::NoOutput`] if the kernel does not fit the padded, enlarged
    /// picture;
    /// [`Error::ZeroSize`], [`Error::SizeOverflow`]; and the errors of [`Resize::plan`].
    pub fn plan<const RANK: usize>(&self, input: [usize; RANK], kernel: [usize; RANK]) -> Result<ConvPlan<RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let windows = self.parameters.windows(kernel)?;
        let resize = self.resize.plan(input, self.target(input)?)?;
        let (factors, source, resize) = match resize.whole_factors() {
            Some(factors) => (factors, input, None),
            None => ([1; RANK], resize.output_size(), Some(resize)),
        };
        let groups = self.parameters.groups;
        let convolution = RepeatedConvolution::new(source, factors, &windows, groups, self.parameters.backend)?;
        Ok(ConvPlan::of_resized(ResizedConvolution::new(input, kernel, groups, resize, convolution), windows))
    }

    /// What the resize is asked for.
    fn target<const RANK: usize>(&self, input: [usize; RANK]) -> Result<Target<RANK>, Error> {
        let factors = match &self.enlargement {
            Enlargement::Scale(scale) => return Ok(Target::Scale(scale.resolve("scale")?)),
            Enlargement::Size(size) => return Ok(Target::Size(size.resolve("size")?)),
            Enlargement::Factor(factors) => factors.resolve::<RANK>("factor")?,
        };
        let mut size = input;
        for index in 0..RANK {
            let axis = Axis::spatial(RANK, index);
            if factors[index] == 0 {
                let requirement = "at least 1".to_owned();
                return Err(Error::InvalidAxisParameter { parameter: "factor", axis, value: 0, requirement });
            }
            if input[index] == 0 {
                return Err(Error::ZeroSize { argument: "input", axis });
            }
            let enlarged = input[index].checked_mul(factors[index]).filter(|&size| isize::try_from(size).is_ok());
            size[index] = enlarged.ok_or(Error::SizeOverflow { argument: "enlarged picture", axis })?;
        }
        Ok(Target::Size(size))
    }

    /// A plan with its weights summed and packed: for many calls with the same weights.
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
        let Enlargement::Factor(factors) = &self.enlargement else {
            let what = "an input gradient with a scale or a size, but without an input size".to_owned();
            return Err(Error::Unsupported { what, why: "inputs of several sizes have this output; use a plan" });
        };
        let factors = factors.resolve::<RANK>("factor")?;
        let windows = self.parameters.windows(kernel)?;
        let mut input = [0; RANK];
        for index in 0..RANK {
            let axis = Axis::spatial(RANK, index);
            input[index] = output_size::enlarged_input_of(axis, output[index], factors[index].max(1), &windows[index])?;
        }
        // Of the sizes between two outputs there is no input: the check of the output gradient says so.
        self.plan(input, kernel)
    }
}

/// One call each. Sizes come from the arguments.
impl ResizeConv {
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

    /// The gradient of the input, N×C_in×spatial, given that of the output, N×C_out×spatial.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::ShapeMismatch`] if no input has an output of the size of `dy`; [`Error::Unsupported`] with
    /// [`scale`](Self::scale) and [`size`](Self::size), where several have: a plan knows which.
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
