//! The engine for each element type, compiled once in this crate instead of anew in every crate that uses it.

use std::mem::MaybeUninit;

use ndarray::{ArrayView5, ArrayViewMut5};

use crate::element::Element;
use crate::error::Error;
use crate::kernels::{Arithmetic, Backend, FewBits, How};
use crate::memory::MemoryUse;

use super::passes::{IntegerSums, Separable, interleaved};
use super::pillow;

/// Runs tables over elements of one type.
pub trait ResizeElement: Sized {
    /// Writes the resized `x` to all of `y`, which is untouched if there is an error. Shapes have been checked.
    fn resize(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, MaybeUninit<Self>>, how: How) -> Result<(), Error>;

    /// The memory that an output of `output_bytes` bytes takes: the number of planes (batch × channels) and of interleaved elements of a pixel.
    /// Makes the tables.
    fn resize_memory(passes: &Separable, planes_and_inner: [usize; 2], backend: Backend, output_bytes: usize) -> Result<MemoryUse, Error>;
}

/// The same, added to what is there.
pub trait ResizeElementAdd: Sized {
    /// Adds the resized `x` to `y`, which is untouched if there is an error. Shapes have been checked.
    fn resize_add(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, Self>, how: How) -> Result<(), Error>;
}

fn memory_in<T: Arithmetic>(passes: &Separable, inner: usize, backend: Backend, output_bytes: usize) -> Result<MemoryUse, Error> {
    passes.ready::<T>(inner, backend)?;
    let need = passes.need::<T>(inner, backend, true).with_shared(passes.table_bytes::<T>());
    Ok(need.memory_use::<T>(output_bytes))
}

/// Types that are summed in their own row type, or in `f64` where the taps are many or the sums exact.
macro_rules! typed {
    ($($element:ty),+) => {
        $(impl ResizeElement for $element {
            fn resize(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, MaybeUninit<Self>>, how: How) -> Result<(), Error> {
                if passes.sums_in_double() {
                    passes.run::<f64, Self>(x, y, how)
                } else {
                    passes.run::<<Self as Element>::Row, Self>(x, y, how)
                }
            }

            fn resize_memory(passes: &Separable, [_, inner]: [usize; 2], backend: Backend, output_bytes: usize) -> Result<MemoryUse, Error> {
                if passes.sums_in_double() {
                    memory_in::<f64>(passes, inner, backend, output_bytes)
                } else {
                    memory_in::<<Self as Element>::Row>(passes, inner, backend, output_bytes)
                }
            }
        })+
    };
}

macro_rules! typed_add {
    ($($element:ty),+) => {
        $(impl ResizeElementAdd for $element {
            fn resize_add(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, Self>, how: How) -> Result<(), Error> {
                if passes.sums_in_double() {
                    passes.add::<f64, Self>(x, y, how)
                } else {
                    passes.add::<<Self as Element>::Row, Self>(x, y, how)
                }
            }
        })+
    };
}

/// Integers that Pillow has modes for.
macro_rules! typed_pillow {
    ($($element:ty),+) => {
        $(impl ResizeElement for $element {
            fn resize(passes: &Separable, x: ArrayView5<'_, Self>, y: ArrayViewMut5<'_, MaybeUninit<Self>>, how: How) -> Result<(), Error> {
                if passes.integers == IntegerSums::Pillow {
                    pillow::run(passes, x, y)
                } else if passes.sums_in_double() {
                    passes.run::<f64, Self>(x, y, how)
                } else {
                    passes.run::<<Self as Element>::Row, Self>(x, y, how)
                }
            }

            fn resize_memory(
                passes: &Separable,
                [planes, inner]: [usize; 2],
                backend: Backend,
                output_bytes: usize,
            ) -> Result<MemoryUse, Error> {
                if passes.integers == IntegerSums::Pillow {
                    pillow::memory::<Self>(passes, planes, output_bytes)
                } else if passes.sums_in_double() {
                    memory_in::<f64>(passes, inner, backend, output_bytes)
                } else {
                    memory_in::<<Self as Element>::Row>(passes, inner, backend, output_bytes)
                }
            }
        })+
    };
}

/// How bytes are summed.
enum ByteSums {
    /// Weights of 7 bits, with the same result as those of 22.
    FewBits,
    /// Weights of 22 bits.
    Fixed,
    Double,
}

