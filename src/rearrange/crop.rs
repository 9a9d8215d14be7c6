//! Cropping and its adjoint, zero padding.

use ndarray::{ArrayView5, ArrayViewMut5, Axis as NdAxis, Slice};

use super::{ANY_AXIS, copied, expect_pixels, part};
use crate::error::{Axis, Error};
use crate::memory::uninit;
use crate::tasks::for_each_part;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, five_axes, three_axes};

/// Cuts `size` pixels out of each axis, from `begin` on.
///
/// The gradient with respect to `x` is [`zero_pad`] of the output's gradient to the size of `x`, with the same `begin`.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::crop;
///
/// assert_eq!(crop(&array![[[0, 1, 2, 3, 4]]], [1], [3])?, array![[[1, 2, 3]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidAxisParameter`] where the crop does not lie inside the picture, [`Error::ZeroSize`], and the errors of taking memory.
pub fn crop<'a, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    begin: [usize; RANK],
    size: [usize; RANK],
) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let x = x.into();
    expect_inside(x.spatial(), begin, size, "crop")?;
    copied(&x, x.batch(), x.channels(), size, &|origin, piece| read_part(&x.view5(), begin, origin, piece))
}

/// [`crop`] into an output of yours, whose size says how much to cut out.
///
/// # Errors
/// Those of [`crop`], and [`Error::ShapeMismatch`]. Nothing is written then.
pub fn crop_into<'a, 'b, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    begin: [usize; RANK],
    output: impl Into<TensorMut<'b, A, RANK>>,
) -> Result<(), Error>
where
    A: Copy + Send + Sync + 'a + 'b,
{
    let (x, output) = (x.into(), output.into());
    expect_inside(x.spatial(), begin, output.spatial(), "crop")?;
    output.expect_batch_channels("output", x.batch(), x.channels())?;
    for_each_part(output.into_view5(), &ANY_AXIS, &|origin, piece| read_part(&x.view5(), begin, origin, piece));
    Ok(())
}

/// Cuts `size` pixels out of the middle of each axis.
///
/// Where the number of pixels cut off is odd, one more is cut from the end: the crop begins at `⌊(n - size) / 2⌋`, as in the U-Net
/// and in ONNX `CenterCropPad`. (torchvision's `CenterCrop` rounds half to even instead: it begins at 2 where 3 pixels are cut off.)
/// The gradient with respect to `x` is [`center_pad`] of the output's gradient to the size of `x`.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::center_crop;
///
/// assert_eq!(center_crop(&array![[[0, 1, 2, 3, 4]]], [2])?, array![[[1, 2]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// Those of [`crop`].
#[doc(alias("CenterCrop", "CenterCropPad", "centre crop"))]
pub fn center_crop<'a, A, const RANK: usize>(x: impl Into<Tensor<'a, A, RANK>>, size: [usize; RANK]) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let x = x.into();
    crop(x, middle(x.spatial(), size), size)
}

/// [`center_crop`] into an output of yours, whose size says how much to cut out.
///
/// # Errors
/// Those of [`crop`], and [`Error::ShapeMismatch`]. Nothing is written then.
pub fn center_crop_into<'a, 'b, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    output: impl Into<TensorMut<'b, A, RANK>>,
) -> Result<(), Error>
where
    A: Copy + Send + Sync + 'a + 'b,
{
    let (x, output) = (x.into(), output.into());
    crop_into(x, middle(x.spatial(), output.spatial()), output)
}

/// Puts `x` into a picture of `size` pixels that is otherwise `A::default()`, from `begin` on. The adjoint of [`crop`].
///
/// The gradient with respect to `x` is [`crop`] of the output's gradient.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::zero_pad;
///
/// assert_eq!(zero_pad(&array![[[1, 2, 3]]], [1], [5])?, array![[[0, 1, 2, 3, 0]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidAxisParameter`] where `x` does not fit, [`Error::ZeroSize`], and the errors of taking memory.
pub fn zero_pad<'a, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    begin: [usize; RANK],
    size: [usize; RANK],
) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Default + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let x = x.into();
    expect_pixels("x", &x)?;
    expect_inside(size, begin, x.spatial(), "padded picture")?;
    let shape = five_axes(x.batch(), x.channels(), size);
    let work = |origin, piece: ArrayViewMut5<'_, A>| write_part(&x.view5(), begin, origin, piece);
    uninit::filled_by_pieces("output", shape, A::default(), &ANY_AXIS, &work).map(Spatial::<RANK>::narrow)
}

