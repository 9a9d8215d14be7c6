//! The types a tensor can hold, and how each is summed, rounded and saturated.

use std::fmt::Debug;
use std::mem::MaybeUninit;

use ndarray::{Array5, ArrayView5, ArrayViewMut5};

#[cfg(feature = "conv")]
use crate::conv::ConvElement;
use crate::error::Error;
use crate::kernels::{Arithmetic, FewBits, How, Real, as_few_bits, as_few_bits_mut};
use crate::memory::uninit::{as_alike, as_alike_mut, as_uninit};
use crate::resize::nearest::NearestIndices;
use crate::resize::{PlannedResize, ResizeElement, ResizeElementAdd};

pub(crate) mod sealed {
    /// Keeps [`Element`](super::Element) closed: the engines rely on what its implementations promise.
    pub trait Sealed {}
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
/// Sums of more than 64 taps (those of all axes together) are kept in `f64`, whatever the type, so that their error does not grow; those of
/// `u8` from 2048 taps of an axis on.
///
/// [`Profile`](crate::Profile) says where a framework does otherwise: for ONNX, OpenCV, JAX and TensorFlow `u8` is summed in `f64`
/// and rounded once, halves to even (JAX and TensorFlow themselves return the sums); Pillow rounds `u16` and `i32` after each axis.
///
/// The trait is sealed: the list above is complete. Nearest interpolation and the rearranging operators take any `Copy` type.
///
/// ```
/// use upsample::{Element, Resize};
///
/// fn doubled<A: Element>(x: &ndarray::Array4<A>) -> Result<ndarray::Array4<A>, upsample::Error> {
///     Resize::bicubic().plan([x.dim().2, x.dim().3], 2.0)?.forward(x)
/// }
/// assert_eq!(doubled(&ndarray::Array4::<u8>::from_elem((1, 3, 4, 4), 255))?[[0, 0, 0, 0]], 255); // saturates
/// # Ok::<(), upsample::Error>(())
/// ```
pub trait Element:
    Copy + Default + PartialEq + Debug + Send + Sync + ResizeElement + Convert<Self::Row> + sealed::Sealed + 'static
{
    /// What one axis hands to the next: the type of the rows between the passes.
    #[doc(hidden)]
    type Row: Arithmetic;

    /// Whether PyTorch computes positions in `f64` for this type.
    #[doc(hidden)]
    const IS_DOUBLE: bool = false;

    /// The nearest value of this type, saturated; NaN becomes 0 in integer types.
    #[doc(hidden)]
    fn from_f64(value: f64) -> Self;

    /// Copies every output pixel from its input pixel, by loops that are compiled in this crate. Shapes have been checked.
    #[doc(hidden)]
    fn copy_nearest(indices: &NearestIndices, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, MaybeUninit<Self>>, how: How);

    /// A new array of `shape`, resized by code that is compiled in this crate. Shapes have been checked.
    #[doc(hidden)]
    fn resized(planned: &PlannedResize, x: ArrayView5<'_, Self>, shape: [usize; 5], channels_last: bool) -> Result<Array5<Self>, Error>;

    /// The same into `y`.
    #[doc(hidden)]
    fn resize_into(planned: &PlannedResize, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, Self>) -> Result<(), Error>;
}

/// An element type that gradients exist for.
///
/// Sums are kept as [`Element`] says: `f16` and `bf16` are summed in `f32`.
///
/// ```
/// use upsample::{FloatElement, Resize};
///
/// fn gradient<A: FloatElement>(dy: &ndarray::Array3<A>) -> Result<ndarray::Array3<A>, upsample::Error> {
///     Resize::linear().plan([5], [dy.dim().2])?.input_gradient(dy)
/// }
/// assert_eq!(gradient(&ndarray::Array3::<f64>::ones((1, 1, 10)))?.sum(), 10.0);
/// # Ok::<(), upsample::Error>(())
/// ```
pub trait FloatElement: Element<Row: Real> + ResizeElementAdd + ConvElement {}

/// Stands in for the trait of the convolutions where the feature `conv` is off.
#[cfg(not(feature = "conv"))]
pub trait ConvElement {}
#[cfg(not(feature = "conv"))]
impl<A: Element> ConvElement for A {}

/// How elements become rows of sums of type `T`, and back.
pub trait Convert<T: Copy>: Copy + Send + Sync {
    /// Widens an element.
    fn to_row(self) -> T;

    /// Rounds and saturates.
    fn from_row(value: T) -> Self;

    /// The elements as they are, where nothing needs to be converted.
    fn as_rows(_: &[Self]) -> Option<&[T]> {
        None
    }

    /// Writable elements as they are, where nothing needs to be converted.
    fn as_sums(_: &mut [Self]) -> Option<&mut [T]> {
        None
    }

    /// Unwritten elements as they are, where nothing needs to be converted.
    fn as_rows_mut(_: &mut [MaybeUninit<Self>]) -> Option<&mut [MaybeUninit<T>]> {
        None
    }

    /// Widens a row.
    fn widen(from: &[Self], to: &mut [T]) {
        for (slot, &value) in to.iter_mut().zip(from) {
            *slot = value.to_row();
        }
    }

    /// Rounds and saturates a row.
    fn narrow(from: &[T], to: &mut [MaybeUninit<Self>]) {
        for (slot, &value) in to.iter_mut().zip(from) {
            slot.write(Self::from_row(value));
        }
    }
}

/// Types whose rows are of their own type.
macro_rules! own_rows {
    ($element:ident) => {
        impl Convert<$element> for $element {
            #[inline(always)]
            fn to_row(self) -> $element {
                self
            }

            #[inline(always)]
            fn from_row(value: $element) -> $element {
                value
            }

            #[inline(always)]
            fn as_rows(row: &[$element]) -> Option<&[$element]> {
                Some(row)
            }

            #[inline(always)]
            fn as_sums(row: &mut [$element]) -> Option<&mut [$element]> {
                Some(row)
            }

            #[inline(always)]
            fn as_rows_mut(row: &mut [MaybeUninit<$element>]) -> Option<&mut [MaybeUninit<$element>]> {
                Some(row)
            }
        }
    };
}
own_rows!(f32);
own_rows!(f64);
own_rows!(u8);

impl Convert<FewBits> for u8 {
    #[inline(always)]
    fn to_row(self) -> FewBits {
        FewBits(self)
    }

    #[inline(always)]
    fn from_row(value: FewBits) -> u8 {
        value.0
    }

    fn as_rows(row: &[u8]) -> Option<&[FewBits]> {
        Some(as_few_bits(row))
    }

    fn as_rows_mut(row: &mut [MaybeUninit<u8>]) -> Option<&mut [MaybeUninit<FewBits>]> {
        Some(as_few_bits_mut(row))
    }
}

/// Integers whose rows are of floating-point type.
macro_rules! float_rows {
    ($integer:ident, $row:ident) => {
        impl Convert<$row> for $integer {
            #[inline(always)]
            fn to_row(self) -> $row {
                $row::from(self)
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates and maps NaN to 0
            fn from_row(value: $row) -> Self {
                // Half away from zero: `round()` would be a call to a function. What is added is the number below a half, so that the
                // number below a half does not become 1.
                const BELOW_HALF: $row = 0.5 - $row::EPSILON / 4.0;
                (value + BELOW_HALF.copysign(value)) as $integer
            }
        }
    };
}
float_rows!(u16, f32);
float_rows!(i8, f32);
float_rows!(i16, f32);
float_rows!(i32, f64);
float_rows!(u16, f64);
float_rows!(i8, f64);
float_rows!(i16, f64);

impl Convert<f64> for f32 {
    #[inline(always)]
    fn to_row(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant
    fn from_row(value: f64) -> f32 {
        value as f32
    }
}

/// Bytes that are rounded once.
impl Convert<f64> for u8 {
    #[inline(always)]
    fn to_row(self) -> f64 {
        f64::from(self)
    }

    /// Halves to even, as ONNX and OpenCV have it.
    ///
    /// The error of the sum (below 2^-33 for 2048 taps) must not decide which side of a half it lies on, since backends with and without
    /// fused multiply-adds differ there. So it is rounded to a multiple of 2^-32 first.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates and maps NaN to 0
    fn from_row(value: f64) -> Self {
        // Adding a number rounds to the multiples of its last bit, and to even.
        const FRACTIONS: f64 = 1.5 * (1_u64 << (52 - 32)) as f64;
        const WHOLE: f64 = 1.5 * (1_u64 << 52) as f64;
        let value = (value + FRACTIONS) - FRACTIONS;
        ((value + WHOLE) - WHOLE) as u8
    }
}

/// An element, the type of its rows, the type that it is copied as, and the nearest value to a number.
macro_rules! element {
    ($element:ty, $row:ident, $alike:ident, |$value:ident| $from_f64:expr) => {
        impl sealed::Sealed for $element {}

        impl Element for $element {
            type Row = $row;

            const IS_DOUBLE: bool = size_of::<$element>() == 8;

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates and maps NaN to 0
            fn from_f64($value: f64) -> Self {
                $from_f64
            }

            fn copy_nearest(indices: &NearestIndices, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, MaybeUninit<Self>>, how: How) {
                indices.run::<$alike>(as_alike(x), as_alike_mut(y), how);
            }

            fn resized(
                planned: &PlannedResize,
                x: ArrayView5<'_, Self>,
                shape: [usize; 5],
                channels_last: bool,
            ) -> Result<Array5<Self>, Error> {
                planned.forward(x, shape, channels_last)
            }

            fn resize_into(planned: &PlannedResize, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, Self>) -> Result<(), Error> {
                planned.forward_into(x, as_uninit(y))
            }
        }
    };
}
element!(f32, f32, i32, |value| value as f32);
element!(f64, f64, f64, |value| value);
element!(u8, u8, u8, |value| value.round() as u8);
element!(u16, f32, u16, |value| value.round() as u16);
element!(i8, f32, u8, |value| value.round() as i8);
element!(i16, f32, u16, |value| value.round() as i16);
element!(i32, f64, i32, |value| value.round() as i32);

impl FloatElement for f32 {}
impl FloatElement for f64 {}

#[cfg(feature = "half")]
mod half_precision {
    use std::mem::MaybeUninit;

    use half::slice::HalfFloatSliceExt;
    use ndarray::{Array5, ArrayView5, ArrayViewMut5};

    use super::{Convert, Element, Error, FloatElement, How, NearestIndices, PlannedResize, as_alike, as_alike_mut, as_uninit, sealed};

    macro_rules! half_rows {
        ($half:ty) => {
            impl Convert<f32> for $half {
                #[inline(always)]
                fn to_row(self) -> f32 {
                    self.to_f32()
                }

                #[inline(always)]
                fn from_row(value: f32) -> Self {
                    <$half>::from_f32(value)
                }

                fn widen(from: &[Self], to: &mut [f32]) {
                    from.convert_to_f32_slice(&mut to[..from.len()]);
                }

                fn narrow(from: &[f32], to: &mut [MaybeUninit<Self>]) {
                    // By way of an array, since `half` converts slices of initialised memory only.
                    let mut buffer = [<$half>::ZERO; 64];
                    for (from, to) in from.chunks(64).zip(to.chunks_mut(64)) {
                        buffer[..from.len()].convert_from_f32_slice(from);
                        for (slot, &value) in to.iter_mut().zip(&buffer) {
                            slot.write(value);
                        }
                    }
                }
            }

            impl Convert<f64> for $half {
                #[inline(always)]
                fn to_row(self) -> f64 {
                    self.to_f64()
                }

                #[inline(always)]
                fn from_row(value: f64) -> Self {
                    <$half>::from_f64(value)
                }
            }

            element!($half, f32, u16, |value| <$half>::from_f64(value));

            impl FloatElement for $half {}
        };
    }
    half_rows!(half::f16);
    half_rows!(half::bf16);
}
