//! Rows to columns: the pixels of several channels to the channels of a pixel side by side.

use super::{InstructionSet, Kernel, Real};

/// Rows and columns that are exchanged at a time.
pub(crate) const SQUARE: usize = 8;
/// The fewest columns beside whole squares that are exchanged eight rows at a time.
const FEWEST_COLUMNS: usize = 3;

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
        let (squares, whole_rows) = (columns / SQUARE, rows / SQUARE * SQUARE);
        for row in (0..whole_rows).step_by(SQUARE) {
            let mut lines: [&[[T; SQUARE]]; SQUARE] = [&[]; SQUARE];
            for (lane, line) in lines.iter_mut().enumerate() {
                *line = from[(row + lane) * from_pitch..][..squares * SQUARE].as_chunks().0;
            }
            for place in 0..squares {
                let mut square = [[T::default(); SQUARE]; SQUARE];
                for lane in 0..SQUARE {
                    square[lane] = lines[lane][place];
                }
                T::transpose::<I>(&mut square);
                let to = &mut to[place * SQUARE * to_pitch + row..];
                for (lane, line) in square.iter().enumerate() {
                    to[lane * to_pitch..][..SQUARE].copy_from_slice(line);
                }
            }
        }
        // Columns beside the squares, eight rows at a time where that many elements can be read.
        let (first, rest) = (squares * SQUARE, columns % SQUARE);
        let mut done = 0;
        if rest >= FEWEST_COLUMNS {
            while done < whole_rows && (done + SQUARE - 1) * from_pitch + first + SQUARE <= from.len() {
                let mut square = [[T::default(); SQUARE]; SQUARE];
                for (lane, line) in square.iter_mut().enumerate() {
                    line.copy_from_slice(&from[(done + lane) * from_pitch + first..][..SQUARE]);
                }
                T::transpose::<I>(&mut square);
                for (lane, line) in square.iter().enumerate().take(rest) {
                    to[(first + lane) * to_pitch + done..][..SQUARE].copy_from_slice(line);
                }
                done += SQUARE;
            }
        }
        for row in done..rows {
            // What is left beside the squares, and whole rows below them.
            for column in if row < whole_rows { first } else { 0 }..columns {
                to[column * to_pitch + row] = from[row * from_pitch + column];
            }
        }
    }
}
