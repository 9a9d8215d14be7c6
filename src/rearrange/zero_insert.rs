//! Zero insertion ("bed of nails") and its adjoint, keeping every n-th pixel.

use ndarray::{ArrayView5, ArrayViewMut5, Axis as NdAxis, Slice};

use super::{ANY_AXIS, copied, expect_pixels, expect_shape};
use crate::each_axis::EachAxis;
use crate::error::{Axis, Error};
use crate::memory::uninit;
use crate::tasks::for_each_part;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, five_axes, three_axes};

/// Whether zeros follow the last pixel.
///
/// ```
/// use upsample::rearrange::{NailSpan, zero_insert};
///
/// let x = ndarray::array![[[1, 2]]];
/// assert_eq!(zero_insert(&x, 3, NailSpan::Blocks)?, ndarray::array![[[1, 0, 0, 2, 0, 0]]]);
/// assert_eq!(zero_insert(&x, 3, NailSpan::Between)?, ndarray::array![[[1, 0, 0, 2]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NailSpan {
    /// Each pixel becomes the first of a block that is otherwise zero: size `n·factor`.
    #[default]
    Blocks,
    /// Zeros stand between the pixels only: size `(n - 1)·factor + 1`. It is what a transposed convolution of that stride convolves.
    Between,
}

/// Enlarges by zeros: pixel `i` goes to `i·factor`, everything else is `A::default()`.
///
/// Also called bed of nails, expander or zero stuffing. Convolving the result is what a transposed convolution computes
/// without ever making it; here it is for those who want to see it. `factor` is one number or one for each spatial axis.
/// The gradient with respect to `x` is [`decimate`] of the output's gradient by the same factor.
///
/// **When to choose it:** to see or to test; a [`ConvTranspose`](crate::ConvTranspose) skips the zeros. The holes are an artifact of the
/// worst kind, so it is never shown as it is. For 64 channels of 64×64 pixels to 128×128 in `f32`, one thread, it takes 0.19 ms, nearest
/// 0.16 ms. The crate's [front page](crate) compares all.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::{NailSpan, zero_insert};
///
/// let x = array![[[1, 2, 3]]];
/// assert_eq!(zero_insert(&x, 2, NailSpan::Blocks)?, array![[[1, 0, 2, 0, 3, 0]]]);
/// assert_eq!(zero_insert(&x, 2, NailSpan::Between)?, array![[[1, 0, 2, 0, 3]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// Source: Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, 2016 (fractionally strided convolution).
///
/// # Errors
/// [`Error::InvalidAxisParameter`] for a factor of 0, [`Error::ZeroSize`], [`Error::SizeOverflow`], and the errors of taking memory.
#[doc(alias("bed of nails", "zero stuffing", "expander", "fractionally-strided"))]
pub fn zero_insert<'a, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    factor: impl Into<EachAxis<RANK>>,
    span: NailSpan,
) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Default + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let (x, factor) = (x.into(), factor.into().get());
    let shape = five_axes(x.batch(), x.channels(), inserted_size(&x, factor, span)?);
    let steps = steps(factor);
    let work = |origin, piece: ArrayViewMut5<'_, A>| write_nails(&x.view5(), steps, origin, piece);
    uninit::filled_by_pieces("output", shape, A::default(), &ANY_AXIS, &work).map(Spatial::<RANK>::narrow)
}

/// [`zero_insert`] into an output of yours.
///
/// # Errors
/// Those of [`zero_insert`], and [`Error::ShapeMismatch`]. Nothing is written then.
pub fn zero_insert_into<'a, 'b, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    factor: impl Into<EachAxis<RANK>>,
    span: NailSpan,
    output: impl Into<TensorMut<'b, A, RANK>>,
) -> Result<(), Error>
where
    A: Copy + Default + Send + Sync + 'a + 'b,
{
    let (x, factor, output) = (x.into(), factor.into().get(), output.into());
    expect_shape("output", &output, x.batch(), x.channels(), inserted_size(&x, factor, span)?)?;
    let steps = steps(factor);
    for_each_part(output.into_view5(), &ANY_AXIS, &|origin, mut piece| {
        piece.fill(A::default());
        write_nails(&x.view5(), steps, origin, piece);
    });
    Ok(())
}

