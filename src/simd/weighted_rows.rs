//! Long rows times short patterns: what is left of a convolution where there are too few channels for a matrix product.

use super::{InstructionSet, Kernel, Real, Vector};

/// `out[i] = initial + Σ rows[row + i] · patterns[pattern + i mod period]` over the terms `(row, pattern)`.
pub(crate) struct SumRows<'a, T> {
    pub(crate) rows: &'a [T],
    pub(crate) patterns: &'a [T],
    pub(crate) terms: &'a [(usize, usize)],
    /// Whole vectors.
    pub(crate) period: usize,
    pub(crate) initial: T,
    /// Whole periods.
    pub(crate) out: &'a mut [T],
}

impl<T: Real> Kernel for SumRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        for (number, out) in self.out.chunks_exact_mut(self.period).enumerate() {
            for start in (0..self.period).step_by(T::Vector::<I>::LANES) {
                let mut sum = T::Vector::<I>::splat(self.initial);
                for &(row, pattern) in self.terms {
                    let pixels = T::Vector::<I>::load(&self.rows[row + number * self.period + start..]);
                    sum = pixels.multiply_add(T::Vector::<I>::load(&self.patterns[pattern + start..]), sum);
                }
                sum.store(&mut out[start..]);
            }
        }
    }
}

/// `sums[sum + i mod period] += row[i] · others[other + i]` over the terms `(other, sum)`.
pub(crate) struct AddProducts<'a, T> {
    /// Whole periods.
    pub(crate) row: &'a [T],
    pub(crate) others: &'a [T],
    pub(crate) terms: &'a [(usize, usize)],
    /// Whole vectors.
    pub(crate) period: usize,
    pub(crate) sums: &'a mut [T],
}

impl<T: Real> Kernel for AddProducts<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        for &(other, sum) in self.terms {
            let other = &self.others[other..][..self.row.len()];
            for start in (0..self.period).step_by(T::Vector::<I>::LANES) {
                let sums = &mut self.sums[sum + start..];
                let mut sum = T::Vector::<I>::load(sums);
                for (row, other) in self.row.chunks_exact(self.period).zip(other.chunks_exact(self.period)) {
                    sum = T::Vector::<I>::load(&row[start..]).multiply_add(T::Vector::<I>::load(&other[start..]), sum);
                }
                sum.store(sums);
            }
        }
    }
}
