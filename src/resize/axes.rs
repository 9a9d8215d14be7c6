//! Resizing any axes of an array of any rank.

use ndarray::{ArrayD, ArrayView5, ArrayViewD, ArrayViewMut5, ArrayViewMutD, Axis as NdAxis, Ix5, IxDyn};

use crate::element::{Element, FloatElement};
use crate::error::{Axis, Error};
use crate::output_size::element_count;
use crate::resize::coordinates::{PerAxis, Target};
use crate::tensor::{Spatial, SpatialRank, Tensor, TensorMut};
use crate::update::Update;

use super::options::Resize;
use super::plan::ResizePlan;

/// The output size of each of the named axes, or its scale, in their order.
///
/// ```
/// use ndarray::Array3;
/// use upsample::{AxesTarget, Resize};
///
/// let stack = Array3::<f32>::ones((4, 10, 20)).into_dyn();
/// let twice = Resize::linear().resize_axes(stack.view(), &[0], &AxesTarget::Scale(vec![2.0]))?;
/// assert_eq!(twice.shape(), [8, 10, 20]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AxesTarget {
    /// Sizes in pixels.
    Size(Vec<usize>),
    /// Output pixels per input pixel.
    Scale(Vec<f64>),
}

impl AxesTarget {
    fn len(&self) -> usize {
        match self {
            Self::Size(sizes) => sizes.len(),
            Self::Scale(scales) => scales.len(),
        }
    }

    fn pick<const RANK: usize>(&self, order: [usize; RANK]) -> Target<RANK> {
        match self {
            Self::Size(sizes) => Target::Size(order.map(|index| sizes[index])),
            Self::Scale(scales) => Target::Scale(order.map(|index| scales[index])),
        }
    }
}

/// Arrays of any rank.
impl Resize {
    /// Resizes up to three axes of an array of any rank, in any order: a field of two axes, a stack of volumes, the batch axis.
    /// `target` and per-axis options follow the order of `axes`.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use upsample::{AxesTarget, Resize};
    ///
    /// let field = Array2::<f64>::ones((10, 20)).into_dyn();
    /// let finer = Resize::bicubic().resize_axes(field.view(), &[1, 0], &AxesTarget::Size(vec![80, 40]))?;
    /// assert_eq!(finer.shape(), [40, 80]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`plan`](Self::plan); [`Error::InvalidAxisParameter`] for an axis that the array does not have or that comes twice,
    /// [`Error::AxisCount`] if `target` has another length than `axes`, [`Error::Unsupported`] for no axes or more than three, and for an
    /// array of more than 64 axes, as many as NumPy's can have.
    pub fn resize_axes<A: Element>(&self, x: ArrayViewD<'_, A>, axes: &[usize], target: &AxesTarget) -> Result<ArrayD<A>, Error> {
        match axes.len() {
            1 => Job::<1>::new(self, x.shape(), axes, target)?.forward(x),
            2 => Job::<2>::new(self, x.shape(), axes, target)?.forward(x),
            3 => Job::<3>::new(self, x.shape(), axes, target)?.forward(x),
            count => Err(axis_count(count)),
        }
    }

    /// The gradient of [`resize_axes`](Self::resize_axes) for an input of shape `input`, given that of the output.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use upsample::{AxesTarget, Resize};
    ///
    /// let dy = Array2::<f64>::ones((10, 40)).into_dyn();
    /// let dx = Resize::linear().resize_axes_input_gradient(dy.view(), &[10, 20], &[1], &AxesTarget::Size(vec![40]))?;
    /// assert_eq!(dx.shape(), [10, 20]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`resize_axes`](Self::resize_axes), and [`Error::ShapeMismatch`] if `dy` does not have the output's shape.
    pub fn resize_axes_input_gradient<A: FloatElement>(
        &self,
        dy: ArrayViewD<'_, A>,
        input: &[usize],
        axes: &[usize],
        target: &AxesTarget,
    ) -> Result<ArrayD<A>, Error> {
        match axes.len() {
            1 => Job::<1>::new(self, input, axes, target)?.input_gradient(dy),
            2 => Job::<2>::new(self, input, axes, target)?.input_gradient(dy),
            3 => Job::<3>::new(self, input, axes, target)?.input_gradient(dy),
            count => Err(axis_count(count)),
        }
    }
}

fn axis_count(count: usize) -> Error {
    Error::Unsupported { what: format!("resizing {count} axes"), why: "one to three axes can be resized at a time" }
}

/// The most axes an array can have: those that are not resized are gone through one inside the other.
const MOST_AXES: usize = 64;

/// A plan and the axes it is for.
struct Job<const RANK: usize> {
    plan: ResizePlan<RANK>,
    input: Vec<usize>,
    output: Vec<usize>,
    /// Axis numbers, ascending, so that rows stay rows.
    axes: [usize; RANK],
}