fn byte_sums(passes: &Separable, inner: usize, backend: Backend) -> ByteSums {
    match passes.integers {
        IntegerSums::RoundedOnce | IntegerSums::Double => ByteSums::Double,
        IntegerSums::Fixed if passes.has_many_byte_taps() => ByteSums::Double,
        _ if passes.few_bits(inner, backend) => ByteSums::FewBits,
        _ => ByteSums::Fixed,
    }
}

impl ResizeElement for u8 {
    fn resize(passes: &Separable, x: ArrayView5<'_, u8>, y: ArrayViewMut5<'_, MaybeUninit<u8>>, how: How) -> Result<(), Error> {
        match byte_sums(passes, interleaved(&y), how.backend) {
            ByteSums::FewBits => passes.run::<FewBits, u8>(x, y, how),
            ByteSums::Fixed => passes.run::<u8, u8>(x, y, how),
            ByteSums::Double => passes.run::<f64, u8>(x, y, how),
        }
    }

    fn resize_memory(passes: &Separable, [_, inner]: [usize; 2], backend: Backend, output_bytes: usize) -> Result<MemoryUse, Error> {
        match byte_sums(passes, inner, backend) {
            ByteSums::FewBits => memory_in::<FewBits>(passes, inner, backend, output_bytes),
            ByteSums::Fixed => memory_in::<u8>(passes, inner, backend, output_bytes),
            ByteSums::Double => memory_in::<f64>(passes, inner, backend, output_bytes),
        }
    }
}

typed!(f32, f64, i8, i16);
typed_pillow!(u16, i32);
typed_add!(f32, f64);
#[cfg(feature = "half")]
typed!(half::f16, half::bf16);
#[cfg(feature = "half")]
typed_add!(half::f16, half::bf16);

#[cfg(test)]
mod tests {
    use ndarray::Array5;

    use super::*;
    use crate::error::Axis;
    use crate::kernels::{Backend, StreamingStores};
    use crate::memory::uninit::as_uninit;
    use crate::resize::coordinates::{Coordinates, Geometry};
    use crate::resize::filter::Filter;
    use crate::resize::taps::{AxisTaps, PositionArithmetic, TapRule, Taps};

    /// Passes that keep the depth and multiply height and width of `[3, 20, 37]`.
    fn enlarging(filter: &Filter, factor: usize, exclude_outside: bool) -> Separable {
        let rule = TapRule {
            filter,
            coordinates: Coordinates::HalfPixel,
            antialias: false,
            exclude_outside,
            arithmetic: PositionArithmetic::Exact,
        };
        let axis = |size: usize, factor: usize| {
            Taps::of_filter(Axis::Width, rule, &Geometry::of_sizes(size, factor * size)).map(AxisTaps::new).unwrap()
        };
        Separable { axes: [axis(3, 1), axis(20, factor), axis(37, factor)], integers: IntegerSums::Fixed }
    }

    #[test]
    fn few_bits_give_the_bytes_of_all_bits() {
        let x = Array5::from_shape_fn((2, 3, 3, 20, 37), |(n, c, d, h, w)| {
            // Black beside white, where a cubic overshoots, and grey levels.
            let noise = (n * 7919 + c * 104_729 + d * 1_299_709 + h * 15_485_863 + w * 32_452_843) >> 3;
            if noise % 3 == 0 { (noise / 3 % 2 * 255) as u8 } else { noise as u8 }
        });
        for (name, filter, factor, exclude_outside) in [
            ("linear", Filter::Linear, 2, false),
            ("linear, four times", Filter::Linear, 4, false),
            ("linear, taps outside dropped", Filter::Linear, 2, true),
            ("cubic", Filter::Cubic { a: -0.5 }, 2, false),
            ("cubic, border pixels of other weights", Filter::Cubic { a: -0.5 }, 2, true),
        ] {
            let shape = (2, 3, 3, 20 * factor, 37 * factor);
            for backend in Backend::available() {
                let passes = enlarging(&filter, factor, exclude_outside); // whose tables are for one backend
                assert!(passes.few_bits(1, backend), "{name}, {backend:?}");
                let how = How { backend, streaming: StreamingStores::Auto };
                let (mut few, mut all) = (Array5::<u8>::zeros(shape), Array5::<u8>::zeros(shape));
                passes.run::<FewBits, u8>(x.view(), as_uninit(few.view_mut()), how).unwrap();
                passes.run::<u8, u8>(x.view(), as_uninit(all.view_mut()), how).unwrap();
                assert_eq!(few, all, "{name}, {backend:?}");
            }
        }
    }
}
