//! The bias gradient: the sum of each channel over batch and space.

use ndarray::{Array1, ArrayRef1, ArrayView4, ArrayView5, ArrayViewMut1, Axis};
use num_traits::{Float, NumCast, ToPrimitive, Zero};

use super::store::Slot;
use crate::element::FloatElement;
use crate::error::{self, Error};
use crate::memory::uninit;
use crate::tasks;
use crate::tensor::Tensor;
use crate::update::Update;

/// Elements that are summed in the row's own type before `f64` takes over: error does not grow with the picture.
const CHUNK: usize = 4096;
/// Partial sums, so that neighbouring elements do not wait for each other.
const LANES: usize = 16;
/// A call with fewer elements stays on its thread.
const SMALL_WORK: usize = 1 << 17;

/// The sums as a new array.
pub(crate) fn new<A: FloatElement, const RANK: usize>(dy: Tensor<'_, A, RANK>) -> Result<Array1<A>, Error> {
    let shape = [dy.channels(), 1, 1, 1, 1];
    let sums = uninit::written("bias gradient", shape, false, |out| {
        channel_sums(
            dy.view5(),
            out.index_axis_move(Axis(4), 0).index_axis_move(Axis(3), 0).index_axis_move(Axis(2), 0).index_axis_move(Axis(1), 0),
        );
        Ok(())
    })?;
    Ok(sums.index_axis_move(Axis(4), 0).index_axis_move(Axis(3), 0).index_axis_move(Axis(2), 0).index_axis_move(Axis(1), 0))
}

/// The sums into `db`.
pub(crate) fn into<A: FloatElement, const RANK: usize>(
    dy: Tensor<'_, A, RANK>,
    db: &mut ArrayRef1<A>,
    update: Update,
) -> Result<(), Error> {
    let (expected, found) = (dy.channels(), db.len());
    if expected != found {
        return Err(Error::ShapeMismatch { argument: "bias gradient", axis: error::Axis::Channel, expected, found });
    }
    if update == Update::Overwrite {
        db.fill(A::default());
    }
    channel_sums::<A, A>(dy.view5(), db.view_mut());
    Ok(())
}

/// Puts the sum of each channel of `dy` into `out`, which has as many entries.
pub(crate) fn channel_sums<A: FloatElement, S: Slot<A>>(dy: ArrayView5<'_, A>, mut out: ArrayViewMut1<'_, S>) {
    if out.len() > 1 && dy.len() >= SMALL_WORK {
        let middle = out.len() / 2;
        let (left, right) = dy.split_at(Axis(1), middle);
        let (out_left, out_right) = out.split_at(Axis(0), middle);
        return tasks::join(|| channel_sums(left, out_left), || channel_sums(right, out_right));
    }
    for (channel, slot) in dy.axis_iter(Axis(1)).zip(out.iter_mut()) {
        slot.put(NumCast::from(channel_sum(channel)).unwrap_or_else(A::Row::nan));
    }
}

fn channel_sum<A: FloatElement>(channel: ArrayView4<'_, A>) -> f64 {
    if channel.is_empty() {
        return 0.0; // whatever the number of rows without pixels
    }
    let rows = channel.rows().into_iter();
    total(rows.map(|row| match row.to_slice() {
        Some(row) => total(row.chunks(CHUNK).map(chunk_sum)),
        None => total(row.iter().filter_map(|value| value.to_row().to_f64())),
    }))
}

fn chunk_sum<A: FloatElement>(chunk: &[A]) -> f64 {
    let mut sums = [A::Row::zero(); LANES];
    for values in chunk.chunks(LANES) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = *sum + value.to_row();
        }
    }
    total(sums.iter().filter_map(ToPrimitive::to_f64))
}

/// The sum, from 0 on: [`Iterator::sum`] begins with -0, which it returns of nothing.
fn total(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}
