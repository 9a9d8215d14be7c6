//! A convolution of any kind for a given size, and one with its weights packed.

use ndarray::{Array1, Array5, ArrayRef1};

use super::engine::{Direction, Packed};
use super::grids::Grids;
use super::operator::Operator;
use super::resized::ResizedConvolution;
use crate::element::FloatElement;
use crate::error::Error;
use crate::memory::MemoryUse;
use crate::output_size::Window;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, last_axes};
use crate::update::Update;

/// A [`ConvTranspose`](crate::ConvTranspose), [`Convolution`](crate::Convolution) or [`ResizeConv`](crate::ResizeConv) for a spatial size
/// of input and kernel, checked once. Any number of threads can run it, with any batch and any weights of that kernel.
///
/// `x` is N×C_in×spatial, `y` and `dy` are N×C_out×spatial. Weights are `C_in × C_out/groups × kernel` of a transposed and of a
/// resize-convolution, `C_out × C_in/groups × kernel` of a convolution. The bias has an entry for each output channel.
///
/// ```
/// use ndarray::Array4;
/// use upsample::{ConvTranspose, Update};
///
/// let plan = ConvTranspose::doubling(4)?.plan([16, 24], [4, 4])?;
/// assert_eq!(plan.output_size(), [32, 48]);
/// let (x, weight) = (Array4::<f32>::ones((2, 8, 16, 24)), Array4::<f32>::ones((8, 3, 4, 4)));
/// let mut y = plan.forward(&x, &weight, None)?;
/// plan.forward_into(&x, &weight, None, &mut y)?; // or into memory of yours
///
/// let mut dw = plan.weight_gradient(&x, &y)?;
/// plan.weight_gradient_into(&x, &y, &mut dw, Update::Add)?; // of two batches together
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConvPlan<const RANK: usize> {
    operator: Operator,
    windows: [Window; RANK],
}

/// What sizes are planned for.
impl<const RANK: usize> ConvPlan<RANK> {
    pub(crate) fn of_grids(grids: Grids, forward: Direction, windows: [Window; RANK]) -> Self {
        Self { operator: Operator::Grids { grids, forward }, windows }
    }

    pub(crate) fn of_resized(resized: ResizedConvolution, windows: [Window; RANK]) -> Self {
        Self { operator: Operator::Resized(resized), windows }
    }

    /// The spatial size of the input.
    #[must_use]
    pub fn input_size(&self) -> [usize; RANK] {
        last_axes(self.operator.input_size())
    }

    /// The spatial size of the output.
    #[must_use]
    pub fn output_size(&self) -> [usize; RANK] {
        last_axes(self.operator.output_size())
    }

    /// The size of the kernel.
    #[must_use]
    pub fn kernel_size(&self) -> [usize; RANK] {
        self.windows.map(|window| window.kernel)
    }

    /// The window of each axis, with the padding that was given or computed.
    #[must_use]
    pub fn windows(&self) -> [Window; RANK] {
        self.windows
    }

    /// Whether no enlarged picture is made. Only a [`ResizeConv`](crate::ResizeConv) may need one: where pixels are not repeated a whole
    /// number of times.
    #[must_use]
    pub fn is_fused(&self) -> bool {
        match &self.operator {
            Operator::Grids { .. } => true,
            Operator::Resized(resized) => resized.is_fused(),
        }
    }
}

