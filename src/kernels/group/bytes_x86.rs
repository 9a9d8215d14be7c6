//! Groups of bytes: two taps at a time, by the instructions that multiply pairs and add them.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::{Group, GroupSums};
use crate::kernels::arithmetic::{Arithmetic, FRACTION_BITS, FewBits, LOW_BITS};

// Every SAFETY line below relies on this: a type of this module is a group of `Avx2` or of the AVX-512 sets alone, whose kernels only run in
// the shells that enable those instruction sets' features (AVX-512 includes AVX2).

/// Half of what a sum of bytes is rounded to.
pub(crate) const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// Sixteen bytes. Weights of 22 bits are cut in two of 16, which are summed apart.
#[derive(Clone, Copy)]
pub(crate) struct Bytes512 {
    low: __m512i,
    high: __m512i,
}

impl GroupSums<u8> for Bytes512 {
    const LANES: usize = 16;

    #[inline(always)]
    fn start() -> Self {
        // SAFETY: the features are there, see the top.
        unsafe { Self { low: _mm512_set1_epi32(HALF), high: _mm512_setzero_si512() } }
    }

    #[inline(always)]
    fn finish(self, to: &mut [MaybeUninit<u8>]) {
        // SAFETY: the features are there, see the top.
        unsafe { store_sums(_mm512_add_epi32(self.low, _mm512_slli_epi32::<LOW_BITS>(self.high)), to) }
    }
}

/// Sixteen sums as bytes.
///
/// # Safety
/// AVX-512 F is there.
#[inline(always)]
pub(super) unsafe fn store_sums(sums: __m512i, to: &mut [MaybeUninit<u8>]) {
    let to = &mut to[..16];
    // SAFETY: the caller's promise; the slice has 16 bytes.
    unsafe {
        let rounded = _mm512_srai_epi32::<FRACTION_BITS>(sums);
        // Not by the instruction that narrows a whole register: into memory, as compilers have it, it takes Zen 4 ten times as long.
        let halves = [_mm512_castsi512_si256(rounded), _mm512_extracti64x4_epi64::<1>(rounded)];
        _mm_storeu_si128(to.as_mut_ptr().cast(), saturated(halves));
    }
}

impl Group<u8> for Bytes512 {
    const WINDOW: usize = 16;
    const FOLD: usize = 2;
    type Pick = __m512i;
    type Weights = [__m512i; 2];

    /// Bytes become words: those in between pick nothing, which is 0.
    #[inline(always)]
    fn pick(from: &[u8]) -> __m512i {
        let from = &from[..32];
        // SAFETY: the features are there, see the top; the slice has 32 bytes.
        unsafe {
            _mm512_or_si512(_mm512_cvtepu8_epi16(_mm256_loadu_si256(from.as_ptr().cast())), _mm512_set1_epi16(0xFF00_u16.cast_signed()))
        }
    }

    #[inline(always)]
    fn weights(from: &[i32]) -> [__m512i; 2] {
        let from = &from[..32];
        // SAFETY: the features are there, see the top; the slice is as long as both registers.
        unsafe { [_mm512_loadu_si512(from.as_ptr().cast()), _mm512_loadu_si512(from.as_ptr().add(16).cast())] }
    }

    #[inline(always)]
    fn accumulate<const WIDE: bool>(self, window: &[u8], pick: __m512i, [low, high]: [__m512i; 2]) -> Self {
        let window = &window[..if WIDE { 32 } else { 16 }];
        // SAFETY: the features are there, see the top; the window is as long as it has to be.
        unsafe {
            let lower = _mm512_broadcast_i32x4(_mm_loadu_si128(window.as_ptr().cast()));
            let chosen = if WIDE {
                let upper = _mm512_broadcast_i32x4(_mm_loadu_si128(window.as_ptr().add(16).cast()));
                // A pick with the highest bit set gives 0: those of the upper half after adding 0x70, those of the lower after taking 16.
                let lower = _mm512_shuffle_epi8(lower, _mm512_adds_epu8(pick, _mm512_set1_epi8(0x70)));
                _mm512_or_si512(lower, _mm512_shuffle_epi8(upper, _mm512_sub_epi8(pick, _mm512_set1_epi8(16))))
            } else {
                _mm512_shuffle_epi8(lower, pick)
            };
            Self {
                low: _mm512_add_epi32(self.low, _mm512_madd_epi16(chosen, low)),
                high: _mm512_add_epi32(self.high, _mm512_madd_epi16(chosen, high)),
            }
        }
    }
}

/// The same in two registers each.
#[derive(Clone, Copy)]
pub(crate) struct Bytes256 {
    low: [__m256i; 2],
    high: [__m256i; 2],
}

impl GroupSums<u8> for Bytes256 {
    const LANES: usize = 16;

    #[inline(always)]
    fn start() -> Self {
        // SAFETY: the features are there, see the top.
        unsafe { Self { low: [_mm256_set1_epi32(HALF); 2], high: [_mm256_setzero_si256(); 2] } }
    }

    #[inline(always)]
    fn finish(self, to: &mut [MaybeUninit<u8>]) {
        let to = &mut to[..16];
        let mut words = self.low;
        // SAFETY: the features are there, see the top; the slice has 16 bytes.
        unsafe {
            for half in 0..2 {
                let sums = _mm256_add_epi32(self.low[half], _mm256_slli_epi32::<{ LOW_BITS as i32 }>(self.high[half]));
                words[half] = _mm256_srai_epi32::<{ FRACTION_BITS as i32 }>(sums);
            }
            _mm_storeu_si128(to.as_mut_ptr().cast(), saturated(words));
        }
    }
}

