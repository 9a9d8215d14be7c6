//! The engine for each element type, compiled once in this crate instead of anew in every crate that uses it.

use std::mem::MaybeUninit;

use ndarray::{ArrayView5, ArrayViewMut5};

use crate::element::{Element, FloatElement};
use crate::simd::{Arithmetic, Backend, Put};

use super::separable::Separable;

/// Writes a value that the caller will own.
#[derive(Clone, Copy)]
struct Write;

impl<A: Element> Put<MaybeUninit<A>, A::Row> for Write {
    #[inline(always)]
    fn put(slot: &mut MaybeUninit<A>, value: A::Row) {
        slot.write(A::from_row(value));
    }
}

/// Adds to the value that is there.
#[derive(Clone, Copy)]
struct Add;

impl<A: FloatElement> Put<A, A::Row> for Add {
    #[inline(always)]
    fn put(slot: &mut A, value: A::Row) {
        *slot = A::from_row(slot.to_row().add(value));
    }
}

/// Runs tables over elements of one type.
pub trait TypedResize: Sized {
    /// Writes the resized `x` to all of `y`. Shapes have been checked.
    fn resize(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, MaybeUninit<Self>>, backend: Backend);
}

/// The same, added to what is there.
pub trait TypedResizeAdd: Sized {
    /// Adds the resized `x` to `y`. Shapes have been checked.
    fn resize_add(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, Self>, backend: Backend);
}

macro_rules! typed {
    ($trait:ident, $method:ident, $slot:ty, $put:expr, [$($element:ty),+]) => {
        $(impl $trait for $element {
            fn $method(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, $slot>, backend: Backend) {
                passes.run(x, y, $put, backend);
            }
        })+
    };
}

typed!(TypedResize, resize, MaybeUninit<Self>, Write, [f32, f64, u8, u16, i8, i16, i32]);
typed!(TypedResizeAdd, resize_add, Self, Add, [f32, f64]);
#[cfg(feature = "half")]
typed!(TypedResize, resize, MaybeUninit<Self>, Write, [half::f16, half::bf16]);
#[cfg(feature = "half")]
typed!(TypedResizeAdd, resize_add, Self, Add, [half::f16, half::bf16]);