impl<const RANK: usize> Job<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    fn new(resize: &Resize, input: &[usize], axes: &[usize], target: &AxesTarget) -> Result<Self, Error> {
        if input.len() > MOST_AXES {
            let what = format!("an array of {} axes", input.len());
            return Err(Error::Unsupported { what, why: "at most 64 are gone through" });
        }
        if target.len() != RANK {
            return Err(Error::AxisCount { argument: "target", expected: RANK, found: target.len() });
        }
        for (position, &axis) in axes.iter().enumerate() {
            if axis >= input.len() || axes[..position].contains(&axis) {
                return Err(Error::InvalidAxisParameter {
                    parameter: "number",
                    axis: Axis::Number(axis),
                    value: axis,
                    requirement: format!("below the array's rank {} and named once", input.len()),
                });
            }
        }
        let mut order: [usize; RANK] = std::array::from_fn(|index| index);
        order.sort_by_key(|&index| axes[index]);
        let sorted = order.map(|index| axes[index]);
        let plan = resize.reordered(order)?.plan(sorted.map(|axis| input[axis]), target.pick(order))?;
        let mut output = input.to_vec();
        for (&axis, size) in sorted.iter().zip(plan.output_size()) {
            output[axis] = size;
        }
        Ok(Self { plan, input: input.to_vec(), output, axes: sorted })
    }

    /// The order of axes that puts those resized last.
    fn order(&self) -> Vec<usize> {
        let others = (0..self.input.len()).filter(|axis| !self.axes.contains(axis));
        others.chain(self.axes).collect()
    }

    fn forward<A: Element>(&self, x: ArrayViewD<'_, A>) -> Result<ArrayD<A>, Error> {
        self.run(x, "output", &self.output, &|x, y| self.plan.forward_into(x, y))
    }

    fn input_gradient<A: FloatElement>(&self, dy: ArrayViewD<'_, A>) -> Result<ArrayD<A>, Error> {
        if dy.ndim() != self.output.len() {
            return Err(Error::AxisCount { argument: "output gradient", expected: self.output.len(), found: dy.ndim() });
        }
        for (axis, (&expected, &found)) in self.output.iter().zip(dy.shape()).enumerate() {
            if expected != found {
                return Err(Error::ShapeMismatch { argument: "output gradient", axis: Axis::Number(axis), expected, found });
            }
        }
        self.run(dy, "input gradient", &self.input, &|dy, dx| self.plan.input_gradient_into(dy, dx, Update::Overwrite))
    }

    fn run<A: Element>(
        &self,
        x: ArrayViewD<'_, A>,
        argument: &'static str,
        shape: &[usize],
        operator: &Operator<A, RANK>,
    ) -> Result<ArrayD<A>, Error> {
        let count = element_count::<A>(argument, shape)?;
        let mut elements = Vec::new();
        let bytes = count.saturating_mul(size_of::<A>());
        elements.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { argument, bytes })?;
        elements.resize(count, A::default());
        let mut y = ArrayD::from_shape_vec(shape, elements).map_err(|_| Error::TooLarge { argument, shape: shape.to_vec() })?;
        if y.is_empty() {
            return Ok(y);
        }
        let order = IxDyn(&self.order());
        apply(x.permuted_axes(order.clone()), y.view_mut().permuted_axes(order), operator)?;
        Ok(y)
    }
}

type Operator<'f, A, const RANK: usize> = dyn Fn(Tensor<'_, A, RANK>, TensorMut<'_, A, RANK>) -> Result<(), Error> + 'f;

/// Runs over all axes in front of the last `RANK`; the two of them next to those become batch and channels.
fn apply<A, const RANK: usize>(x: ArrayViewD<'_, A>, mut y: ArrayViewMutD<'_, A>, operator: &Operator<A, RANK>) -> Result<(), Error> {
    if x.ndim() > RANK + 2 {
        return x.outer_iter().zip(y.outer_iter_mut()).try_for_each(|(x, y)| apply(x, y, operator));
    }
    let (mut x, mut y) = (x, y);
    for _ in x.ndim()..RANK + 2 {
        (x, y) = (x.insert_axis(NdAxis(0)), y.insert_axis(NdAxis(0)));
    }
    for _ in RANK..3 {
        (x, y) = (x.insert_axis(NdAxis(2)), y.insert_axis(NdAxis(2)));
    }
    let wrong = |_| Error::AxisCount { argument: "input", expected: 5, found: 0 };
    let x: ArrayView5<'_, A> = x.into_dimensionality::<Ix5>().map_err(wrong)?;
    let y: ArrayViewMut5<'_, A> = y.into_dimensionality::<Ix5>().map_err(wrong)?;
    operator(Tensor::from_view5(x), TensorMut::from_view5(y))
}

impl<T: Copy> PerAxis<T> {
    /// The values in another order of the axes.
    pub(crate) fn reordered<const RANK: usize>(&self, argument: &'static str, order: [usize; RANK]) -> Result<Self, Error> {
        let values = self.resolve::<RANK>(argument)?;
        Ok(Self::Each(order.map(|index| values[index]).into()))
    }
}