impl Group<u8> for Bytes256 {
    const WINDOW: usize = 16;
    const FOLD: usize = 2;
    type Pick = [__m256i; 2];
    type Weights = [[__m256i; 2]; 2];

    /// Bytes become words: those in between pick nothing, which is 0.
    #[inline(always)]
    fn pick(from: &[u8]) -> [__m256i; 2] {
        let from = &from[..32];
        // SAFETY: the features are there, see the top; the slice has 32 bytes, 16 are read at a time.
        unsafe {
            let nothing = _mm256_set1_epi16(0xFF00_u16.cast_signed());
            let (first, second) = (_mm_loadu_si128(from.as_ptr().cast()), _mm_loadu_si128(from.as_ptr().add(16).cast()));
            [_mm256_or_si256(_mm256_cvtepu8_epi16(first), nothing), _mm256_or_si256(_mm256_cvtepu8_epi16(second), nothing)]
        }
    }

    #[inline(always)]
    fn weights(from: &[i32]) -> [[__m256i; 2]; 2] {
        let from = &from[..32];
        // SAFETY: the features are there, see the top; the slice is as long as all four registers.
        unsafe {
            let at = |place: usize| from.as_ptr().add(place).cast();
            [[_mm256_loadu_si256(at(0)), _mm256_loadu_si256(at(8))], [_mm256_loadu_si256(at(16)), _mm256_loadu_si256(at(24))]]
        }
    }

    #[inline(always)]
    fn accumulate<const WIDE: bool>(mut self, window: &[u8], pick: [__m256i; 2], [low, high]: [[__m256i; 2]; 2]) -> Self {
        for half in 0..2 {
            // SAFETY: the features are there, see the top.
            unsafe {
                let chosen = picked_bytes::<WIDE>(window, pick[half]);
                self.low[half] = _mm256_add_epi32(self.low[half], _mm256_madd_epi16(chosen, low[half]));
                self.high[half] = _mm256_add_epi32(self.high[half], _mm256_madd_epi16(chosen, high[half]));
            }
        }
        self
    }
}

/// Numbers of 32 bits as bytes.
///
/// # Safety
/// AVX2 is there.
#[inline(always)]
pub(crate) unsafe fn saturated([low, high]: [__m256i; 2]) -> __m128i {
    // SAFETY: the caller's promise.
    unsafe {
        // Both instructions saturate, and work on halves: the permutation puts the quarters in order between them.
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words))
    }
}

/// The 32 bytes picked from a window of 16 or 32.
///
/// # Safety
/// AVX2 is there.
#[inline(always)]
unsafe fn picked_bytes<const WIDE: bool>(window: &[u8], pick: __m256i) -> __m256i {
    let window = &window[..if WIDE { 32 } else { 16 }];
    // SAFETY: the caller's promise; the window is as long as it has to be.
    unsafe {
        let lower = _mm256_broadcastsi128_si256(_mm_loadu_si128(window.as_ptr().cast()));
        if !WIDE {
            return _mm256_shuffle_epi8(lower, pick);
        }
        let upper = _mm256_broadcastsi128_si256(_mm_loadu_si128(window.as_ptr().add(16).cast()));
        // A pick with the highest bit set gives 0: those of the upper half after adding 0x70, those of the lower after taking 16.
        let lower = _mm256_shuffle_epi8(lower, _mm256_adds_epu8(pick, _mm256_set1_epi8(0x70)));
        _mm256_or_si256(lower, _mm256_shuffle_epi8(upper, _mm256_sub_epi8(pick, _mm256_set1_epi8(16))))
    }
}

/// Sixteen sums of 16 bits.
#[derive(Clone, Copy)]
pub(crate) struct FewBits256(__m256i);

impl GroupSums<FewBits> for FewBits256 {
    const LANES: usize = 16;

    #[inline(always)]
    fn start() -> Self {
        // SAFETY: the features are there, see the top.
        unsafe { Self(_mm256_set1_epi16(FewBits::START)) }
    }

    #[inline(always)]
    fn finish(self, to: &mut [MaybeUninit<FewBits>]) {
        let to = &mut to[..16];
        // SAFETY: the features are there, see the top; the slice has 16 bytes.
        unsafe {
            let rounded = _mm256_srai_epi16::<{ FewBits::FRACTION_BITS as i32 }>(self.0);
            // Saturated to -128..=127; turning the highest bit over adds 128.
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256::<1>(rounded));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
        }
    }
}

impl Group<FewBits> for FewBits256 {
    const WINDOW: usize = 16;
    const FOLD: usize = 2;
    type Pick = __m256i;
    type Weights = __m256i;

    #[inline(always)]
    fn pick(from: &[u8]) -> __m256i {
        let from = &from[..32];
        // SAFETY: the features are there, see the top; the slice has 32 bytes.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn weights(from: &[i16]) -> __m256i {
        let from = &from[..16];
        // SAFETY: the features are there, see the top; the slice is as long as the register.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn accumulate<const WIDE: bool>(self, window: &[FewBits], pick: __m256i, weights: __m256i) -> Self {
        // SAFETY: the features are there, see the top.
        unsafe {
            let chosen = picked_bytes::<WIDE>(FewBits::exact(window), pick);
            Self(_mm256_add_epi16(self.0, _mm256_maddubs_epi16(chosen, weights)))
        }
    }
}
