//! A resize-convolution of a given size, and one with its weights packed.

use ndarray::{Array1, ArrayRef1, ArrayView5, ShapeBuilder};

use super::spread::RepeatedConvolution;
use crate::conv_transpose::{Call, Direction, Packed, Pair, Slot, bias_gradient};
use crate::element::FloatElement;
use crate::error::{Axis, Error};
use crate::interpolate::ResizePlan;
use crate::memory::MemoryUse;
use crate::output_size::element_count;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, five_axes};

const FORWARD: Call = Call { direction: Direction::Expand, source: "input", target: "output" };
const BACKWARD: Call = Call { direction: Direction::Contract, source: "output gradient", target: "input gradient" };

/// A [`ResizeConv`](crate::ResizeConv) for a spatial size of input and kernel, checked once. Any number of threads can run it, with any
/// batch and any weights of that kernel.
///
/// ```
/// use ndarray::Array4;
/// use upsample::ResizeConv;
///
/// let plan = ResizeConv::doubling(3)?.plan([16, 24], [3, 3])?;
/// assert_eq!((plan.output_size(), plan.is_fused()), ([32, 48], true));
/// let (x, weight) = (Array4::<f32>::ones((2, 8, 16, 24)), Array4::<f32>::ones((8, 3, 3, 3)));
/// let mut y = plan.forward(&x, &weight, None)?;
/// plan.forward_into(&x, &weight, None, &mut y)?; // or into memory of yours
///
/// let mut dw = plan.weight_gradient(&x, &y)?;
/// plan.weight_gradient_add_into(&x, &y, &mut dw)?; // of two batches together
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResizeConvPlan<const RANK: usize> {
    input: [usize; RANK],
    kernel: [usize; RANK],
    groups: usize,
    /// What enlarges the picture first, unless the convolution does.
    resize: Option<ResizePlan<RANK>>,
    convolution: RepeatedConvolution<RANK>,
}

/// What sizes are planned for.
impl<const RANK: usize> ResizeConvPlan<RANK> {
    /// `resize` is what has to be done before `convolution`, if anything.
    pub(super) fn new(
        input: [usize; RANK],
        kernel: [usize; RANK],
        groups: usize,
        resize: Option<ResizePlan<RANK>>,
        convolution: RepeatedConvolution<RANK>,
    ) -> Self {
        Self { input, kernel, groups, resize, convolution }
    }

    /// The spatial size of the input.
    #[must_use]
    pub fn input_size(&self) -> [usize; RANK] {
        self.input
    }

    /// The spatial size of the output.
    #[must_use]
    pub fn output_size(&self) -> [usize; RANK] {
        self.pair().fine
    }

    /// The size of the kernel.
    #[must_use]
    pub fn kernel_size(&self) -> [usize; RANK] {
        self.kernel
    }

    /// Whether it runs without an enlarged picture: where every pixel is repeated a whole number of times.
    #[must_use]
    pub fn is_fused(&self) -> bool {
        self.resize.is_none()
    }

    fn pair(&self) -> &Pair<RANK> {
        &self.convolution.pair
    }
}

/// The checks, all before memory is taken.
impl<const RANK: usize> ResizeConvPlan<RANK> {
    fn expect_groups(&self, argument: &'static str, channels: usize) -> Result<(), Error> {
        let groups = self.groups;
        if channels.is_multiple_of(groups) { Ok(()) } else { Err(Error::Groups { argument, channels, groups }) }
    }

    /// Input and output channels of a weight.
    fn weight_channels<A>(&self, weight: &Tensor<'_, A, RANK>) -> Result<(usize, usize), Error> {
        weight.expect_spatial("weight", self.kernel)?;
        self.expect_groups("weight", weight.batch())?;
        let outputs = weight.channels().checked_mul(self.groups);
        Ok((weight.batch(), outputs.ok_or(Error::TooLarge { argument: "output", shape: weight.shape() })?))
    }

    fn check_input<A>(&self, x: &Tensor<'_, A, RANK>, channels: (usize, usize), bias: Option<&ArrayRef1<A>>) -> Result<(), Error> {
        x.expect_spatial("input", self.input)?;
        x.expect_batch_channels("input", x.batch(), channels.0)?;
        match bias {
            Some(bias) if bias.len() != channels.1 => {
                Err(Error::ShapeMismatch { argument: "bias", axis: Axis::Channel, expected: channels.1, found: bias.len() })
            }
            _ => Ok(()),
        }
    }

