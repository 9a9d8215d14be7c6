//! The x86-64 shells, and the streaming stores.

use std::mem::MaybeUninit;

use std::arch::asm;
use std::arch::x86_64::{
    __m256, __m256d, __m512, __m512d, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps,
    _mm256_unpacklo_ps,
};

use super::byte_pixels::{Avx2Sums, VnniSums, horizontal_bytes};
use super::doubling::{double_256, double_512};
use super::group::{
    ByteRows256, ByteRows512, ByteRows512Vnni, Bytes256, Bytes512, Bytes512Vnni, FewBits256, FewBitsRows256, FewBitsRows512,
};
use super::{Horizontal, InstructionSet, Kernel, LINE, SQUARE};

/// AVX2, FMA and F16C.
pub(crate) struct Avx2;

impl InstructionSet for Avx2 {
    const FUSED: bool = true;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    type Single = __m256;
    type Double = __m256d;
    type SingleGroup = __m256;
    type DoubleGroup = __m256d;
    type ByteGroup = Bytes256;
    type ByteRows = ByteRows256;
    type FewBitsGroup = FewBits256;
    type FewBitsRows = FewBitsRows256;

    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: kernels run under this instruction set in the shell below alone, so its features are there.
        unsafe { avx2(kernel) }
    }

    #[inline(always)]
    fn horizontal_bytes(pass: Horizontal<'_, u8>) -> Option<Horizontal<'_, u8>> {
        // SAFETY: kernels run under this instruction set in the shell below alone, so its features are there.
        unsafe { horizontal_bytes::<Self, Avx2Sums>(pass) }
    }

    #[inline(always)]
    fn transpose(square: &mut [[f32; SQUARE]; SQUARE]) {
        transpose_square(square);
    }

    #[inline(always)]
    fn stream<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
        stream_bytes(from, to);
    }

    #[inline(always)]
    fn double<T: Copy>(from: &[T], to: &mut [T]) -> bool {
        double_256(from, to)
    }
}

/// AVX-512, of which two backends differ in what they do with bytes.
macro_rules! avx512 {
    ($name:ident, $bytes:ident, $byte_rows:ident, $sums:ident, $shell:ident) => {
        impl InstructionSet for $name {
            const FUSED: bool = true;
            const LANES: usize = 16;
            const REGISTERS: usize = 32;
            type Single = __m512;
            type Double = __m512d;
            type SingleGroup = __m512;
            type DoubleGroup = __m512d;
            type ByteGroup = $bytes;
            type ByteRows = $byte_rows;
            type FewBitsGroup = FewBits256;
            type FewBitsRows = FewBitsRows512;

            #[inline(always)]
            fn call<K: Kernel>(kernel: K) -> K::Output {
                // SAFETY: kernels run under this instruction set in the shell below alone, so its features are there.
                unsafe { $shell(kernel) }
            }

            #[inline(always)]
            fn horizontal_bytes(pass: Horizontal<'_, u8>) -> Option<Horizontal<'_, u8>> {
                // SAFETY: kernels run under this instruction set in the shell below alone, so its features are there.
                unsafe { horizontal_bytes::<Self, $sums>(pass) }
            }

            #[inline(always)]
            fn transpose(square: &mut [[f32; SQUARE]; SQUARE]) {
                transpose_square(square);
            }

            #[inline(always)]
            fn stream<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
                stream_bytes(from, to);
            }

            #[inline(always)]
            fn double<T: Copy>(from: &[T], to: &mut [T]) -> bool {
                double_512(from, to)
            }
        }
    };
}

/// AVX-512 F, BW, DQ and VL.
pub(crate) struct Avx512;
avx512!(Avx512, Bytes512, ByteRows512, Avx2Sums, avx512);

/// The same with VNNI and VBMI.
pub(crate) struct Avx512Vnni;
avx512!(Avx512Vnni, Bytes512Vnni, ByteRows512Vnni, VnniSums, avx512_vnni);

