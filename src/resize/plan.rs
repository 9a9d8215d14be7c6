//! `ResizePlan`: weights for given sizes, ready to run.

use std::any::TypeId;
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

use ndarray::{Array5, ArrayView3, ArrayView5, ArrayViewMut3, ArrayViewMut5, Axis as NdAxis};

use crate::element::{Element, FloatElement};
use crate::error::Error;
use crate::kernels::How;
use crate::memory::uninit;
use crate::memory::{MemoryUse, reserve_list};
use crate::output_size::element_count;
use crate::resize::nearest::NearestIndices;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, five_axes, last_axes, three_axes};
use crate::update::Update;

use super::passes::{IntegerSums, Separable};
use super::taps::{AxisTaps, Taps};

/// A resize of given sizes: the weights are computed, any number of threads can run it any number of times.
///
/// Infinities and NaN reach the outputs whose weight for them is not 0: a tap of weight 0 is not read, so a pixel that is copied, at a grid
/// point of align-corners for instance, does not see its neighbours.
///
/// Made by [`Resize::plan`](super::Resize::plan).
///
/// ```
/// use ndarray::Array4;
/// use upsample::Resize;
///
/// let up = Resize::bilinear().plan([64, 48], 2.0)?;
/// assert_eq!(up.output_size(), [128, 96]);
///
/// let x = Array4::<f32>::ones((2, 3, 64, 48));
/// let y = up.forward(&x)?; // allocates the output
/// let mut reused = y.clone();
/// up.forward_into(&x, &mut reused)?; // or writes into yours
/// assert_eq!(y, reused);
///
/// // The gradient is the transposed table: every output pixel gives its weights back to the pixels it was made of.
/// let dx = up.input_gradient(&y)?;
/// assert!((dx.sum() - y.sum()).abs() < 1e-2 * y.sum());
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Clone)]
pub struct ResizePlan<const RANK: usize> {
    input: [usize; RANK],
    output: [usize; RANK],
    planned: PlannedResize,
}

/// What a plan computes, whatever its rank.
#[derive(Clone)]
pub struct PlannedResize {
    /// Output pixels of depth, height and width whose position is extrapolated.
    outside: [Vec<u32>; 3],
    extrapolation: f64,
    /// Shared by clones.
    tables: Arc<dyn Tables>,
    how: How,
}

/// An [`Operator`]. It is dropped through a virtual call: crates that use plans would otherwise compile how all its tables are dropped.
trait Tables: Send + Sync + UnwindSafe + RefUnwindSafe {
    fn operator(&self) -> &Operator;
}

impl Tables for Operator {
    fn operator(&self) -> &Operator {
        self
    }
}

/// The sizes; the tables would fill pages.
impl<const RANK: usize> fmt::Debug for ResizePlan<RANK> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { input, output, planned: PlannedResize { how, .. } } = self;
        f.debug_struct("ResizePlan").field("input", input).field("output", output).field("how", how).finish_non_exhaustive()
    }
}

/// The plan's tables.
struct Operator {
    /// For all types, or all but `f64`.
    single: Variant,
    double: Option<Double>,
}

/// The tables for `f64` where a framework's arithmetic makes them differ from those of other types. Few plans need them.
struct Double {
    taps: MakeTaps,
    options: RunOptions,
    made: OnceLock<Variant>,
}

/// Makes the taps of depth, height and width.
pub(crate) type MakeTaps = Box<dyn Fn() -> Result<[Taps; 3], Error> + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// The tables in one direction, and in the other when they are first asked for.
#[derive(Debug)]
struct Variant {
    forward: Forward,
    backward: OnceLock<Separable>,
}

#[derive(Debug)]
enum Forward {
    Filter(Box<Separable>),
    /// Indices to copy by; as tables they are needed for the gradient.
    Nearest(NearestIndices, Box<[Taps; 3]>),
}

/// How a plan runs, besides its tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunOptions {
    pub(crate) nearest: bool,
    pub(crate) integers: IntegerSums,
    pub(crate) extrapolation: f64,
    pub(crate) how: How,
}