    fn check_output_gradient<A>(&self, dy: &Tensor<'_, A, RANK>, channels: usize) -> Result<(), Error> {
        dy.expect_spatial("output gradient", self.output_size())?;
        dy.expect_batch_channels("output gradient", dy.batch(), channels)
    }

    /// The weight gradient's channels: input, and output of a group.
    fn gradient_channels<A>(&self, x: &Tensor<'_, A, RANK>, dy: &Tensor<'_, A, RANK>) -> Result<(usize, usize), Error> {
        x.expect_spatial("input", self.input)?;
        dy.expect_spatial("output gradient", self.output_size())?;
        dy.expect_batch_channels("output gradient", x.batch(), dy.channels())?;
        self.expect_groups("input", x.channels())?;
        self.expect_groups("output gradient", dy.channels())?;
        Ok((x.channels(), dy.channels() / self.groups))
    }

    fn check_weight_gradient<A>(&self, channels: (usize, usize), dw: &TensorMut<'_, A, RANK>) -> Result<(), Error> {
        dw.expect_spatial("weight gradient", self.kernel)?;
        for (axis, expected, found) in [(0, channels.0, dw.batch()), (1, channels.1, dw.channels())] {
            if expected != found {
                return Err(Error::ShapeMismatch { argument: "weight gradient", axis: Axis::Number(axis), expected, found });
            }
        }
        Ok(())
    }
}

/// What runs once everything has been checked.
impl<const RANK: usize> ResizeConvPlan<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    fn pack<A: FloatElement>(&self, direction: Direction, weight: &Tensor<'_, A, RANK>) -> Result<Packed<A::Row>, Error> {
        self.pair().pack_rows::<A>(direction, self.convolution.spread(weight.view5())?.view())
    }

    /// The enlarged picture, where there is to be one.
    fn enlarged<A: FloatElement>(&self, x: &Tensor<'_, A, RANK>) -> Result<Option<Output<A, RANK>>, Error> {
        self.resize.as_ref().map(|resize| resize.forward(*x)).transpose()
    }

    /// Calls `run` with what the convolution reads.
    fn with_source<A: FloatElement, T>(
        &self,
        x: &Tensor<'_, A, RANK>,
        run: impl FnOnce(&Tensor<'_, A, RANK>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.enlarged(x)? {
            Some(enlarged) => run(&Tensor::from_view5(Spatial::<RANK>::five(enlarged.view()))),
            None => run(x),
        }
    }

    fn run_packed<A: FloatElement>(
        &self,
        packed: &Packed<A::Row>,
        x: &Tensor<'_, A, RANK>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Output<A, RANK>, Error> {
        self.with_source(x, |source| self.pair().run_packed(FORWARD, packed, source, bias))
    }

    fn run_packed_into<A: FloatElement>(
        &self,
        packed: &Packed<A::Row>,
        x: &Tensor<'_, A, RANK>,
        bias: Option<&ArrayRef1<A>>,
        y: TensorMut<'_, A, RANK>,
    ) -> Result<(), Error> {
        y.expect_spatial("output", self.output_size())?;
        y.expect_batch_channels("output", x.batch(), Pair::<RANK>::packed_channels(Direction::Expand, packed).1)?;
        self.with_source(x, |source| self.pair().run_packed_into(FORWARD, packed, source, bias, y))
    }

    /// The gradient of the enlarged picture, or of the input where there is none.
    fn source_gradient<A: FloatElement>(&self, dy: &Tensor<'_, A, RANK>, weight: &Tensor<'_, A, RANK>) -> Result<Output<A, RANK>, Error> {
        let packed = self.pack(Direction::Contract, weight)?;
        self.pair().run_packed(BACKWARD, &packed, dy, None)
    }

    fn weight_gradient_slots<A: FloatElement, S: Slot<A>>(
        &self,
        x: &Tensor<'_, A, RANK>,
        dy: &Tensor<'_, A, RANK>,
        dw: ndarray::ArrayViewMut5<'_, S>,
    ) -> Result<(), Error> {
        let shape = self.convolution.spread_shape(dw.dim().0, dw.dim().1);
        let sums = self.with_source(x, |source| self.pair().weight_gradient_rows(source, dy, shape))?;
        self.convolution.gather(&sums, dw);
        Ok(())
    }
}

