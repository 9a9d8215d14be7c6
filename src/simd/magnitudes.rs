//! Sums of magnitudes, by which convolutions judge their data.

use num_traits::Float;

use super::{InstructionSet, Kernel, Real};

/// `sums[i] += weight·|values[i]|`. Returns the [bits](Real::magnitude_bits) of the largest magnitude.
pub(crate) struct AddMagnitudes<'a, T> {
    pub(crate) values: &'a [T],
    pub(crate) weight: T,
    pub(crate) sums: &'a mut [T],
}

impl<T: Real> Kernel for AddMagnitudes<'_, T> {
    type Output = i32;

    #[inline(always)]
    fn run<I: InstructionSet>(self) -> i32 {
        let mut most = 0;
        for (sum, &value) in self.sums.iter_mut().zip(self.values) {
            *sum = *sum + Float::abs(value) * self.weight;
            most = most.max(value.magnitude_bits());
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
        /// Sums that are kept side by side, and values after which they are added up: few enough for `f32`.
        const LANES: usize = 16;
        const VALUES: usize = 4096;
        let (mut total, mut most) = (0.0, 0);
        for values in self.0.chunks(VALUES) {
            let (blocks, rest) = values.as_chunks::<LANES>();
            let mut sums = [T::zero(); LANES];
            for block in blocks {
                for lane in 0..LANES {
                    sums[lane] = sums[lane] + Float::abs(block[lane]);
                }
            }
            total += sums.iter().chain(rest).map(|&value| Float::abs(value).to_double()).sum::<f64>();
            for &value in values {
                most = most.max(value.magnitude_bits());
            }
        }
        (total, most)
    }
}
