//! The transforms of Winograd's minimal filtering with four points: 0, 1, -1 and ∞. They are sums and differences alone.
//!
//! Lanes are neighbouring tiles; a tile has 4 × 4 elements, whichever of F(3, 2) and F(2, 3) an axis uses.

use super::{Backend, InstructionSet, Kernel, Real, Vector};

/// Elements of a tile, before and after the transform.
pub(crate) const ELEMENTS: usize = 16;

/// `Bᵀ d`: four neighbouring pixels at the four points.
#[inline(always)]
fn evaluate<T: Real, I: InstructionSet>([a, b, c, d]: [T::Vector<I>; 4]) -> [T::Vector<I>; 4] {
    [a.subtract(c), b.add(c), c.subtract(b), b.subtract(d)]
}

/// `Aᵀ m`: products at the four points back to `OUTPUTS` (2 or 3) outputs.
#[inline(always)]
fn interpolate<T: Real, I: InstructionSet, const OUTPUTS: usize>([a, b, c, d]: [T::Vector<I>; 4]) -> [T::Vector<I>; OUTPUTS] {
    let (sum, difference) = (b.add(c), b.subtract(c));
    let mut outputs = [a.add(sum); OUTPUTS];
    outputs[1] = difference;
    outputs[OUTPUTS - 1] = if OUTPUTS == 2 { difference.subtract(d) } else { sum.subtract(d) };
    outputs
}

/// The pixels of tiles to the points, for one summand.
pub(crate) struct EvaluateTiles<'a, T> {
    /// Planes in which an element of neighbouring tiles is side by side.
    pub(crate) planes: &'a [T],
    /// Where each element of the first tile of a row is, before the beginning of the row is added.
    pub(crate) elements: [usize; ELEMENTS],
    /// The beginnings of the rows of tiles.
    pub(crate) rows: &'a [usize],
    /// Tiles of a row.
    pub(crate) width: usize,
    /// By point, panel of tiles in order. Where there is but one, it has room for a vector behind the last.
    pub(crate) out: &'a mut [T],
    /// The tiles of a panel: whole vectors, unless there is but one.
    pub(crate) panel: usize,
    /// From one point and from one panel to the next in `out`.
    pub(crate) pitch: usize,
    pub(crate) panel_pitch: usize,
}

impl<T: Real> Kernel for EvaluateTiles<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let lanes = T::Vector::<I>::LANES;
        for (row, &base) in self.rows.iter().enumerate() {
            for start in (0..self.width).step_by(lanes) {
                // What a vector writes past the end of a row is overwritten by the next.
                self.vector::<I>(base + start, row * self.width + start);
            }
        }
    }
}

impl<T: Real> EvaluateTiles<'_, T> {
    /// As many neighbouring tiles as a register has lanes.
    #[inline(always)]
    fn vector<I: InstructionSet>(&mut self, from: usize, to: usize) {
        // Loops, not closures: a function that is not compiled into the shell would not have its instructions.
        let mut lines = [[T::Vector::<I>::splat(T::zero()); 4]; 4];
        for column in 0..4 {
            for line in 0..4 {
                lines[line][column] = T::Vector::<I>::load(&self.planes[self.elements[line * 4 + column] + from..]);
            }
        }
        for column in 0..4 {
            let [a, b, c, d] = lines;
            let points = evaluate::<T, I>([a[column], b[column], c[column], d[column]]);
            for line in 0..4 {
                lines[line][column] = points[line];
            }
        }
        let to = to / self.panel * self.panel_pitch + to % self.panel;
        for line in 0..4 {
            let points = evaluate::<T, I>(lines[line]);
            for column in 0..4 {
                points[column].store(&mut self.out[(line * 4 + column) * self.pitch + to..]);
            }
        }
    }
}

/// `G g`: `TAPS` (2 or 3) taps at the points.
#[inline(always)]
fn evaluate_filter<T: Real, I: InstructionSet, const TAPS: usize>(taps: [T::Vector<I>; TAPS]) -> [T::Vector<I>; 4] {
    let (zero, half) = (T::Vector::<I>::splat(T::zero()), T::Vector::<I>::splat(T::one() / (T::one() + T::one())));
    let even = if TAPS == 2 { taps[0] } else { taps[0].add(taps[TAPS - 1]) };
    let odd = taps[1];
    [taps[0], even.add(odd).multiply_add(half, zero), even.subtract(odd).multiply_add(half, zero), taps[TAPS - 1]]
}

/// Filters of 2 or 3 taps along each axis, or tiles of as many pixels as if they were filters, to the points. Lanes are channels.
pub(crate) struct EvaluateFilters<'a, T> {
    /// The channels of a pixel side by side, and what fills the last vector.
    pub(crate) pixels: &'a [T],
    /// From one pixel to the next.
    pub(crate) pitch: usize,
    /// How many channels. What follows them in the last vector is written, too, and then overwritten if it is another tile's.
    pub(crate) channels: usize,
    /// Where each tap is, in pixels from the first one of a tile.
    pub(crate) taps: &'a [usize],
    /// The first pixel of each tile.
    pub(crate) tiles: &'a [usize],
    /// Where each point begins in `out`, which has it by tile, then channel. One that has no place is not wanted.
    pub(crate) points: [Option<usize>; ELEMENTS],
    pub(crate) out: &'a mut [T],
}

