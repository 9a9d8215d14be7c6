//! Rows to columns: the pixels of several channels to the channels of a pixel side by side.

use super::{InstructionSet, Kernel, Real};

/// Rows and columns that are exchanged at a time.
pub(crate) const SQUARE: usize = 8;

/// `to[column · to_pitch + row] = from[row · from_pitch + column]`.
pub(crate) struct Transpose<'a, T> {
    pub(crate) from: &'a [T],
    pub(crate) from_pitch: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) to: &'a mut [T],
    pub(crate) to_pitch: usize,
}

impl<T: Real> Kernel for Transpose<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { from, from_pitch, rows, columns, to, to_pitch } = self;
        for row in (0..rows).step_by(SQUARE) {
            for column in (0..columns).step_by(SQUARE) {
                if row + SQUARE <= rows && column + SQUARE <= columns {
                    let mut square = [[T::default(); SQUARE]; SQUARE];
                    for (lane, line) in square.iter_mut().enumerate() {
                        line.copy_from_slice(&from[(row + lane) * from_pitch + column..][..SQUARE]);
                    }
                    T::transpose::<I>(&mut square);
                    for (lane, line) in square.iter().enumerate() {
                        to[(column + lane) * to_pitch + row..][..SQUARE].copy_from_slice(line);
                    }
                } else {
                    for row in row..rows.min(row + SQUARE) {
                        for column in column..columns.min(column + SQUARE) {
                            to[column * to_pitch + row] = from[row * from_pitch + column];
                        }
                    }
                }
            }
        }
    }
}
