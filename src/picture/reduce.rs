//! Averages of whole blocks of pixels: the first of the two stages of a strong reduction, Pillow's `reduce`.

use std::ops::AddAssign;

use ndarray::{Array3, Axis};

use crate::error::Error;
use crate::kernels::Arithmetic;
use crate::memory::{list_of, uninit};
use crate::resize::Source;
use crate::tasks::each_piece;

/// How blocks of pixels become pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reduction {
    /// Height and width of a block.
    pub(super) block: [usize; 2],
    /// The first row and column, and the first ones behind the part that is reduced. The last blocks of a row or column may be smaller.
    pub(super) begin: [usize; 2],
    pub(super) end: [usize; 2],
}

/// Types of which averages of blocks are made.
pub(super) trait Average: Arithmetic + Into<Self::Total> {
    /// The sum of values of one column.
    type Total: Copy + Default + AddAssign + Send;

    /// The average of a block of `count` values, from the sums of its columns.
    fn mean(columns: impl Iterator<Item = Self::Total>, count: usize) -> Self;
}

impl Average for u8 {
    type Total = u64;

    /// As Pillow rounds it: half a step is added, and the factor is a quotient of `f32`. Blocks of 2^24 values and more, for which Pillow's 32
    /// bits are too few, are divided exactly.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // counts below 2^24, means below 2^8
    fn mean(columns: impl Iterator<Item = u64>, count: usize) -> u8 {
        let count = count as u64;
        let total = columns.sum::<u64>() + count / 2;
        if count >= 1 << 24 {
            return (total / count) as u8;
        }
        let factor = (4_294_967_296.0_f32 / (256 * count) as f32) as u64;
        ((total * factor) >> 24) as u8
    }
}

impl Average for f32 {
    type Total = f64;

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // rounding to f32 is meant
    fn mean(columns: impl Iterator<Item = f64>, count: usize) -> f32 {
        // From 0, not from -0 as `sum` begins.
        (columns.fold(0.0, |total, column| total + column) / count as f64) as f32
    }
}

impl Reduction {
    /// The size of the averages.
    pub(super) fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.end[axis] - self.begin[axis]).div_ceil(self.block[axis]))
    }

    /// The averages of a picture.
    pub(super) fn run<T: Average>(&self, x: &(dyn Source<T> + Sync)) -> Result<Array3<T>, Error> {
        let ([height, width], channels) = (self.output(), x.inner());
        let made = uninit::filled("reduced picture", [1, 1, height, width, channels], T::default())?;
        let mut made = made.index_axis_move(Axis(0), 0).index_axis_move(Axis(0), 0);
        // Each thread allocates an input row and its sums. Memory that cannot be had is noticed here, before the threads start.
        drop(list_of(T::Total::default(), x.len())?);
        if let Some(rows) = made.as_slice_mut() {
            each_piece(rows, width * channels, 0, true, &|h, row| self.row(x, h, row));
        }
        Ok(made)
    }

    /// Row `h` of the averages.
    fn row<T: Average>(&self, x: &(dyn Source<T> + Sync), h: usize, out: &mut [T]) {
        let channels = x.inner();
        let first = self.begin[0] + h * self.block[0];
        let rows = first..self.end[0].min(first + self.block[0]);
        let mut row = vec![T::default(); x.len()];
        let mut totals = vec![T::Total::default(); x.len()];
        for h in rows.clone() {
            x.load(0, h, &mut row);
            totals.iter_mut().zip(&row).for_each(|(total, &value)| *total += value.into());
        }
        for (w, out) in out.chunks_exact_mut(channels).enumerate() {
            let first = self.begin[1] + w * self.block[1];
            let columns = first..self.end[1].min(first + self.block[1]);
            for (channel, out) in out.iter_mut().enumerate() {
                let totals = columns.clone().map(|column| totals[column * channels + channel]);
                *out = T::mean(totals, rows.len() * columns.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_of_any_number_of_bytes() {
        for count in [1_usize, 2, 3, 255, 4096 * 4095, 4096 * 4096, 5000 * 5000, 1 << 33] {
            for value in [0_u64, 1, 127, 128, 254, 255] {
                let columns = [count as u64 / 2, count as u64 - count as u64 / 2].map(|rows| rows * value);
                assert_eq!(u64::from(u8::mean(columns.into_iter(), count)), value, "{count}");
            }
        }
        assert_eq!(u8::mean([255 * (1_u64 << 24), 0].into_iter(), 1 << 25), 128);
    }
}
