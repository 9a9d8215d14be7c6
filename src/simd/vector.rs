//! Registers by name, for the one loop whose sums must stay in them: what the compiler makes of arrays of numbers is right but not
//! always fast.

use num_traits::Float;

use super::{Arithmetic, InstructionSet, SQUARE};

/// As many `T` as a register holds.
pub trait Vector<T>: Copy {
    /// How many.
    const LANES: usize;

    /// The same number in all lanes.
    fn splat(value: T) -> Self;

    /// The first numbers of a slice, which has enough.
    fn load(from: &[T]) -> Self;

    /// Writes to the front of a slice, which is long enough.
    fn store(self, to: &mut [T]);

    /// `self · by + sum`.
    fn multiply_add(self, by: Self, sum: Self) -> Self;

    /// `self + other`.
    fn add(self, other: Self) -> Self;

    /// `self - other`.
    fn subtract(self, other: Self) -> Self;
}

/// `f32` and `f64`: the numbers that sums are kept in.
pub trait Real: Float + Arithmetic {
    /// The register that holds them.
    type Vector<I: InstructionSet>: Vector<Self>;

    /// Rows become columns.
    #[inline(always)]
    fn transpose<I: InstructionSet>(square: &mut [[Self; SQUARE]; SQUARE]) {
        for row in 0..SQUARE {
            for column in 0..row {
                let lower = square[row][column];
                square[row][column] = square[column][row];
                square[column][row] = lower;
            }
        }
    }
}

impl Real for f32 {
    type Vector<I: InstructionSet> = I::Single;

    #[inline(always)]
    fn transpose<I: InstructionSet>(square: &mut [[Self; SQUARE]; SQUARE]) {
        I::transpose(square);
    }
}

impl Real for f64 {
    type Vector<I: InstructionSet> = I::Double;
}

/// An array that the compiler puts into a register; without fused multiply-add.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<T, const LANES: usize, const FUSED: bool>([T; LANES]);

impl<T: Float, const LANES: usize, const FUSED: bool> Vector<T> for Lanes<T, LANES, FUSED> {
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(value: T) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn load(from: &[T]) -> Self {
        let mut lanes = [T::zero(); LANES];
        lanes.copy_from_slice(&from[..LANES]);
        Self(lanes)
    }

    #[inline(always)]
    fn store(self, to: &mut [T]) {
        to[..LANES].copy_from_slice(&self.0);
    }

    #[inline(always)]
    fn multiply_add(self, by: Self, sum: Self) -> Self {
        Self(std::array::from_fn(|i| if FUSED { self.0[i].mul_add(by.0[i], sum.0[i]) } else { self.0[i] * by.0[i] + sum.0[i] }))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    fn subtract(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    macro_rules! register {
        ($register:ident, $float:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $multiply_add:ident, $add:ident, $subtract:ident) => {
            impl Vector<$float> for $register {
                const LANES: usize = $lanes;

                #[inline(always)]
                fn splat(value: $float) -> Self {
                    // SAFETY: vectors are named by their instruction set, which only the shells that enable its features name.
                    unsafe { $splat(value) }
                }

                #[inline(always)]
                fn load(from: &[$float]) -> Self {
                    let from = &from[..$lanes];
                    // SAFETY: as above, and the slice is as long as the register; the load needs no alignment.
                    unsafe { $load(from.as_ptr()) }
                }

                #[inline(always)]
                fn store(self, to: &mut [$float]) {
                    let to = &mut to[..$lanes];
                    // SAFETY: as above, and the slice is as long as the register; the store needs no alignment.
                    unsafe { $store(to.as_mut_ptr(), self) }
                }

                #[inline(always)]
                fn multiply_add(self, by: Self, sum: Self) -> Self {
                    // SAFETY: as in `splat`.
                    unsafe { $multiply_add(self, by, sum) }
                }

                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    // SAFETY: as in `splat`.
                    unsafe { $add(self, other) }
                }

                #[inline(always)]
                fn subtract(self, other: Self) -> Self {
                    // SAFETY: as in `splat`.
                    unsafe { $subtract(self, other) }
                }
            }
        };
    }
    register!(__m256, f32, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_sub_ps);
    register!(__m256d, f64, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd, _mm256_add_pd, _mm256_sub_pd);
    register!(__m512, f32, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_sub_ps);
    register!(__m512d, f64, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd, _mm512_add_pd, _mm512_sub_pd);
}
