//! The types a tensor can hold, and how each is summed, rounded and saturated.

use std::fmt::Debug;

use num_traits::Float;

use crate::simd::Arithmetic;

pub(crate) mod sealed {
    use crate::conv_transpose::TypedConvolution;
    use crate::interpolate::{TypedResize, TypedResizeAdd};

    /// Keeps [`Element`](super::Element) closed: the engines rely on what its implementations promise.
    pub trait Sealed: TypedResize {}

    /// Keeps [`FloatElement`](super::FloatElement) closed.
    pub trait SealedFloat: TypedResizeAdd + TypedConvolution {}
}

/// A number that can be interpolated.
///
/// | type | sums are kept in | result |
/// |---|---|---|
/// | `f32` | `f32` | the sum |
/// | `f64` | `f64` | the sum |
/// | `f16`, `bf16` (feature `half`) | `f32` | rounded to nearest, ties to even |
/// | `u8` | `i32`, weights of 22 fractional bits, as Pillow's | rounded half up and saturated after each axis |
/// | `u16`, `i8`, `i16` | `f32` | rounded half away from zero and saturated |
/// | `i32` | `f64` | rounded half away from zero and saturated |
///
/// The trait is sealed: the list above is complete. Nearest interpolation and the rearranging operators take any `Copy` type.
pub trait Element: Copy + Default + PartialEq + Debug + Send + Sync + sealed::Sealed + 'static {
    /// What one axis hands to the next: the type of the rows between the passes.
    #[doc(hidden)]
    type Row: Arithmetic;

    /// Whether PyTorch computes the indices of nearest in `f64` for this type.
    #[doc(hidden)]
    const IS_DOUBLE: bool = false;

    /// The row as it is, where no conversion is needed.
    #[doc(hidden)]
    fn as_row(row: &[Self]) -> Option<&[Self::Row]>;

    /// Widens an element to the type of the rows.
    #[doc(hidden)]
    fn to_row(self) -> Self::Row;

    /// Rounds and saturates.
    #[doc(hidden)]
    fn from_row(value: Self::Row) -> Self;

    /// The nearest value of this type, saturated; NaN becomes 0 in integer types.
    #[doc(hidden)]
    fn from_f64(value: f64) -> Self;
}

/// An element type that gradients exist for.
///
/// Sums are kept as [`Element`] says: `f16` and `bf16` are summed in `f32`.
pub trait FloatElement: Element<Row: Float> + sealed::SealedFloat {}

macro_rules! float_element {
    ($float:ident) => {
        impl sealed::Sealed for $float {}

        impl Element for $float {
            type Row = $float;

            const IS_DOUBLE: bool = size_of::<$float>() == 8;

            #[inline(always)]
            fn as_row(row: &[Self]) -> Option<&[$float]> {
                Some(row)
            }

            #[inline(always)]
            fn to_row(self) -> $float {
                self
            }

            #[inline(always)]
            fn from_row(value: $float) -> $float {
                value
            }

            #[allow(clippy::cast_possible_truncation)] // rounding to the type's precision is meant
            fn from_f64(value: f64) -> $float {
                value as $float
            }
        }

        impl sealed::SealedFloat for $float {}
        impl FloatElement for $float {}
    };
}
float_element!(f32);
float_element!(f64);

impl sealed::Sealed for u8 {}

impl Element for u8 {
    type Row = u8;

    #[inline(always)]
    fn as_row(row: &[u8]) -> Option<&[u8]> {
        Some(row)
    }

    #[inline(always)]
    fn to_row(self) -> u8 {
        self
    }

    #[inline(always)]
    fn from_row(value: u8) -> u8 {
        value
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates and maps NaN to 0
    fn from_f64(value: f64) -> u8 {
        value.round() as u8
    }
}

macro_rules! integer_element {
    ($integer:ident, $row:ident) => {
        impl sealed::Sealed for $integer {}

        impl Element for $integer {
            type Row = $row;

            #[inline(always)]
            fn as_row(_: &[Self]) -> Option<&[$row]> {
                None
            }

            #[inline(always)]
            fn to_row(self) -> $row {
                $row::from(self)
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates and maps NaN to 0
            fn from_row(value: $row) -> Self {
                value.round() as $integer
            }

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates and maps NaN to 0
            fn from_f64(value: f64) -> Self {
                value.round() as $integer
            }
        }
    };
}
integer_element!(u16, f32);
integer_element!(i8, f32);
integer_element!(i16, f32);
integer_element!(i32, f64);

#[cfg(feature = "half")]
macro_rules! half_element {
    ($half:ty) => {
        impl sealed::Sealed for $half {}

        impl Element for $half {
            type Row = f32;

            #[inline(always)]
            fn as_row(_: &[Self]) -> Option<&[f32]> {
                None
            }

            #[inline(always)]
            fn to_row(self) -> f32 {
                self.to_f32()
            }

            #[inline(always)]
            fn from_row(value: f32) -> Self {
                <$half>::from_f32(value)
            }

            fn from_f64(value: f64) -> Self {
                <$half>::from_f64(value)
            }
        }

        impl sealed::SealedFloat for $half {}
        impl FloatElement for $half {}
    };
}
#[cfg(feature = "half")]
half_element!(half::f16);
#[cfg(feature = "half")]
half_element!(half::bf16);
