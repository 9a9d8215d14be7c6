//! How a tap is weighted and summed: in floating point, or in the fixed point of pictures of bytes.

use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use super::group::{Group, RowGroup};
use super::{Horizontal, InstructionSet, Scratch, Table, Tables};

/// The weighted sums over rows of this type.
pub trait Arithmetic: Copy + Default + Send + Sync + Debug + PartialEq + 'static {
    /// What a tap is multiplied with.
    type Weight: Copy + Default + PartialEq + Send + Sync + Debug + 'static;
    /// What products are summed in.
    type Sum: Copy + Default + Send + Sync + 'static;

    /// A weight computed in f64, as the loops use it.
    fn weight(exact: f64) -> Self::Weight;

    /// What a sum starts from; in fixed point the half that rounds.
    const START: Self::Sum;

    /// `sum + weight * value`.
    fn accumulate<I: InstructionSet>(sum: Self::Sum, weight: Self::Weight, value: Self) -> Self::Sum;

    /// The rounded and saturated sum.
    fn finish(sum: Self::Sum) -> Self;

    /// `self + other`, for gradients that are added to what is there.
    fn add(self, other: Self) -> Self;

    /// Whether `0 · x` can be something else than 0, so that a row of taps must not be filled up with taps of weight 0.
    const HAS_INFINITY: bool;

    /// The sums of neighbouring output elements over elements picked from a row.
    type Group<I: InstructionSet>: Group<Self>;
    /// The same over rows.
    type Rows<I: InstructionSet>: RowGroup<Self>;

    /// The arithmetic of the same elements that has all weights, where this one has not.
    type Exact: Arithmetic<Exact = Self::Exact>;

    /// The same elements in it.
    fn exact(row: &[Self]) -> &[Self::Exact];

    /// The same to write.
    fn exact_mut(row: &mut [MaybeUninit<Self>]) -> &mut [MaybeUninit<Self::Exact>];

    /// Resizes rows pixel by pixel, or gives them back where there is no loop for that but the one for any type.
    #[inline(always)]
    fn horizontal_pixels<I: InstructionSet>(pass: Horizontal<'_, Self>) -> Option<Horizontal<'_, Self>> {
        Some(pass)
    }

    /// Puts weights of several taps, `[lane][taps]`, in the form that groups of as many at a time take: as many numbers, some without a
    /// meaning. More than two of them are [usual](Self::is_usual).
    fn fold(_weights: &mut [Self::Weight], _taps: usize) {}

    /// Whether a weight is of the size that loops take which add many taps at a time.
    fn is_usual(_weight: Self::Weight) -> bool {
        true
    }

    /// Whether kernels over this type use instructions for bytes, see [`Kernel::BYTES`](super::Kernel::BYTES).
    const BYTES: bool = false;

    /// This type's buffers of the thread's scratch memory.
    fn scratch(scratch: &mut Scratch) -> &mut Vec<Vec<Self>>;

    /// This type's table of an axis.
    fn table(tables: &Tables) -> &OnceLock<Table<Self>>;
}

macro_rules! float_arithmetic {
    ($float:ident, $buffer:ident, $group:ident) => {
        impl Arithmetic for $float {
            type Weight = $float;
            type Sum = $float;
            type Group<I: InstructionSet> = I::$group;
            type Rows<I: InstructionSet> = I::$group;
            type Exact = Self;

            fn exact(row: &[Self]) -> &[Self] {
                row
            }

            fn exact_mut(row: &mut [MaybeUninit<Self>]) -> &mut [MaybeUninit<Self>] {
                row
            }

            #[inline]
            #[allow(clippy::cast_possible_truncation)] // rounding to the type's precision is meant
            fn weight(exact: f64) -> $float {
                exact as $float
            }

            const START: $float = 0.0;

            #[inline(always)]
            fn accumulate<I: InstructionSet>(sum: $float, weight: $float, value: $float) -> $float {
                if I::FUSED { weight.mul_add(value, sum) } else { weight * value + sum }
            }

            #[inline(always)]
            fn finish(sum: $float) -> $float {
                sum
            }

            #[inline(always)]
            fn add(self, other: $float) -> $float {
                self + other
            }

            fn scratch(scratch: &mut Scratch) -> &mut Vec<Vec<$float>> {
                &mut scratch.$buffer
            }

            const HAS_INFINITY: bool = true;

            fn table(tables: &Tables) -> &OnceLock<Table<$float>> {
                &tables.$buffer
            }
        }
    };
}
float_arithmetic!(f32, single, SingleGroup);
float_arithmetic!(f64, double, DoubleGroup);

/// Fractional bits of a weight of the fixed-point arithmetic, as in Pillow (`32 - 8 - 2`): sums of weighted bytes
/// stay inside 32 bits even where the weights of a sharpening filter overshoot.
pub(crate) const FRACTION_BITS: u32 = 22;

