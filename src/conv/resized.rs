//! A resize-convolution of a given size: an enlarged picture, where one has to be made, and a transposed convolution of summed weights.

use ndarray::{Array5, ArrayRef1, ArrayView5, ArrayViewMut5, ShapeBuilder};

use super::engine::{Direction, Packed, Slot};
use super::grids::{Call, Grids};
use super::spread::RepeatedConvolution;
use crate::element::FloatElement;
use crate::error::{Axis, Error};
use crate::memory::MemoryUse;
use crate::memory::uninit;
use crate::output_size::element_count;
use crate::resize::ResizePlan;
use crate::tensor::{Tensor, TensorMut, five_axes, three_axes};
use crate::update::Update;

const FORWARD: Call = Call::forward(Direction::Expand);
const BACKWARD: Call = Call::input_gradient(Direction::Expand);

/// What a [`ConvPlan`](crate::ConvPlan) of a resize-convolution runs.
#[derive(Debug, Clone)]
pub struct ResizedConvolution {
    input: [usize; 3],
    kernel: [usize; 3],
    groups: usize,
    /// What enlarges the picture first, unless the convolution does.
    resize: Option<ResizePlan<3>>,
    convolution: RepeatedConvolution,
}

/// What sizes are planned for.
impl ResizedConvolution {
    /// `resize` is what has to be done before `convolution`, if anything.
    pub(super) fn new<const RANK: usize>(
        input: [usize; RANK],
        kernel: [usize; RANK],
        groups: usize,
        resize: Option<ResizePlan<RANK>>,
        convolution: RepeatedConvolution,
    ) -> Self {
        let resize = resize.map(ResizePlan::widened);
        Self { input: three_axes(input, 1), kernel: three_axes(kernel, 1), groups, resize, convolution }
    }

    pub(crate) fn input_size(&self) -> [usize; 3] {
        self.input
    }

    pub(crate) fn output_size(&self) -> [usize; 3] {
        self.grids().fine
    }

    pub(crate) fn is_fused(&self) -> bool {
        self.resize.is_none()
    }

    fn grids(&self) -> &Grids {
        &self.convolution.grids
    }
}

/// The checks, all before memory is taken.
impl ResizedConvolution {
    fn expect_groups(&self, argument: &'static str, channels: usize) -> Result<(), Error> {
        let groups = self.groups;
        if channels.is_multiple_of(groups) { Ok(()) } else { Err(Error::Groups { argument, channels, groups }) }
    }

    /// Input and output channels of a weight.
    fn weight_channels<A>(&self, weight: &Tensor<'_, A, 3>) -> Result<(usize, usize), Error> {
        weight.expect_spatial("weight", self.kernel)?;
        self.expect_groups("weight", weight.batch())?;
        let outputs = weight.channels().checked_mul(self.groups);
        Ok((weight.batch(), outputs.ok_or(Error::TooLarge { argument: "output", shape: weight.shape() })?))
    }

    fn check_input<A>(&self, x: &Tensor<'_, A, 3>, channels: (usize, usize), bias: Option<&ArrayRef1<A>>) -> Result<(), Error> {
        x.expect_spatial("input", self.input)?;
        x.expect_batch_channels("input", x.batch(), channels.0)?;
        match bias {
            Some(bias) if bias.len() != channels.1 => {
                Err(Error::ShapeMismatch { argument: "bias", axis: Axis::Channel, expected: channels.1, found: bias.len() })
            }
            _ => Ok(()),
        }
    }

    fn check_output<A>(&self, y: &TensorMut<'_, A, 3>, batch: usize, channels: usize) -> Result<(), Error> {
        y.expect_spatial("output", self.output_size())?;
        y.expect_batch_channels("output", batch, channels)
    }

    fn check_output_gradient<A>(&self, dy: &Tensor<'_, A, 3>, channels: usize) -> Result<(), Error> {
        dy.expect_spatial("output gradient", self.output_size())?;
        dy.expect_batch_channels("output gradient", dy.batch(), channels)
    }

    /// The weight gradient's channels: input, and output of a group.
    fn gradient_channels<A>(&self, x: &Tensor<'_, A, 3>, dy: &Tensor<'_, A, 3>) -> Result<(usize, usize), Error> {
        x.expect_spatial("input", self.input)?;
        dy.expect_spatial("output gradient", self.output_size())?;
        dy.expect_batch_channels("output gradient", x.batch(), dy.channels())?;
        self.expect_groups("input", x.channels())?;
        self.expect_groups("output gradient", dy.channels())?;
        Ok((x.channels(), dy.channels() / self.groups))
    }

