//! The x86-64 shells, and the permutations that the compiler does not find by itself.

use std::mem::MaybeUninit;

use std::arch::x86_64::{
    __m128i, __m256, __m256d, __m512, __m512d, _mm_loadl_epi64, _mm_loadu_si128, _mm_shuffle_epi8, _mm_storel_epi64, _mm256_blendv_ps,
    _mm256_castsi256_ps, _mm256_cvtepu8_epi32, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_permutevar8x32_ps, _mm256_permutex2var_ps,
    _mm256_slli_epi32, _mm256_storeu_ps, _mm256_stream_si256, _mm512_castps512_ps256, _mm512_castsi256_si512, _mm512_loadu_ps,
    _mm512_permutex2var_ps,
};

use super::{Backend, InstructionSet, Kernel, LANES};

/// AVX2, FMA and F16C.
pub(crate) struct Avx2;

impl InstructionSet for Avx2 {
    const FUSED: bool = true;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    const BACKEND: Backend = Backend::Avx2;
    type Single = __m256;
    type Double = __m256d;

    #[inline(always)]
    fn permute<const REACH: usize>(window: &[f32; REACH], pick: [u8; LANES]) -> [f32; LANES] {
        if REACH > 16 {
            return pick.map(|element| window[element as usize % REACH]);
        }
        let mut lanes = [0.0; LANES];
        // SAFETY: AVX2 is there, since only its shell runs kernels for `Avx2`. The window has at least 8 elements, at least 16 where
        // the second half is read; `pick` has 8 bytes and `lanes` 8 elements.
        unsafe {
            let pick = _mm256_cvtepu8_epi32(_mm_loadl_epi64(pick.as_ptr().cast::<__m128i>()));
            let mut chosen: __m256 = _mm256_permutevar8x32_ps(_mm256_loadu_ps(window.as_ptr()), pick);
            if REACH > 8 {
                let upper = _mm256_permutevar8x32_ps(_mm256_loadu_ps(window.as_ptr().add(8)), pick);
                // Bit 3 of the pick, moved to the sign, tells the half.
                chosen = _mm256_blendv_ps(chosen, upper, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(pick)));
            }
            _mm256_storeu_ps(lanes.as_mut_ptr(), chosen);
        }
        lanes
    }

    #[inline(always)]
    fn permute_bytes<const REACH: usize>(window: &[u8; REACH], pick: [u8; LANES]) -> [u8; LANES] {
        shuffle_bytes(window, pick)
    }

    #[inline(always)]
    fn stream<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
        stream_bytes(from, to);
    }
}

/// AVX-512 F, BW, DQ and VL.
pub(crate) struct Avx512;

impl InstructionSet for Avx512 {
    const FUSED: bool = true;
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    const BACKEND: Backend = Backend::Avx512;
    type Single = __m512;
    type Double = __m512d;

    #[inline(always)]
    fn permute<const REACH: usize>(window: &[f32; REACH], pick: [u8; LANES]) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: AVX-512 F and VL are there, since only its shell runs kernels for `Avx512`. As many elements of the window are read as
        // `REACH` says it has; `pick` has 8 bytes and `lanes` 8 elements.
        unsafe {
            let pick = _mm256_cvtepu8_epi32(_mm_loadl_epi64(pick.as_ptr().cast::<__m128i>()));
            let chosen: __m256 = match REACH {
                8 => _mm256_permutevar8x32_ps(_mm256_loadu_ps(window.as_ptr()), pick),
                16 => _mm256_permutex2var_ps(_mm256_loadu_ps(window.as_ptr()), pick, _mm256_loadu_ps(window.as_ptr().add(8))),
                32 => {
                    let (lower, upper): (__m512, __m512) = (_mm512_loadu_ps(window.as_ptr()), _mm512_loadu_ps(window.as_ptr().add(16)));
                    _mm512_castps512_ps256(_mm512_permutex2var_ps(lower, _mm512_castsi256_si512(pick), upper))
                }
                _ => return std::array::from_fn(|_| f32::NAN),
            };
            _mm256_storeu_ps(lanes.as_mut_ptr(), chosen);
        }
        lanes
    }

    #[inline(always)]
    fn permute_bytes<const REACH: usize>(window: &[u8; REACH], pick: [u8; LANES]) -> [u8; LANES] {
        shuffle_bytes(window, pick)
    }

    #[inline(always)]
    fn stream<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
        stream_bytes(from, to);
    }
}

#[inline(always)]
fn stream_bytes<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
    const LINE: usize = 32;
    let bytes = size_of_val(from).min(size_of_val(to));
    // SAFETY: both slices have `bytes` bytes, which is a whole number of elements; every byte of the first is copied once, to the same
    // place of the second, whatever its value. Streamed parts begin at multiples of 32 bytes of the destination, as the store demands.
    unsafe {
        let (from, to) = (from.as_ptr().cast::<u8>(), to.as_mut_ptr().cast::<u8>());
        let head = to.align_offset(LINE).min(bytes);
        std::ptr::copy_nonoverlapping(from, to, head);
        let mut at = head;
        while at + LINE <= bytes {
            _mm256_stream_si256(to.add(at).cast(), _mm256_loadu_si256(from.add(at).cast()));
            at += LINE;
        }
        std::ptr::copy_nonoverlapping(from.add(at), to.add(at), bytes - at);
    }
}

#[inline(always)]
fn shuffle_bytes<const REACH: usize>(window: &[u8; REACH], pick: [u8; LANES]) -> [u8; LANES] {
    if REACH != 8 && REACH != 16 {
        return pick.map(|element| window[element as usize % REACH]);
    }
    let mut lanes = [0; LANES];
    // SAFETY: SSSE3 is part of AVX2, whose shells alone call this. A window of 8 bytes is read as 8, one of 16 as 16; `pick` and `lanes`
    // have 8 bytes.
    unsafe {
        let window = window.as_ptr().cast::<__m128i>();
        let window = if REACH == 8 { _mm_loadl_epi64(window) } else { _mm_loadu_si128(window) };
        let chosen = _mm_shuffle_epi8(window, _mm_loadl_epi64(pick.as_ptr().cast::<__m128i>()));
        _mm_storel_epi64(lanes.as_mut_ptr().cast::<__m128i>(), chosen);
    }
    lanes
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}