/// Bits of a weight that are multiplied apart from the others: both halves fit into 16.
pub(crate) const LOW_BITS: u32 = 15;

/// The low bits of two weights as the two words of a number, then the high ones.
#[inline(always)]
pub(crate) fn cut_pair([first, second]: [i32; 2]) -> [i32; 2] {
    const LOW: i32 = (1 << LOW_BITS) - 1;
    [first & LOW | (second & LOW) << 16, (first >> LOW_BITS) & 0xFFFF | second >> LOW_BITS << 16]
}

/// Weights that are the sum of three signed bytes: `low + (middle << 8) + (high << 16)`.
pub(crate) const THREE_BYTES: RangeInclusive<i32> = -128 * 0x1_01_01..=127 * 0x1_01_01;

/// The lowest bytes of four weights in one number, then the middle and the highest ones. The weights are of [`THREE_BYTES`].
pub(crate) fn cut_four(weights: [i32; 4]) -> [i32; 3] {
    let mut bytes = [[0_u8; 4]; 3];
    for (tap, &weight) in weights.iter().enumerate() {
        // Adding half of every byte beforehand turns the signed bytes into those of the sum.
        let [low, middle, high, _] = weight.wrapping_add(0x80_80_80).to_le_bytes();
        (bytes[0][tap], bytes[1][tap], bytes[2][tap]) = (low ^ 0x80, middle ^ 0x80, high ^ 0x80);
    }
    bytes.map(i32::from_le_bytes)
}

/// Weights by lane, `TAPS` each, as `PARTS` numbers of each lane, all the first ones first.
fn fold_lanes<const TAPS: usize, const PARTS: usize>(weights: &mut [i32], cut: impl Fn([i32; TAPS]) -> [i32; PARTS]) {
    const MOST_LANES: usize = 64;
    let (lanes, mut of_lanes) = (weights.len() / TAPS, [[0; TAPS]; MOST_LANES]);
    of_lanes[..lanes].copy_from_slice(weights.as_chunks().0);
    for (lane, &taps) in of_lanes[..lanes].iter().enumerate() {
        for (part, number) in cut(taps).into_iter().enumerate() {
            weights[part * lanes + lane] = number;
        }
    }
}

impl Arithmetic for u8 {
    type Weight = i32;
    type Sum = i32;
    type Group<I: InstructionSet> = I::ByteGroup;
    type Rows<I: InstructionSet> = I::ByteRows;
    type Exact = Self;

    fn exact(row: &[Self]) -> &[Self] {
        row
    }

    fn exact_mut(row: &mut [MaybeUninit<Self>]) -> &mut [MaybeUninit<Self>] {
        row
    }

