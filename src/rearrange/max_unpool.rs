//! Max unpooling: values go back to where max pooling found them.

use ndarray::Axis as NdAxis;

use super::indices::{IndexSpace, Targets};
use super::{elements, elements_mut, expect_pixels, expect_shape, row_major, write_row_major};
use crate::alloc;
use crate::error::{Axis, Error};
use crate::output_size::element_count;
use crate::pieces::{Planes, for_each_piece};
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, five_axes, three_axes};

/// Max unpooling: a larger picture of zeros, with each value at its index.
///
/// Where several indices are the same, the value that comes last in row-major order stays, for any number of threads. (PyTorch and ONNX
/// leave this case undefined.) Everything else is `A::default()`, zero for numbers.
///
/// | whose numbers | how |
/// |---|---|
/// | PyTorch `max_unpool1d`, `2d`, `3d` with `output_size` | `MaxUnpool::to(size)` |
/// | ONNX `MaxUnpool` without `output_shape` | `MaxUnpool::to(size).index_space(IndexSpace::Tensor)` |
/// | ONNX `MaxUnpool` with `output_shape`, as the standard's own test has it: indices count in the tensor that would come without it | `MaxUnpool::to(output_shape).index_space(IndexSpace::Tensor).counted_in(inferred)` |
/// | the same as ONNX Runtime has it: indices count in the output | `MaxUnpool::to(output_shape).index_space(IndexSpace::Tensor)` |
///
/// The size that ONNX infers is that of a transposed convolution, [`conv_transpose`](crate::output_size::conv_transpose).
/// [`MaxPool::unpool`](super::MaxPool::unpool) makes the unpooling that belongs to a pooling.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::MaxUnpool;
///
/// let y = MaxUnpool::to([2, 4]).forward(&array![[[[5.0, 8.0]]]], &array![[[[1, 6]]]])?;
/// assert_eq!(y, array![[[[0.0, 5.0, 0.0, 0.0], [0.0, 0.0, 8.0, 0.0]]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// Sources: Zeiler and Fergus, *Visualizing and Understanding Convolutional Networks*, 2014; Badrinarayanan, Kendall and Cipolla,
/// *SegNet*, 2017.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[doc(alias("max_unpool2d", "MaxUnpool2d", "unpooling"))]
pub struct MaxUnpool<const RANK: usize> {
    output: [usize; RANK],
    counted: [usize; RANK],
    index_space: IndexSpace,
}

impl<const RANK: usize> MaxUnpool<RANK> {
    /// Unpooling to pictures of `size`, in which the indices count.
    #[must_use]
    pub const fn to(size: [usize; RANK]) -> Self {
        Self { output: size, counted: size, index_space: IndexSpace::Plane }
    }

    /// Sets what the indices count.
    #[must_use]
    pub fn index_space(self, index_space: IndexSpace) -> Self {
        Self { index_space, ..self }
    }

    /// Lets the indices count in pictures of `size`, at most as large as the output, at whose beginning they then stand.
    #[must_use]
    pub fn counted_in(self, size: [usize; RANK]) -> Self {
        Self { counted: size, ..self }
    }

    /// The unpooled picture.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] unless `indices` has the shape of `x`, [`Error::IndexOutOfRange`], [`Error::InvalidAxisParameter`]
    /// where indices count in a picture larger than the output, [`Error::ZeroSize`], and the errors of taking memory.
    pub fn forward<'a, 'b, A>(
        &self,
        x: impl Into<Tensor<'a, A, RANK>>,
        indices: impl Into<Tensor<'b, i64, RANK>>,
    ) -> Result<Output<A, RANK>, Error>
    where
        A: Copy + Default + Send + Sync + 'a,
        Spatial<RANK>: SpatialRank,
    {
        let (x, indices) = (x.into(), indices.into());
        self.expect_like_indices(&x, &indices)?;
        let targets = self.targets::<A>(&indices)?;
        let mut y = alloc::filled("output", five_axes(x.batch(), x.channels(), self.output), A::default())?;
        targets.scatter(&x.view5(), elements_mut(&mut y), |y, x| *y = x);
        Ok(Spatial::<RANK>::narrow(y))
    }

