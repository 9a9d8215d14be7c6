//! The engine for each element type, compiled once in this crate instead of anew in every crate that uses it.

use std::mem::MaybeUninit;

use ndarray::{ArrayView5, ArrayViewMut5};

use crate::element::Element;
use crate::simd::{Arithmetic, Backend, How};

use super::separable::Separable;

/// Runs tables over elements of one type.
pub trait TypedResize: Sized {
    /// Writes the resized `x` to all of `y`. Shapes have been checked.
    fn resize(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, MaybeUninit<Self>>, how: How);

    /// Bytes of the tables that this uses, and of what a thread needs besides, for pixels of `inner` interleaved elements.
    fn resize_bytes(passes: &Separable, inner: usize, backend: Backend) -> (usize, usize);
}

/// The same, added to what is there.
pub trait TypedResizeAdd: Sized {
    /// Adds the resized `x` to `y`. Shapes have been checked.
    fn resize_add(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, Self>, how: How);
}

fn bytes_in<T: Arithmetic>(passes: &Separable, inner: usize, backend: Backend) -> (usize, usize) {
    (passes.table_bytes::<T>(inner, backend), passes.thread_bytes::<T>(inner, backend))
}

macro_rules! typed {
    ($($element:ty),+) => {
        $(impl TypedResize for $element {
            fn resize(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, MaybeUninit<Self>>, how: How) {
                passes.run::<<Self as Element>::Row, Self>(x, y, how);
            }

            fn resize_bytes(passes: &Separable, inner: usize, backend: Backend) -> (usize, usize) {
                bytes_in::<<Self as Element>::Row>(passes, inner, backend)
            }
        })+
    };
}

macro_rules! typed_add {
    ($($element:ty),+) => {
        $(impl TypedResizeAdd for $element {
            fn resize_add(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, Self>, how: How) {
                passes.add::<<Self as Element>::Row, Self>(x, y, how);
            }
        })+
    };
}

impl TypedResize for u8 {
    fn resize(passes: &Separable, x: ArrayView5<'_, u8>, y: ArrayViewMut5<'_, MaybeUninit<u8>>, how: How) {
        if passes.round_once {
            passes.run::<f32, u8>(x, y, how);
        } else {
            passes.run::<u8, u8>(x, y, how);
        }
    }

    fn resize_bytes(passes: &Separable, inner: usize, backend: Backend) -> (usize, usize) {
        if passes.round_once { bytes_in::<f32>(passes, inner, backend) } else { bytes_in::<u8>(passes, inner, backend) }
    }
}

typed!(f32, f64, u16, i8, i16, i32);
typed_add!(f32, f64);
#[cfg(feature = "half")]
typed!(half::f16, half::bf16);
#[cfg(feature = "half")]
typed_add!(half::f16, half::bf16);