/// The output pixels of an axis whose position is extrapolated.
fn outside(taps: &Taps) -> Result<Vec<u32>, Error> {
    let is_outside = |&o: &usize| taps.row(o).0.is_empty();
    let mut outside = Vec::new();
    reserve_list(&mut outside, (0..taps.output()).filter(is_outside).count())?;
    outside.extend((0..taps.output()).filter(is_outside).map(|o| o as u32));
    Ok(outside)
}

impl Variant {
    fn new(taps: [Taps; 3], options: RunOptions) -> Result<Self, Error> {
        let forward = if options.nearest {
            let indices = [indices_of(&taps[0])?, indices_of(&taps[1])?, indices_of(&taps[2])?];
            Forward::Nearest(NearestIndices::new(indices), Box::new(taps))
        } else {
            Forward::Filter(Box::new(Separable { axes: taps.map(AxisTaps::new), integers: options.integers }))
        };
        Ok(Self { forward, backward: OnceLock::new() })
    }

    fn backward(&self) -> Result<&Separable, Error> {
        if let Some(made) = self.backward.get() {
            return Ok(made);
        }
        let made = match &self.forward {
            Forward::Filter(forward) => forward.transposed()?,
            Forward::Nearest(_, taps) => {
                let axis = |axis: usize| Ok::<_, Error>(AxisTaps::new(taps[axis].transposed()?));
                Separable { axes: [axis(0)?, axis(1)?, axis(2)?], integers: IntegerSums::Fixed }
            }
        };
        // Should another thread have been faster, its tables are the same.
        Ok(self.backward.get_or_init(|| made))
    }
}

/// The input pixel that each output pixel copies. An extrapolated one copies pixel 0 first and is filled afterwards.
fn indices_of(taps: &Taps) -> Result<Vec<u32>, Error> {
    let mut indices = Vec::new();
    reserve_list(&mut indices, taps.output())?;
    indices.extend((0..taps.output()).map(|o| taps.row(o).0.first().copied().unwrap_or(0)));
    Ok(indices)
}

impl Operator {
    /// The tables for elements of type `A`.
    fn of<A: Element>(&self) -> Result<&Variant, Error> {
        if A::IS_DOUBLE { self.double() } else { Ok(&self.single) }
    }

    /// The tables for `f64`.
    fn double(&self) -> Result<&Variant, Error> {
        let Some(Double { taps, options, made }) = &self.double else { return Ok(&self.single) };
        if let Some(made) = made.get() {
            return Ok(made);
        }
        let tables = Variant::new(taps()?, *options)?;
        // Should another thread have been faster, its tables are the same.
        Ok(made.get_or_init(|| tables))
    }
}

impl<const RANK: usize> ResizePlan<RANK> {
    pub(crate) fn new(input: [usize; RANK], output: [usize; RANK], planned: PlannedResize) -> Self {
        Self { input, output, planned }
    }

    /// The spatial size of the input that the plan is for.
    #[must_use]
    pub fn input_size(&self) -> [usize; RANK] {
        self.input
    }

    /// The spatial size of the output.
    #[must_use]
    pub fn output_size(&self) -> [usize; RANK] {
        self.output
    }

    /// The tables of a filter for all types but `f64`; `None` if the plan copies pixels.
    pub(crate) fn filter_passes(&self) -> Option<(&Separable, How)> {
        match &self.planned.tables.operator().single.forward {
            Forward::Filter(passes) => Some((passes, self.planned.how)),
            Forward::Nearest(..) => None,
        }
    }

    /// Resizes one H×W×C picture into `y`. Sizes have been checked.
    pub(crate) fn forward_pixels<A: Element>(&self, x: ArrayView3<'_, A>, y: ArrayViewMut3<'_, MaybeUninit<A>>) -> Result<(), Error> {
        self.planned.forward_into(Tensor::from_hwc(x).view5(), TensorMut::from_hwc(y).into_view5())
    }

    /// The same with three spatial axes, missing ones of size 1.
    pub(crate) fn widened(self) -> ResizePlan<3> {
        ResizePlan { input: three_axes(self.input, 1), output: three_axes(self.output, 1), planned: self.planned }
    }

