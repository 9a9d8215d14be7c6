//! Averages of whole blocks of pixels: the first of the two stages of a strong reduction, Pillow's `reduce`.

use ndarray::{Array3, Axis};

use crate::error::Error;
use crate::kernels::Arithmetic;
use crate::memory::uninit;
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
pub(super) trait Average: Arithmetic {
    type Total: Copy + Default + Send;

    fn plus(total: Self::Total, value: Self) -> Self::Total;

    fn sum(left: Self::Total, right: Self::Total) -> Self::Total;

    /// The average of `count` values.
    fn mean(total: Self::Total, count: usize) -> Self;
}

impl Average for u8 {
    type Total = u32;

    fn plus(total: u32, value: u8) -> u32 {
        total.wrapping_add(u32::from(value))
    }

    fn sum(left: u32, right: u32) -> u32 {
        left.wrapping_add(right)
    }

    /// As Pillow rounds it: half a step is added, and the factor is a quotient of `f32`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // counts below 2^24
    fn mean(total: u32, count: usize) -> u8 {
        let factor = (4_294_967_296.0_f32 / (256 * count as u32) as f32) as u32;
        (total.wrapping_add(count as u32 / 2).wrapping_mul(factor) >> 24) as u8
    }
}

impl Average for f32 {
    type Total = f64;

    fn plus(total: f64, value: f32) -> f64 {
        total + f64::from(value)
    }

    fn sum(left: f64, right: f64) -> f64 {
        left + right
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // rounding to f32 is meant
    fn mean(total: f64, count: usize) -> f32 {
        (total / count as f64) as f32
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
        // A row of the input and the sums of a row of blocks, for each thread: checked once, here.
        let row_len = x.len();
        drop(crate::memory::list_of(T::default(), row_len)?);
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
            totals.iter_mut().zip(&row).for_each(|(total, &value)| *total = T::plus(*total, value));
        }
        for (w, out) in out.chunks_exact_mut(channels).enumerate() {
            let first = self.begin[1] + w * self.block[1];
            let columns = first..self.end[1].min(first + self.block[1]);
            for (channel, out) in out.iter_mut().enumerate() {
                let totals = columns.clone().map(|column| totals[column * channels + channel]);
                *out = T::mean(totals.fold(T::Total::default(), T::sum), rows.len() * columns.len());
            }
        }
    }
}
