//! Sums over rows of bytes: two rows at a time, by the instructions that multiply pairs and add them.

use std::arch::asm;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::bytes_x86::HALF;
use super::{GroupSums, RowGroup};
use crate::kernels::arithmetic::{Arithmetic, FRACTION_BITS, FewBits, LOW_BITS, cut_pair};

// Every SAFETY line below relies on this: a type of this module is a group of `Avx2` or of the AVX-512 sets alone, whose kernels only run in
// the shells that enable those instruction sets' features (AVX-512 includes AVX2). `ByteRows512Vnni` is of
// `Avx512Vnni` alone.

/// What sums of both kinds of weights have in common; each says what sums of nothing are, how two rows are added, and how sums become bytes.
macro_rules! rows_by_pairs {
    ($name:ident, $element:ty, $weight:ty, $lanes:literal, $store:ident, $stream:ident) => {
        impl GroupSums<$element> for $name {
            const LANES: usize = $lanes;

            #[inline(always)]
            fn start() -> Self {
                Self::nothing()
            }

            #[inline(always)]
            fn finish(self, to: &mut [MaybeUninit<$element>]) {
                let to = &mut to[..$lanes];
                // SAFETY: the features are there, see the top; the slice is as long as the register.
                unsafe { $store(to.as_mut_ptr().cast(), self.bytes()) }
            }
        }

        impl RowGroup<$element> for $name {
            type RowWeight = $weight;

            #[inline(always)]
            fn weight(weight: $weight) -> $weight {
                weight
            }

            #[inline(always)]
            fn accumulate_row(self, from: &[$element], weight: $weight) -> Self {
                self.add_pair([from, from], [weight, 0])
            }

            #[inline(always)]
            fn accumulate_pair(self, rows: [&[$element]; 2], weights: [$weight; 2]) -> Self {
                self.add_pair(rows, weights)
            }

            const TAKES_PAIRS: bool = true;

            const STREAMS: bool = true;

            #[inline(always)]
            fn stream(self, to: &mut [MaybeUninit<$element>]) {
                let to = &mut to[..$lanes];
                if !to.as_ptr().addr().is_multiple_of($lanes) {
                    return self.finish(to);
                }
                // SAFETY: the features are there, see the top; the slice is as long as the register and begins at a multiple of its size.
                unsafe { $stream(to.as_mut_ptr().cast(), self.bytes()) }
            }
        }
    };
}

/// Weights are cut in two, which are summed apart. The sums of neighbouring elements are where interleaving two rows, and then widening
/// them, leaves their elements; packing undoes it.
macro_rules! byte_rows {
    ($name:ident, $register:ident, $lanes:literal, $splat:ident, $zero:ident, $load:ident, $store:ident, $stream:ident,
     $unpack_low:ident, $unpack_high:ident, $pack:ident, $pack_bytes:ident, |$sum:ident, $words:ident, $weights:ident| $multiply_add:expr,
     |$sums:ident| $round:expr) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name {
            low: [$register; 4],
            high: [$register; 4],
        }

        impl $name {
            #[inline(always)]
            fn bytes(self) -> $register {
                // SAFETY: the features are there, see the top.
                unsafe {
                    let mut rounded = self.low;
                    for quarter in 0..4 {
                        let $sums = (self.low[quarter], self.high[quarter]);
                        rounded[quarter] = $round;
                    }
                    $pack_bytes($pack(rounded[0], rounded[1]), $pack(rounded[2], rounded[3]))
                }
            }

            #[inline(always)]
            fn nothing() -> Self {
                // SAFETY: the features are there, see the top.
                unsafe { Self { low: [$splat(HALF); 4], high: [$zero(); 4] } }
            }

            #[inline(always)]
            fn add_pair(mut self, [first, second]: [&[u8]; 2], weights: [i32; 2]) -> Self {
                let (first, second) = (&first[..$lanes], &second[..$lanes]);
                // SAFETY: the features are there, see the top; both slices are as long as the register.
                unsafe {
                    let [low, high] = cut_pair(weights);
                    let (low, high) = ($splat(low), $splat(high));
                    let (first, second) = ($load(first.as_ptr().cast()), $load(second.as_ptr().cast()));
                    let halves = [$unpack_low(first, second), $unpack_high(first, second)];
                    for half in 0..2 {
                        let quarters = [$unpack_low(halves[half], $zero()), $unpack_high(halves[half], $zero())];
                        for quarter in 0..2 {
                            let place = 2 * half + quarter;
                            let ($sum, $words, $weights) = (self.low[place], quarters[quarter], low);
                            self.low[place] = $multiply_add;
                            let ($sum, $words, $weights) = (self.high[place], quarters[quarter], high);
                            self.high[place] = $multiply_add;
                        }
                    }
                }
                self
            }
        }

        rows_by_pairs!($name, u8, i32, $lanes, $store, $stream);
    };
}