    /// How many output pixels copy each input pixel, if the plan does nothing else and does it for elements of every type.
    pub(crate) fn whole_factors(&self) -> Option<[usize; RANK]> {
        let input = three_axes(self.input, 1);
        let of = |variant: &Variant| match &variant.forward {
            Forward::Nearest(indices, _) => indices.whole_factors(input),
            Forward::Filter(_) => None,
        };
        let operator = self.planned.tables.operator();
        let factors = of(&operator.single)?;
        let same = operator.double().is_ok_and(|double| of(double) == Some(factors));
        let extrapolates = self.planned.outside.iter().any(|outside| !outside.is_empty());
        (same && !extrapolates).then(|| last_axes(factors))
    }

    /// What [`forward`](Self::forward) takes of memory for this input; only its shape, type and layout count.
    /// Tables that have not been needed yet are made, as the call would.
    ///
    /// ```
    /// use ndarray::Array4;
    /// use upsample::Resize;
    ///
    /// let plan = Resize::bicubic().plan([100, 100], [1, 1000])?;
    /// let memory = plan.forward_memory(&Array4::<u8>::zeros((8, 3, 100, 100)))?;
    /// assert_eq!(memory.output_bytes, 8 * 3 * 1000);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `x` has another spatial size than the plan, [`Error::TooLarge`] if no memory could hold the output,
    /// [`Error::OutOfMemory`] if there is none for the tables.
    pub fn forward_memory<'a, A: Element>(&self, x: impl Into<Tensor<'a, A, RANK>>) -> Result<MemoryUse, Error> {
        let x = x.into();
        x.expect_spatial("input", self.input)?;
        let shape = five_axes(x.batch(), x.channels(), self.output);
        let output_bytes = element_count::<A>("output", &shape)? * size_of::<A>();
        match &self.planned.tables.operator().of::<A>()?.forward {
            Forward::Filter(passes) => {
                A::resize_memory(passes, [x.batch().saturating_mul(x.channels()), interleaved(&x)], self.planned.how.backend, output_bytes)
            }
            Forward::Nearest(indices, taps) => {
                Ok(MemoryUse::of_call(output_bytes, indices.bytes() + taps.iter().map(Taps::bytes).sum::<usize>()))
            }
        }
    }

    /// What [`input_gradient`](Self::input_gradient) takes of memory for this gradient; only its shape, type and layout count.
    /// Tables that have not been needed yet are made, as the call would.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the plan's output size, [`Error::TooLarge`] if no memory could hold the gradient,
    /// [`Error::OutOfMemory`] if there is none for the tables.
    pub fn input_gradient_memory<'a, A: FloatElement>(&self, dy: impl Into<Tensor<'a, A, RANK>>) -> Result<MemoryUse, Error> {
        let dy = dy.into();
        dy.expect_spatial("output gradient", self.output)?;
        self.input_gradient_memory_of::<A>([dy.batch(), dy.channels()], dy.is_channels_last())
    }

    /// [`input_gradient_memory`](Self::input_gradient_memory) of a gradient of such batch, channels and layout.
    pub(crate) fn input_gradient_memory_of<A: FloatElement>(&self, [n, c]: [usize; 2], channels_last: bool) -> Result<MemoryUse, Error> {
        let output_bytes = element_count::<A>("input gradient", &five_axes(n, c, self.input))? * size_of::<A>();
        let inner = if channels_last { c } else { 1 };
        A::resize_memory(
            self.planned.tables.operator().of::<A>()?.backward()?,
            [n.saturating_mul(c), inner],
            self.planned.how.backend,
            output_bytes,
        )
    }
}

/// Shapes have been checked.
impl PlannedResize {
    /// `double` makes the taps for `f64`, where they differ.
    pub(crate) fn new(taps: [Taps; 3], double: Option<MakeTaps>, options: RunOptions) -> Result<Self, Error> {
        let RunOptions { extrapolation, how, .. } = options;
        let outside = [outside(&taps[0])?, outside(&taps[1])?, outside(&taps[2])?];
        let double = double.map(|taps| Double { taps, options, made: OnceLock::new() });
        let tables = Arc::new(Operator { single: Variant::new(taps, options)?, double });
        Ok(Self { outside, extrapolation, tables, how })
    }

