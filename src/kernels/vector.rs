//! Vectors of `f32` and `f64`: a register each, for loops whose sums must stay in registers. Arrays of numbers give the same results,
//! but the compiler does not always keep them there.

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

    /// Of `self` and `other` one after the other, the numbers at even places and those at odd ones.
    fn deinterleave(self, other: Self) -> (Self, Self);

    /// The numbers of `self` and of `other` in turns.
    fn interleave(self, other: Self) -> (Self, Self);
}

/// `f32` and `f64`: the numbers that sums are kept in.
pub trait Real: Float + Arithmetic {
    /// The register that holds them.
    type Vector<I: InstructionSet>: Vector<Self>;

    /// Whether convolutions are computed with fewer multiplications where that pays: those engines are compiled for these types alone.
    const REDUCES: bool;

    /// The same number, rounded.
    fn from_single(value: f32) -> Self;

    /// The same number.
    fn to_double(self) -> f64;

    /// The bits of the magnitude as `f32`, in the order of the magnitudes; those of NaN are above all others.
    fn magnitude_bits(self) -> i32;

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
    const REDUCES: bool = true;

    fn from_single(value: f32) -> f32 {
        value
    }

    fn to_double(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn magnitude_bits(self) -> i32 {
        (self.to_bits() & (u32::MAX >> 1)).cast_signed()
    }

    #[inline(always)]
    fn transpose<I: InstructionSet>(square: &mut [[Self; SQUARE]; SQUARE]) {
        I::transpose(square);
    }
}

impl Real for f64 {
    type Vector<I: InstructionSet> = I::Double;
    const REDUCES: bool = false;

    fn from_single(value: f32) -> f64 {
        f64::from(value)
    }

    fn to_double(self) -> f64 {
        self
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant
    fn magnitude_bits(self) -> i32 {
        (self as f32).magnitude_bits()
    }
}

/// An array that the compiler may keep in a register. `FUSED` chooses `mul_add`, which is an instruction on NEON.
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
        let mut lanes = sum.0;
        for i in 0..LANES {
            lanes[i] = if FUSED { self.0[i].mul_add(by.0[i], sum.0[i]) } else { self.0[i] * by.0[i] + sum.0[i] };
        }
        Self(lanes)
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let mut lanes = self.0;
        for i in 0..LANES {
            lanes[i] = lanes[i] + other.0[i];
        }
        Self(lanes)
    }

    #[inline(always)]
    fn subtract(self, other: Self) -> Self {
        let mut lanes = self.0;
        for i in 0..LANES {
            lanes[i] = lanes[i] - other.0[i];
        }
        Self(lanes)
    }

    #[inline(always)]
    fn deinterleave(self, other: Self) -> (Self, Self) {
        let (mut even, mut odd) = (self, self);
        for i in 0..LANES / 2 {
            (even.0[i], odd.0[i]) = (self.0[2 * i], self.0[2 * i + 1]);
            (even.0[LANES / 2 + i], odd.0[LANES / 2 + i]) = (other.0[2 * i], other.0[2 * i + 1]);
        }
        (even, odd)
    }

    #[inline(always)]
    fn interleave(self, other: Self) -> (Self, Self) {
        let (mut first, mut second) = (self, self);
        for i in 0..LANES / 2 {
            (first.0[2 * i], first.0[2 * i + 1]) = (self.0[i], other.0[i]);
            (second.0[2 * i], second.0[2 * i + 1]) = (self.0[LANES / 2 + i], other.0[LANES / 2 + i]);
        }
        (first, second)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    macro_rules! register {
        ($register:ident, $float:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $multiply_add:ident, $add:ident, $subtract:ident, $deinterleave:ident, $interleave:ident) => {
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

                #[inline(always)]
                fn deinterleave(self, other: Self) -> (Self, Self) {
                    // SAFETY: as in `splat`.
                    unsafe { $deinterleave(self, other) }
                }

                #[inline(always)]
                fn interleave(self, other: Self) -> (Self, Self) {
                    // SAFETY: as in `splat`.
                    unsafe { $interleave(self, other) }
                }
            }
        };
    }
    register!(
        __m256,
        f32,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        deinterleave_single_256,
        interleave_single_256
    );
    register!(
        __m256d,
        f64,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        deinterleave_double_256,
        interleave_double_256
    );
    register!(
        __m512,
        f32,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        deinterleave_single_512,
        interleave_single_512
    );
    register!(
        __m512d,
        f64,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        deinterleave_double_512,
        interleave_double_512
    );

    // SAFETY of all below: the caller has AVX2, or AVX-512 F for registers of 512 bits.

    #[inline(always)]
    unsafe fn deinterleave_single_256(a: __m256, b: __m256) -> (__m256, __m256) {
        // SAFETY: as above.
        unsafe {
            let (even, odd) = (_mm256_shuffle_ps::<0x88>(a, b), _mm256_shuffle_ps::<0xDD>(a, b));
            let (even, odd) = (_mm256_castps_pd(even), _mm256_castps_pd(odd));
            (_mm256_castpd_ps(_mm256_permute4x64_pd::<0xD8>(even)), _mm256_castpd_ps(_mm256_permute4x64_pd::<0xD8>(odd)))
        }
    }

    #[inline(always)]
    unsafe fn interleave_single_256(a: __m256, b: __m256) -> (__m256, __m256) {
        // SAFETY: as above.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
        }
    }

    #[inline(always)]
    unsafe fn deinterleave_double_256(a: __m256d, b: __m256d) -> (__m256d, __m256d) {
        // SAFETY: as above.
        unsafe { (_mm256_permute4x64_pd::<0xD8>(_mm256_unpacklo_pd(a, b)), _mm256_permute4x64_pd::<0xD8>(_mm256_unpackhi_pd(a, b))) }
    }

    #[inline(always)]
    unsafe fn interleave_double_256(a: __m256d, b: __m256d) -> (__m256d, __m256d) {
        // SAFETY: as above.
        unsafe {
            let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            (_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
        }
    }

    #[inline(always)]
    unsafe fn deinterleave_single_512(a: __m512, b: __m512) -> (__m512, __m512) {
        // SAFETY: as above.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
            (_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b))
        }
    }

    #[inline(always)]
    unsafe fn interleave_single_512(a: __m512, b: __m512) -> (__m512, __m512) {
        // SAFETY: as above.
        unsafe {
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            (_mm512_permutex2var_ps(a, first, b), _mm512_permutex2var_ps(a, second, b))
        }
    }

    #[inline(always)]
    unsafe fn deinterleave_double_512(a: __m512d, b: __m512d) -> (__m512d, __m512d) {
        // SAFETY: as above.
        unsafe {
            let (even, odd) = (_mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15));
            (_mm512_permutex2var_pd(a, even, b), _mm512_permutex2var_pd(a, odd, b))
        }
    }

    #[inline(always)]
    unsafe fn interleave_double_512(a: __m512d, b: __m512d) -> (__m512d, __m512d) {
        // SAFETY: as above.
        unsafe {
            let (first, second) = (_mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15));
            (_mm512_permutex2var_pd(a, first, b), _mm512_permutex2var_pd(a, second, b))
        }
    }
}