/// [`zero_pad`] into an output of yours.
///
/// # Errors
/// Those of [`zero_pad`], and [`Error::ShapeMismatch`]. Nothing is written then.
pub fn zero_pad_into<'a, 'b, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    begin: [usize; RANK],
    output: impl Into<TensorMut<'b, A, RANK>>,
) -> Result<(), Error>
where
    A: Copy + Default + Send + Sync + 'a + 'b,
{
    let (x, output) = (x.into(), output.into());
    expect_pixels("x", &x)?;
    expect_inside(output.spatial(), begin, x.spatial(), "padded picture")?;
    output.expect_batch_channels("output", x.batch(), x.channels())?;
    for_each_part(output.into_view5(), &ANY_AXIS, &|origin, mut piece| {
        piece.fill(A::default());
        write_part(&x.view5(), begin, origin, piece);
    });
    Ok(())
}

/// Puts `x` into the middle of a picture of `size` pixels, by the rule of [`center_crop`], whose adjoint it is.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::center_pad;
///
/// assert_eq!(center_pad(&array![[[1, 2]]], [5])?, array![[[0, 1, 2, 0, 0]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// Those of [`zero_pad`].
pub fn center_pad<'a, A, const RANK: usize>(x: impl Into<Tensor<'a, A, RANK>>, size: [usize; RANK]) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Default + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let x = x.into();
    zero_pad(x, middle(size, x.spatial()), size)
}

/// [`center_pad`] into an output of yours.
///
/// # Errors
/// Those of [`zero_pad`], and [`Error::ShapeMismatch`]. Nothing is written then.
pub fn center_pad_into<'a, 'b, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    output: impl Into<TensorMut<'b, A, RANK>>,
) -> Result<(), Error>
where
    A: Copy + Default + Send + Sync + 'a + 'b,
{
    let (x, output) = (x.into(), output.into());
    zero_pad_into(x, middle(output.spatial(), x.spatial()), output)
}

/// Where the inner size begins when it lies in the middle; 0 where it does not fit, which is refused afterwards.
fn middle<const RANK: usize>(outer: [usize; RANK], inner: [usize; RANK]) -> [usize; RANK] {
    std::array::from_fn(|index| outer[index].saturating_sub(inner[index]) / 2)
}

/// Checks that `inner` pixels from `begin` on lie inside `outer` pixels.
fn expect_inside<const RANK: usize>(
    outer: [usize; RANK],
    begin: [usize; RANK],
    inner: [usize; RANK],
    what: &'static str,
) -> Result<(), Error> {
    for index in 0..RANK {
        let (axis, outer, begin, inner) = (Axis::spatial(RANK, index), outer[index], begin[index], inner[index]);
        if inner == 0 {
            return Err(Error::ZeroSize { argument: what, axis });
        }
        if begin > outer || inner > outer - begin {
            let requirement = match what {
                "crop" => format!("at most {} where it begins at {begin} of {outer} pixels", outer.saturating_sub(begin)),
                _ => format!("at least {inner} more than where the picture begins ({begin})"),
            };
            let value = if what == "crop" { inner } else { outer };
            return Err(Error::InvalidAxisParameter { parameter: what, axis, value, requirement });
        }
    }
    Ok(())
}

/// `begin` along each of the five axes.
fn begin5<const RANK: usize>(begin: [usize; RANK]) -> [usize; 5] {
    let [depth, height, width] = three_axes(begin, 0);
    [0, 0, depth, height, width]
}

fn read_part<A: Copy, const RANK: usize>(x: &ArrayView5<'_, A>, begin: [usize; RANK], origin: [usize; 5], mut piece: ArrayViewMut5<'_, A>) {
    let begin = begin5(begin);
    let shape = piece.dim().into();
    piece.assign(&part(x, std::array::from_fn(|axis| begin[axis] + origin[axis]), shape));
}

fn write_part<A: Copy, const RANK: usize>(
    x: &ArrayView5<'_, A>,
    begin: [usize; RANK],
    origin: [usize; 5],
    mut piece: ArrayViewMut5<'_, A>,
) {
    let (mut x, begin) = (x.view(), begin5(begin));
    for axis in 0..5 {
        // Where x and the piece overlap, in pixels of the padded picture.
        let from = begin[axis].max(origin[axis]);
        let to = (begin[axis] + x.len_of(NdAxis(axis))).min(origin[axis] + piece.len_of(NdAxis(axis)));
        if from >= to {
            return;
        }
        x.slice_axis_inplace(NdAxis(axis), Slice::from(from - begin[axis]..to - begin[axis]));
        piece.slice_axis_inplace(NdAxis(axis), Slice::from(from - origin[axis]..to - origin[axis]));
    }
    piece.assign(&x);
}