/// What runs.
impl<const RANK: usize> ConvPlan<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// The output, a new array, channels last if `x` has them last.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if sizes are not the plan's or channels do not fit each other, [`Error::Groups`] if the groups do not
    /// divide the channels, [`Error::TooLarge`] and [`Error::OutOfMemory`].
    pub fn forward<'x, 'w, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Output<A, RANK>, Error> {
        narrow::<A, RANK>(A::forward(&self.operator, &x.into().widened(), &weight.into().widened(), bias))
    }

    /// [`forward`](Self::forward) into `y`, which keeps its content if there is an error.
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
        let y = y.into().widened();
        A::forward_into(&self.operator, &x.into().widened(), &weight.into().widened(), bias, y).map_err(Error::of_rank::<RANK>)
    }

    /// The gradient of the input, given that of the output, `dy`: the exact adjoint, `<forward(x), dy> = <x, input_gradient(dy)>`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn input_gradient<'y, 'w, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
    ) -> Result<Output<A, RANK>, Error> {
        narrow::<A, RANK>(A::input_gradient(&self.operator, &dy.into().widened(), &weight.into().widened()))
    }

    /// [`input_gradient`](Self::input_gradient) into `dx`, which keeps its content if there is an error.
    ///
    /// # Errors
    /// As [`forward_into`](Self::forward_into).
    pub fn input_gradient_into<'y, 'w, 'x, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        weight: impl Into<Tensor<'w, A, RANK>>,
        dx: impl Into<TensorMut<'x, A, RANK>>,
        update: Update,
    ) -> Result<(), Error> {
        let dx = dx.into().widened();
        A::input_gradient_into(&self.operator, &dy.into().widened(), &weight.into().widened(), dx, update).map_err(Error::of_rank::<RANK>)
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
        narrow::<A, RANK>(A::weight_gradient(&self.operator, &x.into().widened(), &dy.into().widened()))
    }

    /// [`weight_gradient`](Self::weight_gradient) into `dw`, which keeps its content if there is an error.
    ///
    /// # Errors
    /// As [`forward_into`](Self::forward_into).
    pub fn weight_gradient_into<'x, 'y, 'w, A: FloatElement>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        dy: impl Into<Tensor<'y, A, RANK>>,
        dw: impl Into<TensorMut<'w, A, RANK>>,
        update: Update,
    ) -> Result<(), Error> {
        let dw = dw.into().widened();
        A::weight_gradient_into(&self.operator, &x.into().widened(), &dy.into().widened(), dw, update).map_err(Error::of_rank::<RANK>)
    }

    /// The gradient of the bias, C_out numbers: the sum of `dy` over batch and space.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size, [`Error::OutOfMemory`].
    pub fn bias_gradient<'y, A: FloatElement>(&self, dy: impl Into<Tensor<'y, A, RANK>>) -> Result<Array1<A>, Error> {
        let dy = dy.into();
        dy.expect_spatial("output gradient", self.output_size())?;
        A::bias_gradient(&dy.widened())
    }

    /// [`bias_gradient`](Self::bias_gradient) into `db`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size or `db` not an entry for each channel.
    pub fn bias_gradient_into<'y, A: FloatElement>(
        &self,
        dy: impl Into<Tensor<'y, A, RANK>>,
        db: &mut ArrayRef1<A>,
        update: Update,
    ) -> Result<(), Error> {
        let dy = dy.into();
        dy.expect_spatial("output gradient", self.output_size())?;
        A::bias_gradient_into(&dy.widened(), db, update)
    }

    /// Packs the weights in the order in which the inner loop reads them, once for many calls.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the kernel is not the plan's, [`Error::Groups`] if the groups do not divide the first axis of the
    /// weight, [`Error::OutOfMemory`].
    pub fn prepare<'w, A: FloatElement>(&self, weight: impl Into<Tensor<'w, A, RANK>>) -> Result<PreparedConv<A, RANK>, Error> {
        let packed = A::prepare(&self.operator, &weight.into().widened()).map_err(Error::of_rank::<RANK>)?;
        Ok(PreparedConv { plan: self.clone(), packed })
    }
}

/// An output of the axes that there are.
fn narrow<A, const RANK: usize>(output: Result<Array5<A>, Error>) -> Result<Output<A, RANK>, Error>
where
    Spatial<RANK>: SpatialRank,
{
    output.map(<Spatial<RANK> as SpatialRank>::narrow).map_err(Error::of_rank::<RANK>)
}