/// What returns new arrays.
impl<const RANK: usize> ResizeConvPlan<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// The output, a new array, channels last if `x` has them last. `x` is N×C×spatial, `weight` is `C_in × C_out/groups × kernel`, the
    /// bias has an entry for each output channel.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if sizes are not the plan's or channels do not fit each other, [`Error::Groups`] if the groups do not
    /// divide the input channels, [`Error::TooLarge`] and [`Error::OutOfMemory`].
    pub fn forward<'x, 'w, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Output<A, RANK>, Error> {
        let (x, weight) = (x.into(), weight.into());
        self.check_input(&x, self.weight_channels(&weight)?, bias)?;
        self.run_packed(&self.pack(Direction::Expand, &weight)?, &x, bias)
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
        let (dy, weight) = (dy.into(), weight.into());
        self.check_output_gradient(&dy, self.weight_channels(&weight)?.1)?;
        let gradient = self.source_gradient(&dy, &weight)?;
        match &self.resize {
            Some(resize) => resize.backward(Tensor::from_view5(Spatial::<RANK>::five(gradient.view()))),
            None => Ok(gradient),
        }
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
        let (x, dy) = (x.into(), dy.into());
        let channels = self.gradient_channels(&x, &dy)?;
        let shape = five_axes(channels.0, channels.1, self.kernel);
        let dw = crate::alloc::written("weight gradient", shape, false, |dw| self.weight_gradient_slots(&x, &dy, dw))?;
        Ok(<Spatial<RANK> as SpatialRank>::narrow(dw))
    }

    /// The gradient of the bias, C_out numbers: the sum of `dy`, N×C_out×spatial, over batch and space.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size, [`Error::OutOfMemory`].
    pub fn bias_gradient<'y, A: FloatElement>(&self, dy: impl Into<Tensor<'y, A, RANK>>) -> Result<Array1<A>, Error> {
        let dy = dy.into();
        self.check_output_gradient(&dy, dy.channels())?;
        bias_gradient::new(dy)
    }

    /// Sums and packs the weights once for many calls.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the kernel is not the plan's, [`Error::Groups`] if the groups do not divide the input channels,
    /// [`Error::OutOfMemory`].
    pub fn prepare<'w, A: FloatElement>(&self, weight: impl Into<Tensor<'w, A, RANK>>) -> Result<PreparedResizeConv<A, RANK>, Error> {
        let weight = weight.into();
        let channels = self.weight_channels(&weight)?;
        Ok(PreparedResizeConv { plan: self.clone(), channels, packed: self.pack(Direction::Expand, &weight)? })
    }
}

/// What writes into the caller's memory. An output keeps its content if there is an error.
impl<const RANK: usize> ResizeConvPlan<RANK>
where
    Spatial<RANK>: SpatialRank,
{
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
        let (x, weight, y) = (x.into(), weight.into(), y.into());
        let channels = self.weight_channels(&weight)?;
        self.check_input(&x, channels, bias)?;
        y.expect_spatial("output", self.output_size())?;
        y.expect_batch_channels("output", x.batch(), channels.1)?;
        self.run_packed_into(&self.pack(Direction::Expand, &weight)?, &x, bias, y)
    }

    fn check_input_gradient<A>(
        &self,
        dy: &Tensor<'_, A, RANK>,
        weight: &Tensor<'_, A, RANK>,
        dx: &TensorMut<'_, A, RANK>,
    ) -> Result<(), Error> {
        let channels = self.weight_channels(weight)?;
        self.check_output_gradient(dy, channels.1)?;
        dx.expect_spatial("input gradient", self.input)?;
        dx.expect_batch_channels("input gradient", dy.batch(), channels.0)
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
        let (dy, weight, dx) = (dy.into(), weight.into(), dx.into());
        self.check_input_gradient(&dy, &weight, &dx)?;
        match &self.resize {
            Some(resize) => {
                let gradient = self.source_gradient(&dy, &weight)?;
                resize.backward_into(Tensor::from_view5(Spatial::<RANK>::five(gradient.view())), dx)
            }
            None => self.pair().run_packed_into(BACKWARD, &self.pack(Direction::Contract, &weight)?, &dy, None, dx),
        }
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
        let (dy, weight, dx) = (dy.into(), weight.into(), dx.into());
        self.check_input_gradient(&dy, &weight, &dx)?;
        match &self.resize {
            Some(resize) => {
                let gradient = self.source_gradient(&dy, &weight)?;
                resize.backward_add_into(Tensor::from_view5(Spatial::<RANK>::five(gradient.view())), dx)
            }
            None => self.pair().run_packed_add_into(Direction::Contract, &self.pack(Direction::Contract, &weight)?, &dy, dx),
        }
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
        let (x, dy, dw) = (x.into(), dy.into(), dw.into());
        self.check_weight_gradient(self.gradient_channels(&x, &dy)?, &dw)?;
        self.weight_gradient_slots(&x, &dy, crate::alloc::as_uninit(dw.into_view5()))
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
        let (x, dy, dw) = (x.into(), dy.into(), dw.into());
        self.check_weight_gradient(self.gradient_channels(&x, &dy)?, &dw)?;
        self.weight_gradient_slots::<A, A>(&x, &dy, dw.into_view5())
    }

    /// [`bias_gradient`](Self::bias_gradient) into `db`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size or `db` not an entry for each channel.
    pub fn bias_gradient_into<'y, A: FloatElement>(&self, dy: impl Into<Tensor<'y, A, RANK>>, db: &mut ArrayRef1<A>) -> Result<(), Error> {
        let dy = dy.into();
        self.check_output_gradient(&dy, dy.channels())?;
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
        self.check_output_gradient(&dy, dy.channels())?;
        bias_gradient::add_into(dy, db)
    }
}

