//! The inner loop of every (transposed) convolution: packed weights times strips of pixels.
//!
//! `sums[row][position] += Σ_k weights[k][row] · strip[offsets[k] + position]`: a matrix product whose second factor is never built.
//! A table of offsets says where each factor of the sum begins in the strip, and neighbouring positions are neighbours in memory, so
//! one strip serves every tap that looks at it. Up to [`MOST_ROWS`] rows and three vectors of positions stay in registers.

use super::{Backend, InstructionSet, Kernel, Real, Vector};

/// The most rows that a panel of packed weights has. With 6 rows and 2 (AVX2) or 3 (AVX-512) vectors the sums fill the registers.
pub(crate) const MOST_ROWS: usize = 6;

/// The heights of the panels that `rows` rows are cut into: as few as possible, as even as possible.
pub(crate) fn panel_heights(rows: usize) -> impl Iterator<Item = usize> {
    let panels = rows.div_ceil(MOST_ROWS);
    (0..panels).map(move |panel| rows / panels + usize::from(panel < rows % panels))
}

/// As many neighbouring positions as a register has lanes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Positions {
    /// Where they begin in the strip, before the offset of a tap is added.
    pub(crate) from: usize,
    /// Where their sums begin in a row of the sums.
    pub(crate) to: usize,
}

/// How many `T` a register of the backend holds.
pub(crate) fn lanes<T>(backend: Backend) -> usize {
    struct Lanes;
    impl Kernel for Lanes {
        type Output = usize;
        #[inline(always)]
        fn run<I: InstructionSet>(self) -> usize {
            I::LANES
        }
    }
    backend.run(Lanes) * size_of::<f32>() / size_of::<T>()
}

/// How many positions the inner loop takes at a time: those of three vectors where the registers hold their sums, else of two.
pub(crate) fn tile_positions<T>(backend: Backend) -> usize {
    struct Vectors;
    impl Kernel for Vectors {
        type Output = usize;
        #[inline(always)]
        fn run<I: InstructionSet>(self) -> usize {
            if I::REGISTERS >= 32 { 3 } else { 2 }
        }
    }
    backend.run(Vectors) * lanes::<T>(backend)
}

/// How the weights of a product are stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Layout {
    /// Panels one after the other, each `depth` × its height. `depth` is the length of the whole sum, of which a call adds some products
    /// from the `first` on.
    Panels { depth: usize, first: usize },
    /// A product after the other, with so many numbers from one to the next.
    Rows { step: usize },
}

/// The product of some rows of weights with one strip.
pub(crate) struct StripProduct<'a, T> {
    pub(crate) weights: &'a [T],
    pub(crate) layout: Layout,
    /// How many rows.
    pub(crate) rows: usize,
    /// Where each factor begins in the strip.
    pub(crate) offsets: &'a [usize],
    /// The pixels, with room for a vector behind the last.
    pub(crate) strip: &'a [T],
    /// The positions.
    pub(crate) positions: &'a [Positions],
    /// The sums, `rows` × `pitch`.
    pub(crate) sums: &'a mut [T],
    /// The length of a row of sums.
    pub(crate) pitch: usize,
    /// Whether to add to the sums that are there, or to start from 0.
    pub(crate) accumulate: bool,
}

