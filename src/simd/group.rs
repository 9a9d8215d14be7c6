//! Neighbouring output elements of a row, computed at a time: as many as a register holds.
//!
//! The input elements that one tap of a group needs lie close together, so they are loaded as one window and permuted into place, which
//! is several times as fast as gathering them one by one.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::{Arithmetic, InstructionSet, Kernel};

/// The sums of a group.
pub trait Group<T: Arithmetic>: Copy {
    /// Elements of a group.
    const LANES: usize;
    /// Elements of a window that is permuted in one go; a wide one has twice as many.
    const WINDOW: usize;
    /// Which element of the window each lane takes, as the permutation wants it.
    type Pick: Copy;
    /// A weight for each lane.
    type Weights: Copy;

    /// Sums of nothing.
    fn start() -> Self;

    /// From `LANES` numbers below the length of the window.
    fn pick(from: &[u8]) -> Self::Pick;

    /// From `LANES` weights.
    fn weights(from: &[T::Weight]) -> Self::Weights;

    /// Adds the picked elements of the window, weighted. `WIDE` tells the window's length.
    fn accumulate<const WIDE: bool>(self, window: &[T], pick: Self::Pick, weights: Self::Weights) -> Self;

    /// The same weight for all lanes.
    fn weight(weight: T::Weight) -> Self::Weights;

    /// Adds the first `LANES` elements of `from`, weighted.
    fn accumulate_row(self, from: &[T], weights: Self::Weights) -> Self;

    /// Rounds and writes `LANES` results to the front of `to`.
    fn finish(self, to: &mut [MaybeUninit<T>]);

    /// Whether [`stream`](Self::stream) goes past the caches.
    const STREAMS: bool = false;

    /// The same past the caches, where `to` begins at a multiple of a group's size.
    #[inline(always)]
    fn stream(self, to: &mut [MaybeUninit<T>]) {
        self.finish(to);
    }
}

/// Lanes and window of a group under some instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupShape {
    pub(crate) lanes: usize,
    pub(crate) window: usize,
}

impl GroupShape {
    pub(crate) fn of<T: Arithmetic, I: InstructionSet>() -> Self {
        Self { lanes: T::Group::<I>::LANES, window: T::Group::<I>::WINDOW }
    }
}

/// Asks for the shape of groups of `T`.
pub(crate) struct AskGroupShape<T>(pub(crate) PhantomData<T>);

impl<T: Arithmetic> Kernel for AskGroupShape<T> {
    type Output = GroupShape;

    #[inline(always)]
    fn run<I: InstructionSet>(self) -> GroupShape {
        GroupShape::of::<T, I>()
    }
}

/// An array of sums, for any instruction set.
#[derive(Debug)]
pub struct Sums<T: Arithmetic, I, const LANES: usize>([T::Sum; LANES], PhantomData<I>);

impl<T: Arithmetic, I, const LANES: usize> Clone for Sums<T, I, LANES> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Arithmetic, I, const LANES: usize> Copy for Sums<T, I, LANES> {}

impl<T: Arithmetic, I: InstructionSet, const LANES: usize> Group<T> for Sums<T, I, LANES> {
    const LANES: usize = LANES;
    const WINDOW: usize = LANES;
    type Pick = [u8; LANES];
    type Weights = [T::Weight; LANES];

    #[inline(always)]
    fn start() -> Self {
        Self([T::START; LANES], PhantomData)
    }

    #[inline(always)]
    fn pick(from: &[u8]) -> [u8; LANES] {
        std::array::from_fn(|lane| from[lane])
    }

    #[inline(always)]
    fn weights(from: &[T::Weight]) -> [T::Weight; LANES] {
        std::array::from_fn(|lane| from[lane])
    }

    #[inline(always)]
    fn accumulate<const WIDE: bool>(self, window: &[T], pick: [u8; LANES], weights: [T::Weight; LANES]) -> Self {
        Self(std::array::from_fn(|lane| T::accumulate::<I>(self.0[lane], weights[lane], window[pick[lane] as usize])), PhantomData)
    }

    #[inline(always)]
    fn weight(weight: T::Weight) -> [T::Weight; LANES] {
        [weight; LANES]
    }

    #[inline(always)]
    fn accumulate_row(mut self, from: &[T], weights: [T::Weight; LANES]) -> Self {
        let from = &from[..LANES];
        for lane in 0..LANES {
            self.0[lane] = T::accumulate::<I>(self.0[lane], weights[lane], from[lane]);
        }
        self
    }

