//! What the machine can do at most: copy bandwidth and multiply-adds.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

/// Larger than any last-level cache that a share of would matter.
const COPIED_FLOATS: usize = 64 << 20;
const REPEATS: usize = 7;

/// Copies what one thread has to copy.
type CopyPart = fn(&[f32], &mut [f32]);

/// Bytes read and written a second, with the threads of the pool: the best of some copies of 256 MiB.
/// `streaming` writes past the cache; there is none where the processor has no such instruction.
pub fn copy(streaming: bool) -> Option<f64> {
    let copy_part: CopyPart = if streaming { streaming_copy()? } else { plain_copy };
    let from = vec![1f32; COPIED_FLOATS];
    let mut to = vec![2f32; COPIED_FLOATS];
    let part = COPIED_FLOATS / rayon::current_num_threads();
    let seconds = (0..REPEATS).map(|_| {
        let start = Instant::now();
        from.par_chunks(part).zip(to.par_chunks_mut(part)).for_each(|(from, to)| copy_part(from, to));
        black_box(&mut to);
        start.elapsed().as_secs_f64()
    });
    let best = seconds.fold(f64::INFINITY, f64::min);
    Some(2.0 * size_of_val(from.as_slice()) as f64 / best)
}

/// Scaled by a number the compiler does not know: a bare copy would become a call of `memcpy`, which may stream.
fn plain_copy(from: &[f32], to: &mut [f32]) {
    let one = black_box(1f32);
    for (to, from) in to.iter_mut().zip(from) {
        *to = from * one;
    }
}

#[cfg(target_arch = "x86_64")]
fn streaming_copy() -> Option<CopyPart> {
    use std::arch::x86_64::{_mm_loadu_ps, _mm_sfence, _mm_stream_ps};
    // SSE is part of x86-64.
    Some(|from, to| {
        let head = to.as_ptr().align_offset(64).min(to.len());
        to[..head].copy_from_slice(&from[..head]);
        let (from, to) = (&from[head..], &mut to[head..]);
        for (from, to) in from.chunks_exact(4).zip(to.chunks_exact_mut(4)) {
            // SAFETY: both chunks are 4 floats long, and `to` begins at a multiple of 16 bytes.
            unsafe { _mm_stream_ps(to.as_mut_ptr(), _mm_loadu_ps(from.as_ptr())) };
        }
        let rest = to.len() / 4 * 4;
        to[rest..].copy_from_slice(&from[rest..]);
        // SAFETY: has no requirement; it orders the streaming stores before what follows.
        unsafe { _mm_sfence() };
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn streaming_copy() -> Option<CopyPart> {
    None
}

/// Enough independent chains to hide the latency of a multiply-add on every core of today.
const CHAINS: usize = 12;
const STEPS: usize = 2_000_000;

/// Floating-point operations a second of f32 multiply-adds in registers, two each, with the threads of the pool.
pub fn multiply_adds() -> f64 {
    let threads = rayon::current_num_threads();
    let lanes = lanes();
    let rates = (0..REPEATS).map(|_| {
        let start = Instant::now();
        (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
            black_box(chains(black_box(0.999_999), black_box(1e-9)));
        });
        (2 * threads * lanes * CHAINS * STEPS) as f64 / start.elapsed().as_secs_f64()
    });
    rates.fold(0.0, f64::max)
}

#[cfg(target_arch = "x86_64")]
fn lanes() -> usize {
    if is_x86_feature_detected!("avx512f") {
        16
    } else if is_x86_feature_detected!("fma") {
        8
    } else {
        4
    }
}

#[cfg(target_arch = "x86_64")]
fn chains(factor: f32, term: f32) -> f32 {
    // SAFETY: `lanes` is 16 only where there is AVX-512, 8 only where there is FMA.
    match lanes() {
        16 => unsafe { x86::chains_avx512(factor, term) },
        8 => unsafe { x86::chains_avx2(factor, term) },
        _ => portable_chains(factor, term),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn lanes() -> usize {
    4
}

#[cfg(not(target_arch = "x86_64"))]
fn chains(factor: f32, term: f32) -> f32 {
    portable_chains(factor, term)
}

/// Four lanes, fused where the target always has it (aarch64).
fn portable_chains(factor: f32, term: f32) -> f32 {
    let mut sums = [[1f32; 4]; CHAINS];
    for _ in 0..STEPS {
        for sum in sums.as_flattened_mut() {
            *sum = if cfg!(target_feature = "neon") { sum.mul_add(factor, term) } else { *sum * factor + term };
        }
    }
    sums.as_flattened().iter().sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CHAINS, STEPS};
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps};

    #[target_feature(enable = "avx512f")]
    pub fn chains_avx512(factor: f32, term: f32) -> f32 {
        let (factor, term) = (_mm512_set1_ps(factor), _mm512_set1_ps(term));
        let mut sums = [_mm512_set1_ps(1.0); CHAINS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, term);
            }
        }
        let mut total = 0.0;
        for sum in sums {
            total += _mm512_reduce_add_ps(sum);
        }
        total
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn chains_avx2(factor: f32, term: f32) -> f32 {
        let (factor, term) = (_mm256_set1_ps(factor), _mm256_set1_ps(term));
        let mut sums = [_mm256_set1_ps(1.0); CHAINS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, term);
            }
        }
        let (mut total, mut lanes) = (0.0, [0f32; 8]);
        for sum in sums {
            // SAFETY: `lanes` is 8 floats long.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
            total += lanes.iter().sum::<f32>();
        }
        total
    }
}