impl<T: Real> StripProduct<'_, T> {
    /// Runs it, panel by panel.
    pub(crate) fn run(self, backend: Backend) {
        let Self { offsets, strip, positions, pitch, accumulate, .. } = self;
        // Checked once for all panels: the inner loop reads without asking.
        let reach = offsets.iter().max().zip(positions.iter().map(|positions| positions.from).max());
        let enough = reach.is_none_or(|(offset, from)| offset.saturating_add(from).saturating_add(lanes::<T>(backend)) <= strip.len());
        assert!(enough, "a strip has room for every vector that is read from it");
        let mut row = 0;
        for height in panel_heights(self.rows) {
            let (start, step) = match self.layout {
                Layout::Panels { depth, first } => (row * depth + first * height, height),
                Layout::Rows { step } => (row, step),
            };
            let weights = &self.weights[start..][..offsets.len().saturating_sub(1) * step + height];
            let sums = &mut self.sums[row * pitch..(row + height) * pitch];
            match height {
                1 => backend.run(Panel::<T, 1> { weights, step, offsets, strip, positions, sums, pitch, accumulate }),
                2 => backend.run(Panel::<T, 2> { weights, step, offsets, strip, positions, sums, pitch, accumulate }),
                3 => backend.run(Panel::<T, 3> { weights, step, offsets, strip, positions, sums, pitch, accumulate }),
                4 => backend.run(Panel::<T, 4> { weights, step, offsets, strip, positions, sums, pitch, accumulate }),
                5 => backend.run(Panel::<T, 5> { weights, step, offsets, strip, positions, sums, pitch, accumulate }),
                _ => backend.run(Panel::<T, MOST_ROWS> { weights, step, offsets, strip, positions, sums, pitch, accumulate }),
            }
            row += height;
        }
    }
}

/// One panel of `HEIGHT` rows, times all positions.
struct Panel<'a, T, const HEIGHT: usize> {
    weights: &'a [T],
    /// From the weights of one product to those of the next.
    step: usize,
    offsets: &'a [usize],
    strip: &'a [T],
    positions: &'a [Positions],
    sums: &'a mut [T],
    pitch: usize,
    accumulate: bool,
}

impl<T: Real, const HEIGHT: usize> Kernel for Panel<'_, T, HEIGHT> {
    type Output = ();

    /// Three vectors at a time where the registers hold their sums, else two.
    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let positions = self.positions;
        let rest = if I::REGISTERS >= 32 {
            let (threes, rest) = positions.as_chunks::<3>();
            threes.iter().for_each(|positions| self.tile::<I, 3>(positions));
            rest
        } else {
            let (twos, rest) = positions.as_chunks::<2>();
            twos.iter().for_each(|positions| self.tile::<I, 2>(positions));
            rest
        };
        match *rest {
            [] => {}
            [one] => self.tile::<I, 1>(&[one]),
            [one, two, ..] => self.tile::<I, 2>(&[one, two]),
        }
    }
}

impl<T: Real, const HEIGHT: usize> Panel<'_, T, HEIGHT> {
    /// `HEIGHT` rows of `WIDTH` vectors, their sums in registers from the first product to the last.
    #[inline(always)]
    fn tile<I: InstructionSet, const WIDTH: usize>(&mut self, positions: &[Positions; WIDTH]) {
        let Self { weights, step, offsets, strip, pitch, .. } = *self;
        let mut registers = [[T::Vector::<I>::splat(T::zero()); WIDTH]; HEIGHT];
        if self.accumulate {
            for row in 0..HEIGHT {
                for v in 0..WIDTH {
                    registers[row][v] = T::Vector::<I>::load(&self.sums[row * pitch + positions[v].to..]);
                }
            }
        }
        for (product, offset) in offsets.iter().enumerate() {
            // SAFETY: `StripProduct::run` cut the weights so that those of the last product are their end.
            let weights = unsafe { weights.get_unchecked(product * step..product * step + HEIGHT) };
            let pixels: [T::Vector<I>; WIDTH] = std::array::from_fn(|v| {
                let start = offset + positions[v].from;
                // SAFETY: `StripProduct::run`, which alone makes panels, checked that the largest offset, the farthest position and a
                // register's lanes together are inside the strip.
                T::Vector::<I>::load(unsafe { strip.get_unchecked(start..start + T::Vector::<I>::LANES) })
            });
            for row in 0..HEIGHT {
                let weight = T::Vector::<I>::splat(weights[row]);
                for v in 0..WIDTH {
                    registers[row][v] = weight.multiply_add(pixels[v], registers[row][v]);
                }
            }
        }
        for row in 0..HEIGHT {
            for v in 0..WIDTH {
                registers[row][v].store(&mut self.sums[row * pitch + positions[v].to..]);
            }
        }
    }
}
