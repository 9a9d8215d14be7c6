//! Convolution with stride, padding, dilation and groups: the adjoint of the transposed convolution.

use ndarray::{Array1, ArrayRef1};

use crate::conv_transpose::{Call, Direction, Packed, Pair, Parameters, Precision, bias_gradient};
use crate::coordinates::PerAxis;
use crate::element::FloatElement;
use crate::error::{Axis, Error};
use crate::memory::MemoryUse;
use crate::output_size;
use crate::simd::Backend;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut};

const FORWARD: Call = Call { direction: Direction::Contract, source: "input", target: "output" };
const BACKWARD: Call = Call { direction: Direction::Expand, source: "output gradient", target: "input gradient" };

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

    /// p: zeros added to both ends of each axis of the input. A negative number crops so many of its pixels, whose gradient is 0.
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
    pub fn plan<const RANK: usize>(&self, input: [usize; RANK], kernel: [usize; RANK]) -> Result<ConvolutionPlan<RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let windows = self.parameters.windows(kernel)?;
        let mut output = [0; RANK];
        for (index, window) in windows.iter().enumerate() {
            output[index] = output_size::convolution_of(Axis::spatial(RANK, index), input[index], window)?;
        }
        Ok(ConvolutionPlan { pair: Pair::new(output, input, &windows, &self.parameters) })
    }
}

/// One call each. Sizes come from the arguments.
impl Convolution {
    /// The output, a new array, channels last if `x` has them last. `x` is N×C×spatial, `weight` is `C_out × C_in/groups × kernel`, the
    /// bias has an entry for each output channel.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan) and of [`ConvolutionPlan::forward`].
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

    /// What [`forward`](Self::forward) takes of memory at most; only the arguments' shapes, type and layout count. The plan tells it of the
    /// gradients, too.
    ///
    /// ```
    /// use ndarray::Array4;
    /// use upsample::Convolution;
    ///
    /// let (x, weight) = (Array4::<f32>::ones((1, 3, 64, 64)), Array4::<f32>::ones((8, 3, 3, 3)));
    /// let memory = Convolution::new().padding(1).forward_memory(&x, &weight)?;
    /// assert_eq!(memory.output_bytes, 8 * 64 * 64 * 4);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_memory<'x, 'w, A: FloatElement, const RANK: usize>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
    ) -> Result<MemoryUse, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let (x, weight) = (x.into(), weight.into());
        self.plan(x.spatial(), weight.spatial())?.forward_memory(x, weight)
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

/// A [`Convolution`] for a spatial size of input and kernel, checked once. Any number of threads can run it, with any batch and any weights
/// of that kernel.
///
/// ```
/// use ndarray::Array4;
/// use upsample::Convolution;
///
/// let plan = Convolution::new().stride(2).padding(1).plan([32, 48], [3, 3])?;
/// assert_eq!(plan.output_size(), [16, 24]);
/// let (x, weight) = (Array4::<f32>::ones((2, 3, 32, 48)), Array4::<f32>::ones((8, 3, 3, 3)));
/// let y = plan.forward(&x, &weight, None)?;
/// assert_eq!(plan.input_gradient(&y, &weight)?.dim(), x.dim());
/// assert_eq!(plan.weight_gradient(&x, &y)?.dim(), weight.dim());
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConvolutionPlan<const RANK: usize> {
    pair: Pair<RANK>,
}

/// What writes into the caller's memory. An output keeps its content if there is an error.
impl<const RANK: usize> ConvolutionPlan<RANK> {
    /// The spatial size of the input.
    #[must_use]
    pub fn input_size(&self) -> [usize; RANK] {
        self.pair.fine
    }

    /// The spatial size of the output.
    #[must_use]
    pub fn output_size(&self) -> [usize; RANK] {
        self.pair.coarse
    }

    /// The size of the kernel.
    #[must_use]
    pub fn kernel_size(&self) -> [usize; RANK] {
        self.pair.kernel
    }

