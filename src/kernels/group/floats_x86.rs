//! Groups of floats: a register each.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::{Group, GroupSums, RowGroup};
use crate::kernels::Vector;

// Every SAFETY line below relies on this: a type of this module is a group of `Avx2` or of the AVX-512 sets alone, whose kernels only run in
// the shells that enable those instruction sets' features (AVX-512 includes AVX2).

/// A group of floats: one register, two loads and a choice where the window is wide.
macro_rules! float_group {
    ($register:ident, $float:ty, $lanes:literal, $pick:ty, $zero:ident, $splat:ident, $load:ident, $store:ident, $stream:ident, $multiply_add:ident,
     |$from:ident| $make_pick:expr, |$window:ident, $narrow_pick:ident| $narrow:expr, |$lower:ident, $upper:ident, $wide_pick:ident| $wide:expr) => {
        impl GroupSums<$float> for $register {
            const LANES: usize = $lanes;

            #[inline(always)]
            fn start() -> Self {
                // SAFETY: the features are there, see the top.
                unsafe { $zero() }
            }

            #[inline(always)]
            fn finish(self, to: &mut [MaybeUninit<$float>]) {
                let to = &mut to[..$lanes];
                // SAFETY: the features are there, see the top; the slice is as long as the register.
                unsafe { $store(to.as_mut_ptr().cast(), self) }
            }
        }

        impl RowGroup<$float> for $register {
            type RowWeight = $register;

            #[inline(always)]
            fn weight(weight: $float) -> $register {
                // SAFETY: the features are there, see the top.
                unsafe { $splat(weight) }
            }

            #[inline(always)]
            fn accumulate_row(self, from: &[$float], weight: $register) -> Self {
                let from = &from[..$lanes];
                // SAFETY: the features are there, see the top; the slice is as long as the register.
                unsafe { $multiply_add(weight, $load(from.as_ptr()), self) }
            }

            const PAIRS: bool = true;

            #[inline(always)]
            fn of_pairs(self, next: Self, weights: [$register; 2]) -> Self {
                let (even, odd) = self.deinterleave(next);
                odd.multiply_add(weights[1], even.multiply_add(weights[0], Self::start()))
            }

            const STREAMS: bool = true;

            #[inline(always)]
            fn stream(self, to: &mut [MaybeUninit<$float>]) {
                let to = &mut to[..$lanes];
                if !to.as_ptr().addr().is_multiple_of(size_of::<Self>()) {
                    return self.finish(to);
                }
                // SAFETY: the features are there, see the top; the slice is as long as the register and begins at a multiple of its size.
                unsafe { $stream(to.as_mut_ptr().cast(), self) }
            }
        }

        impl Group<$float> for $register {
            const WINDOW: usize = $lanes;
            type Pick = $pick;
            type Weights = $register;

            #[inline(always)]
            fn pick($from: &[u8]) -> $pick {
                let $from = &$from[..$lanes];
                // SAFETY: the features are there, see the top; the slice has a byte for each lane, and no more are read.
                unsafe { $make_pick }
            }

            #[inline(always)]
            fn weights(from: &[$float]) -> $register {
                let from = &from[..$lanes];
                // SAFETY: the features are there, see the top; the slice is as long as the register.
                unsafe { $load(from.as_ptr()) }
            }

            #[inline(always)]
            fn accumulate<const WIDE: bool>(self, window: &[$float], pick: $pick, weights: $register) -> Self {
                let window = &window[..if WIDE { 2 * $lanes } else { $lanes }];
                // SAFETY: the features are there, see the top; the window is as long as one register, as two where it is wide.
                unsafe {
                    let first = $load(window.as_ptr());
                    let chosen = if WIDE {
                        let ($lower, $upper, $wide_pick) = (first, $load(window.as_ptr().add($lanes)), pick);
                        $wide
                    } else {
                        let ($window, $narrow_pick) = (first, pick);
                        $narrow
                    };
                    $multiply_add(weights, chosen, self)
                }
            }
        }
    };
}

float_group!(
    __m512,
    f32,
    16,
    __m512i,
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_stream_ps,
    _mm512_fmadd_ps,
    |from| _mm512_cvtepu8_epi32(_mm_loadu_si128(from.as_ptr().cast())),
    |window, pick| _mm512_permutexvar_ps(pick, window),
    |lower, upper, pick| _mm512_permutex2var_ps(lower, pick, upper)
);
float_group!(
    __m512d,
    f64,
    8,
    __m512i,
    _mm512_setzero_pd,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_stream_pd,
    _mm512_fmadd_pd,
    |from| _mm512_cvtepu8_epi64(_mm_loadl_epi64(from.as_ptr().cast())),
    |window, pick| _mm512_permutexvar_pd(pick, window),
    |lower, upper, pick| _mm512_permutex2var_pd(lower, pick, upper)
);
float_group!(
    __m256,
    f32,
    8,
    __m256i,
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_stream_ps,
    _mm256_fmadd_ps,
    |from| _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.as_ptr().cast())),
    |window, pick| _mm256_permutevar8x32_ps(window, pick),
    // Bit 3 of the pick, moved to the sign, tells the half.
    |lower, upper, pick| _mm256_blendv_ps(
        _mm256_permutevar8x32_ps(lower, pick),
        _mm256_permutevar8x32_ps(upper, pick),
        _mm256_castsi256_ps(_mm256_slli_epi32::<28>(pick))
    )
);
float_group!(
    __m256d,
    f64,
    4,
    __m256i,
    _mm256_setzero_pd,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_stream_pd,
    _mm256_fmadd_pd,
    // The two halves of each element: twice the pick, and that plus 1.
    |from| {
        let pick = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(i32::from_le_bytes([from[0], from[1], from[2], from[3]])));
        let twice = _mm256_slli_epi64::<1>(pick);
        _mm256_or_si256(twice, _mm256_slli_epi64::<32>(_mm256_add_epi64(twice, _mm256_set1_epi64x(1))))
    },
    |window, pick| _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(window), pick)),
    // Bit 2 of the pick, bit 3 of its double, tells the half.
    |lower, upper, pick| _mm256_castps_pd(_mm256_blendv_ps(
        _mm256_permutevar8x32_ps(_mm256_castpd_ps(lower), pick),
        _mm256_permutevar8x32_ps(_mm256_castpd_ps(upper), pick),
        _mm256_castsi256_ps(_mm256_slli_epi32::<28>(pick))
    ))
);