/// What calls take of memory, told before; only the arguments' shapes, type and layout count. Gradients of the bias take their output.
impl<const RANK: usize> ResizeConvPlan<RANK> {
    /// What [`forward`](Self::forward) takes of memory at most: packed weights, and the enlarged picture where there is to be one,
    /// included.
    ///
    /// ```
    /// use ndarray::Array4;
    /// use upsample::ResizeConv;
    ///
    /// let (x, weight) = (Array4::<f32>::ones((1, 8, 64, 64)), Array4::<f32>::ones((8, 3, 3, 3)));
    /// let memory = ResizeConv::doubling(3)?.plan([64, 64], [3, 3])?.forward_memory(&x, &weight)?;
    /// assert_eq!(memory.output_bytes, 3 * 128 * 128 * 4);
    /// assert!(memory.scratch_bytes(1) < 8 * 128 * 128 * 4 + (1 << 20)); // the enlarged picture is not among it
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
        let (x, weight) = (x.into(), weight.into());
        let channels = self.weight_channels(&weight)?;
        self.check_input(&x, channels, None)?;
        let spread = self.convolution.spread_shape(weight.batch(), weight.channels());
        let spread_bytes = element_count::<A::Row>("spread weights", &spread)? * size_of::<A::Row>();
        let source = five_axes(x.batch(), channels.0, self.pair().coarse);
        let (zero, none) = (A::default(), A::Row::default());
        let run = self.pair().rows_memory::<A>(FORWARD, of_shape(&zero, source)?, of_shape(&none, spread)?, channels.1)?;
        Ok(self.enlarging_memory(&x)?.map_or(run, |first| both(first, run)).with_shared(spread_bytes))
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
        let (dy, weight) = (dy.into(), weight.into());
        let channels = self.weight_channels(&weight)?;
        self.check_output_gradient(&dy, channels.1)?;
        let spread = self.convolution.spread_shape(weight.batch(), weight.channels());
        let spread_bytes = element_count::<A::Row>("spread weights", &spread)? * size_of::<A::Row>();
        let none = A::Row::default();
        let first = self.pair().rows_memory::<A>(BACKWARD, dy.view5(), of_shape(&none, spread)?, channels.0)?;
        let all = match &self.resize {
            Some(resize) => both(first, resize.backward_memory_of::<A>([dy.batch(), channels.0], dy.is_channels_last())?),
            None => first,
        };
        Ok(all.with_shared(spread_bytes))
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
        let (x, dy) = (x.into(), dy.into());
        let channels = self.gradient_channels(&x, &dy)?;
        let spread = self.convolution.spread_shape(channels.0, channels.1);
        let spread_bytes = element_count::<A::Row>("sums of the weight gradient", &spread)? * size_of::<A::Row>();
        let shape = five_axes(channels.0, channels.1, self.kernel);
        let output_bytes = element_count::<A>("weight gradient", &shape)? * size_of::<A>();
        let source = five_axes(x.batch(), channels.0, self.pair().coarse);
        let run = self.pair().correlate_memory(of_shape(&A::default(), source)?, dy.view5(), output_bytes);
        Ok(self.enlarging_memory(&x)?.map_or(run, |first| both(first, run)).with_shared(spread_bytes))
    }

    fn enlarging_memory<A: FloatElement>(&self, x: &Tensor<'_, A, RANK>) -> Result<Option<MemoryUse>, Error> {
        self.resize.as_ref().map(|resize| resize.forward_memory(*x)).transpose()
    }
}