impl<T: Real> EvaluateFilters<'_, T> {
    /// Runs it for filters of `taps` taps along height and width.
    pub(crate) fn run(self, taps: [usize; 2], backend: Backend) {
        match taps {
            [2, 2] => backend.run(OfTaps::<_, 2, 2>(self)),
            [2, 3] => backend.run(OfTaps::<_, 2, 3>(self)),
            [3, 2] => backend.run(OfTaps::<_, 3, 2>(self)),
            _ => backend.run(OfTaps::<_, 3, 3>(self)),
        }
    }
}

/// Filters of `HEIGHT` × `WIDTH` taps.
struct OfTaps<F, const HEIGHT: usize, const WIDTH: usize>(F);

impl<T: Real, const HEIGHT: usize, const WIDTH: usize> Kernel for OfTaps<EvaluateFilters<'_, T>, HEIGHT, WIDTH> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let EvaluateFilters { pixels, pitch, channels, taps: places, tiles, points: begins, out } = self.0;
        for (tile, first) in tiles.iter().enumerate() {
            for start in (0..channels).step_by(T::Vector::<I>::LANES) {
                let mut lines = [[T::Vector::<I>::splat(T::zero()); 4]; HEIGHT];
                for line in 0..HEIGHT {
                    let mut taps = [T::Vector::<I>::splat(T::zero()); WIDTH];
                    for tap in 0..WIDTH {
                        taps[tap] = T::Vector::<I>::load(&pixels[(first + places[line * WIDTH + tap]) * pitch + start..]);
                    }
                    lines[line] = evaluate_filter::<T, I, WIDTH>(taps);
                }
                for column in 0..4 {
                    let mut taps = [T::Vector::<I>::splat(T::zero()); HEIGHT];
                    for line in 0..HEIGHT {
                        taps[line] = lines[line][column];
                    }
                    let points = evaluate_filter::<T, I, HEIGHT>(taps);
                    for line in 0..4 {
                        if let Some(begin) = begins[line * 4 + column] {
                            points[line].store(&mut out[begin + tile * channels + start..]);
                        }
                    }
                }
            }
        }
    }
}

/// Products at the points to the outputs of tiles, `HEIGHT` × `WIDTH` each, for one row of the products.
pub(crate) struct InterpolateTiles<'a, T, const HEIGHT: usize, const WIDTH: usize> {
    /// Of each point, the tiles in order, with room for a vector behind the last.
    pub(crate) products: &'a [T],
    /// From one point to the next in `products`.
    pub(crate) pitch: usize,
    /// How many tiles.
    pub(crate) tiles: usize,
    /// Of each output of a tile, the tiles in order, with room for a vector behind the last.
    pub(crate) out: &'a mut [T],
    /// From one output to the next in `out`.
    pub(crate) out_pitch: usize,
}

impl<T: Real, const HEIGHT: usize, const WIDTH: usize> Kernel for InterpolateTiles<'_, T, HEIGHT, WIDTH> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        for start in (0..self.tiles).step_by(T::Vector::<I>::LANES) {
            let mut lines = [[T::Vector::<I>::splat(T::zero()); 4]; HEIGHT];
            for column in 0..4 {
                let mut points = [T::Vector::<I>::splat(T::zero()); 4];
                for line in 0..4 {
                    points[line] = T::Vector::<I>::load(&self.products[(line * 4 + column) * self.pitch + start..]);
                }
                let outputs = interpolate::<T, I, HEIGHT>(points);
                for line in 0..HEIGHT {
                    lines[line][column] = outputs[line];
                }
            }
            for line in 0..HEIGHT {
                let outputs = interpolate::<T, I, WIDTH>(lines[line]);
                for column in 0..WIDTH {
                    outputs[column].store(&mut self.out[(line * WIDTH + column) * self.out_pitch + start..]);
                }
            }
        }
    }
}

/// `ROWS` rows of the numbers of a vector each, `lane` on from where they begin.
///
/// # Safety
/// Every row has `lane` numbers and a register more.
#[inline(always)]
unsafe fn load_rows<T: Real, I: InstructionSet, const ROWS: usize>(rows: [&[T]; ROWS], lane: usize) -> [T::Vector<I>; ROWS] {
    let mut registers = [T::Vector::<I>::splat(T::zero()); ROWS];
    for row in 0..ROWS {
        // SAFETY: the caller's promise.
        registers[row] = T::Vector::<I>::load(unsafe { rows[row].get_unchecked(lane..lane + T::Vector::<I>::LANES) });
    }
    registers
}