/// Keeps every `factor`th pixel, the first one among them: size `⌈n / factor⌉`. The adjoint and the left inverse of [`zero_insert`].
///
/// It is subsampling without a filter, so fine detail aliases; to shrink a picture for the eye, resize it with antialiasing.
/// The gradient with respect to `x` is [`zero_insert`] of the output's gradient, followed by a [`zero_pad`](super::zero_pad)
/// where the factor does not divide the size.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::decimate;
///
/// assert_eq!(decimate(&array![[[1, 9, 2, 9, 3]]], 2)?, array![[[1, 2, 3]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidAxisParameter`] for a factor of 0, [`Error::ZeroSize`], and the errors of taking memory.
#[doc(alias("subsample", "downsample"))]
pub fn decimate<'a, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    factor: impl Into<EachAxis<RANK>>,
) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let (x, factor) = (x.into(), factor.into().get());
    let size = decimated_size(&x, factor)?;
    let steps = steps(factor);
    copied(&x, x.batch(), x.channels(), size, &|origin, piece| read_nails(&x.view5(), steps, origin, piece))
}

/// [`decimate`] into an output of yours.
///
/// # Errors
/// Those of [`decimate`], and [`Error::ShapeMismatch`]. Nothing is written then.
pub fn decimate_into<'a, 'b, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    factor: impl Into<EachAxis<RANK>>,
    output: impl Into<TensorMut<'b, A, RANK>>,
) -> Result<(), Error>
where
    A: Copy + Send + Sync + 'a + 'b,
{
    let (x, factor, output) = (x.into(), factor.into().get(), output.into());
    expect_shape("output", &output, x.batch(), x.channels(), decimated_size(&x, factor)?)?;
    let steps = steps(factor);
    for_each_part(output.into_view5(), &ANY_AXIS, &|origin, piece| read_nails(&x.view5(), steps, origin, piece));
    Ok(())
}

fn expect_factor<const RANK: usize>(factor: [usize; RANK]) -> Result<(), Error> {
    match factor.iter().position(|&factor| factor == 0) {
        Some(index) => {
            let (axis, requirement) = (Axis::spatial(RANK, index), "at least 1".to_owned());
            Err(Error::InvalidAxisParameter { parameter: "factor", axis, value: 0, requirement })
        }
        None => Ok(()),
    }
}

fn inserted_size<A, const RANK: usize>(x: &Tensor<'_, A, RANK>, factor: [usize; RANK], span: NailSpan) -> Result<[usize; RANK], Error> {
    expect_pixels("x", x)?;
    expect_factor(factor)?;
    let mut size = x.spatial();
    for index in 0..RANK {
        let inserted = match span {
            NailSpan::Blocks => size[index].checked_mul(factor[index]),
            NailSpan::Between => (size[index] - 1).checked_mul(factor[index]).and_then(|last| last.checked_add(1)),
        };
        let axis = Axis::spatial(RANK, index);
        size[index] = inserted.ok_or(Error::SizeOverflow { argument: "output", axis })?;
    }
    Ok(size)
}

fn decimated_size<A, const RANK: usize>(x: &Tensor<'_, A, RANK>, factor: [usize; RANK]) -> Result<[usize; RANK], Error> {
    expect_pixels("x", x)?;
    expect_factor(factor)?;
    let size = x.spatial();
    Ok(std::array::from_fn(|index| size[index].div_ceil(factor[index])))
}

/// The distance between nails along each of the five axes.
fn steps<const RANK: usize>(factor: [usize; RANK]) -> [usize; 5] {
    let [depth, height, width] = three_axes(factor, 1);
    [1, 1, depth, height, width]
}

fn write_nails<A: Copy>(x: &ArrayView5<'_, A>, steps: [usize; 5], origin: [usize; 5], mut piece: ArrayViewMut5<'_, A>) {
    let mut x = x.view();
    for (axis, step) in steps.into_iter().enumerate() {
        let (begin, len) = (origin[axis], piece.len_of(NdAxis(axis)));
        // The pixels whose nails lie in the piece.
        let (first, end) = (begin.div_ceil(step), (begin + len).div_ceil(step).min(x.len_of(NdAxis(axis))));
        if first >= end {
            return;
        }
        x.slice_axis_inplace(NdAxis(axis), Slice::from(first..end));
        let (from, to) = (first * step - begin, (end - 1) * step + 1 - begin);
        piece.slice_axis_inplace(NdAxis(axis), Slice::new(from as isize, Some(to as isize), step as isize));
    }
    piece.assign(&x);
}

fn read_nails<A: Copy>(x: &ArrayView5<'_, A>, steps: [usize; 5], origin: [usize; 5], mut piece: ArrayViewMut5<'_, A>) {
    let mut x = x.view();
    for (axis, step) in steps.into_iter().enumerate() {
        let (first, len) = (origin[axis] * step, piece.len_of(NdAxis(axis)));
        let end = first + len.saturating_sub(1) * step + usize::from(len > 0);
        x.slice_axis_inplace(NdAxis(axis), Slice::new(first as isize, Some(end as isize), step as isize));
    }
    piece.assign(&x);
}