/// What two calls take one after the other, the second of which reads the output of the first.
fn both(first: MemoryUse, second: MemoryUse) -> MemoryUse {
    MemoryUse {
        output_bytes: second.output_bytes,
        shared_bytes: first.output_bytes.saturating_add(first.shared_bytes).saturating_add(second.shared_bytes),
        thread_bytes: first.thread_bytes.saturating_add(second.thread_bytes),
        nested_bytes: first.nested_bytes.saturating_add(second.nested_bytes),
    }
}

/// A tensor of such a shape, where nothing but the shape counts.
fn of_shape<A>(element: &A, shape: [usize; 5]) -> Result<ArrayView5<'_, A>, Error> {
    let view = ArrayView5::from_shape(shape.strides([0; 5]), std::slice::from_ref(element));
    view.map_err(|_| Error::TooLarge { argument: "enlarged input", shape: shape.to_vec() })
}

/// A resize-convolution with its size planned and its weights summed and packed: what inference runs.
///
/// ```
/// use ndarray::Array4;
/// use upsample::ResizeConv;
///
/// let (x, weight) = (Array4::<f32>::ones((1, 8, 16, 16)), Array4::<f32>::ones((8, 3, 3, 3)));
/// let up = ResizeConv::doubling(3)?;
/// let fast = up.prepare(&weight, [16, 16])?;
/// assert_eq!(fast.forward(&x, None)?, up.forward(&x, &weight, None)?); // the same bits
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PreparedResizeConv<A: FloatElement, const RANK: usize> {
    plan: ResizeConvPlan<RANK>,
    channels: (usize, usize),
    packed: Packed<A::Row>,
}

impl<A: FloatElement, const RANK: usize> PreparedResizeConv<A, RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// The sizes it was planned for.
    #[must_use]
    pub fn plan(&self) -> &ResizeConvPlan<RANK> {
        &self.plan
    }

    /// What [`forward`](Self::forward) takes of memory at most for this input; only its shape and layout count. The packed weights, which
    /// are there already, are counted.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_memory<'x>(&self, x: impl Into<Tensor<'x, A, RANK>>) -> Result<MemoryUse, Error> {
        let x = x.into();
        self.plan.check_input(&x, self.channels, None)?;
        let source = five_axes(x.batch(), self.channels.0, self.plan.pair().coarse);
        let zero = A::default();
        let source = Tensor::from_view5(of_shape(&zero, source)?);
        let run = self.plan.pair().packed_memory(FORWARD, &self.packed, &source)?;
        Ok(self.plan.enlarging_memory(&x)?.map_or(run, |first| both(first, run)))
    }

    /// [`ResizeConvPlan::forward_into`] with the packed weights.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if shapes do not fit the plan and the weights, [`Error::OutOfMemory`]; `y` then keeps its content.
    pub fn forward_into<'x, 'y>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        bias: Option<&ArrayRef1<A>>,
        y: impl Into<TensorMut<'y, A, RANK>>,
    ) -> Result<(), Error> {
        let x = x.into();
        self.plan.check_input(&x, self.channels, bias)?;
        self.plan.run_packed_into(&self.packed, &x, bias, y.into())
    }

    /// [`ResizeConvPlan::forward`] with the packed weights.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if shapes do not fit the plan and the weights, [`Error::TooLarge`] and [`Error::OutOfMemory`].
    pub fn forward<'x>(&self, x: impl Into<Tensor<'x, A, RANK>>, bias: Option<&ArrayRef1<A>>) -> Result<Output<A, RANK>, Error> {
        let x = x.into();
        self.plan.check_input(&x, self.channels, bias)?;
        self.plan.run_packed(&self.packed, &x, bias)
    }
}