/// A row of tiles of F(2, 3) × F(2, 3) to the points, straight from four rows of neighbouring pixels: tiles are two pixels apart.
pub(crate) struct EvaluateLine<'a, T> {
    pub(crate) pixels: &'a [T],
    /// Where the four rows begin, each of two pixels a tile and a register more.
    pub(crate) rows: [usize; 4],
    /// Whole vectors.
    pub(crate) tiles: usize,
    /// By point, tile.
    pub(crate) out: &'a mut [T],
    /// From one point to the next.
    pub(crate) pitch: usize,
}

impl<T: Real> Kernel for EvaluateLine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let lanes = T::Vector::<I>::LANES;
        let Self { pixels, rows, tiles, out, pitch } = self;
        let rows = rows.map(|row| &pixels[row..row + 2 * tiles + lanes]);
        let out = &mut out[..15 * pitch + tiles];
        for start in (0..tiles / lanes * lanes).step_by(lanes) {
            let mut combined = [[T::Vector::<I>::splat(T::zero()); 4]; 4];
            for (number, shift) in [0, lanes, 2, lanes + 2].into_iter().enumerate() {
                // SAFETY: a register from 2·start + lanes + 2 on ends before 2·tiles + lanes, since start is a register before `tiles`.
                let points = evaluate::<T, I>(unsafe { load_rows::<T, I, 4>(rows, 2 * start + shift) });
                for line in 0..4 {
                    combined[line][number] = points[line];
                }
            }
            for line in 0..4 {
                let [a, b, c, d] = combined[line];
                let ((even, odd), (next_even, next_odd)) = (a.deinterleave(b), c.deinterleave(d));
                let points = evaluate::<T, I>([even, odd, next_even, next_odd]);
                for column in 0..4 {
                    points[column].store(&mut out[(line * 4 + column) * pitch + start..]);
                }
            }
        }
    }
}

/// Products at the points to two rows of neighbouring outputs.
pub(crate) struct InterpolateLine<'a, T> {
    /// By point, tile.
    pub(crate) products: &'a [T],
    /// From one point to the next.
    pub(crate) pitch: usize,
    /// Whole vectors.
    pub(crate) tiles: usize,
    /// Two rows of two outputs a tile.
    pub(crate) out: [&'a mut [T]; 2],
}

impl<T: Real> Kernel for InterpolateLine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let lanes = T::Vector::<I>::LANES;
        let Self { products, pitch, tiles, out } = self;
        let mut points: [&[T]; ELEMENTS] = [&[]; ELEMENTS];
        for point in 0..ELEMENTS {
            points[point] = &products[point * pitch..][..tiles];
        }
        for start in (0..tiles / lanes * lanes).step_by(lanes) {
            let mut lines = [[T::Vector::<I>::splat(T::zero()); 4]; 2];
            for column in 0..4 {
                let of_column = [points[column], points[4 + column], points[8 + column], points[12 + column]];
                // SAFETY: every point was cut to `tiles`, and start is a register before its last whole one.
                let outputs = interpolate::<T, I, 2>(unsafe { load_rows::<T, I, 4>(of_column, start) });
                for line in 0..2 {
                    lines[line][column] = outputs[line];
                }
            }
            for line in 0..2 {
                let [even, odd] = interpolate::<T, I, 2>(lines[line]);
                let (first, second) = even.interleave(odd);
                first.store(&mut out[line][2 * start..]);
                second.store(&mut out[line][2 * start + lanes..]);
            }
        }
    }
}

/// A row of tiles of 2 × 2 neighbouring pixels to the points as if they were filters; those at 1 and at -1 are twice as large, each axis.
pub(crate) struct EvaluateFilterLine<'a, T> {
    pub(crate) pixels: &'a [T],
    /// Where the two rows begin, each of two pixels a tile.
    pub(crate) rows: [usize; 2],
    /// Whole vectors.
    pub(crate) tiles: usize,
    /// By point, tile.
    pub(crate) out: &'a mut [T],
    /// From one point to the next.
    pub(crate) pitch: usize,
}

impl<T: Real> Kernel for EvaluateFilterLine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let lanes = T::Vector::<I>::LANES;
        let Self { pixels, rows, tiles, out, pitch } = self;
        let rows = rows.map(|row| &pixels[row..row + 2 * tiles]);
        let out = &mut out[..15 * pitch + tiles];
        for start in (0..tiles / lanes * lanes).step_by(lanes) {
            // SAFETY: two registers from 2·start on end before 2·tiles, since start is a register before `tiles`.
            let (first, second) = unsafe { (load_rows::<T, I, 2>(rows, 2 * start), load_rows::<T, I, 2>(rows, 2 * start + lanes)) };
            let [(a, b), (c, d)] = [first[0].deinterleave(second[0]), first[1].deinterleave(second[1])];
            for (column, [upper, lower]) in [[a, c], [a.add(b), c.add(d)], [a.subtract(b), c.subtract(d)], [b, d]].into_iter().enumerate() {
                for (line, point) in [upper, upper.add(lower), upper.subtract(lower), lower].into_iter().enumerate() {
                    point.store(&mut out[(line * 4 + column) * pitch + start..]);
                }
            }
        }
    }
}
