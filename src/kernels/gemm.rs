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
pub(crate) enum Layout<'a> {
    /// Panels one after the other, each `depth` × its height. `depth` is the length of the whole sum, of which a call adds some products
    /// from the `first` on.
    Panels { depth: usize, first: usize },
    /// The weight of a row and a product is at the sum of their offsets.
    Offsets { rows: &'a [usize], products: &'a [usize] },
}

/// The product of some rows of weights with one strip.
pub(crate) struct StripProduct<'a, T> {
    pub(crate) weights: &'a [T],
    pub(crate) layout: Layout<'a>,
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
        if let Layout::Offsets { rows, products } = self.layout {
            let reach = rows.iter().max().zip(products.iter().max());
            assert!(products.len() == offsets.len(), "a weight for each product");
            assert!(reach.is_none_or(|(row, product)| row.saturating_add(*product) < self.weights.len()), "weights are inside");
        }
        let mut row = 0;
        for height in panel_heights(self.rows) {
            let sums = &mut self.sums[row * pitch..(row + height) * pitch];
            match self.layout {
                Layout::Panels { depth, first } => {
                    let weights = &self.weights[row * depth + first * height..][..offsets.len() * height];
                    let panel = Panel { weights: Packed(weights), offsets, strip, positions, sums, pitch, accumulate };
                    panel.run_height(height, backend);
                }
                Layout::Offsets { rows, products } => {
                    let weights = Scattered { weights: self.weights, rows: &rows[row..row + height], products };
                    Panel { weights, offsets, strip, positions, sums, pitch, accumulate }.run_height(height, backend);
                }
            }
            row += height;
        }
    }
}

/// Where a panel of `HEIGHT` rows finds its weights: that of a product is in the row's slice, at the product's place.
trait Weights<T>: Copy {
    /// From the row's first possible weight on.
    fn row(&self, row: usize) -> &[T];

    /// # Safety
    /// `product` is less than the number of products.
    unsafe fn place<const HEIGHT: usize>(&self, product: usize) -> usize;
}

/// Products one after the other, the rows of each side by side.
#[derive(Clone, Copy)]
struct Packed<'a, T>(&'a [T]);

impl<T: Real> Weights<T> for Packed<'_, T> {
    #[inline(always)]
    fn row(&self, row: usize) -> &[T] {
        self.0.get(row..).unwrap_or_default()
    }

    #[inline(always)]
    unsafe fn place<const HEIGHT: usize>(&self, product: usize) -> usize {
        product * HEIGHT
    }
}

/// At the sum of the row's and the product's offset.
#[derive(Clone, Copy)]
struct Scattered<'a, T> {
    weights: &'a [T],
    rows: &'a [usize],
    products: &'a [usize],
}

impl<T: Real> Weights<T> for Scattered<'_, T> {
    #[inline(always)]
    fn row(&self, row: usize) -> &[T] {
        &self.weights[self.rows[row]..]
    }

    #[inline(always)]
    unsafe fn place<const HEIGHT: usize>(&self, product: usize) -> usize {
        // SAFETY: the caller's promise.
        unsafe { *self.products.get_unchecked(product) }
    }
}

/// Some rows, times all positions.
struct Panel<'a, T, W> {
    weights: W,
    offsets: &'a [usize],
    strip: &'a [T],
    positions: &'a [Positions],
    sums: &'a mut [T],
    pitch: usize,
    accumulate: bool,
}

impl<T: Real, W: Weights<T>> Panel<'_, T, W> {
    fn run_height(self, height: usize, backend: Backend) {
        match height {
            1 => backend.run(OfHeight::<_, 1>(self)),
            2 => backend.run(OfHeight::<_, 2>(self)),
            3 => backend.run(OfHeight::<_, 3>(self)),
            4 => backend.run(OfHeight::<_, 4>(self)),
            5 => backend.run(OfHeight::<_, 5>(self)),
            _ => backend.run(OfHeight::<_, MOST_ROWS>(self)),
        }
    }
}

/// A panel of `HEIGHT` rows.
struct OfHeight<P, const HEIGHT: usize>(P);

