//! The types that a channel of a pixel can have.

use crate::element::Element;
use crate::error::Error;
use crate::kernels::Unit;

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
pub trait Sample: Element + Unit {
    /// Whether Pillow has only grey pictures of this type. Its arithmetic is then used for these alone.
    #[doc(hidden)]
    const PILLOW_HAS_ONLY_GREY: bool = false;

    /// Resizes a picture whose rows are converted, in the arithmetic of the type itself where it has one.
    #[doc(hidden)]
    fn resize_converted(resize: Converted<'_, Self>) -> Result<(), Error> {
        resize.in_floats()
    }
}

impl Sample for u8 {
    fn resize_converted(resize: Converted<'_, Self>) -> Result<(), Error> {
        if resize.sums_bytes() { resize.in_bytes() } else { resize.in_floats() }
    }
}

impl Sample for u16 {
    const PILLOW_HAS_ONLY_GREY: bool = true;
}

impl Sample for f32 {}
