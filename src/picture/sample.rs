//! The types that a channel of a pixel can have.

use crate::element::Element;
use crate::error::Error;

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
    /// Whether values below 0 and above white can be stored.
    #[doc(hidden)]
    const HAS_MORE: bool;

    /// The largest opacity that is stored as 0.
    #[doc(hidden)]
    const INVISIBLE: f32;

    /// This value as a number from 0 to 1, where 1 is white.
    #[doc(hidden)]
    fn to_unit(self) -> f32;

    /// Rounds and saturates.
    #[doc(hidden)]
    fn of_unit(value: f32) -> Self;

    /// Whether Pillow has only grey pictures of this type. Its arithmetic is then used for these alone.
    #[doc(hidden)]
    const PILLOW_HAS_ONLY_GREY: bool = false;

    /// Resizes a picture whose rows are converted, in the arithmetic of the type itself where it has one.
    #[doc(hidden)]
    fn resize_converted(resize: Converted<'_, Self>) -> Result<(), Error> {
        resize.in_floats()
    }
}

macro_rules! integer_sample {
    ($integer:ident, $($own:item)*) => {
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

            $($own)*
        }
    };
}
integer_sample!(
    u8,
    fn resize_converted(resize: Converted<'_, Self>) -> Result<(), Error> {
        if resize.sums_bytes() { resize.in_bytes() } else { resize.in_floats() }
    }
);
integer_sample!(u16, const PILLOW_HAS_ONLY_GREY: bool = true;);

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