    /// [`forward`](Self::forward) into `y`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and [`Error::ShapeMismatch`] if `y` does not have the output's shape.
    pub fn forward_into<'x, 'w, 'y, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        bias: Option<&ArrayRef1<A>>,
        y: impl Into<TensorMut<'y, A, RANK>>,
    ) -> Result<(), Error> {
        self.pair.run_into(FORWARD, &x.into(), &weight.into(), bias, y.into())
    }

    /// [`input_gradient`](Self::input_gradient) into `dx`.
    ///
    /// # Errors
    /// As [`forward_into`](Self::forward_into).
    pub fn input_gradient_into<'y, 'w, 'x, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        dx: impl Into<TensorMut<'x, A, RANK>>,
    ) -> Result<(), Error> {
        self.pair.run_into(BACKWARD, &dy.into(), &weight.into(), None, dx.into())
    }

    /// [`input_gradient`](Self::input_gradient), added to what `dx` holds.
    ///
    /// # Errors
    /// As [`forward_into`](Self::forward_into).
    pub fn input_gradient_add_into<'y, 'w, 'x, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        dx: impl Into<TensorMut<'x, A, RANK>>,
    ) -> Result<(), Error> {
        self.pair.run_add_into(BACKWARD, &dy.into(), &weight.into(), dx.into())
    }

    /// [`weight_gradient`](Self::weight_gradient) into `dw`.
    ///
    /// # Errors
    /// As [`forward_into`](Self::forward_into).
    pub fn weight_gradient_into<'x, 'y, 'w, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        dy: impl Into<Tensor<'y, A, RANK>>,
        dw: impl Into<TensorMut<'w, A, RANK>>,
    ) -> Result<(), Error> {
        self.pair.weight_gradient_into(("output gradient", &dy.into()), ("input", &x.into()), dw.into())
    }

    /// [`weight_gradient`](Self::weight_gradient), added to what `dw` holds.
    ///
    /// # Errors
    /// As [`forward_into`](Self::forward_into).
    pub fn weight_gradient_add_into<'x, 'y, 'w, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        dy: impl Into<Tensor<'y, A, RANK>>,
        dw: impl Into<TensorMut<'w, A, RANK>>,
    ) -> Result<(), Error> {
        self.pair.weight_gradient_add_into(("output gradient", &dy.into()), ("input", &x.into()), dw.into())
    }

    /// The gradient of the bias, C_out numbers: the sum of `dy`, N×C_out×spatial, over batch and space.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size, [`Error::OutOfMemory`].
    pub fn bias_gradient<'y, A: FloatElement>(&self, dy: impl Into<Tensor<'y, A, RANK>>) -> Result<Array1<A>, Error> {
        let dy = dy.into();
        dy.expect_spatial("output gradient", self.pair.coarse)?;
        bias_gradient::new(dy)
    }

    /// [`bias_gradient`](Self::bias_gradient) into `db`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size or `db` not an entry for each channel.
    pub fn bias_gradient_into<'y, A: FloatElement>(&self, dy: impl Into<Tensor<'y, A, RANK>>, db: &mut ArrayRef1<A>) -> Result<(), Error> {
        let dy = dy.into();
        dy.expect_spatial("output gradient", self.pair.coarse)?;
        bias_gradient::into(dy, db)
    }

    /// [`bias_gradient`](Self::bias_gradient), added to what `db` holds.
    ///
    /// # Errors
    /// As [`bias_gradient_into`](Self::bias_gradient_into).
    pub fn bias_gradient_add_into<'y, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        db: &mut ArrayRef1<A>,
    ) -> Result<(), Error> {
        let dy = dy.into();
        dy.expect_spatial("output gradient", self.pair.coarse)?;
        bias_gradient::add_into(dy, db)
    }

    /// Packs the weights in the order in which the inner loop reads them, once for many calls.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the kernel is not the plan's, [`Error::Groups`] if the groups do not divide the output channels,
    /// [`Error::OutOfMemory`].
    pub fn prepare<'w, A: FloatElement>(&self, weight: impl Into<Tensor<'w, A, RANK>>) -> Result<PreparedConvolution<A, RANK>, Error> {
        let packed = self.pair.pack(Direction::Contract, &weight.into())?;
        Ok(PreparedConvolution { plan: self.clone(), packed })
    }
}

/// What returns new arrays.
impl<const RANK: usize> ConvolutionPlan<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// The output, a new array, channels last if `x` has them last. `x` is N×C_in×spatial, `weight` is `C_out × C_in/groups × kernel`, the
    /// bias has an entry for each output channel.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if sizes are not the plan's or channels do not fit each other, [`Error::Groups`] if the groups do not
    /// divide the output channels, [`Error::TooLarge`] and [`Error::OutOfMemory`].
    pub fn forward<'x, 'w, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Output<A, RANK>, Error> {
        self.pair.run(FORWARD, &x.into(), &weight.into(), bias)
    }

    /// The gradient of the input, N×C_in×spatial, given that of the output, `dy`, N×C_out×spatial: the exact adjoint,
    /// `<forward(x), dy> = <x, input_gradient(dy)>`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn input_gradient<'y, 'w, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
    ) -> Result<Output<A, RANK>, Error> {
        self.pair.run(BACKWARD, &dy.into(), &weight.into(), None)
    }

    /// The gradient of the weights, in their shape, given input and gradient of the output:
    /// `<forward(x, w), dy> = <w, weight_gradient(x, dy)>`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); the groups must divide the channels of `x` and of `dy`.
    pub fn weight_gradient<'x, 'y, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        dy: impl Into<Tensor<'y, A, RANK>>,
    ) -> Result<Output<A, RANK>, Error> {
        self.pair.weight_gradient(("output gradient", &dy.into()), ("input", &x.into()))
    }
}

