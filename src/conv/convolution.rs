//! Convolution with stride, padding, dilation and groups: the adjoint of the transposed convolution.

use ndarray::{Array1, ArrayRef1};

use super::engine::{Direction, bias_gradient};
use super::grids::Grids;
use super::options::Parameters;
use super::{ConvPlan, Precision};
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::Backend;
use crate::output_size;
use crate::resize::coordinates::PerAxis;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor};

/// A convolution of signals, pictures or volumes, as PyTorch's `conv1d/2d/3d` and ONNX's `Conv` compute it (a cross-correlation: the kernel
/// is not mirrored), and every gradient.
///
/// It is what a [`ConvTranspose`](crate::ConvTranspose) with the same numbers transposes, so each is the input gradient of the other; and
/// it is the second half of resize-then-convolve. Of `n` pixels and a kernel of `k` taps, with stride `s`, padding `p` and dilation `d`, an
/// output has `⌊(n + p_begin + p_end - d·(k - 1) - 1) / s⌋ + 1` pixels. Stride, padding and dilation are one number for all axes or an
/// array with one for each, in the order depth, height, width.
///
/// ```
/// use ndarray::Array4;
/// use upsample::{ConvTranspose, Convolution};
///
/// let x = Array4::<f32>::ones((1, 3, 32, 32));
/// let weight = Array4::<f32>::ones((8, 3, 4, 4)); // C_out, C_in / groups, kH, kW
/// let conv = Convolution::new().stride(2).padding(1);
/// let y = conv.forward(&x, &weight, None)?;
/// assert_eq!(y.dim(), (1, 8, 16, 16));
///
/// // The input gradient is the transposed convolution with the same weights.
/// let dx = conv.input_gradient(&y, &weight, [32, 32])?;
/// assert_eq!(dx, ConvTranspose::new().stride(2).padding(1).forward(&y, &weight, None)?);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// Source: Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, 2016.
#[derive(Debug, Clone, PartialEq, Default)]
#[doc(alias = "conv2d")]
#[doc(alias = "Conv2d")]
#[doc(alias = "cross-correlation")]
pub struct Convolution {
    parameters: Parameters,
}

/// The options.
impl Convolution {
    /// Stride 1, no padding, dilation 1, one group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// s: every how many pixels there is an output.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis<usize>>) -> Self {
        self.parameters.stride = stride.into();
        self
    }

    /// p: zeros added to both ends of each axis of the input. A negative number crops that many of its pixels, whose gradient is 0.
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

    /// Fixes the spatial sizes of input and kernel, and checks everything that depends on them.
    ///
    /// There are one, two or three spatial axes; other numbers do not compile:
    ///
    /// ```compile_fail,E0277
    /// let _ = upsample::Convolution::new().plan([2, 2, 2, 2], [1, 1, 1, 1]);
    /// ```
    /// ```compile_fail,E0277
    /// let _ = upsample::Convolution::new().plan([], []);
    /// ```
    ///
    /// # Errors
    /// [`Error::AxisCount`] if an array does not have one entry for each axis; [`Error::InvalidAxisParameter`] for a kernel, stride or
    /// dilation of 0; [`Error::InvalidParameter`] for 0 groups; [`Error::ZeroSize`], [`Error::NoOutput`] if the kernel
    /// does not fit the padded input, [`Error::SizeOverflow`].
    pub fn plan<const RANK: usize>(&self, input: [usize; RANK], kernel: [usize; RANK]) -> Result<ConvPlan<RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let windows = self.parameters.windows(kernel)?;
        let mut output = input;
        output_size::of_axes(&mut output, &windows, output_size::convolution_of)?;
        Ok(ConvPlan::of_grids(Grids::new(output, input, &windows, &self.parameters), Direction::Contract, windows))
    }
}

/// One call each. Sizes come from the arguments.
impl Convolution {
    /// The output, a new array, channels last if `x` has them last. `x` is N×C×spatial, `weight` is `C_out × C_in/groups × kernel`, the
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

    /// The gradient of an input, N×C_in×`input`, given that of the output, N×C_out×spatial: inputs of several sizes can have the same
    /// output, so theirs has to be said.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn input_gradient<'y, 'w, A: FloatElement, const RANK: usize>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        input: [usize; RANK],
    ) -> Result<Output<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let weight = weight.into();
        self.plan(input, weight.spatial())?.input_gradient(dy, weight)
    }

    /// The gradient of the weights of a kernel of the given size, `C_out × C_in/groups × kernel`.
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
