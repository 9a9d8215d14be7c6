//! Sums of magnitudes, by which convolutions judge their data.

use num_traits::Float;

use super::{InstructionSet, Kernel, Real};

/// Channels that are best read together by [`AddMagnitudes`]: the sums are loaded and stored once for all.
pub(crate) const CHANNELS: usize = 4;

/// `sums[i] += Σ weights[c]·|channels[c][i]|`. Returns the [bits](Real::magnitude_bits) of the largest product.
pub(crate) struct AddMagnitudes<'a, T, const N: usize> {
    /// Each as long as `sums`.
    pub(crate) channels: [&'a [T]; N],
    pub(crate) weights: [T; N],
    pub(crate) sums: &'a mut [T],
}

impl<T: Real, const N: usize> Kernel for AddMagnitudes<'_, T, N> {
    type Output = i32;

    #[inline(always)]
    fn run<I: InstructionSet>(self) -> i32 {
        let (channels, mut most) = (self.channels.map(|channel| &channel[..self.sums.len()]), 0);
        for (place, sum) in self.sums.iter_mut().enumerate() {
            for (channel, weight) in channels.iter().zip(self.weights) {
                let product = Float::abs(channel[place]) * weight;
                *sum = *sum + product;
                most = most.max(product.magnitude_bits());
            }
        }
        most
    }
}

/// The sum of the magnitudes, and the [bits](Real::magnitude_bits) of the largest.
pub(crate) struct SumMagnitudes<'a, T>(pub(crate) &'a [T]);

impl<T: Real> Kernel for SumMagnitudes<'_, T> {
    type Output = (f64, i32);

    #[inline(always)]
    fn run<I: InstructionSet>(self) -> (f64, i32) {
        /// Sums side by side, and values after which they are added up: few enough for `f32`.
        const LANES: usize = 64;
        const VALUES: usize = 1 << 14;
        let (mut total, mut bits) = (0.0, [0; LANES]);
        for values in self.0.chunks(VALUES) {
            let (blocks, rest) = values.as_chunks::<LANES>();
            let mut sums = [T::zero(); LANES];
            let mut add = |lane: usize, value: T| {
                sums[lane] = sums[lane] + Float::abs(value);
                bits[lane] = bits[lane].max(value.magnitude_bits());
            };
            for block in blocks {
                (0..LANES).for_each(|lane| add(lane, block[lane]));
            }
            rest.iter().enumerate().for_each(|(lane, &value)| add(lane, value));
            total += sums.iter().map(|&sum| sum.to_double()).sum::<f64>();
        }
        (total, bits.iter().copied().fold(0, i32::max))
    }
}

/// The largest magnitude of some numbers, and their sum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Magnitudes {
    pub(crate) largest: f32,
    pub(crate) sum: f32,
}

impl Magnitudes {
    /// The largest is infinite where the sum is not finite.
    pub(crate) fn new(bits: i32, sum: f32) -> Self {
        Self { largest: if sum.is_finite() { f32::from_bits(bits.cast_unsigned()) } else { f32::INFINITY }, sum }
    }
}

/// Finds those of each `len` values.
pub(crate) struct FindMagnitudes<'a, T> {
    pub(crate) values: &'a [T],
    pub(crate) len: usize,
    pub(crate) found: &'a mut [Magnitudes],
}

impl<T: Real> Kernel for FindMagnitudes<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        const LANES: usize = 8;
        for (values, found) in self.values.chunks_exact(self.len).zip(self.found) {
            let (mut bits, mut sums) = ([0; LANES], [0.0_f32; LANES]);
            let (blocks, rest) = values.as_chunks::<LANES>();
            let mut add = |lane: usize, value: T| {
                let magnitude = value.magnitude_bits();
                bits[lane] = bits[lane].max(magnitude);
                sums[lane] += f32::from_bits(magnitude.cast_unsigned());
            };
            for block in blocks {
                (0..LANES).for_each(|lane| add(lane, block[lane]));
            }
            rest.iter().enumerate().for_each(|(lane, &value)| add(lane, value));
            *found = Magnitudes::new(bits.iter().copied().fold(0, i32::max), sums.iter().sum());
        }
    }
}