/// The memory that calls take, known beforehand. Only the arguments' shapes, type and layout count. Gradients of the bias take their
/// output.
impl<const RANK: usize> ConvPlan<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// What [`forward`](Self::forward) takes of memory at most, packed weights included, and the enlarged picture where there is one.
    ///
    /// ```
    /// use ndarray::Array4;
    /// use upsample::{ConvTranspose, ResizeConv};
    ///
    /// let (x, weight) = (Array4::<f32>::ones((2, 8, 64, 64)), Array4::<f32>::ones((8, 3, 2, 2)));
    /// let plan = ConvTranspose::new().stride(2).plan([64, 64], [2, 2])?;
    /// let memory = plan.forward_memory(&x, &weight)?;
    /// assert_eq!(memory.output_bytes, 2 * 3 * 128 * 128 * 4);
    /// assert!(memory.scratch_bytes(4) < 4 << 20); // bounded by the caches, whatever the picture
    ///
    /// let memory = ResizeConv::doubling(2)?.plan([64, 64], [2, 2])?.forward_memory(&x, &weight)?;
    /// assert!(memory.scratch_bytes(1) < 2 * 8 * 128 * 128 * 4); // less than the enlarged picture, which is not made
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
        A::forward_memory(&self.operator, &x.into().widened(), &weight.into().widened()).map_err(Error::of_rank::<RANK>)
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
        A::input_gradient_memory(&self.operator, &dy.into().widened(), &weight.into().widened()).map_err(Error::of_rank::<RANK>)
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
        A::weight_gradient_memory(&self.operator, &x.into().widened(), &dy.into().widened()).map_err(Error::of_rank::<RANK>)
    }
}

/// A [`ConvPlan`] with its weights packed: what inference runs.
///
/// The results are those of the plan's calls but for rounding, because packed weights take fewer multiplications for smaller pictures:
/// [`Precision`](crate::Precision). With `Strict` they are the same bits.
///
/// ```
/// use ndarray::Array4;
/// use upsample::ConvTranspose;
///
/// let (x, weight) = (Array4::<f32>::ones((1, 8, 16, 16)), Array4::<f32>::ones((8, 3, 2, 2)));
/// let deconv = ConvTranspose::new().stride(2);
/// let fast = deconv.prepare(&weight, [16, 16])?;
/// assert_eq!(fast.forward(&x, None)?, deconv.forward(&x, &weight, None)?);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PreparedConv<A: FloatElement, const RANK: usize> {
    plan: ConvPlan<RANK>,
    packed: Packed<A::Row>,
}

impl<A: FloatElement, const RANK: usize> PreparedConv<A, RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// The sizes it was planned for.
    #[must_use]
    pub fn plan(&self) -> &ConvPlan<RANK> {
        &self.plan
    }

    /// [`ConvPlan::forward`] with the packed weights.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if shapes do not fit the plan and the weights, [`Error::TooLarge`] and [`Error::OutOfMemory`].
    pub fn forward<'x>(&self, x: impl Into<Tensor<'x, A, RANK>>, bias: Option<&ArrayRef1<A>>) -> Result<Output<A, RANK>, Error> {
        narrow::<A, RANK>(A::run_packed(&self.plan.operator, &self.packed, &x.into().widened(), bias))
    }

    /// [`ConvPlan::forward_into`] with the packed weights.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if shapes do not fit the plan and the weights, [`Error::OutOfMemory`]; `y` then keeps its content.
    pub fn forward_into<'x, 'y>(
        &self,
        x: impl Into<Tensor<'x, A, RANK>>,
        bias: Option<&ArrayRef1<A>>,
        y: impl Into<TensorMut<'y, A, RANK>>,
    ) -> Result<(), Error> {
        A::run_packed_into(&self.plan.operator, &self.packed, &x.into().widened(), bias, y.into().widened()).map_err(Error::of_rank::<RANK>)
    }

    /// What [`forward`](Self::forward) takes of memory at most for this input; only its shape and layout count. The packed weights, which
    /// are there already, are counted.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_memory<'x>(&self, x: impl Into<Tensor<'x, A, RANK>>) -> Result<MemoryUse, Error> {
        A::packed_memory(&self.plan.operator, &self.packed, &x.into().widened()).map_err(Error::of_rank::<RANK>)
    }
}