    /// A new output of this shape.
    pub(crate) fn forward<A: Element>(&self, x: ArrayView5<'_, A>, shape: [usize; 5], channels_last: bool) -> Result<Array5<A>, Error> {
        uninit::written("output", shape, channels_last, |y| self.forward_into(x, y))
    }

    pub(crate) fn forward_into<A: Element>(&self, x: ArrayView5<'_, A>, mut y: ArrayViewMut5<'_, MaybeUninit<A>>) -> Result<(), Error> {
        match &self.tables.operator().of::<A>()?.forward {
            Forward::Filter(passes) => A::resize(passes, x, y.view_mut(), self.how)?,
            Forward::Nearest(indices, _) => A::copy_nearest(indices, x, y.view_mut(), self.how),
        }
        let value = A::from_f64(self.extrapolation);
        for (axis, outside) in self.outside.iter().enumerate() {
            for &o in outside {
                y.index_axis_mut(NdAxis(2 + axis), o as usize).fill(MaybeUninit::new(value));
            }
        }
        Ok(())
    }
}

impl<const RANK: usize> ResizePlan<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// Resizes a batch into a new array, channels last if the input has them last.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `x` has another spatial size than the plan, [`Error::TooLarge`] or [`Error::OutOfMemory`] if there is no
    /// memory for the output.
    pub fn forward<'a, A: Element>(&self, x: impl Into<Tensor<'a, A, RANK>>) -> Result<Output<A, RANK>, Error> {
        let x = x.into();
        x.expect_spatial("input", self.input)?;
        let shape = five_axes(x.batch(), x.channels(), self.output);
        let y = A::resized(&self.planned, x.view5(), shape, x.is_channels_last())?;
        Ok(<Spatial<RANK> as SpatialRank>::narrow(y))
    }

    /// Resizes a batch into `y`: N×C as the input, spatial sizes [`output_size`](Self::output_size).
    /// After the first call on a thread nothing is allocated.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if a shape is not the plan's, [`Error::OutOfMemory`]; `y` is then untouched.
    pub fn forward_into<'a, 'b, A: Element>(
        &self,
        x: impl Into<Tensor<'a, A, RANK>>,
        y: impl Into<TensorMut<'b, A, RANK>>,
    ) -> Result<(), Error> {
        let (x, y) = (x.into(), y.into());
        x.expect_spatial("input", self.input)?;
        y.expect_spatial("output", self.output)?;
        y.expect_batch_channels("output", x.batch(), x.channels())?;
        A::resize_into(&self.planned, x.view5(), y.into_view5())
    }

    /// Resizes elements of any type, by a plan of nearest: labels, masks, pixels of your own.
    ///
    /// ```
    /// use ndarray::{Array4, array};
    /// use upsample::Resize;
    ///
    /// #[derive(Clone, Copy, Debug, PartialEq)]
    /// enum Label { Road, Tree }
    /// let map = Array4::from_shape_vec((1, 1, 1, 2), vec![Label::Road, Label::Tree]).unwrap();
    /// let y = Resize::nearest().plan([1, 2], 2.0)?.forward_any(&map)?;
    /// assert_eq!(y[[0, 0, 1, 2]], Label::Tree);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Unsupported`] if the plan computes with the elements or extrapolates.
    pub fn forward_any<'a, A: Copy + Send + Sync + 'static>(&self, x: impl Into<Tensor<'a, A, RANK>>) -> Result<Output<A, RANK>, Error> {
        let x = x.into();
        x.expect_spatial("input", self.input)?;
        let indices = self.indices_for_any::<A>()?;
        let shape = five_axes(x.batch(), x.channels(), self.output);
        let y = uninit::written("output", shape, x.is_channels_last(), |y| {
            indices.run(x.view5(), y, self.planned.how);
            Ok(())
        })?;
        Ok(<Spatial<RANK> as SpatialRank>::narrow(y))
    }

    /// [`forward_any`](Self::forward_any) into `y`.
    ///
    /// # Errors
    /// As [`forward_any`](Self::forward_any) and [`forward_into`](Self::forward_into).
    pub fn forward_any_into<'a, 'b, A: Copy + Send + Sync + 'static>(
        &self,
        x: impl Into<Tensor<'a, A, RANK>>,
        y: impl Into<TensorMut<'b, A, RANK>>,
    ) -> Result<(), Error> {
        let (x, y) = (x.into(), y.into());
        x.expect_spatial("input", self.input)?;
        y.expect_spatial("output", self.output)?;
        y.expect_batch_channels("output", x.batch(), x.channels())?;
        self.indices_for_any::<A>()?.run(x.view5(), uninit::as_uninit(y.into_view5()), self.planned.how);
        Ok(())
    }

    /// What to copy, if the plan only copies.
    fn indices_for_any<A: 'static>(&self) -> Result<&NearestIndices, Error> {
        let (operator, outside) = (self.planned.tables.operator(), &self.planned.outside);
        let double = TypeId::of::<A>() == TypeId::of::<f64>();
        let variant = if double { operator.double()? } else { &operator.single };
        let extrapolates = outside.iter().any(|outside| !outside.is_empty());
        let why = match &variant.forward {
            Forward::Nearest(indices, _) if !extrapolates => return Ok(indices),
            Forward::Nearest(..) => "positions outside the input have no value of this type",
            Forward::Filter(_) => "only nearest can copy elements that are not numbers",
        };
        Err(Error::Unsupported { what: "elements of any type".to_owned(), why })
    }

    /// The gradient of the input, given that of the output: the exact adjoint of [`forward`](Self::forward),
    /// `<forward(x), dy> = <x, input_gradient(dy)>`. Since resizing is linear, the gradient of this with respect to `dy` is
    /// [`forward`](Self::forward) again. Extrapolated pixels are constants and give nothing back.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), with `dy` of the plan's output size.
    #[doc(alias = "gradient")]
    #[doc(alias = "backward")]
    pub fn input_gradient<'a, A: FloatElement>(&self, dy: impl Into<Tensor<'a, A, RANK>>) -> Result<Output<A, RANK>, Error> {
        let dy = dy.into();
        dy.expect_spatial("output gradient", self.output)?;
        let shape = five_axes(dy.batch(), dy.channels(), self.input);
        let passes = self.planned.tables.operator().of::<A>()?.backward()?;
        let write = |dx: ArrayViewMut5<'_, MaybeUninit<A>>| A::resize(passes, dy.view5(), dx, self.planned.how);
        let dx = uninit::written("input gradient", shape, dy.is_channels_last(), write)?;
        Ok(<Spatial<RANK> as SpatialRank>::narrow(dx))
    }

    /// [`input_gradient`](Self::input_gradient) into `dx`, which keeps its content if there is an error.
    ///
    /// ```
    /// use upsample::{Resize, Update};
    ///
    /// let plan = Resize::linear().plan([2], [4])?;
    /// let (dy, mut dx) = (ndarray::Array3::<f32>::ones((1, 1, 4)), ndarray::Array3::<f32>::zeros((1, 1, 2)));
    /// plan.input_gradient_into(&dy, &mut dx, Update::Overwrite)?;
    /// plan.input_gradient_into(&dy, &mut dx, Update::Add)?; // of several batches, or by several ways, together
    /// assert_eq!(dx, 2.0 * plan.input_gradient(&dy)?);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward_into`](Self::forward_into).
    pub fn input_gradient_into<'a, 'b, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'a, A, RANK>>,
        dx: impl Into<TensorMut<'b, A, RANK>>,
        update: Update,
    ) -> Result<(), Error> {
        let (dy, dx) = (dy.into(), dx.into());
        dy.expect_spatial("output gradient", self.output)?;
        dx.expect_spatial("input gradient", self.input)?;
        dx.expect_batch_channels("input gradient", dy.batch(), dy.channels())?;
        let PlannedResize { tables, how, .. } = &self.planned;
        let passes = tables.operator().of::<A>()?.backward()?;
        match update {
            Update::Overwrite => A::resize(passes, dy.view5(), uninit::as_uninit(dx.into_view5()), *how),
            Update::Add => A::resize_add(passes, dy.view5(), dx.into_view5(), *how),
        }
    }
}

/// Interleaved elements of a pixel, as a new output has them that follows the layout of `x`.
fn interleaved<A, const RANK: usize>(x: &Tensor<'_, A, RANK>) -> usize {
    if x.is_channels_last() { x.channels() } else { 1 }
}
