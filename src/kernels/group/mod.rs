//! Neighbouring output elements of a row, computed at a time: as many as a register holds.
//!
//! The input elements that one tap of a group needs lie close together, so they are loaded as one window and permuted into place, which
//! is several times as fast as gathering them one by one.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::{Arithmetic, InstructionSet, Kernel};

/// The sums of neighbouring output elements, as many as registers hold.
pub trait GroupSums<T: Arithmetic>: Copy {
    /// Elements of a group.
    const LANES: usize;

    /// Sums of nothing.
    fn start() -> Self;

    /// Rounds and writes `LANES` results to the front of `to`.
    fn finish(self, to: &mut [MaybeUninit<T>]);
}

/// Sums over rows whose elements lie below each other.
pub trait RowGroup<T: Arithmetic>: GroupSums<T> {
    /// A weight for all lanes.
    type RowWeight: Copy;

    /// The same weight for all lanes.
    fn weight(weight: T::Weight) -> Self::RowWeight;

    /// Adds the first `LANES` elements of `from`, weighted.
    fn accumulate_row(self, from: &[T], weight: Self::RowWeight) -> Self;

    /// Adds those of two rows, one after the other.
    #[inline(always)]
    fn accumulate_pair(self, [first, second]: [&[T]; 2], weights: [Self::RowWeight; 2]) -> Self {
        self.accumulate_row(first, weights[0]).accumulate_row(second, weights[1])
    }

    /// Whether two rows are added at a time, which sums of many rows are then best made by.
    const TAKES_PAIRS: bool = false;

    /// Whether there is [`of_pairs`](Self::of_pairs).
    const PAIRS: bool = false;

    /// Of the lanes of two groups one after the other, rounded, every two neighbours weighted and added: the sums of one group.
    #[inline(always)]
    fn of_pairs(self, _next: Self, _weights: [Self::RowWeight; 2]) -> Self {
        self
    }

    /// Whether [`stream`](Self::stream) goes past the caches.
    const STREAMS: bool = false;

    /// Finishes past the caches, where `to` begins at a multiple of a group's size.
    #[inline(always)]
    fn stream(self, to: &mut [MaybeUninit<T>]) {
        self.finish(to);
    }
}

/// Sums over elements of an input row that are picked for each output element.
pub trait Group<T: Arithmetic>: GroupSums<T> {
    /// Elements of a window that is permuted in one go; a wide one has twice as many.
    const WINDOW: usize;
    /// Taps that are added at a time.
    const FOLD: usize = 1;
    /// Whether sums, picks and weights are a register or a few each: loops that keep those of several steps or rows there pay.
    const IN_REGISTERS: bool = true;
    /// Which elements of the window each lane takes, as the permutation wants it.
    type Pick: Copy;
    /// The weights of each lane.
    type Weights: Copy;

    /// From numbers below the length of the window, `FOLD` for each of `LANES`.
    fn pick(from: &[u8]) -> Self::Pick;

    /// From weights, `FOLD` for each of `LANES`, in the order of [`Arithmetic::fold`].
    fn weights(from: &[T::Weight]) -> Self::Weights;

    /// Adds the picked elements of the window, weighted. `WIDE` tells the window's length.
    fn accumulate<const WIDE: bool>(self, window: &[T], pick: Self::Pick, weights: Self::Weights) -> Self;
}

/// Lanes, window and taps at a time of a group under some instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupShape {
    pub(crate) lanes: usize,
    pub(crate) window: usize,
    pub(crate) fold: usize,
}

impl GroupShape {
    /// `None` where rows are not resized in groups.
    pub(crate) fn of<T: Arithmetic, I: InstructionSet>() -> Option<Self> {
        I::GROUPS.then_some(Self { lanes: T::Group::<I>::LANES, window: T::Group::<I>::WINDOW, fold: T::Group::<I>::FOLD })
    }
}

/// Asks for the shape of groups of `T`.
pub(crate) struct AskGroupShape<T>(pub(crate) PhantomData<T>);

impl<T: Arithmetic> Kernel for AskGroupShape<T> {
    type Output = Option<GroupShape>;
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) -> Option<GroupShape> {
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

impl<T: Arithmetic, I: InstructionSet, const LANES: usize> GroupSums<T> for Sums<T, I, LANES> {
    const LANES: usize = LANES;

    #[inline(always)]
    fn start() -> Self {
        Self([T::START; LANES], PhantomData)
    }

    #[inline(always)]
    fn finish(self, to: &mut [MaybeUninit<T>]) {
        for (slot, sum) in to[..LANES].iter_mut().zip(self.0) {
            slot.write(T::finish(sum));
        }
    }
}

impl<T: Arithmetic, I: InstructionSet, const LANES: usize> RowGroup<T> for Sums<T, I, LANES> {
    type RowWeight = T::Weight;

    #[inline(always)]
    fn weight(weight: T::Weight) -> T::Weight {
        weight
    }

    #[inline(always)]
    fn accumulate_row(mut self, from: &[T], weight: T::Weight) -> Self {
        let from = &from[..LANES];
        for lane in 0..LANES {
            self.0[lane] = T::accumulate::<I>(self.0[lane], weight, from[lane]);
        }
        self
    }
}

impl<T: Arithmetic, I: InstructionSet, const LANES: usize> Group<T> for Sums<T, I, LANES> {
    const WINDOW: usize = LANES;
    const IN_REGISTERS: bool = false;
    type Pick = [u8; LANES];
    type Weights = [T::Weight; LANES];

    #[inline(always)]
    fn pick(from: &[u8]) -> [u8; LANES] {
        let mut pick = [0; LANES];
        pick.copy_from_slice(&from[..LANES]);
        pick
    }

    #[inline(always)]
    fn weights(from: &[T::Weight]) -> [T::Weight; LANES] {
        let mut weights = [T::Weight::default(); LANES];
        weights.copy_from_slice(&from[..LANES]);
        weights
    }

    #[inline(always)]
    fn accumulate<const WIDE: bool>(self, window: &[T], pick: [u8; LANES], weights: [T::Weight; LANES]) -> Self {
        let mut picked = [T::default(); LANES];
        for lane in 0..LANES {
            picked[lane] = window[pick[lane] as usize];
        }
        let mut sums = [T::START; LANES];
        for lane in 0..LANES {
            sums[lane] = T::accumulate::<I>(self.0[lane], weights[lane], picked[lane]);
        }
        Self(sums, PhantomData)
    }
}

#[cfg(target_arch = "x86_64")]
mod byte_rows_x86;
#[cfg(target_arch = "x86_64")]
mod bytes_vnni;
#[cfg(target_arch = "x86_64")]
mod bytes_x86;
#[cfg(target_arch = "x86_64")]
mod floats_x86;
#[cfg(target_arch = "x86_64")]
pub(crate) use byte_rows_x86::{ByteRows256, ByteRows512, ByteRows512Vnni, FewBitsRows256, FewBitsRows512};
#[cfg(target_arch = "x86_64")]
pub(crate) use bytes_vnni::{Bytes512Vnni, whole_sums};
#[cfg(target_arch = "x86_64")]
pub(crate) use bytes_x86::{Bytes256, Bytes512, FewBits256, HALF, saturated};
