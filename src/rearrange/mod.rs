//! Operators that move pixels without computing with them: sub-pixel shuffling, max pooling and unpooling, zero insertion, cropping.
//!
//! Networks enlarge by more than interpolation. What each is for, beside [resizing and transposed convolution](crate):
//!
//! | operator | what it is chosen for | what it costs | what to expect |
//! |---|---|---|---|
//! | [`pixel_shuffle`] | the last layer of super-resolution: the convolution before it runs on the small picture | one read and write of each element | a checkerboard at initialisation, unless the weights are [`icnr`](crate::initial_weights::icnr) |
//! | [`MaxPool`] with [`MaxUnpool`] | decoders that put values back where the encoder found them (SegNet): edges stay in place without skip connections | the indices, 8 bytes a pooled pixel | sparse output; needs convolutions after it |
//! | [`zero_insert`] | building a transposed convolution by hand, and seeing what it does | writes `f²` elements for each that is read | holes: never shown as it is |
//! | [`center_crop`], [`zero_pad`] | fitting two branches of a network to one size (U-Net), cutting borders off | one read and write | |
//!
//! All are linear or, like max pooling, linear once the choice is made, so each gradient is another operator of this list:
//!
//! | operator | gradient with respect to its input |
//! |---|---|
//! | [`pixel_shuffle`] | [`pixel_unshuffle`] of the output's gradient, and the other way round |
//! | [`MaxPool::forward`] | [`MaxPool::input_gradient`]: each value goes back to the pixel that was the maximum |
//! | [`MaxUnpool::forward`] | [`MaxUnpool::input_gradient`]: the pixels at the indices |
//! | [`zero_insert`] | [`decimate`], and the other way round |
//! | [`crop`], [`center_crop`] | [`zero_pad`], [`center_pad`], and the other way round |
//!
//! A call takes the memory of its output and nothing besides: no scratch, whatever the sizes. The exceptions are those that follow indices:
//!
//! - the gradient of unpooling notes for each pixel of the large picture whether its value has been taken, a bit each; a `dy` that does not
//!   lie row by row is copied first;
//! - unpooling, and the gradient of pooling, into an array of yours that does not lie row by row are made in a copy;
//! - the gradient of pooling keeps the sums of `f16` and `bf16` in `f32`, all of them at a time.
//!
//! If memory cannot be allocated, the result is [`Error::OutOfMemory`](crate::Error) and nothing has been written.
//!
//! Values are copied, so any `Copy` type will do; where something must be filled in, it is [`Default`], zero for numbers.
//! Ranks are 1 (N×C×L), 2 (N×C×H×W) and 3 (N×C×D×H×W).

mod blocks;
mod crop;
mod indices;
mod max_pool;
mod max_unpool;
mod pixel_shuffle;
mod pooling;
mod zero_insert;

use ndarray::{ArrayView5, ArrayViewMut5, Axis as NdAxis, CowArray, Ix5, Slice};

use crate::error::{Axis, Error};
use crate::memory::uninit;
use crate::tasks::for_each_part;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, five_axes};

pub(crate) use blocks::pixels_of;
pub use crop::{center_crop, center_crop_into, center_pad, center_pad_into, crop, crop_into, zero_pad, zero_pad_into};
pub use indices::IndexSpace;
pub use max_pool::MaxPool;
pub use max_unpool::MaxUnpool;
pub use pixel_shuffle::{ChannelOrder, pixel_shuffle, pixel_shuffle_into, pixel_unshuffle, pixel_unshuffle_into};
pub use zero_insert::{NailSpan, decimate, decimate_into, zero_insert, zero_insert_into};

/// The axes along which an output may be cut, where every element is written on its own.
const ANY_AXIS: [usize; 4] = [0, 1, 2, 3];

/// Checks that no spatial axis is empty.
fn expect_pixels<A, const RANK: usize>(argument: &'static str, x: &Tensor<'_, A, RANK>) -> Result<(), Error> {
    match x.spatial().iter().position(|&size| size == 0) {
        Some(index) => Err(Error::ZeroSize { argument, axis: Axis::spatial(RANK, index) }),
        None => Ok(()),
    }
}

/// Checks all sizes of an output.
fn expect_shape<A, const RANK: usize>(
    argument: &'static str,
    out: &TensorMut<'_, A, RANK>,
    batch: usize,
    channels: usize,
    spatial: [usize; RANK],
) -> Result<(), Error> {
    out.expect_batch_channels(argument, batch, channels)?;
    out.expect_spatial(argument, spatial)
}

/// A new output whose every element is copied from `x` by `work`, piece by piece.
fn copied<A, const RANK: usize>(
    x: &Tensor<'_, A, RANK>,
    batch: usize,
    channels: usize,
    spatial: [usize; RANK],
    work: &(impl Fn([usize; 5], ArrayViewMut5<'_, A>) + Sync),
) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Send + Sync,
    Spatial<RANK>: SpatialRank,
{
    let shape = five_axes(batch, channels, spatial);
    let array = match x.view5().first() {
        Some(&value) => uninit::filled_by_pieces("output", shape, value, &ANY_AXIS, work)?,
        // An empty batch has no value to begin from, and makes an empty output.
        None => uninit::empty("output", shape)?,
    };
    Ok(Spatial::<RANK>::narrow(array))
}

/// The part of `view` that begins at `origin` and has this shape.
fn part<'a, A>(view: &ArrayView5<'a, A>, origin: [usize; 5], shape: [usize; 5]) -> ArrayView5<'a, A> {
    let mut part = *view;
    for axis in 0..5 {
        part.slice_axis_inplace(NdAxis(axis), Slice::from(origin[axis]..origin[axis] + shape[axis]));
    }
    part
}

/// Fills the pieces of an output with `A::default()` and lets `work` write into them. Pieces are row-major if cut along the first axes;
/// where `out` does not lie so, they are those of a copy.
fn write_row_major<A: Copy + Default + Send + Sync>(
    mut out: ArrayViewMut5<'_, A>,
    axes: &[usize],
    work: &(impl Fn([usize; 5], ArrayViewMut5<'_, A>) + Sync),
) -> Result<(), Error> {
    if !out.is_standard_layout() {
        let copy = uninit::filled_by_pieces("row-major copy of the output", out.dim().into(), A::default(), axes, work)?;
        out.assign(&copy);
        return Ok(());
    }
    for_each_part(out, axes, &|origin, mut piece| {
        piece.fill(A::default());
        work(origin, piece);
    });
    Ok(())
}

/// The elements in row-major order; they are copied only where they do not already lie so.
fn row_major<A: Copy + Default + Send + Sync>(view: ArrayView5<'_, A>) -> Result<CowArray<'_, A, Ix5>, Error> {
    if view.is_standard_layout() {
        return Ok(view.into());
    }
    let copy = |origin, mut piece: ArrayViewMut5<'_, A>| {
        let shape = piece.dim().into();
        piece.assign(&part(&view, origin, shape))
    };
    let copy = uninit::filled_by_pieces("row-major copy", view.dim().into(), A::default(), &ANY_AXIS, &copy)?;
    Ok(copy.into())
}