    /// [`forward`](Self::forward) into an output of yours.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward). Nothing is written then.
    pub fn forward_into<'a, 'b, 'c, A>(
        &self,
        x: impl Into<Tensor<'a, A, RANK>>,
        indices: impl Into<Tensor<'b, i64, RANK>>,
        y: impl Into<TensorMut<'c, A, RANK>>,
    ) -> Result<(), Error>
    where
        A: Copy + Default + Send + Sync + 'a + 'c,
    {
        let (x, indices, y) = (x.into(), indices.into(), y.into());
        expect_shape("output", &y, x.batch(), x.channels(), self.output)?;
        self.expect_like_indices(&x, &indices)?;
        let targets = self.targets::<A>(&indices)?;
        write_row_major(y.into_view5(), |y| targets.scatter(&x.view5(), y, |y, x| *y = x))
    }

    /// The gradient with respect to `x`: of each value the pixel of `dy` at its index, and zero for values that another one overwrote.
    ///
    /// (PyTorch hands the pixel to every value with that index, which is not the gradient of what was computed; without
    /// repeated indices the two agree.)
    ///
    /// # Errors
    /// As [`forward`](Self::forward), with [`Error::ShapeMismatch`] unless `dy` has the output's shape.
    pub fn input_gradient<'a, 'b, A>(
        &self,
        dy: impl Into<Tensor<'a, A, RANK>>,
        indices: impl Into<Tensor<'b, i64, RANK>>,
    ) -> Result<Output<A, RANK>, Error>
    where
        A: Copy + Default + Send + Sync + 'a,
        Spatial<RANK>: SpatialRank,
    {
        let (dy, indices) = (dy.into(), indices.into());
        let targets = self.gradient_targets(&dy, &indices)?;
        let dy = row_major(dy.view5())?;
        let mut seen = alloc::filled("marks of the gradient", dy.dim().into(), false)?;
        let mut dx = alloc::filled("gradient", indices.view5().dim().into(), A::default())?;
        gather(&targets, elements(&dy), elements_mut(&mut seen), elements_mut(&mut dx));
        Ok(Spatial::<RANK>::narrow(dx))
    }

    /// [`input_gradient`](Self::input_gradient) into an array of yours.
    ///
    /// # Errors
    /// Those of [`input_gradient`](Self::input_gradient). Nothing is written then.
    pub fn input_gradient_into<'a, 'b, 'c, A>(
        &self,
        dy: impl Into<Tensor<'a, A, RANK>>,
        indices: impl Into<Tensor<'b, i64, RANK>>,
        dx: impl Into<TensorMut<'c, A, RANK>>,
    ) -> Result<(), Error>
    where
        A: Copy + Default + Send + Sync + 'a + 'c,
    {
        let (dy, indices, dx) = (dy.into(), indices.into(), dx.into());
        expect_shape("gradient", &dx, indices.batch(), indices.channels(), indices.spatial())?;
        let targets = self.gradient_targets(&dy, &indices)?;
        let dy = row_major(dy.view5())?;
        let mut seen = alloc::filled("marks of the gradient", dy.dim().into(), false)?;
        write_row_major(dx.into_view5(), |dx| gather(&targets, elements(&dy), elements_mut(&mut seen), dx))
    }

    fn gradient_targets<'b, A>(&self, dy: &Tensor<'_, A, RANK>, indices: &Tensor<'b, i64, RANK>) -> Result<Targets<'b>, Error> {
        dy.expect_batch_channels("gradient of the output", indices.batch(), indices.channels())?;
        dy.expect_spatial("gradient of the output", self.output)?;
        self.targets::<A>(indices)
    }

    fn expect_like_indices<A>(&self, x: &Tensor<'_, A, RANK>, indices: &Tensor<'_, i64, RANK>) -> Result<(), Error> {
        indices.expect_batch_channels("indices", x.batch(), x.channels())?;
        indices.expect_spatial("indices", x.spatial())
    }

    fn targets<'b, A>(&self, indices: &Tensor<'b, i64, RANK>) -> Result<Targets<'b>, Error> {
        expect_pixels("indices", indices)?;
        for index in 0..RANK {
            let (axis, value, output) = (Axis::spatial(RANK, index), self.counted[index], self.output[index]);
            if output == 0 || value == 0 {
                return Err(Error::ZeroSize { argument: "output", axis });
            }
            if value > output {
                let requirement = format!("at most the output's ({output})");
                return Err(Error::InvalidAxisParameter { parameter: "size in which the indices count", axis, value, requirement });
            }
        }
        element_count::<A>("output", &five_axes(indices.batch(), indices.channels(), self.output))?;
        Targets::check(indices.view5(), self.index_space, three_axes(self.counted, 1), three_axes(self.output, 1))
    }
}

/// Hands each value of `dy` back to the last index that points to it. `seen` is false everywhere, one for each value of `dy`.
/// Going backwards, the first index met is the last one.
fn gather<A: Copy + Send + Sync>(targets: &Targets<'_>, dy: &[A], seen: &mut [bool], dx: &mut [A]) {
    let (pixels, pooled) = (targets.pixels(), targets.pooled_pixels());
    let outputs = (Planes { elements: dx, pixels: pooled }, Planes { elements: seen, pixels });
    for_each_piece(outputs, targets.axes(), &|[first, ..], (dx, seen): (Planes<'_, A>, Planes<'_, bool>)| {
        let values = dx.elements.chunks_exact_mut(pooled).enumerate().rev();
        for (plane, values) in values.map(|(plane, values)| (first + plane, values)) {
            let mut indices = targets.of(plane);
            (0..3).for_each(|axis| indices.invert_axis(NdAxis(axis)));
            for (value, &index) in values.iter_mut().rev().zip(indices) {
                let element = targets.element(plane, index);
                if !std::mem::replace(&mut seen.elements[element - first * pixels], true) {
                    *value = dy[element];
                }
            }
        }
    });
}