impl<T: Real, W: Weights<T>, const HEIGHT: usize> Kernel for OfHeight<Panel<'_, T, W>, HEIGHT> {
    type Output = ();

    /// Three vectors at a time where the registers hold their sums, else two.
    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let positions = self.0.positions;
        let rest = if const { I::REGISTERS >= 32 } {
            // Four are two and two: one alone would wait for its weights.
            let threes = if positions.len() % 3 == 1 { positions.len().saturating_sub(4) } else { positions.len() };
            let (threes, rest) = positions.split_at(threes / 3 * 3);
            for positions in threes.as_chunks::<3>().0 {
                self.tile::<I, 3>(positions);
            }
            rest
        } else {
            positions
        };
        let (twos, rest) = rest.as_chunks::<2>();
        for positions in twos {
            self.tile::<I, 2>(positions);
        }
        if let [one] = *rest {
            self.tile::<I, 1>(&[one]);
        }
    }
}

impl<T: Real, W: Weights<T>, const HEIGHT: usize> OfHeight<Panel<'_, T, W>, HEIGHT> {
    /// `HEIGHT` rows of `WIDTH` vectors, their sums in registers from the first product to the last.
    #[inline(always)]
    fn tile<I: InstructionSet, const WIDTH: usize>(&mut self, positions: &[Positions; WIDTH]) {
        let Panel { weights, offsets, strip, pitch, .. } = self.0;
        let mut registers = [[T::Vector::<I>::splat(T::zero()); WIDTH]; HEIGHT];
        let mut rows: [&[T]; HEIGHT] = [&[]; HEIGHT];
        for row in 0..HEIGHT {
            rows[row] = weights.row(row);
            if self.0.accumulate {
                registers[row] = load_row::<T, I, WIDTH>(&self.0.sums[row * pitch..], positions);
            }
        }
        for product in 0..offsets.len() {
            // SAFETY: `product` counts the offsets, of which there are as many as products.
            let place = unsafe { weights.place::<HEIGHT>(product) };
            // SAFETY: `StripProduct::run`, which alone makes panels, checked that the largest offset, the farthest position and a
            // register's lanes together are inside the strip.
            let pixels = unsafe { load_pixels::<T, I, WIDTH>(strip, offsets[product], positions) };
            for row in 0..HEIGHT {
                // SAFETY: packed weights were cut to `HEIGHT` for each product. Of scattered ones `StripProduct::run` checked that the
                // largest offset of a row and that of a product together are inside.
                let weight = T::Vector::<I>::splat(unsafe { *rows[row].get_unchecked(place) });
                registers[row] = multiply_add_row::<T, I, WIDTH>(weight, pixels, registers[row]);
            }
        }
        for row in 0..HEIGHT {
            store_row::<T, I, WIDTH>(registers[row], &mut self.0.sums[row * pitch..], positions);
        }
    }
}

/// The sums of a row at some positions.
#[inline(always)]
fn load_row<T: Real, I: InstructionSet, const WIDTH: usize>(sums: &[T], positions: &[Positions; WIDTH]) -> [T::Vector<I>; WIDTH] {
    let mut row = [T::Vector::<I>::splat(T::zero()); WIDTH];
    for v in 0..WIDTH {
        row[v] = T::Vector::<I>::load(&sums[positions[v].to..]);
    }
    row
}

/// Puts them back.
#[inline(always)]
fn store_row<T: Real, I: InstructionSet, const WIDTH: usize>(row: [T::Vector<I>; WIDTH], sums: &mut [T], positions: &[Positions; WIDTH]) {
    for v in 0..WIDTH {
        row[v].store(&mut sums[positions[v].to..]);
    }
}

/// The pixels of a tap at some positions.
///
/// # Safety
/// The offset, any position and a register's lanes together are inside the strip.
#[inline(always)]
unsafe fn load_pixels<T: Real, I: InstructionSet, const WIDTH: usize>(
    strip: &[T],
    offset: usize,
    positions: &[Positions; WIDTH],
) -> [T::Vector<I>; WIDTH] {
    let mut pixels = [T::Vector::<I>::splat(T::zero()); WIDTH];
    for v in 0..WIDTH {
        let start = offset + positions[v].from;
        // SAFETY: the caller's promise.
        pixels[v] = T::Vector::<I>::load(unsafe { strip.get_unchecked(start..start + T::Vector::<I>::LANES) });
    }
    pixels
}

/// `sums + weight · pixels`.
#[inline(always)]
fn multiply_add_row<T: Real, I: InstructionSet, const WIDTH: usize>(
    weight: T::Vector<I>,
    pixels: [T::Vector<I>; WIDTH],
    mut sums: [T::Vector<I>; WIDTH],
) -> [T::Vector<I>; WIDTH] {
    for v in 0..WIDTH {
        sums[v] = weight.multiply_add(pixels[v], sums[v]);
    }
    sums
}