/// The memory that calls take, known beforehand. Only the arguments' shapes, type and layout count. Gradients of the bias take their
/// output.
impl<const RANK: usize> ConvolutionPlan<RANK> {
    /// What [`forward`](Self::forward) takes of memory at most, packed weights included.
    ///
    /// ```
    /// use ndarray::Array4;
    /// use upsample::Convolution;
    ///
    /// let (x, weight) = (Array4::<f32>::ones((2, 3, 64, 64)), Array4::<f32>::ones((8, 3, 3, 3)));
    /// let memory = Convolution::new().padding(1).plan([64, 64], [3, 3])?.forward_memory(&x, &weight)?;
    /// assert_eq!(memory.output_bytes, 2 * 8 * 64 * 64 * 4);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_memory<'x, 'w, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
    ) -> Result<MemoryUse, Error> {
        self.pair.memory(FORWARD, &x.into(), &weight.into())
    }

    /// What [`input_gradient`](Self::input_gradient) takes of memory at most, as [`forward_memory`](Self::forward_memory) tells it.
    ///
    /// # Errors
    /// As [`input_gradient`](Self::input_gradient).
    pub fn input_gradient_memory<'y, 'w, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
    ) -> Result<MemoryUse, Error> {
        self.pair.memory(BACKWARD, &dy.into(), &weight.into())
    }

    /// What [`weight_gradient`](Self::weight_gradient) takes of memory at most, as [`forward_memory`](Self::forward_memory) tells it.
    ///
    /// # Errors
    /// As [`weight_gradient`](Self::weight_gradient).
    pub fn weight_gradient_memory<'x, 'y, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        dy: impl Into<Tensor<'y, A, RANK>>,
    ) -> Result<MemoryUse, Error> {
        self.pair.weight_gradient_memory(("output gradient", &dy.into()), ("input", &x.into()))
    }
}

/// A convolution with its size planned and its weights packed.
///
/// ```
/// use ndarray::Array4;
/// use upsample::Convolution;
///
/// let (x, weight) = (Array4::<f32>::ones((1, 3, 16, 16)), Array4::<f32>::ones((8, 3, 3, 3)));
/// let plan = Convolution::new().padding(1).plan([16, 16], [3, 3])?;
/// assert_eq!(plan.prepare(&weight)?.forward(&x, None)?, plan.forward(&x, &weight, None)?);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PreparedConvolution<A: FloatElement, const RANK: usize> {
    plan: ConvolutionPlan<RANK>,
    packed: Packed<A::Row>,
}

impl<A: FloatElement, const RANK: usize> PreparedConvolution<A, RANK> {
    /// The sizes it was planned for.
    #[must_use]
    pub fn plan(&self) -> &ConvolutionPlan<RANK> {
        &self.plan
    }

    /// What [`forward`](Self::forward) takes of memory at most for this input; only its shape and layout count. The packed weights, which
    /// are there already, are counted.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_memory<'x>(&self, x: impl Into<Tensor<'x, A, RANK>>) -> Result<MemoryUse, Error> {
        self.plan.pair.packed_memory(FORWARD, &self.packed, &x.into())
    }

    /// [`ConvolutionPlan::forward_into`] with the packed weights.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if shapes do not fit the plan and the weights, [`Error::OutOfMemory`]; `y` then keeps its content.
    pub fn forward_into<'x, 'y>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        bias: Option<&ArrayRef1<A>>,
        y: impl Into<TensorMut<'y, A, RANK>>,
    ) -> Result<(), Error> {
        self.plan.pair.run_packed_into(FORWARD, &self.packed, &x.into(), bias, y.into())
    }

    /// [`ConvolutionPlan::forward`] with the packed weights.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if shapes do not fit the plan and the weights, [`Error::TooLarge`] and [`Error::OutOfMemory`].
    pub fn forward<'x>(&self, x: impl Into<Tensor<'x, A, RANK>>, bias: Option<&ArrayRef1<A>>) -> Result<Output<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        self.plan.pair.run_packed(FORWARD, &self.packed, &x.into(), bias)
    }
}
