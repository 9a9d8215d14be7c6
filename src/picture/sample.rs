//! The types that a channel of a pixel can have.

use crate::element::Element;
use crate::error::Error;
use crate::resize::{IntegerSums, Separable};

use super::convert::Converted;

/// The type of a channel: `u8`, `u16` or `f32`.
///
/// The trait is sealed: the list is complete.
///
/// ```
/// use ndarray::{Array3, ArrayView3};
/// use upsample::picture::{Sample, View, PictureResize};
///
/// fn thumbnail<A: Sample>(picture: ArrayView3<'_, A>) -> Result<Array3<A>, upsample::Error> {
///     PictureResize::bicubic().resize(&View::new(picture), [2, 3])
/// }
/// assert_eq!(thumbnail(Array3::<u16>::zeros((10, 15, 3)).view())?.dim(), (2, 3, 3));
/// # Ok::<(), upsample::Error>(())
/// ```
pub trait Sample: Element {
    /// Whether numbers beyond 0 and white are kept.
    #[doc(hidden)]
    const HAS_MORE: bool;

    /// The largest opacity that is stored as 0.
    #[doc(hidden)]
    const INVISIBLE: f32;

    /// A number of which 1 is white.
    #[doc(hidden)]
    fn to_unit(self) -> f32;

    /// Rounds and saturates.
    #[doc(hidden)]
    fn of_unit(value: f32) -> Self;

    /// Whether `passes` sum this type as Pillow sums grey pictures, which it has no other pictures of.
    #[doc(hidden)]
    fn is_only_grey(_passes: &Separable) -> bool {
        false
    }

    /// Resizes a picture whose rows are converted, in the arithmetic of the type itself where it has one.
    #[doc(hidden)]
    fn resize_converted(resize: Converted<'_, Self>) -> Result<(), Error> {
        resize.in_floats()
    }
}

macro_rules! integer_sample {
    ($integer:ident, $is_only_grey:expr, $resize_converted:expr) => {
        impl Sample for $integer {
            const HAS_MORE: bool = false;
            const INVISIBLE: f32 = 0.5 / $integer::MAX as f32;

            fn to_unit(self) -> f32 {
                f32::from(self) * (1.0 / $integer::MAX as f32)
            }

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates and maps NaN to 0
            fn of_unit(value: f32) -> Self {
                (value * $integer::MAX as f32 + 0.5) as $integer
            }

            fn is_only_grey(passes: &Separable) -> bool {
                $is_only_grey(passes)
            }

            fn resize_converted(resize: Converted<'_, Self>) -> Result<(), Error> {
                $resize_converted(resize)
            }
        }
    };
}
integer_sample!(u8, |_: &Separable| false, |resize: Converted<'_, u8>| if resize.sums_bytes() {
    resize.in_bytes()
} else {
    resize.in_floats()
});
integer_sample!(u16, |passes: &Separable| passes.integers == IntegerSums::Pillow, |resize: Converted<'_, u16>| resize.in_floats());

impl Sample for f32 {
    const HAS_MORE: bool = true;
    const INVISIBLE: f32 = 0.0;

    fn to_unit(self) -> f32 {
        self
    }

    fn of_unit(value: f32) -> Self {
        value
    }
}
