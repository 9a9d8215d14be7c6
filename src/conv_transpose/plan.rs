//! A transposed convolution of a given size, and one with its weights packed.

use ndarray::{Array1, ArrayRef1};

use super::bias_gradient;
use super::pair::{Call, Pair};
use super::panels::Packed;
use super::params::Parameters;
use super::phases::Direction;
use crate::element::FloatElement;
use crate::error::Error;
use crate::memory::MemoryUse;
use crate::output_size::Window;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut};

const FORWARD: Call = Call { direction: Direction::Expand, source: "input", target: "output" };
const BACKWARD: Call = Call { direction: Direction::Contract, source: "output gradient", target: "input gradient" };

/// A [`ConvTranspose`](crate::ConvTranspose) for a spatial size of input and kernel, checked once. Any number of threads can run it, with
/// any batch and any weights of that kernel.
///
/// ```
/// use ndarray::Array4;
/// use upsample::ConvTranspose;
///
/// let plan = ConvTranspose::doubling(4)?.plan([16, 24], [4, 4])?;
/// assert_eq!(plan.output_size(), [32, 48]);
/// let (x, weight) = (Array4::<f32>::ones((2, 8, 16, 24)), Array4::<f32>::ones((8, 3, 4, 4)));
/// let mut y = plan.forward(&x, &weight, None)?;
/// plan.forward_into(&x, &weight, None, &mut y)?; // or into memory of yours
///
/// let mut dw = plan.weight_gradient(&x, &y)?;
/// plan.weight_gradient_add_into(&x, &y, &mut dw)?; // of two batches together
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConvTransposePlan<const RANK: usize> {
    pair: Pair<RANK>,
    windows: [Window; RANK],
}

/// What sizes are planned for.
impl<const RANK: usize> ConvTransposePlan<RANK> {
    pub(crate) fn new(input: [usize; RANK], output: [usize; RANK], windows: [Window; RANK], parameters: &Parameters) -> Self {
        Self { pair: Pair::new(input, output, &windows, parameters), windows }
    }

    /// The spatial size of the input.
    #[must_use]
    pub fn input_size(&self) -> [usize; RANK] {
        self.pair.coarse
    }

    /// The spatial size of the output.
    #[must_use]
    pub fn output_size(&self) -> [usize; RANK] {
        self.pair.fine
    }

    /// The size of the kernel.
    #[must_use]
    pub fn kernel_size(&self) -> [usize; RANK] {
        self.pair.kernel
    }

    /// The window of each axis, with the padding that was given or computed.
    #[must_use]
    pub fn windows(&self) -> [Window; RANK] {
        self.windows
    }
}

/// What writes into the caller's memory. An output keeps its content if there is an error.
impl<const RANK: usize> ConvTransposePlan<RANK> {
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
        self.pair.weight_gradient_into(("input", &x.into()), ("output gradient", &dy.into()), dw.into())
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
        self.pair.weight_gradient_add_into(("input", &x.into()), ("output gradient", &dy.into()), dw.into())
    }

    /// [`bias_gradient`](Self::bias_gradient) into `db`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size or `db` not an entry for each channel.
    pub fn bias_gradient_into<'y, A: FloatElement>(&self, dy: impl Into<Tensor<'y, A, RANK>>, db: &mut ArrayRef1<A>) -> Result<(), Error> {
        bias_gradient::into(self.check_output_gradient(dy.into())?, db)
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
        bias_gradient::add_into(self.check_output_gradient(dy.into())?, db)
    }

    /// The gradient of the bias, C_out numbers: the sum of `dy`, N×C_out×spatial, over batch and space.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `dy` does not have the output's size, [`Error::OutOfMemory`].
    pub fn bias_gradient<'y, A: FloatElement>(&self, dy: impl Into<Tensor<'y, A, RANK>>) -> Result<Array1<A>, Error> {
        bias_gradient::new(self.check_output_gradient(dy.into())?)
    }

    fn check_output_gradient<'y, A>(&self, dy: Tensor<'y, A, RANK>) -> Result<Tensor<'y, A, RANK>, Error> {
        dy.expect_spatial("output gradient", self.pair.fine)?;
        Ok(dy)
    }

    /// Packs the weights in the order in which the inner loop reads them, once for many calls.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the kernel is not the plan's, [`Error::Groups`] if the groups do not divide the input channels,
    /// [`Error::OutOfMemory`].
    pub fn prepare<'w, A: FloatElement>(&self, weight: impl Into<Tensor<'w, A, RANK>>) -> Result<PreparedConvTranspose<A, RANK>, Error> {
        let packed = self.pair.pack(Direction::Expand, &weight.into())?;
        Ok(PreparedConvTranspose { plan: self.clone(), packed })
    }
}

/// What returns new arrays.
impl<const RANK: usize> ConvTransposePlan<RANK>
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
        self.pair.weight_gradient(("input", &x.into()), ("output gradient", &dy.into()))
    }
}

/// The memory that calls take, known beforehand. Only the arguments' shapes, type and layout count. Gradients of the bias take their
/// output.
impl<const RANK: usize> ConvTransposePlan<RANK> {
    /// What [`forward`](Self::forward) takes of memory at most, packed weights included.
    ///
    /// ```
    /// use ndarray::Array4;
    /// use upsample::ConvTranspose;
    ///
    /// let (x, weight) = (Array4::<f32>::ones((2, 8, 64, 64)), Array4::<f32>::ones((8, 3, 2, 2)));
    /// let plan = ConvTranspose::new().stride(2).plan([64, 64], [2, 2])?;
    /// let memory = plan.forward_memory(&x, &weight)?;
    /// assert_eq!(memory.output_bytes, 2 * 3 * 128 * 128 * 4);
    /// assert!(memory.scratch_bytes(4) < 4 << 20); // bounded by the caches, whatever the picture
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
        self.pair.weight_gradient_memory(("input", &x.into()), ("output gradient", &dy.into()))
    }
}

/// A transposed convolution with its size planned and its weights packed: what inference runs.
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
pub struct PreparedConvTranspose<A: FloatElement, const RANK: usize> {
    plan: ConvTransposePlan<RANK>,
    packed: Packed<A::Row>,
}

impl<A: FloatElement, const RANK: usize> PreparedConvTranspose<A, RANK> {
    /// The sizes it was planned for.
    #[must_use]
    pub fn plan(&self) -> &ConvTransposePlan<RANK> {
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

    /// [`ConvTransposePlan::forward_into`] with the packed weights.
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

    /// [`ConvTransposePlan::forward`] with the packed weights.
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
