//! Inner loops: portable bodies that the compiler vectorises, and one dispatcher that runs them under an instruction set.
//!
//! A loop is a struct that implements [`Kernel`]; its `run` is `#[inline(always)]`, so that it is compiled anew inside each
//! `#[target_feature]` shell of [`Backend::run`]. Nothing else needs to be written for a new loop or a new instruction set.
//! This folder holds the crate's only unsafe code besides [`crate::memory::uninit`]; each block states the bound it relies on.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

mod arithmetic;
#[cfg(target_arch = "x86_64")]
mod byte_pixels;
mod colour;
mod copy;
#[cfg(target_arch = "x86_64")]
mod doubling;
#[cfg(feature = "conv")]
mod gemm;
mod group;
mod halve_width;
mod horizontal;
#[cfg(feature = "conv")]
mod interleave;
#[cfg(feature = "conv")]
mod magnitudes;
mod prefetch;
#[cfg(feature = "conv")]
mod product_sums;
mod resize_rows;
mod ring;
mod scratch;
mod streaming;
mod table;
mod transpose;
mod vector;
mod vertical;
#[cfg(feature = "conv")]
mod weighted_rows;
#[cfg(feature = "conv")]
mod winograd;

pub(crate) use crate::memory::LINE;
pub use arithmetic::{Arithmetic, FewBits};
pub(crate) use arithmetic::{as_few_bits, as_few_bits_mut};
pub use colour::Unit;
pub(crate) use colour::{Alpha, Curve, PremultiplyBytes, ReadPixels, UnpremultiplyBytes, WritePixels};
pub(crate) use copy::{CopyPixels, CopyRow, CopyRows};
#[cfg(feature = "conv")]
pub(crate) use gemm::{Layout, MOST_ROWS, Positions, StripProduct, lanes, panel_heights, tile_positions};
pub(crate) use group::{AskGroupShape, GroupShape};
pub use group::{Group, RowGroup};
pub(crate) use halve_width::{HalveWidth, halves};
pub use horizontal::Horizontal;
pub(crate) use horizontal::HorizontalTransposed;
#[cfg(feature = "conv")]
pub(crate) use interleave::{InterleaveRows, StridedCopy, strided_copy};
#[cfg(feature = "conv")]
pub(crate) use magnitudes::{AddMagnitudes, CHANNELS, FindMagnitudes, Magnitudes, SumMagnitudes};
pub(crate) use prefetch::prefetch;
#[cfg(feature = "conv")]
pub(crate) use product_sums::ProductSums;
pub(crate) use resize_rows::{ResizeRows, TOGETHER, Widening};
pub(crate) use ring::{Ring, RingRows};
pub use scratch::Scratch;
pub(crate) use scratch::{Reserved, reserve, reserve_unless, with_scratch, with_tags};
pub(crate) use streaming::{
    Carry, Destination, StreamRow, WriteRows, as_bytes_mut, as_maybe_uninit, as_maybe_uninit_mut, finish_streaming,
};
pub use streaming::{How, StreamingStores};
pub(crate) use table::Exact;
pub use table::{Table, Tables};
pub(crate) use transpose::{SQUARE, Transpose};
pub use vector::{Real, Vector};
pub(crate) use vertical::{Vertical, VerticalRows, VerticalSlices};
#[cfg(feature = "conv")]
pub(crate) use weighted_rows::{AddProducts, SumNeighbours, SumRows};
#[cfg(feature = "conv")]
pub(crate) use winograd::{ELEMENTS, EvaluateFilterLine, EvaluateFilters, EvaluateLine, EvaluateTiles, InterpolateLine, InterpolateTiles};

/// An instruction set that the inner loops can be run with.
///
/// Plans choose the widest one that the machine has. Results of one backend are the same bits on every machine and for any number of
/// threads. Every backend gives the same `u8`. Results of other types differ by the rounding of fused multiply-adds; for integers that is
/// at most 1, where the sum lies next to a half.
///
/// ```
/// use upsample::{Backend, Resize};
///
/// let plan = Resize::cubic().backend(Backend::Portable).plan([4], [9])?; // the same bits on every machine
/// assert!(Backend::best().is_available());
/// # assert_eq!(plan.output_size(), [9]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// What every target has, without fused multiply-add.
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// The same with its instructions for bytes, VNNI and VBMI, which pictures of bytes are then resized by.
    Avx512Vnni,
    /// aarch64 with NEON.
    Neon,
}

impl Backend {
    /// In the order of their declaration.
    const ALL: [Self; 5] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Vnni, Self::Neon];

    /// Every backend that this machine can run, slowest first.
    ///
    /// ```
    /// assert_eq!(upsample::Backend::available()[0], upsample::Backend::Portable);
    /// ```
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|backend| backend.is_available()).collect()
    }

    /// The backend that plans choose.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|backend| backend.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this machine can run it.
    #[must_use]
    #[inline]
    pub fn is_available(self) -> bool {
        static AVAILABLE: OnceLock<[bool; Backend::ALL.len()]> = OnceLock::new();
        AVAILABLE.get_or_init(|| Self::ALL.map(Self::detect))[self as usize]
    }

    fn detect(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.detect()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Self::Avx512.detect() && is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vbmi"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true, // part of the base instruction set
            #[allow(unreachable_patterns)] // the backends of other architectures
            _ => false,
        }
    }

    /// Whether it [resizes rows of bytes pixel by pixel](InstructionSet::horizontal_bytes) where their taps are far apart.
    pub(crate) fn has_byte_pixels(self) -> bool {
        matches!(self, Self::Avx2 | Self::Avx512 | Self::Avx512Vnni)
    }

    /// Runs a kernel compiled for this backend; an unavailable backend falls back to the portable one.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the features that the shell enables were detected on this machine.
            Self::Avx2 if self.is_available() => unsafe { x86::avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the features that the shell enables were detected on this machine.
            Self::Avx512 if self.is_available() => unsafe { x86::avx512(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the features that the shell enables were detected on this machine.
            Self::Avx512Vnni if self.is_available() => unsafe { x86::avx512_vnni(kernel) },
            #[cfg(target_arch = "aarch64")]
            Self::Neon => plain::<Neon, K>(kernel),
            _ => plain::<Portable, K>(kernel),
        }
    }
}

