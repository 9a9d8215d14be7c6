//! A convolution of any kind for a given size, and one with its weights packed.

use ndarray::{Array1, ArrayRef1};

use super::engine::bias_gradient;
use super::engine::packed_weights::Packed;
use super::engine::phases::Direction;
use super::grids::{Call, Grids};
use super::resized::ResizedConvolution;
use crate::element::FloatElement;
use crate::error::Error;
use crate::memory::MemoryUse;
use crate::output_size::Window;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut};
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
    operator: Operator<RANK>,
    windows: [Window; RANK],
}

#[derive(Debug, Clone)]
enum Operator<const RANK: usize> {
    /// A transposed convolution, whose forward call expands, or a convolution, whose forward call contracts.
    Grids {
        pair: Grids<RANK>,
        forward: Direction,
    },
    Resized(ResizedConvolution<RANK>),
}

/// What sizes are planned for.
impl<const RANK: usize> ConvPlan<RANK> {
    pub(crate) fn of_pair(pair: Grids<RANK>, forward: Direction, windows: [Window; RANK]) -> Self {
        Self { operator: Operator::Grids { pair, forward }, windows }
    }

    pub(crate) fn of_resized(resized: ResizedConvolution<RANK>, windows: [Window; RANK]) -> Self {
        Self { operator: Operator::Resized(resized), windows }
    }

    /// The spatial size of the input.
    #[must_use]
    pub fn input_size(&self) -> [usize; RANK] {
        match &self.operator {
            Operator::Grids { pair, forward: Direction::Expand } => pair.coarse,
            Operator::Grids { pair, .. } => pair.fine,
            Operator::Resized(resized) => resized.input_size(),
        }
    }

    /// The spatial size of the output.
    #[must_use]
    pub fn output_size(&self) -> [usize; RANK] {
        match &self.operator {
            Operator::Grids { pair, forward: Direction::Expand } => pair.fine,
            Operator::Grids { pair, .. } => pair.coarse,
            Operator::Resized(resized) => resized.output_size(),
        }
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
        let (x, weight) = (x.into(), weight.into());
        match &self.operator {
            Operator::Grids { pair, forward } => pair.run(Call::forward(*forward), &x, &weight, bias),
            Operator::Resized(resized) => resized.forward(&x, &weight, bias),
        }
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
        let (x, weight, y) = (x.into(), weight.into(), y.into());
        match &self.operator {
            Operator::Grids { pair, forward } => pair.run_into(Call::forward(*forward), &x, &weight, bias, y, Update::Overwrite),
            Operator::Resized(resized) => resized.forward_into(&x, &weight, bias, y),
        }
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
        let (dy, weight) = (dy.into(), weight.into());
        match &self.operator {
            Operator::Grids { pair, forward } => pair.run(Call::input_gradient(*forward), &dy, &weight, None),
            Operator::Resized(resized) => resized.input_gradient(&dy, &weight),
        }
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
        let (dy, weight, dx) = (dy.into(), weight.into(), dx.into());
        match &self.operator {
            Operator::Grids { pair, forward } => pair.run_into(Call::input_gradient(*forward), &dy, &weight, None, dx, update),
            Operator::Resized(resized) => resized.input_gradient_into(&dy, &weight, dx, update),
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
        match &self.operator {
            Operator::Grids { pair, forward } => {
                let [coarse, fine] = grids(*forward, &x, &dy);
                pair.weight_gradient((coarse.0, &coarse.1), (fine.0, &fine.1))
            }
            Operator::Resized(resized) => resized.weight_gradient(&x, &dy),
        }
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
        let (x, dy, dw) = (x.into(), dy.into(), dw.into());
        match &self.operator {
            Operator::Grids { pair, forward } => {
                let [coarse, fine] = grids(*forward, &x, &dy);
                pair.weight_gradient_into((coarse.0, &coarse.1), (fine.0, &fine.1), dw, update)
            }
            Operator::Resized(resized) => resized.weight_gradient_into(&x, &dy, dw, update),
        }
    }

    /// The gradient of the bias, C_out numbers: the sum of `dy` over batch and space.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size, [`Error::OutOfMemory`].
    pub fn bias_gradient<'y, A: FloatElement>(&self, dy: impl Into<Tensor<'y, A, RANK>>) -> Result<Array1<A>, Error> {
        let dy = dy.into();
        dy.expect_spatial("output gradient", self.output_size())?;
        bias_gradient::new(dy)
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
        bias_gradient::into(dy, db, update)
    }

