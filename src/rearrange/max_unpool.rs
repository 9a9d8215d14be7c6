//! Max unpooling: values go back to where max pooling found them.

use ndarray::{Array5, ArrayView5, ArrayViewMut5, Axis as NdAxis, s};

use super::indices::{IndexSpace, Targets};
use super::{expect_pixels, expect_shape, row_major, write_row_major};
use crate::error::{Axis, Error};
use crate::memory::uninit;
use crate::output_size::element_count;
use crate::tasks::for_each_part;
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
/// **When to choose it:** in the decoder of a network whose encoder pools by maximum, to have edges where they were: a mean IoU of 0.871 in
/// the example `segment`, transposed convolution 0.866, bilinear 0.857. It learns nothing, and three quarters of its output are zeros, so
/// convolutions have to follow. For 64 channels of 64×64 pixels to 128×128 in `f32`, one thread, it takes 0.31 ms, bilinear 0.55 ms. The
/// crate's [front page](crate) compares all.
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

    /// The unpooled picture, N×C×size, of the values `x` and their indices, both N×C×spatial.
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
        let (x, shape) = (x.view5(), five_axes(x.batch(), x.channels(), self.output));
        uninit::filled_by_pieces("output", shape, A::default(), targets.axes(), &puts(&targets, &x)).map(Spatial::<RANK>::narrow)
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
        write_row_major(y.into_view5(), targets.axes(), &puts(&targets, &x.view5()))
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
        let (dy, mut marks) = (row_major(dy.view5())?, self.marks(&indices)?);
        let mut dx = uninit::filled("gradient", indices.view5().dim().into(), A::default())?;
        gather(&targets, dy.as_slice().unwrap_or_default(), marks.view_mut(), dx.view_mut());
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
        let (dy, mut marks) = (row_major(dy.view5())?, self.marks(&indices)?);
        gather(&targets, dy.as_slice().unwrap_or_default(), marks.view_mut(), dx.into_view5());
        Ok(())
    }

    fn gradient_targets<'b, A>(&self, dy: &Tensor<'_, A, RANK>, indices: &Tensor<'b, i64, RANK>) -> Result<Targets<'b>, Error> {
        dy.expect_batch_channels("gradient of the output", indices.batch(), indices.channels())?;
        dy.expect_spatial("gradient of the output", self.output)?;
        self.targets::<A>(indices)
    }

    /// A bit for every element of the output, those of a plane in words of their own.
    fn marks(&self, indices: &Tensor<'_, i64, RANK>) -> Result<Array5<u64>, Error> {
        let words = self.output.iter().product::<usize>().div_ceil(64);
        uninit::filled("marks of the gradient", [indices.batch(), indices.channels(), 1, 1, words], 0)
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

/// What puts each value of `x` into a piece of zeros, where its index points to.
fn puts<'a, A: Copy + Sync>(targets: &'a Targets<'_>, x: &'a ArrayView5<'_, A>) -> impl Fn([usize; 5], ArrayViewMut5<'_, A>) + Sync {
    |origin, mut piece| {
        let elements = piece.as_slice_mut().unwrap_or_default(); // never missing: pieces are row-major
        targets.scatter(x, targets.first_plane(origin), elements, |y, x| *y = x);
    }
}

/// Hands each value of `dy` back to the last index that points to it. Going backwards, the first index met is the last one; it leaves
/// its mark.
fn gather<A: Copy + Default + Send + Sync>(targets: &Targets<'_>, dy: &[A], marks: ArrayViewMut5<'_, u64>, dx: ArrayViewMut5<'_, A>) {
    let pixels = targets.pixels();
    for_each_part((dx, marks), targets.axes(), &|origin, (mut dx, mut marks): (ArrayViewMut5<'_, A>, ArrayViewMut5<'_, u64>)| {
        let first = targets.first_plane(origin);
        let values = &dy[first * pixels..];
        let marks = marks.as_slice_mut().unwrap_or_default(); // never missing: pieces are row-major
        let (batch, channels, ..) = dx.dim();
        for (n, c) in (0..batch).rev().flat_map(|n| (0..channels).rev().map(move |c| (n, c))) {
            let plane = first + n * channels + c;
            let (mut dx, mut indices, element) =
                (dx.slice_mut(s![n, c, .., .., ..]), targets.indices_of(plane), targets.element(plane, first));
            let mut hand_back = |value: &mut A, index: i64| {
                let element = element(index);
                let (before, bit) = (marks[element / 64], 1 << (element % 64));
                marks[element / 64] = before | bit;
                *value = if before & bit == 0 { values[element] } else { A::default() };
            };
            if let (Some(dx), Some(indices)) = (dx.as_slice_mut(), indices.to_slice()) {
                dx.iter_mut().zip(indices).rev().for_each(|(value, &index)| hand_back(value, index));
            } else {
                (0..3).for_each(|axis| dx.invert_axis(NdAxis(axis)));
                (0..3).for_each(|axis| indices.invert_axis(NdAxis(axis)));
                dx.iter_mut().zip(indices).for_each(|(value, &index)| hand_back(value, index));
            }
        }
    });
}