    #[inline(always)]
    fn horizontal_pixels<I: InstructionSet>(pass: Horizontal<'_, Self>) -> Option<Horizontal<'_, Self>> {
        I::horizontal_bytes(pass)
    }

    /// The low bits of all lanes, then the high ones; of each the taps in one number.
    fn fold(weights: &mut [i32], taps: usize) {
        if taps == 4 { fold_lanes(weights, cut_four) } else { fold_lanes(weights, cut_pair) }
    }

    /// Three bytes.
    fn is_usual(weight: i32) -> bool {
        THREE_BYTES.contains(&weight)
    }

    const BYTES: bool = true;

    /// Weights are of the order of 1. Others than from -256 to 256 exclusive, whose sums no longer fit into 32 bits, are cut off at these, so
    /// that both their halves fit into 16 bits.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // cut off
    fn weight(exact: f64) -> i32 {
        const MOST: f64 = ((1 << (LOW_BITS + 15)) - 1) as f64;
        let scaled = exact * f64::from(1 << FRACTION_BITS);
        // As Pillow rounds; `f64::round` is a call on older processors.
        (scaled + 0.5_f64.copysign(scaled)).clamp(-MOST, MOST) as i32
    }

    const START: i32 = 1 << (FRACTION_BITS - 1);

    #[inline(always)]
    fn accumulate<I: InstructionSet>(sum: i32, weight: i32, value: u8) -> i32 {
        sum.wrapping_add(weight.wrapping_mul(i32::from(value)))
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    fn finish(sum: i32) -> u8 {
        (sum >> FRACTION_BITS).clamp(0, 255) as u8
    }

    #[inline(always)]
    fn add(self, other: u8) -> u8 {
        self.saturating_add(other)
    }

    fn scratch(scratch: &mut Scratch) -> &mut Vec<Vec<u8>> {
        &mut scratch.bytes
    }

    const HAS_INFINITY: bool = false;

    fn table(tables: &Tables) -> &OnceLock<Table<u8>> {
        &tables.fixed
    }
}

/// A byte that is weighted in 16 bits.
///
/// Weights of 7 fractional bits give the very sums of the 22-bit ones where all of them are multiples of 1/128, as those of linear and
/// cubic filters at a factor of 2 are. Sums are kept less 128, so that they fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct FewBits(pub(crate) u8);

impl FewBits {
    /// Fractional bits of a weight.
    pub(crate) const FRACTION_BITS: u32 = 7;

    /// Whether the weights of one output pixel, in the 22 bits of a byte's own arithmetic, are exactly representable in 7 bits.
    /// Instructions that multiply pairs want them to fit a signed byte, and the sum of each pair not to leave 16 bits.
    pub(crate) fn holds(weights: impl Iterator<Item = i32>) -> bool {
        const UNIT: i32 = 1 << (FRACTION_BITS - FewBits::FRACTION_BITS);
        let (mut reach, mut of_pair) = (0, [0; 2]);
        for (tap, weight) in weights.enumerate() {
            let units = weight / UNIT;
            if weight % UNIT != 0 || i8::try_from(units).is_err() {
                return false;
            }
            reach += units.abs();
            of_pair = if tap % 2 == 0 { [0; 2] } else { of_pair };
            of_pair[usize::from(units < 0)] += units.abs();
            if of_pair.iter().any(|sum| sum * 255 > i32::from(i16::MAX)) {
                return false;
            }
        }
        // Bytes less 128 reach 128; the rounding half is added.
        reach * 128 + 64 <= i32::from(i16::MAX)
    }

    /// Two weights as two bytes of one number.
    #[allow(clippy::cast_possible_truncation)] // they fit, see `holds`
    pub(crate) fn pair([first, second]: [i16; 2]) -> i16 {
        i16::from_le_bytes([first as u8, second as u8])
    }
}

impl Arithmetic for FewBits {
    type Weight = i16;
    type Sum = i16;
    type Group<I: InstructionSet> = I::FewBitsGroup;
    type Rows<I: InstructionSet> = I::FewBitsRows;
    type Exact = u8;

    fn exact(row: &[Self]) -> &[u8] {
        // SAFETY: `FewBits` is a transparent wrapper of a byte, the length is the same.
        unsafe { std::slice::from_raw_parts(row.as_ptr().cast(), row.len()) }
    }

    fn exact_mut(row: &mut [MaybeUninit<Self>]) -> &mut [MaybeUninit<u8>] {
        // SAFETY: `FewBits` is a transparent wrapper of a byte, the length is the same.
        unsafe { std::slice::from_raw_parts_mut(row.as_mut_ptr().cast(), row.len()) }
    }

    fn fold(weights: &mut [i16], _taps: usize) {
        for lane in 0..weights.len() / 2 {
            weights[lane] = Self::pair([weights[2 * lane], weights[2 * lane + 1]]);
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // weights are of the order of 1
    fn weight(exact: f64) -> i16 {
        (exact * f64::from(1 << Self::FRACTION_BITS)).round() as i16
    }

    const START: i16 = (1 << (Self::FRACTION_BITS - 1)) - (128 << Self::FRACTION_BITS);

    #[inline(always)]
    fn accumulate<I: InstructionSet>(sum: i16, weight: i16, value: Self) -> i16 {
        sum.wrapping_add(weight.wrapping_mul(i16::from(value.0)))
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    fn finish(sum: i16) -> Self {
        Self(((sum >> Self::FRACTION_BITS).clamp(-128, 127) + 128) as u8)
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    fn scratch(scratch: &mut Scratch) -> &mut Vec<Vec<Self>> {
        &mut scratch.few_bits
    }

    const HAS_INFINITY: bool = false;

    fn table(tables: &Tables) -> &OnceLock<Table<Self>> {
        &tables.few_bits
    }
}

/// Bytes as they are weighted in 16 bits.
pub(crate) fn as_few_bits(bytes: &[u8]) -> &[FewBits] {
    // SAFETY: `FewBits` is a transparent wrapper of a byte, the length is the same.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// The same to write.
pub(crate) fn as_few_bits_mut(bytes: &mut [MaybeUninit<u8>]) -> &mut [MaybeUninit<FewBits>] {
    // SAFETY: `FewBits` is a transparent wrapper of a byte, the length is the same.
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_sum_of_their_bytes() {
        let sum = |[low, middle, high]: [i32; 3], tap: usize| {
            let byte = |number: i32| i32::from(number.to_le_bytes()[tap].cast_signed());
            byte(low) + (byte(middle) << 8) + (byte(high) << 16)
        };
        let most = 127 * (1 + 256 + 65_536);
        for weight in (-8_421_504..=most).step_by(997).chain([-8_421_504, most, 0, -1, 127, 128, -129, 1 << FRACTION_BITS]) {
            let weights = [weight, 5, 0, -weight.min(most).max(-most)];
            assert_eq!([0, 1, 2, 3].map(|tap| sum(cut_four(weights), tap)), weights);
            assert!(weights.into_iter().all(u8::is_usual));
        }
        for weight in [most + 1, -8_421_505, i32::MAX, i32::MIN] {
            assert!(!u8::is_usual(weight), "{weight}");
        }
    }
}