byte_rows!(
    ByteRows256,
    __m256i,
    32,
    _mm256_set1_epi32,
    _mm256_setzero_si256,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_stream_si256,
    _mm256_unpacklo_epi8,
    _mm256_unpackhi_epi8,
    _mm256_packs_epi32,
    _mm256_packus_epi16,
    |sum, words, weights| _mm256_add_epi32(sum, _mm256_madd_epi16(words, weights)),
    |sums| _mm256_srai_epi32::<{ FRACTION_BITS as i32 }>(_mm256_add_epi32(sums.0, _mm256_slli_epi32::<{ LOW_BITS as i32 }>(sums.1)))
);

/// The same of AVX-512, by either way to multiply and add.
macro_rules! byte_rows_512 {
    ($name:ident, |$sum:ident, $words:ident, $weights:ident| $multiply_add:expr) => {
        byte_rows!(
            $name,
            __m512i,
            64,
            _mm512_set1_epi32,
            _mm512_setzero_si512,
            _mm512_loadu_si512,
            _mm512_storeu_si512,
            _mm512_stream_si512,
            _mm512_unpacklo_epi8,
            _mm512_unpackhi_epi8,
            _mm512_packs_epi32,
            _mm512_packus_epi16,
            |$sum, $words, $weights| $multiply_add,
            |sums| _mm512_srai_epi32::<FRACTION_BITS>(_mm512_add_epi32(sums.0, _mm512_slli_epi32::<LOW_BITS>(sums.1)))
        );
    };
}

byte_rows_512!(ByteRows512, |sum, words, weights| _mm512_add_epi32(sum, _mm512_madd_epi16(words, weights)));

/// Adds the products of words, two of neighbours to each sum. Not by the intrinsic: compilers make two instructions of that, a multiplication
/// and an addition, which wait less for each other but are one too many here; measured on Zen 4, six rows took 1.2 times as long.
#[target_feature(enable = "avx512f,avx512vnni")]
#[inline]
fn add_products(mut sum: __m512i, words: __m512i, weights: __m512i) -> __m512i {
    // SAFETY: the features are there; the instruction does nothing but this.
    unsafe {
        asm!(
            "vpdpwssd {sum}, {words}, {weights}",
            sum = inout(zmm_reg) sum,
            words = in(zmm_reg) words,
            weights = in(zmm_reg) weights,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

byte_rows_512!(ByteRows512Vnni, |sum, words, weights| add_products(sum, words, weights));

/// Sums of 16 bits over rows: of each sixteen bytes the first eight in one register, the last eight in the other, which is how two rows are
/// interleaved and how sums are packed.
macro_rules! few_bits_rows {
    ($name:ident, $register:ident, $lanes:literal, $splat_words:ident, $splat_bytes:ident, $load:ident, $store:ident, $stream:ident,
     $unpack_low:ident, $unpack_high:ident, $multiply:ident, $add:ident, $pack:ident, $xor:ident, |$sums:ident| $shift:expr) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name([$register; 2]);

        impl $name {
            #[inline(always)]
            fn bytes(self) -> $register {
                // SAFETY: the features are there, see the top.
                unsafe {
                    let mut rounded = self.0;
                    for half in 0..2 {
                        let $sums = self.0[half];
                        rounded[half] = $shift;
                    }
                    // Saturated to -128..=127; turning the highest bit over adds 128.
                    $xor($pack(rounded[0], rounded[1]), $splat_bytes(-128))
                }
            }

            #[inline(always)]
            fn nothing() -> Self {
                // SAFETY: the features are there, see the top.
                unsafe { Self([$splat_words(FewBits::START); 2]) }
            }

            #[inline(always)]
            fn add_pair(self, [first, second]: [&[FewBits]; 2], weights: [i16; 2]) -> Self {
                let (first, second) = (&first[..$lanes], &second[..$lanes]);
                let Self([low, high]) = self;
                // SAFETY: the features are there, see the top; both slices are as long as the register.
                unsafe {
                    let weights = $splat_words(FewBits::pair(weights));
                    let (first, second) = ($load(first.as_ptr().cast()), $load(second.as_ptr().cast()));
                    Self([
                        $add(low, $multiply($unpack_low(first, second), weights)),
                        $add(high, $multiply($unpack_high(first, second), weights)),
                    ])
                }
            }
        }

        rows_by_pairs!($name, FewBits, i16, $lanes, $store, $stream);
    };
}

few_bits_rows!(
    FewBitsRows256,
    __m256i,
    32,
    _mm256_set1_epi16,
    _mm256_set1_epi8,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_stream_si256,
    _mm256_unpacklo_epi8,
    _mm256_unpackhi_epi8,
    _mm256_maddubs_epi16,
    _mm256_add_epi16,
    _mm256_packs_epi16,
    _mm256_xor_si256,
    |sums| _mm256_srai_epi16::<{ FewBits::FRACTION_BITS as i32 }>(sums)
);
few_bits_rows!(
    FewBitsRows512,
    __m512i,
    64,
    _mm512_set1_epi16,
    _mm512_set1_epi8,
    _mm512_loadu_si512,
    _mm512_storeu_si512,
    _mm512_stream_si512,
    _mm512_unpacklo_epi8,
    _mm512_unpackhi_epi8,
    _mm512_maddubs_epi16,
    _mm512_add_epi16,
    _mm512_packs_epi16,
    _mm512_xor_si512,
    |sums| _mm512_srai_epi16::<{ FewBits::FRACTION_BITS }>(sums)
);
