//! A transposed convolution or a convolution of given sizes. Every shape is checked here; the engines then cannot fail.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ops::Range;

use ndarray::{Array5, ArrayRef1, ArrayView1, ArrayView5, ArrayViewMut5, Axis as NdAxis, NewAxis, Zip, s};
use num_traits::Zero;

use super::engine::packed_weights::{self, Packed};
use super::engine::phases::{AxisGeometry, Direction, Geometry};
use super::engine::{Uses, dispatch};
use super::options::Parameters;
use crate::element::FloatElement;
use crate::error::{Axis, Error};
use crate::kernels::Backend;
use crate::memory::MemoryUse;
use crate::memory::uninit;
use crate::output_size::{Window, element_count};
use crate::tasks::{for_each_part, in_pool};
use crate::tensor::{Tensor, TensorMut, five_axes, three_axes};
use crate::update::Update;

/// The most bytes of a tap in the lists of what each tap reads and where its weight is.
const BYTES_OF_TAP: usize = 128;
/// Shorter lists, in bytes, are allocated without a trial.
const SMALL_LISTS: usize = 1 << 19;
/// A call whose source or output has as many elements divides its work several times.
const LARGE: usize = 1 << 17;

/// A coarse and a fine grid, and the kernel between them.
#[derive(Debug, Clone)]
pub struct Grids {
    pub(crate) coarse: [usize; 3],
    pub(crate) fine: [usize; 3],
    pub(crate) kernel: [usize; 3],
    /// Geometry of the coarse grid and of the fine grid without its margins.
    geometry: Geometry,
    /// Pixels at the beginning and at the end of each axis of the fine grid that no tap reaches, because the padding is negative.
    margins: [[usize; 2]; 3],
    backend: Backend,
}

/// The direction of a call, and the names of its tensors in errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) direction: Direction,
    pub(crate) source: &'static str,
    pub(crate) target: &'static str,
}

impl Call {
    /// From the input to the output.
    pub(crate) const fn forward(direction: Direction) -> Self {
        Self { direction, source: "input", target: "output" }
    }

    /// From the gradient of the output to that of the input; `direction` is that of the forward call.
    pub(crate) const fn input_gradient(direction: Direction) -> Self {
        Self { direction: direction.reversed(), source: "output gradient", target: "input gradient" }
    }
}

impl Grids {
    /// The sizes have been computed from the windows by [`crate::output_size`].
    pub(crate) fn new<const RANK: usize>(
        coarse: [usize; RANK],
        fine: [usize; RANK],
        windows: &[Window; RANK],
        parameters: &Parameters,
    ) -> Self {
        Self::of_three(three_axes(coarse, 1), three_axes(fine, 1), three_axes(*windows, Window::new(1)), parameters)
    }

    fn of_three(coarse: [usize; 3], fine: [usize; 3], windows: [Window; 3], parameters: &Parameters) -> Self {
        let (mut axes, mut margins) = ([AxisGeometry::POINT; 3], [[0; 2]; 3]);
        for (index, window) in windows.iter().enumerate() {
            let [begin, end] = window.margins();
            // Where there are only margins nothing is computed, and any geometry will do.
            let inside = fine[index].saturating_sub(begin).saturating_sub(end).max(1);
            // A single coarse pixel has no neighbour: any stride gives the same. With one past the fine grid every fine pixel is a phase of
            // its own, with the only tap that reaches it. Past an isize no sizes are computed.
            let past = inside.saturating_add(window.zeros_before());
            let stride = match coarse[index] {
                1 if past <= isize::MAX.cast_unsigned() => past,
                1 => window.stride.min(past),
                _ => window.stride,
            };
            axes[index] = AxisGeometry {
                coarse: coarse[index],
                fine: inside,
                kernel: window.kernel,
                stride,
                dilation: window.dilation,
                padding: window.zeros_before(),
            };
            margins[index] = [begin.min(fine[index]), end.min(fine[index])];
        }
        let kernel = windows.map(|window| window.kernel);
        let geometry = Geometry { axes, groups: parameters.groups, precision: parameters.precision };
        Self { coarse, fine, kernel, geometry, margins, backend: parameters.backend.unwrap_or_else(Backend::best) }
    }

