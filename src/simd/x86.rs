//! The x86-64 shells, and the streaming stores.

use std::mem::MaybeUninit;

use std::arch::x86_64::{__m256, __m256d, __m256i, __m512, __m512d, __m512i, _mm256_loadu_si256, _mm256_stream_si256};

use super::{Backend, InstructionSet, Kernel};

/// AVX2, FMA and F16C.
pub(crate) struct Avx2;

impl InstructionSet for Avx2 {
    const FUSED: bool = true;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    const BACKEND: Backend = Backend::Avx2;
    type Single = __m256;
    type Double = __m256d;
    type SingleGroup = __m256;
    type DoubleGroup = __m256d;
    type ByteGroup = [__m256i; 2];
    type FewBitsGroup = __m256i;

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
    type SingleGroup = __m512;
    type DoubleGroup = __m512d;
    type ByteGroup = __m512i;
    type FewBitsGroup = __m256i;

    #[inline(always)]
    fn stream<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
        stream_bytes(from, to);
    }
}

#[inline(always)]
fn stream_bytes<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
    // Whole cache lines only: a line of which one part is streamed and another stored has to be read back from memory.
    const LINE: usize = 64;
    let bytes = size_of_val(from).min(size_of_val(to));
    // SAFETY: both slices have `bytes` bytes, which is a whole number of elements; every byte of the first is copied once, to the same
    // place of the second, whatever its value. Streamed parts begin at multiples of 64 bytes of the destination; the store demands 32.
    unsafe {
        let (from, to) = (from.as_ptr().cast::<u8>(), to.as_mut_ptr().cast::<u8>());
        let head = to.align_offset(LINE).min(bytes);
        std::ptr::copy_nonoverlapping(from, to, head);
        let mut at = head;
        while at + LINE <= bytes {
            _mm256_stream_si256(to.add(at).cast(), _mm256_loadu_si256(from.add(at).cast()));
            _mm256_stream_si256(to.add(at + LINE / 2).cast(), _mm256_loadu_si256(from.add(at + LINE / 2).cast()));
            at += LINE;
        }
        std::ptr::copy_nonoverlapping(from.add(at), to.add(at), bytes - at);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}