    fn check_weight_gradient<A>(&self, channels: (usize, usize), dw: &TensorMut<'_, A, 3>) -> Result<(), Error> {
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
impl ResizedConvolution {
    fn pack<A: FloatElement>(&self, direction: Direction, weight: &Tensor<'_, A, 3>) -> Result<Packed<A::Row>, Error> {
        self.grids().pack_rows::<A>(direction, self.convolution.spread(weight.view5())?.view())
    }

    /// The enlarged picture, where there is to be one.
    fn enlarged<A: FloatElement>(&self, x: &Tensor<'_, A, 3>) -> Result<Option<Array5<A>>, Error> {
        self.resize.as_ref().map(|resize| resize.forward(*x)).transpose()
    }

    /// Calls `run` with what the convolution reads.
    fn with_source<A: FloatElement, T>(
        &self,
        x: &Tensor<'_, A, 3>,
        run: impl FnOnce(&Tensor<'_, A, 3>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.enlarged(x)? {
            Some(enlarged) => run(&Tensor::from_view5(enlarged.view())),
            None => run(x),
        }
    }

    /// The output by packed weights.
    fn output<A: FloatElement>(
        &self,
        packed: &Packed<A::Row>,
        x: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Array5<A>, Error> {
        self.with_source(x, |source| self.grids().run_packed(FORWARD, packed, source, bias))
    }

    /// The output by packed weights, into `y`.
    fn output_into<A: FloatElement>(
        &self,
        packed: &Packed<A::Row>,
        x: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        y: TensorMut<'_, A, 3>,
    ) -> Result<(), Error> {
        self.with_source(x, |source| self.grids().run_packed_into(FORWARD, packed, source, bias, y, Update::Overwrite))
    }

    /// The gradient of the enlarged picture, or of the input where there is none.
    fn source_gradient<A: FloatElement>(&self, dy: &Tensor<'_, A, 3>, weight: &Tensor<'_, A, 3>) -> Result<Array5<A>, Error> {
        let packed = self.pack(Direction::Contract, weight)?;
        self.grids().run_packed(BACKWARD, &packed, dy, None)
    }

    fn weight_gradient_slots<A: FloatElement, S: Slot<A>>(
        &self,
        x: &Tensor<'_, A, 3>,
        dy: &Tensor<'_, A, 3>,
        dw: ArrayViewMut5<'_, S>,
    ) -> Result<(), Error> {
        let shape = self.convolution.spread_shape(dw.dim().0, dw.dim().1);
        let sums = self.with_source(x, |source| self.grids().weight_gradient_rows(source, dy, shape))?;
        self.convolution.sum_taps(&sums, dw);
        Ok(())
    }
}

/// The calls of a plan.
impl ResizedConvolution {
    pub(crate) fn pack_forward<A: FloatElement>(&self, weight: &Tensor<'_, A, 3>) -> Result<Packed<A::Row>, Error> {
        self.weight_channels(weight)?;
        self.pack(Direction::Expand, weight)
    }

    pub(crate) fn forward<A: FloatElement>(
        &self,
        x: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Array5<A>, Error> {
        self.check_input(x, self.weight_channels(weight)?, bias)?;
        self.output(&self.pack(Direction::Expand, weight)?, x, bias)
    }

    pub(crate) fn forward_into<A: FloatElement>(
        &self,
        x: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        y: TensorMut<'_, A, 3>,
    ) -> Result<(), Error> {
        let channels = self.weight_channels(weight)?;
        self.check_input(x, channels, bias)?;
        self.check_output(&y, x.batch(), channels.1)?;
        self.output_into(&self.pack(Direction::Expand, weight)?, x, bias, y)
    }

    pub(crate) fn run_packed<A: FloatElement>(
        &self,
        packed: &Packed<A::Row>,
        x: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Array5<A>, Error> {
        self.check_input(x, packed_channels(packed), bias)?;
        self.output(packed, x, bias)
    }

    pub(crate) fn run_packed_into<A: FloatElement>(
        &self,
        packed: &Packed<A::Row>,
        x: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        y: TensorMut<'_, A, 3>,
    ) -> Result<(), Error> {
        let channels = packed_channels(packed);
        self.check_input(x, channels, bias)?;
        self.check_output(&y, x.batch(), channels.1)?;
        self.output_into(packed, x, bias, y)
    }

    pub(crate) fn input_gradient<A: FloatElement>(&self, dy: &Tensor<'_, A, 3>, weight: &Tensor<'_, A, 3>) -> Result<Array5<A>, Error> {
        self.check_output_gradient(dy, self.weight_channels(weight)?.1)?;
        let gradient = self.source_gradient(dy, weight)?;
        match &self.resize {
            Some(resize) => resize.input_gradient(Tensor::from_view5(gradient.view())),
            None => Ok(gradient),
        }
    }

    pub(crate) fn input_gradient_into<A: FloatElement>(
        &self,
        dy: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        dx: TensorMut<'_, A, 3>,
        update: Update,
    ) -> Result<(), Error> {
        let channels = self.weight_channels(weight)?;
        self.check_output_gradient(dy, channels.1)?;
        dx.expect_spatial("input gradient", self.input)?;
        dx.expect_batch_channels("input gradient", dy.batch(), channels.0)?;
        let Some(resize) = &self.resize else {
            return self.grids().run_packed_into(BACKWARD, &self.pack(Direction::Contract, weight)?, dy, None, dx, update);
        };
        let gradient = self.source_gradient(dy, weight)?;
        resize.input_gradient_into(Tensor::from_view5(gradient.view()), dx, update)
    }

    pub(crate) fn weight_gradient<A: FloatElement>(&self, x: &Tensor<'_, A, 3>, dy: &Tensor<'_, A, 3>) -> Result<Array5<A>, Error> {
        let channels = self.gradient_channels(x, dy)?;
        let shape = five_axes(channels.0, channels.1, self.kernel);
        let dw = uninit::written("weight gradient", shape, false, |dw| self.weight_gradient_slots(x, dy, dw))?;
        Ok(dw)
    }

    pub(crate) fn weight_gradient_into<A: FloatElement>(
        &self,
        x: &Tensor<'_, A, 3>,
        dy: &Tensor<'_, A, 3>,
        dw: TensorMut<'_, A, 3>,
        update: Update,
    ) -> Result<(), Error> {
        self.check_weight_gradient(self.gradient_channels(x, dy)?, &dw)?;
        match update {
            Update::Overwrite => self.weight_gradient_slots(x, dy, uninit::as_uninit(dw.into_view5())),
            Update::Add => self.weight_gradient_slots::<A, A>(x, dy, dw.into_view5()),
        }
    }
}

/// What calls take of memory.
impl ResizedConvolution {
    pub(crate) fn forward_memory<A: FloatElement>(&self, x: &Tensor<'_, A, 3>, weight: &Tensor<'_, A, 3>) -> Result<MemoryUse, Error> {
        let channels = self.weight_channels(weight)?;
        self.check_input(x, channels, None)?;
        let spread = self.convolution.spread_shape(weight.batch(), weight.channels());
        let spread_bytes = element_count::<A::Row>("spread weights", &spread)? * size_of::<A::Row>();
        let source = five_axes(x.batch(), channels.0, self.grids().coarse);
        let (zero, none) = (A::default(), A::Row::default());
        let run = self.grids().rows_memory::<A>(FORWARD, of_shape(&zero, source)?, of_shape(&none, spread)?, channels.1)?;
        Ok(self.enlarging_memory(x)?.map_or(run, |first| both(first, run)).with_shared(spread_bytes))
    }

    pub(crate) fn packed_memory<A: FloatElement>(&self, packed: &Packed<A::Row>, x: &Tensor<'_, A, 3>) -> Result<MemoryUse, Error> {
        let channels = packed_channels(packed);
        self.check_input(x, channels, None)?;
        let zero = A::default();
        let source = Tensor::from_view5(of_shape(&zero, five_axes(x.batch(), channels.0, self.grids().coarse))?);
        let run = self.grids().packed_memory(FORWARD, packed, &source)?;
        Ok(self.enlarging_memory(x)?.map_or(run, |first| both(first, run)))
    }

    pub(crate) fn input_gradient_memory<A: FloatElement>(
        &self,
        dy: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
    ) -> Result<MemoryUse, Error> {
        let channels = self.weight_channels(weight)?;
        self.check_output_gradient(dy, channels.1)?;
        let spread = self.convolution.spread_shape(weight.batch(), weight.channels());
        let spread_bytes = element_count::<A::Row>("spread weights", &spread)? * size_of::<A::Row>();
        let none = A::Row::default();
        let first = self.grids().rows_memory::<A>(BACKWARD, dy.view5(), of_shape(&none, spread)?, channels.0)?;
        let all = match &self.resize {
            Some(resize) => both(first, resize.input_gradient_memory_of::<A>([dy.batch(), channels.0], dy.is_channels_last())?),
            None => first,
        };
        Ok(all.with_shared(spread_bytes))
    }

    pub(crate) fn weight_gradient_memory<A: FloatElement>(&self, x: &Tensor<'_, A, 3>, dy: &Tensor<'_, A, 3>) -> Result<MemoryUse, Error> {
        let channels = self.gradient_channels(x, dy)?;
        let spread = self.convolution.spread_shape(channels.0, channels.1);
        let spread_bytes = element_count::<A::Row>("sums of the weight gradient", &spread)? * size_of::<A::Row>();
        let shape = five_axes(channels.0, channels.1, self.kernel);
        let output_bytes = element_count::<A>("weight gradient", &shape)? * size_of::<A>();
        let source = five_axes(x.batch(), channels.0, self.grids().coarse);
        let run = self.grids().correlate_memory(of_shape(&A::default(), source)?, dy.view5(), output_bytes);
        Ok(self.enlarging_memory(x)?.map_or(run, |first| both(first, run)).with_shared(spread_bytes))
    }

    fn enlarging_memory<A: FloatElement>(&self, x: &Tensor<'_, A, 3>) -> Result<Option<MemoryUse>, Error> {
        self.resize.as_ref().map(|resize| resize.forward_memory(*x)).transpose()
    }
}

/// Input and output channels of packed weights.
fn packed_channels<T>(packed: &Packed<T>) -> (usize, usize) {
    Grids::packed_channels(Direction::Expand, packed)
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