    /// What is inside the margins of an axis of the fine grid.
    fn inside(&self, axis: usize, len: usize) -> Range<usize> {
        let [begin, end] = self.margins[axis];
        begin..len.saturating_sub(end).max(begin)
    }

    /// What is inside the margins of the fine grid.
    fn inner<'a, A>(&self, mut fine: ArrayView5<'a, A>) -> ArrayView5<'a, A> {
        for axis in 0..3 {
            let inside = self.inside(axis, fine.len_of(NdAxis(axis + 2)));
            fine.slice_axis_inplace(NdAxis(axis + 2), inside.into());
        }
        fine
    }

    /// Calls `inside` with the fine grid without its margins, then `outside` with each margin. `inside` comes first because it can fail.
    fn split_margins<S>(
        &self,
        fine: ArrayViewMut5<'_, S>,
        outside: impl Fn(ArrayViewMut5<'_, S>),
        inside: impl FnOnce(ArrayViewMut5<'_, S>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut margins = Vec::new();
        let mut inner = fine;
        for axis in (0..3).filter(|&axis| self.margins[axis] != [0, 0]) {
            let of_axis = NdAxis(axis + 2);
            let Range { start, end } = self.inside(axis, inner.len_of(of_axis));
            let (begin, rest) = inner.split_at(of_axis, start);
            let (middle, behind) = rest.split_at(of_axis, end - start);
            margins.extend([begin, behind]);
            inner = middle;
        }
        inside(inner)?;
        margins.into_iter().for_each(outside);
        Ok(())
    }

    /// Computes `out` from `source` by `engine`, or by `alone` where there is nothing to sum, so that empty arrays cost nothing.
    fn meet<A: Sync, S: Send>(
        &self,
        direction: Direction,
        source: ArrayView5<'_, A>,
        out: ArrayViewMut5<'_, S>,
        alone: impl Fn(ArrayViewMut5<'_, S>),
        engine: impl FnOnce(ArrayView5<'_, A>, ArrayViewMut5<'_, S>) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let run = |source: ArrayView5<'_, A>, out: ArrayViewMut5<'_, S>| {
            if source.is_empty() || out.is_empty() {
                alone(out);
                return Ok(());
            }
            in_pool(source.len().max(out.len()) >= LARGE, || engine(source, out))
        };
        match direction {
            Direction::Expand => self.split_margins(out, &alone, |inner| run(source, inner)),
            Direction::Contract => run(self.inner(source), out),
        }
    }

    /// Tries to allocate the lists of all taps, which later grow where an error could not be returned. A kernel can be larger than
    /// memory: weights may be broadcast.
    fn try_lists(&self) -> Result<(), Error> {
        let bytes = self.kernel.iter().fold(BYTES_OF_TAP, |bytes, &taps| bytes.saturating_mul(taps));
        let mut lists = Vec::<u8>::new();
        if bytes > SMALL_LISTS {
            lists.try_reserve_exact(bytes).map_err(|_| Error::OutOfMemory { argument: "lists of taps", bytes })?;
            black_box(&lists); // the compiler may remove an allocation that nothing reads
        }
        Ok(())
    }

    /// Coarse and fine channels of a weight.
    fn weight_channels<A>(&self, weight: &Tensor<'_, A, 3>) -> Result<(usize, usize), Error> {
        weight.expect_spatial("weight", self.kernel)?;
        self.group_channels("weight", weight.batch())?;
        let fine = weight.channels().checked_mul(self.geometry.groups);
        let fine = fine.ok_or(Error::SizeOverflow { argument: "output", axis: Axis::Channel })?;
        Ok((weight.batch(), fine))
    }

    /// The channels of one group.
    fn group_channels(&self, argument: &'static str, channels: usize) -> Result<usize, Error> {
        let groups = self.geometry.groups;
        if channels.is_multiple_of(groups) { Ok(channels / groups) } else { Err(Error::Groups { argument, channels, groups }) }
    }

    fn source_size(&self, direction: Direction) -> [usize; 3] {
        match direction {
            Direction::Expand => self.coarse,
            Direction::Contract => self.fine,
        }
    }

    fn target_size(&self, direction: Direction) -> [usize; 3] {
        match direction {
            Direction::Expand => self.fine,
            Direction::Contract => self.coarse,
        }
    }

    /// Checks all that a call reads; returns the channels of its target.
    fn check_source<A>(
        &self,
        call: Call,
        source: &Tensor<'_, A, 3>,
        (coarse, fine): (usize, usize),
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<usize, Error> {
        let (channels, expected) = match call.direction {
            Direction::Expand => (fine, coarse),
            Direction::Contract => (coarse, fine),
        };
        source.expect_spatial(call.source, self.source_size(call.direction))?;
        source.expect_batch_channels(call.source, source.batch(), expected)?;
        match bias {
            Some(bias) if bias.len() != channels => {
                Err(Error::ShapeMismatch { argument: "bias", axis: Axis::Channel, expected: channels, found: bias.len() })
            }
            _ => Ok(channels),
        }
    }

    fn check_target<A>(&self, call: Call, target: &TensorMut<'_, A, 3>, batch: usize, channels: usize) -> Result<(), Error> {
        target.expect_spatial(call.target, self.target_size(call.direction))?;
        target.expect_batch_channels(call.target, batch, channels)
    }

    /// Packs a weight for many calls.
    pub(crate) fn pack<A: FloatElement>(&self, direction: Direction, weight: &Tensor<'_, A, 3>) -> Result<Packed<A::Row>, Error> {
        self.weight_channels(weight)?;
        self.try_lists()?;
        packed_weights::pack(&self.geometry, direction, weight.view5(), self.backend)
    }

    /// Packs a weight of sums, of which the shape has been checked.
    pub(crate) fn pack_rows<A: FloatElement>(&self, direction: Direction, weight: ArrayView5<'_, A::Row>) -> Result<Packed<A::Row>, Error> {
        self.try_lists()?;
        A::pack_rows(&self.geometry, direction, weight, self.backend)
    }

    /// The sums of the weight gradient, not rounded. All shapes have been checked.
    pub(crate) fn weight_gradient_rows<A: FloatElement>(
        &self,
        coarse: &Tensor<'_, A, 3>,
        fine: &Tensor<'_, A, 3>,
        shape: [usize; 5],
    ) -> Result<Array5<A::Row>, Error> {
        let zero = |out: ArrayViewMut5<'_, MaybeUninit<A::Row>>| fill(out, MaybeUninit::new(A::Row::zero()));
        uninit::written("sums of the weight gradient", shape, false, |out| {
            self.correlate(coarse, fine, out, zero, |coarse, fine, out| A::correlate_rows(&self.geometry, coarse, fine, self.backend, out))
        })
    }

    /// The channels of packed weights, coarse and fine.
    pub(crate) fn packed_channels<T>(direction: Direction, packed: &Packed<T>) -> (usize, usize) {
        let (out, source) = packed.channels();
        match direction {
            Direction::Expand => (source, out),
            Direction::Contract => (out, source),
        }
    }

    fn convolve<A: FloatElement>(
        &self,
        direction: Direction,
        packed: &Packed<A::Row>,
        source: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        out: ArrayViewMut5<'_, MaybeUninit<A>>,
    ) -> Result<(), Error> {
        let bias = bias.map(|bias| bias.view());
        let engine = |source: ArrayView5<'_, A>, out: ArrayViewMut5<'_, MaybeUninit<A>>| {
            dispatch::run_packed(packed, source, bias, self.backend, out)
        };
        self.meet(direction, source.view5(), out, |out| put_bias(bias, out), engine)
    }

    fn convolve_once<A: FloatElement>(
        &self,
        call: Call,
        source: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        out: ArrayViewMut5<'_, MaybeUninit<A>>,
    ) -> Result<(), Error> {
        let bias = bias.map(|bias| bias.view());
        let engine = |source: ArrayView5<'_, A>, out: ArrayViewMut5<'_, MaybeUninit<A>>| {
            self.try_lists()?;
            dispatch::run_once((&self.geometry, call.direction), weight.view5(), source, bias, self.backend, out)
        };
        self.meet(call.direction, source.view5(), out, |out| put_bias(bias, out), engine)
    }

    /// Runs packed weights into `target`. Only what is overwritten can have a bias.
    pub(crate) fn run_packed_into<A: FloatElement>(
        &self,
        call: Call,
        packed: &Packed<A::Row>,
        source: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        target: TensorMut<'_, A, 3>,
        update: Update,
    ) -> Result<(), Error> {
        let channels = self.check_source(call, source, Self::packed_channels(call.direction, packed), bias)?;
        self.check_target(call, &target, source.batch(), channels)?;
        if update == Update::Overwrite {
            return self.convolve(call.direction, packed, source, bias, uninit::as_uninit(target.into_view5()));
        }
        let engine = |source: ArrayView5<'_, A>, out: ArrayViewMut5<'_, A>| dispatch::run_packed(packed, source, None, self.backend, out);
        self.meet(call.direction, source.view5(), target.into_view5(), |_| (), engine)
    }

    /// Runs into `target`. Only what is overwritten can have a bias.
    pub(crate) fn run_into<A: FloatElement>(
        &self,
        call: Call,
        source: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        target: TensorMut<'_, A, 3>,
        update: Update,
    ) -> Result<(), Error> {
        let channels = self.check_source(call, source, self.weight_channels(weight)?, bias)?;
        self.check_target(call, &target, source.batch(), channels)?;
        if update == Update::Overwrite {
            return self.convolve_once(call, source, weight, bias, uninit::as_uninit(target.into_view5()));
        }
        let engine = |source: ArrayView5<'_, A>, out: ArrayViewMut5<'_, A>| {
            self.try_lists()?;
            dispatch::run_once((&self.geometry, call.direction), weight.view5(), source, None, self.backend, out)
        };
        self.meet(call.direction, source.view5(), target.into_view5(), |_| (), engine)
    }

    /// The weight gradient's channels: coarse, and fine of a group.
    fn gradient_channels<A>(
        &self,
        (coarse_name, coarse): (&'static str, &Tensor<'_, A, 3>),
        (fine_name, fine): (&'static str, &Tensor<'_, A, 3>),
    ) -> Result<(usize, usize), Error> {
        coarse.expect_spatial(coarse_name, self.coarse)?;
        fine.expect_spatial(fine_name, self.fine)?;
        fine.expect_batch_channels(fine_name, coarse.batch(), fine.channels())?;
        self.group_channels(coarse_name, coarse.channels())?;
        Ok((coarse.channels(), self.group_channels(fine_name, fine.channels())?))
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

    /// The weight gradient into `dw`.
    pub(crate) fn weight_gradient_into<A: FloatElement>(
        &self,
        coarse: (&'static str, &Tensor<'_, A, 3>),
        fine: (&'static str, &Tensor<'_, A, 3>),
        dw: TensorMut<'_, A, 3>,
        update: Update,
    ) -> Result<(), Error> {
        self.check_weight_gradient(self.gradient_channels(coarse, fine)?, &dw)?;
        if update == Update::Overwrite {
            return self.correlate_into(coarse.1, fine.1, uninit::as_uninit(dw.into_view5()));
        }
        let engine = |coarse: ArrayView5<'_, A>, fine: ArrayView5<'_, A>, out: ArrayViewMut5<'_, A>| {
            dispatch::correlate(&self.geometry, coarse, fine, self.backend, out)
        };
        self.correlate(coarse.1, fine.1, dw.into_view5(), |_| (), engine)
    }

    /// The weight gradient into `out`; all shapes have been checked.
    fn correlate_into<A: FloatElement>(
        &self,
        coarse: &Tensor<'_, A, 3>,
        fine: &Tensor<'_, A, 3>,
        out: ArrayViewMut5<'_, MaybeUninit<A>>,
    ) -> Result<(), Error> {
        let zero = |out: ArrayViewMut5<'_, MaybeUninit<A>>| fill(out, MaybeUninit::new(A::default()));
        self.correlate(coarse, fine, out, zero, |coarse, fine, out| dispatch::correlate(&self.geometry, coarse, fine, self.backend, out))
    }

    /// Sums the products of both grids into `out` by `engine`, or calls `alone` where there are none.
    fn correlate<A: FloatElement, S: Send>(
        &self,
        coarse: &Tensor<'_, A, 3>,
        fine: &Tensor<'_, A, 3>,
        out: ArrayViewMut5<'_, S>,
        alone: impl Fn(ArrayViewMut5<'_, S>),
        engine: impl FnOnce(ArrayView5<'_, A>, ArrayView5<'_, A>, ArrayViewMut5<'_, S>) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let (coarse, fine) = (coarse.view5(), self.inner(fine.view5()));
        if coarse.is_empty() || fine.is_empty() || out.is_empty() {
            alone(out);
            return Ok(());
        }
        self.try_lists()?;
        in_pool(coarse.len().max(fine.len()) >= LARGE, || engine(coarse, fine, out))
    }
}

/// What calls take of memory.
impl Grids {
    /// Of [`run`](Self::run).
    pub(crate) fn memory<A: FloatElement>(
        &self,
        call: Call,
        source: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
    ) -> Result<MemoryUse, Error> {
        let channels = self.check_source(call, source, self.weight_channels(weight)?, None)?;
        self.try_lists()?;
        let (way, uses) = ((&self.geometry, call.direction), Uses::Once);
        let need = dispatch::need(way, weight.view5(), self.inner_source(call, source.view5()), self.backend, uses)?;
        Ok(need.memory_use::<A::Row>(self.output_bytes::<A>(call, source.batch(), channels)?))
    }

    /// Of packing a weight of sums, then [`run_packed`](Self::run_packed). The shapes have been checked.
    pub(crate) fn rows_memory<A: FloatElement>(
        &self,
        call: Call,
        source: ArrayView5<'_, A>,
        weight: ArrayView5<'_, A::Row>,
        channels: usize,
    ) -> Result<MemoryUse, Error> {
        self.try_lists()?;
        let (batch, source) = (source.dim().0, self.inner_source(call, source));
        let need = A::convolve_rows_need((&self.geometry, call.direction), weight, source, self.backend)?;
        Ok(need.memory_use::<A::Row>(self.output_bytes::<A>(call, batch, channels)?))
    }

    /// Of [`run_packed`](Self::run_packed), the packed weights counted.
    pub(crate) fn packed_memory<A: FloatElement>(
        &self,
        call: Call,
        packed: &Packed<A::Row>,
        source: &Tensor<'_, A, 3>,
    ) -> Result<MemoryUse, Error> {
        let channels = self.check_source(call, source, Self::packed_channels(call.direction, packed), None)?;
        let need = dispatch::packed_need(packed, self.inner_source(call, source.view5()), self.backend).with_shared(packed.bytes());
        Ok(need.memory_use::<A::Row>(self.output_bytes::<A>(call, source.batch(), channels)?))
    }

    fn output_bytes<A>(&self, call: Call, batch: usize, channels: usize) -> Result<usize, Error> {
        Ok(element_count::<A>(call.target, &five_axes(batch, channels, self.target_size(call.direction)))? * size_of::<A>())
    }

    /// Of [`weight_gradient`](Self::weight_gradient).
    pub(crate) fn weight_gradient_memory<A: FloatElement>(
        &self,
        coarse: (&'static str, &Tensor<'_, A, 3>),
        fine: (&'static str, &Tensor<'_, A, 3>),
    ) -> Result<MemoryUse, Error> {
        let channels = self.gradient_channels(coarse, fine)?;
        self.try_lists()?;
        let shape = five_axes(channels.0, channels.1, self.kernel);
        let output_bytes = element_count::<A>("weight gradient", &shape)? * size_of::<A>();
        Ok(self.correlate_memory(coarse.1.view5(), fine.1.view5(), output_bytes))
    }

    /// Memory of a weight gradient of `output_bytes` bytes, whose shapes have been checked.
    pub(crate) fn correlate_memory<A: FloatElement>(
        &self,
        coarse: ArrayView5<'_, A>,
        fine: ArrayView5<'_, A>,
        output_bytes: usize,
    ) -> MemoryUse {
        dispatch::correlate_need(&self.geometry, coarse, self.inner(fine), self.backend).memory_use::<A::Row>(output_bytes)
    }

    /// What an engine reads of a source.
    fn inner_source<'a, A>(&self, call: Call, source: ArrayView5<'a, A>) -> ArrayView5<'a, A> {
        if call.direction == Direction::Contract { self.inner(source) } else { source }
    }
}

/// What returns new arrays.
impl Grids {
    /// Runs packed weights into a new array, channels last if the source has them last.
    pub(crate) fn run_packed<A: FloatElement>(
        &self,
        call: Call,
        packed: &Packed<A::Row>,
        source: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Array5<A>, Error> {
        let channels = self.check_source(call, source, Self::packed_channels(call.direction, packed), bias)?;
        let shape = five_axes(source.batch(), channels, self.target_size(call.direction));
        uninit::written(call.target, shape, source.is_channels_last(), |out| self.convolve(call.direction, packed, source, bias, out))
    }

    /// Runs into a new array, channels last if the source has them last.
    pub(crate) fn run<A: FloatElement>(
        &self,
        call: Call,
        source: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Array5<A>, Error> {
        let channels = self.check_source(call, source, self.weight_channels(weight)?, bias)?;
        let shape = five_axes(source.batch(), channels, self.target_size(call.direction));
        uninit::written(call.target, shape, source.is_channels_last(), |out| self.convolve_once(call, source, weight, bias, out))
    }

    /// The weight gradient as a new array.
    pub(crate) fn weight_gradient<A: FloatElement>(
        &self,
        coarse: (&'static str, &Tensor<'_, A, 3>),
        fine: (&'static str, &Tensor<'_, A, 3>),
    ) -> Result<Array5<A>, Error> {
        let channels = self.gradient_channels(coarse, fine)?;
        uninit::written("weight gradient", five_axes(channels.0, channels.1, self.kernel), false, |out| {
            self.correlate_into(coarse.1, fine.1, out)
        })
    }
}

/// Puts the bias of its channel into every pixel, or 0.
fn put_bias<A: FloatElement>(bias: Option<ArrayView1<'_, A>>, out: ArrayViewMut5<'_, MaybeUninit<A>>) {
    let Some(bias) = bias else { return fill(out, MaybeUninit::new(A::default())) };
    for_each_part(out, &[0, 1, 2, 3], &|origin, piece| {
        let of_piece = bias.slice(s![NewAxis, origin[1]..origin[1] + piece.len_of(NdAxis(1)), NewAxis, NewAxis, NewAxis]);
        Zip::from(piece).and_broadcast(of_piece).for_each(|pixel, bias| {
            pixel.write(A::from_row(A::Row::zero() + bias.to_row()));
        });
    });
}

/// Writes `value` everywhere.
fn fill<T: Copy + Send + Sync>(out: ArrayViewMut5<'_, T>, value: T) {
    for_each_part(out, &[0, 1, 2, 3], &|_, mut piece| piece.fill(value));
}