/// Rows become columns, in three steps of exchanging halves.
#[inline(always)]
fn transpose_square(square: &mut [[f32; SQUARE]; SQUARE]) {
    // SAFETY: AVX is part of AVX2, whose shells alone call this; every row has the 8 elements that are read and written.
    unsafe {
        let [a, b, c, d, e, f, g, h] = square.each_ref().map(|row| row.as_ptr());
        let [a, b, c, d] = [_mm256_loadu_ps(a), _mm256_loadu_ps(b), _mm256_loadu_ps(c), _mm256_loadu_ps(d)];
        let [e, f, g, h] = [_mm256_loadu_ps(e), _mm256_loadu_ps(f), _mm256_loadu_ps(g), _mm256_loadu_ps(h)];
        let (ab, ab_up, cd, cd_up) =
            (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), _mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        let (ef, ef_up, gh, gh_up) =
            (_mm256_unpacklo_ps(e, f), _mm256_unpackhi_ps(e, f), _mm256_unpacklo_ps(g, h), _mm256_unpackhi_ps(g, h));
        // Columns 0 and 4, 1 and 5, 2 and 6, 3 and 7 of the upper and the lower four rows.
        let upper = [
            _mm256_shuffle_ps::<0x44>(ab, cd),
            _mm256_shuffle_ps::<0xEE>(ab, cd),
            _mm256_shuffle_ps::<0x44>(ab_up, cd_up),
            _mm256_shuffle_ps::<0xEE>(ab_up, cd_up),
        ];
        let lower = [
            _mm256_shuffle_ps::<0x44>(ef, gh),
            _mm256_shuffle_ps::<0xEE>(ef, gh),
            _mm256_shuffle_ps::<0x44>(ef_up, gh_up),
            _mm256_shuffle_ps::<0xEE>(ef_up, gh_up),
        ];
        for column in 0..4 {
            let (upper, lower) = (upper[column], lower[column]);
            _mm256_storeu_ps(square[column].as_mut_ptr(), _mm256_permute2f128_ps::<0x20>(upper, lower));
            _mm256_storeu_ps(square[column + 4].as_mut_ptr(), _mm256_permute2f128_ps::<0x31>(upper, lower));
        }
    }
}

#[inline(always)]
fn stream_bytes<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
    // Whole cache lines only: a line of which one part is streamed and another stored has to be read back from memory.
    let bytes = size_of_val(from).min(size_of_val(to));
    // SAFETY: both slices have `bytes` bytes, which is a whole number of elements; every byte of the first is copied once, to the same
    // place of the second, whatever its value. Streamed parts begin at multiples of 64 bytes of the destination; the store demands 32. The
    // instructions are of AVX, a part of AVX2, whose shells alone call this.
    unsafe {
        let (from, to) = (from.as_ptr().cast::<u8>(), to.as_mut_ptr().cast::<u8>());
        let head = to.align_offset(LINE).min(bytes);
        // Most pieces are whole lines: copying nothing would still be a call.
        if head > 0 {
            std::ptr::copy_nonoverlapping(from, to, head);
        }
        let mut at = head;
        while at + LINE <= bytes {
            // Not by intrinsics: bytes of padding, which an element of any type may have, are no numbers that a register could be said to hold.
            asm!(
                "vmovups {first:y}, [{from}]",
                "vmovups {second:y}, [{from} + 32]",
                "vmovntps [{to}], {first:y}",
                "vmovntps [{to} + 32], {second:y}",
                from = in(reg) from.add(at),
                to = in(reg) to.add(at),
                first = out(xmm_reg) _,
                second = out(xmm_reg) _,
                options(nostack, preserves_flags),
            );
            at += LINE;
        }
        if at < bytes {
            std::ptr::copy_nonoverlapping(from.add(at), to.add(at), bytes - at);
        }
    }
}

/// Leaves the upper halves of the registers unused, so that code without AVX that follows is not slowed down. The compiler does so by itself
/// where it knows that they were used: not after copies written as assembly, whose registers it takes for narrow ones.
macro_rules! leave_clean {
    ($result:expr) => {{
        let result = $result;
        std::arch::x86_64::_mm256_zeroupper();
        result
    }};
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn avx2<K: Kernel>(kernel: K) -> K::Output {
    leave_clean!(kernel.run::<Avx2>())
}

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn avx512<K: Kernel>(kernel: K) -> K::Output {
    leave_clean!(kernel.run::<Avx512>())
}

/// Kernels that know nothing of bytes are those of [`avx512`].
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi")]
pub(super) fn avx512_vnni<K: Kernel>(kernel: K) -> K::Output {
    if K::BYTES { leave_clean!(kernel.run::<Avx512Vnni>()) } else { avx512(kernel) }
}