    #[inline(always)]
    fn finish(self, to: &mut [MaybeUninit<T>]) {
        for (slot, sum) in to[..LANES].iter_mut().zip(self.0) {
            slot.write(T::finish(sum));
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::mem::MaybeUninit;

    use super::Group;
    use crate::simd::arithmetic::{Arithmetic, FRACTION_BITS, FewBits};

    // Every SAFETY line below relies on this: a type of this module is a group of `Avx2` or `Avx512` alone, whose kernels only run in
    // the shells that enable those instruction sets' features (AVX-512 includes AVX2).

    /// A group of floats: one register, two loads and a choice where the window is wide.
    macro_rules! float_group {
        ($register:ident, $float:ty, $lanes:literal, $pick:ty, $zero:ident, $splat:ident, $load:ident, $store:ident, $stream:ident, $multiply_add:ident,
         |$from:ident| $make_pick:expr, |$window:ident, $narrow_pick:ident| $narrow:expr, |$lower:ident, $upper:ident, $wide_pick:ident| $wide:expr) => {
            impl Group<$float> for $register {
                const LANES: usize = $lanes;
                const WINDOW: usize = $lanes;
                type Pick = $pick;
                type Weights = $register;

                #[inline(always)]
                fn start() -> Self {
                    // SAFETY: the features are there, see the top.
                    unsafe { $zero() }
                }

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

                #[inline(always)]
                fn weight(weight: $float) -> $register {
                    // SAFETY: the features are there, see the top.
                    unsafe { $splat(weight) }
                }

                #[inline(always)]
                fn accumulate_row(self, from: &[$float], weights: $register) -> Self {
                    let from = &from[..$lanes];
                    // SAFETY: the features are there, see the top; the slice is as long as the register.
                    unsafe { $multiply_add(weights, $load(from.as_ptr()), self) }
                }

                #[inline(always)]
                fn finish(self, to: &mut [MaybeUninit<$float>]) {
                    let to = &mut to[..$lanes];
                    // SAFETY: the features are there, see the top; the slice is as long as the register.
                    unsafe { $store(to.as_mut_ptr().cast(), self) }
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

    /// The 16 bytes picked from a window of 16 or 32.
    ///
    /// # Safety
    /// AVX2 is there, and `window` points to 16 bytes, to 32 where it is wide.
    #[inline(always)]
    unsafe fn picked_bytes<const WIDE: bool>(window: *const u8, pick: __m128i) -> __m128i {
        // SAFETY: the caller's promise.
        unsafe {
            let lower = _mm_loadu_si128(window.cast());
            if !WIDE {
                return _mm_shuffle_epi8(lower, pick);
            }
            let upper = _mm_loadu_si128(window.add(16).cast());
            // A pick with the highest bit set gives 0: those of the upper half after adding 0x70, those of the lower after taking 16.
            let lower = _mm_shuffle_epi8(lower, _mm_add_epi8(pick, _mm_set1_epi8(0x70)));
            let upper = _mm_shuffle_epi8(upper, _mm_sub_epi8(pick, _mm_set1_epi8(16)));
            _mm_or_si128(lower, upper)
        }
    }

    /// Half of what a sum of bytes is rounded to.
    const HALF: i32 = 1 << (FRACTION_BITS - 1);

    /// Sixteen bytes, in two registers.
    impl Group<u8> for [__m256i; 2] {
        const LANES: usize = 16;
        const WINDOW: usize = 16;
        type Pick = __m128i;
        type Weights = [__m256i; 2];

        #[inline(always)]
        fn start() -> Self {
            // SAFETY: the features are there, see the top.
            unsafe { [_mm256_set1_epi32(HALF); 2] }
        }

        #[inline(always)]
        fn pick(from: &[u8]) -> __m128i {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes.
            unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
        }

        #[inline(always)]
        fn weights(from: &[i32]) -> [__m256i; 2] {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice is as long as both registers.
            unsafe { [_mm256_loadu_si256(from.as_ptr().cast()), _mm256_loadu_si256(from.as_ptr().add(8).cast())] }
        }

        #[inline(always)]
        fn accumulate<const WIDE: bool>(self, window: &[u8], pick: __m128i, weights: [__m256i; 2]) -> Self {
            let window = &window[..if WIDE { 32 } else { 16 }];
            // SAFETY: the features are there, see the top; the window is as long as it has to be.
            unsafe {
                let chosen = picked_bytes::<WIDE>(window.as_ptr(), pick);
                let (low, high) = (_mm256_cvtepu8_epi32(chosen), _mm256_cvtepu8_epi32(_mm_srli_si128::<8>(chosen)));
                [
                    _mm256_add_epi32(self[0], _mm256_mullo_epi32(weights[0], low)),
                    _mm256_add_epi32(self[1], _mm256_mullo_epi32(weights[1], high)),
                ]
            }
        }

        #[inline(always)]
        fn weight(weight: i32) -> [__m256i; 2] {
            // SAFETY: the features are there, see the top.
            unsafe { [_mm256_set1_epi32(weight); 2] }
        }

        #[inline(always)]
        fn accumulate_row(self, from: &[u8], weights: [__m256i; 2]) -> Self {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes, 8 are read at a time.
            unsafe {
                let low = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.as_ptr().cast()));
                let high = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.as_ptr().add(8).cast()));
                [
                    _mm256_add_epi32(self[0], _mm256_mullo_epi32(weights[0], low)),
                    _mm256_add_epi32(self[1], _mm256_mullo_epi32(weights[1], high)),
                ]
            }
        }

        #[inline(always)]
        fn finish(self, to: &mut [MaybeUninit<u8>]) {
            let to = &mut to[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes.
            unsafe {
                let [low, high] = self.map(|sums| _mm256_srai_epi32::<{ FRACTION_BITS as i32 }>(sums));
                // Both instructions saturate, and work on halves: the permutation puts the quarters in order between them.
                let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
                let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
                _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
            }
        }
    }

    /// Sixteen bytes, in one register.
    impl Group<u8> for __m512i {
        const LANES: usize = 16;
        const WINDOW: usize = 16;
        type Pick = __m128i;
        type Weights = __m512i;

        #[inline(always)]
        fn start() -> Self {
            // SAFETY: the features are there, see the top.
            unsafe { _mm512_set1_epi32(HALF) }
        }

        #[inline(always)]
        fn pick(from: &[u8]) -> __m128i {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes.
            unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
        }

        #[inline(always)]
        fn weights(from: &[i32]) -> __m512i {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice is as long as the register.
            unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
        }

        #[inline(always)]
        fn accumulate<const WIDE: bool>(self, window: &[u8], pick: __m128i, weights: __m512i) -> Self {
            let window = &window[..if WIDE { 32 } else { 16 }];
            // SAFETY: the features are there, see the top; the window is as long as it has to be.
            unsafe {
                let chosen = _mm512_cvtepu8_epi32(picked_bytes::<WIDE>(window.as_ptr(), pick));
                _mm512_add_epi32(self, _mm512_mullo_epi32(weights, chosen))
            }
        }

        #[inline(always)]
        fn weight(weight: i32) -> __m512i {
            // SAFETY: the features are there, see the top.
            unsafe { _mm512_set1_epi32(weight) }
        }

        #[inline(always)]
        fn accumulate_row(self, from: &[u8], weights: __m512i) -> Self {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes.
            unsafe {
                let values = _mm512_cvtepu8_epi32(_mm_loadu_si128(from.as_ptr().cast()));
                _mm512_add_epi32(self, _mm512_mullo_epi32(weights, values))
            }
        }

        #[inline(always)]
        fn finish(self, to: &mut [MaybeUninit<u8>]) {
            let to = &mut to[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes.
            unsafe {
                let rounded = _mm512_max_epi32(_mm512_srai_epi32::<{ FRACTION_BITS }>(self), _mm512_setzero_si512());
                _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtusepi32_epi8(rounded));
            }
        }
    }

    /// Sixteen sums of 16 bits.
    impl Group<FewBits> for __m256i {
        const LANES: usize = 16;
        const WINDOW: usize = 16;
        type Pick = __m128i;
        type Weights = __m256i;

        #[inline(always)]
        fn start() -> Self {
            // SAFETY: the features are there, see the top.
            unsafe { _mm256_set1_epi16(FewBits::START) }
        }

        #[inline(always)]
        fn pick(from: &[u8]) -> __m128i {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes.
            unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
        }

        #[inline(always)]
        fn weights(from: &[i16]) -> __m256i {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice is as long as the register.
            unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
        }

        #[inline(always)]
        fn accumulate<const WIDE: bool>(self, window: &[FewBits], pick: __m128i, weights: __m256i) -> Self {
            let window = &window[..if WIDE { 32 } else { 16 }];
            // SAFETY: the features are there, see the top; the window is as long as it has to be.
            unsafe {
                let chosen = _mm256_cvtepu8_epi16(picked_bytes::<WIDE>(window.as_ptr().cast(), pick));
                _mm256_add_epi16(self, _mm256_mullo_epi16(weights, chosen))
            }
        }

        #[inline(always)]
        fn weight(weight: i16) -> __m256i {
            // SAFETY: the features are there, see the top.
            unsafe { _mm256_set1_epi16(weight) }
        }

        #[inline(always)]
        fn accumulate_row(self, from: &[FewBits], weights: __m256i) -> Self {
            let from = &from[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes.
            unsafe {
                let values = _mm256_cvtepu8_epi16(_mm_loadu_si128(from.as_ptr().cast()));
                _mm256_add_epi16(self, _mm256_mullo_epi16(weights, values))
            }
        }

        #[inline(always)]
        fn finish(self, to: &mut [MaybeUninit<FewBits>]) {
            let to = &mut to[..16];
            // SAFETY: the features are there, see the top; the slice has 16 bytes.
            unsafe {
                let rounded = _mm256_srai_epi16::<{ FewBits::FRACTION_BITS as i32 }>(self);
                // Saturated to -128..=127; turning the highest bit over adds 128.
                let bytes = _mm_packs_epi16(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256::<1>(rounded));
                _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
            }
        }
    }
}