/// What a kernel knows at compile time of the instruction set it is compiled for.
pub trait InstructionSet: 'static {
    /// Whether a multiplication and an addition fuse into one instruction. Without it `mul_add` would call a library function.
    const FUSED: bool;
    /// How many `f32` a register holds.
    const LANES: usize;
    /// How many registers there are.
    const REGISTERS: usize;
    /// Whether rows are resized in groups of output elements, whose inputs are picked from a window. Elsewhere each is summed by itself.
    const GROUPS: bool = true;
    /// A register of `f32`.
    type Single: Vector<f32>;
    /// A register of `f64`.
    type Double: Vector<f64>;
    /// Neighbouring output elements of a row, summed at a time.
    type SingleGroup: Group<f32> + RowGroup<f32>;
    /// The same for `f64`.
    type DoubleGroup: Group<f64> + RowGroup<f64>;
    /// The same for bytes.
    type ByteGroup: Group<u8>;
    /// The same over rows.
    type ByteRows: RowGroup<u8>;
    /// The same for bytes that are weighted in 16 bits.
    type FewBitsGroup: Group<FewBits>;
    /// The same over rows.
    type FewBitsRows: RowGroup<FewBits>;

    /// Runs a kernel from inside another as a function of its own: loops that stand in several kernels are compiled once.
    fn call<K: Kernel>(kernel: K) -> K::Output;

    /// Copies `from` into `to` past the caches, where the instruction set can.
    #[inline(always)]
    fn stream<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
        to.copy_from_slice(from);
    }

    /// Writes every element of `from` twice, one after the other, to all of `to`, or nothing where there is no loop for so few elements or for
    /// elements of that size. Tells whether it did.
    #[inline(always)]
    fn double<T: Copy>(_from: &[T], _to: &mut [T]) -> bool {
        false
    }

    /// Resizes rows of bytes, or gives them back where there is no loop for that.
    #[inline(always)]
    fn horizontal_bytes(pass: Horizontal<'_, u8>) -> Option<Horizontal<'_, u8>> {
        Some(pass)
    }

    /// Rows become columns.
    #[inline(always)]
    fn transpose(square: &mut [[f32; SQUARE]; SQUARE]) {
        let rows = *square;
        for (column, line) in square.iter_mut().enumerate() {
            for (row, element) in line.iter_mut().enumerate() {
                *element = rows[row][column];
            }
        }
    }
}

/// The shell of kernels that need no features.
#[inline(never)]
fn plain<I: InstructionSet, K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<I>()
}

/// No assumption beyond the target's own.
pub(crate) struct Portable;
impl InstructionSet for Portable {
    const FUSED: bool = false;
    const LANES: usize = 4;
    const REGISTERS: usize = 16;
    const GROUPS: bool = false;
    type Single = vector::Lanes<f32, 4, false>;
    type Double = vector::Lanes<f64, 2, false>;
    type SingleGroup = group::Sums<f32, Self, 8>;
    type DoubleGroup = group::Sums<f64, Self, 4>;
    type ByteGroup = group::Sums<u8, Self, 16>;
    type ByteRows = group::Sums<u8, Self, 16>;
    type FewBitsGroup = group::Sums<FewBits, Self, 16>;
    type FewBitsRows = group::Sums<FewBits, Self, 16>;

    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        plain::<Self, K>(kernel)
    }
}

#[cfg(target_arch = "aarch64")]
pub(crate) struct Neon;
#[cfg(target_arch = "aarch64")]
impl InstructionSet for Neon {
    const FUSED: bool = true;
    const LANES: usize = 4;
    const REGISTERS: usize = 32;
    type Single = vector::Lanes<f32, 4, true>;
    type Double = vector::Lanes<f64, 2, true>;
    type SingleGroup = group::Sums<f32, Self, 8>;
    type DoubleGroup = group::Sums<f64, Self, 4>;
    type ByteGroup = group::Sums<u8, Self, 16>;
    type ByteRows = group::Sums<u8, Self, 16>;
    type FewBitsGroup = group::Sums<FewBits, Self, 16>;
    type FewBitsRows = group::Sums<FewBits, Self, 16>;

    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        plain::<Self, K>(kernel)
    }
}

/// A loop that is compiled once for each instruction set.
pub trait Kernel {
    /// What the loop returns.
    type Output;

    /// Whether instructions for bytes make it another loop. The others are not compiled for [`Backend::Avx512Vnni`] once more.
    const BYTES: bool = false;

    /// The loop. Mark it `#[inline(always)]`: only then is it compiled with the features of the shell it is inlined into.
    fn run<I: InstructionSet>(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
mod x86;
