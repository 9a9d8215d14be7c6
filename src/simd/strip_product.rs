//! The inner loop of every (transposed) convolution: packed weights times strips of pixels.
//!
//! `sums[row][position] += Σ_k weights[k][row] · strip[offsets[k] + position]`: a matrix product whose second factor is never built.
//! A table of offsets says where each factor of the sum begins in the strip, and neighbouring positions are neighbours in memory, so
//! one strip serves every tap that looks at it. Up to [`MOST_ROWS`] rows and three vectors of positions stay in registers.

use num_traits::Float;

use super::{Backend, InstructionSet, Kernel};

/// The most rows that a panel of packed weights has. With 6 rows and 2 (AVX2) or 3 (AVX-512) vectors the sums fill the registers.
pub(crate) const MOST_ROWS: usize = 6;

/// The heights of the panels that `rows` rows are cut into: as few as possible, as even as possible.
pub(crate) fn panel_heights(rows: usize) -> impl Iterator<Item = usize> {
    let panels = rows.div_ceil(MOST_ROWS);
    (0..panels).map(move |panel| rows / panels + usize::from(panel < rows % panels))
}

/// As many neighbouring positions as a register has lanes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vector {
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

/// The product of some panels of weights with one strip.
pub(crate) struct StripProduct<'a, T> {
    /// Panels one after the other, each `depth` × its height.
    pub(crate) weights: &'a [T],
    /// The rows of all panels together.
    pub(crate) rows: usize,
    /// The length of the whole sum, of which this call adds `offsets.len()` products.
    pub(crate) depth: usize,
    /// The first of them.
    pub(crate) first: usize,
    /// Where each factor begins in the strip.
    pub(crate) offsets: &'a [usize],
    /// The pixels, with room for a vector behind the last.
    pub(crate) strip: &'a [T],
    /// The positions.
    pub(crate) vectors: &'a [Vector],
    /// The sums, `rows` × `pitch`.
    pub(crate) sums: &'a mut [T],
    /// The length of a row of sums.
    pub(crate) pitch: usize,
    /// Whether to add to the sums that are there, or to start from 0.
    pub(crate) accumulate: bool,
}

impl<T: Float> Kernel for StripProduct<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let single = size_of::<T>() == size_of::<f32>();
        match (I::LANES, single) {
            (16, true) => self.by_threes::<I, 16>(),
            (16, false) => self.by_threes::<I, 8>(),
            (8, true) => self.by_twos::<I, 8>(),
            (_, true) => self.by_twos::<I, 4>(),
            (8, false) => self.by_twos::<I, 4>(),
            (_, false) => self.by_twos::<I, 2>(),
        }
    }
}

impl<T: Float> StripProduct<'_, T> {
    /// With 32 registers: three vectors at a time.
    #[inline(always)]
    fn by_threes<I: InstructionSet, const LANES: usize>(mut self) {
        let mut threes = self.vectors.chunks_exact(3);
        for vectors in threes.by_ref() {
            self.column::<I, 3, LANES>(vectors);
        }
        match threes.remainder() {
            [] => {}
            rest @ [_] => self.column::<I, 1, LANES>(rest),
            rest => self.column::<I, 2, LANES>(rest),
        }
    }

    /// With 16 registers: two vectors at a time.
    #[inline(always)]
    fn by_twos<I: InstructionSet, const LANES: usize>(mut self) {
        let mut twos = self.vectors.chunks_exact(2);
        for vectors in twos.by_ref() {
            self.column::<I, 2, LANES>(vectors);
        }
        if let rest @ [_] = twos.remainder() {
            self.column::<I, 1, LANES>(rest);
        }
    }

    /// All rows of `WIDTH` vectors.
    #[inline(always)]
    fn column<I: InstructionSet, const WIDTH: usize, const LANES: usize>(&mut self, vectors: &[Vector]) {
        let (mut row, mut start) = (0, 0);
        for height in panel_heights(self.rows) {
            let panel = &self.weights[start + self.first * height..][..self.offsets.len() * height];
            let sums = &mut self.sums[row * self.pitch..];
            match height {
                1 => tile::<T, I, 1, WIDTH, LANES>(panel, self.offsets, self.strip, vectors, sums, self.pitch, self.accumulate),
                2 => tile::<T, I, 2, WIDTH, LANES>(panel, self.offsets, self.strip, vectors, sums, self.pitch, self.accumulate),
                3 => tile::<T, I, 3, WIDTH, LANES>(panel, self.offsets, self.strip, vectors, sums, self.pitch, self.accumulate),
                4 => tile::<T, I, 4, WIDTH, LANES>(panel, self.offsets, self.strip, vectors, sums, self.pitch, self.accumulate),
                5 => tile::<T, I, 5, WIDTH, LANES>(panel, self.offsets, self.strip, vectors, sums, self.pitch, self.accumulate),
                _ => tile::<T, I, 6, WIDTH, LANES>(panel, self.offsets, self.strip, vectors, sums, self.pitch, self.accumulate),
            }
            start += self.depth * height;
            row += height;
        }
    }
}

/// `HEIGHT` rows of `WIDTH` vectors, their sums in registers from the first product to the last.
#[inline(always)]
fn tile<T: Float, I: InstructionSet, const HEIGHT: usize, const WIDTH: usize, const LANES: usize>(
    panel: &[T],
    offsets: &[usize],
    strip: &[T],
    vectors: &[Vector],
    sums: &mut [T],
    pitch: usize,
    accumulate: bool,
) {
    let mut registers = [[[T::zero(); LANES]; WIDTH]; HEIGHT];
    let from: [usize; WIDTH] = std::array::from_fn(|v| vectors[v].from);
    if accumulate {
        for row in 0..HEIGHT {
            for v in 0..WIDTH {
                registers[row][v].copy_from_slice(&sums[row * pitch + vectors[v].to..][..LANES]);
            }
        }
    }
    for (offset, weights) in offsets.iter().zip(panel.chunks_exact(HEIGHT)) {
        let mut pixels = [[T::zero(); LANES]; WIDTH];
        for v in 0..WIDTH {
            pixels[v].copy_from_slice(&strip[offset + from[v]..][..LANES]);
        }
        for row in 0..HEIGHT {
            for v in 0..WIDTH {
                for lane in 0..LANES {
                    let (weight, pixel, sum) = (weights[row], pixels[v][lane], registers[row][v][lane]);
                    registers[row][v][lane] = if I::FUSED { weight.mul_add(pixel, sum) } else { weight * pixel + sum };
                }
            }
        }
    }
    for row in 0..HEIGHT {
        for v in 0..WIDTH {
            sums[row * pitch + vectors[v].to..][..LANES].copy_from_slice(&registers[row][v]);
        }
    }
}