    /// Packs the weights in the order in which the inner loop reads them, once for many calls.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the kernel is not the plan's, [`Error::Groups`] if the groups do not divide the first axis of the
    /// weight, [`Error::OutOfMemory`].
    pub fn prepare<'w, A: FloatElement>(&self, weight: impl Into<Tensor<'w, A, RANK>>) -> Result<PreparedConv<A, RANK>, Error> {
        let weight = weight.into();
        let packed = match &self.operator {
            Operator::Grids { pair, forward } => pair.pack(*forward, &weight)?,
            Operator::Resized(resized) => resized.pack_forward(&weight)?,
        };
        Ok(PreparedConv { plan: self.clone(), packed })
    }
}

/// Coarse and fine grid of the weight gradient, with their names in errors.
fn grids<'a, 'x: 'a, 'y: 'a, A, const RANK: usize>(
    forward: Direction,
    x: &Tensor<'x, A, RANK>,
    dy: &Tensor<'y, A, RANK>,
) -> [(&'static str, Tensor<'a, A, RANK>); 2] {
    let (x, dy) = (("input", Tensor::from_view5(x.view5())), ("output gradient", Tensor::from_view5(dy.view5())));
    if forward == Direction::Expand { [x, dy] } else { [dy, x] }
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
        let (x, weight) = (x.into(), weight.into());
        match &self.operator {
            Operator::Grids { pair, forward } => pair.memory(Call::forward(*forward), &x, &weight),
            Operator::Resized(resized) => resized.forward_memory(&x, &weight),
        }
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
        match &self.operator {
            Operator::Grids { pair, forward } => pair.memory(Call::input_gradient(*forward), &dy, &weight),
            Operator::Resized(resized) => resized.input_gradient_memory(&dy, &weight),
        }
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
        match &self.operator {
            Operator::Grids { pair, forward } => {
                let [coarse, fine] = grids(*forward, &x, &dy);
                pair.weight_gradient_memory((coarse.0, &coarse.1), (fine.0, &fine.1))
            }
            Operator::Resized(resized) => resized.weight_gradient_memory(&x, &dy),
        }
    }
}

/// A [`ConvPlan`] with its weights packed: what inference runs.
///
/// ```
/// use ndarray::Array4;
/// use upsample::ConvTranspose;
///
/// let (x, weight) = (Array4::<f32>::ones((1, 8, 16, 16)), Array4::<f32>::ones((8, 3, 2, 2)));
/// let deconv = ConvTranspose::new().stride(2);
/// let fast = deconv.prepare(&weight, [16, 16])?;
/// assert_eq!(fast.forward(&x, None)?, deconv.forward(&x, &weight, None)?); // the same bits
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
        let x = x.into();
        match &self.plan.operator {
            Operator::Grids { pair, forward } => pair.run_packed(Call::forward(*forward), &self.packed, &x, bias),
            Operator::Resized(resized) => resized.run_packed(&self.packed, &x, bias),
        }
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
        let (x, y) = (x.into(), y.into());
        match &self.plan.operator {
            Operator::Grids { pair, forward } => {
                pair.run_packed_into(Call::forward(*forward), &self.packed, &x, bias, y, Update::Overwrite)
            }
            Operator::Resized(resized) => resized.run_packed_into(&self.packed, &x, bias, y),
        }
    }

    /// What [`forward`](Self::forward) takes of memory at most for this input; only its shape and layout count. The packed weights, which
    /// are there already, are counted.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_memory<'x>(&self, x: impl Into<Tensor<'x, A, RANK>>) -> Result<MemoryUse, Error> {
        let x = x.into();
        match &self.plan.operator {
            Operator::Grids { pair, forward } => pair.packed_memory(Call::forward(*forward), &self.packed, &x),
            Operator::Resized(resized) => resized.packed_memory(&self.packed, &x),
        }
    }
}
