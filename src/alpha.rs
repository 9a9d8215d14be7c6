//! Pictures with alpha: colours are multiplied by their opacity before a filter mixes them, and divided by it afterwards.
//!
//! Without that the colours of transparent pixels, which nobody sees, bleed into their neighbours. Both functions compute the bytes of
//! Pillow, which does the same around every filter but nearest:
//!
//! ```
//! use ndarray::array;
//! use upsample::{Profile, Resize, Tensor4, alpha};
//!
//! let mut x = array![[[255, 0, 0, 255], [0, 255, 0, 0_u8]]]; // an opaque red pixel beside a transparent green one: H×W×RGBA
//! alpha::premultiply(&mut x)?;
//! let plan = Resize::bilinear().profile(Profile::Pillow).plan([1, 2], [1, 1])?;
//! let mut y = plan.forward(Tensor4::from_hwc(x.view()))?.index_axis_move(ndarray::Axis(0), 0).permuted_axes([1, 2, 0]);
//! alpha::unpremultiply(&mut y)?;
//! assert_eq!(y, array![[[255, 0, 0, 128]]]); // half as opaque, and as red as before
//! # Ok::<(), upsample::Error>(())
//! ```

use ndarray::{ArrayRef3, Axis as NdAxis};

use crate::error::{Axis, Error};

/// Multiplies the colours of an H×W×C picture by its last channel, the opacity: `c·a/255`, rounded to nearest.
///
/// ```
/// let mut x = ndarray::array![[[200, 100, 128_u8], [200, 100, 0]]];
/// assert!(upsample::alpha::premultiply(&mut x).is_ok());
/// assert_eq!(x, ndarray::array![[[100, 50, 128], [0, 0, 0]]]);
/// ```
///
/// # Errors
/// [`Error::ShapeMismatch`] for a picture of one channel or none: two are grey and alpha, four RGB and alpha.
pub fn premultiply(picture: &mut ArrayRef3<u8>) -> Result<(), Error> {
    for_each_pixel(picture, |colour, alpha| {
        // The quotient by 255, rounded, for products of two bytes (Blinn 1995).
        let product = u32::from(colour) * u32::from(alpha) + 128;
        ((product + (product >> 8)) >> 8) as u8
    })
}

/// Divides the colours of an H×W×C picture by its last channel, the opacity: `255·c/a`, rounded down and saturated. The colours of wholly
/// transparent pixels stay as they are.
///
/// ```
/// let mut x = ndarray::array![[[100, 50, 128_u8]]];
/// assert!(upsample::alpha::unpremultiply(&mut x).is_ok());
/// assert_eq!(x, ndarray::array![[[199, 99, 128]]]);
/// ```
///
/// # Errors
/// As [`premultiply`].
pub fn unpremultiply(picture: &mut ArrayRef3<u8>) -> Result<(), Error> {
    for_each_pixel(picture, |colour, alpha| match alpha {
        0 | 255 => colour,
        _ => (255 * u32::from(colour) / u32::from(alpha)).min(255) as u8,
    })
}

/// Replaces each colour by what `change` makes of it and the pixel's opacity.
fn for_each_pixel(picture: &mut ArrayRef3<u8>, change: impl Fn(u8, u8) -> u8) -> Result<(), Error> {
    let channels = picture.len_of(NdAxis(2));
    if channels < 2 {
        return Err(Error::ShapeMismatch { argument: "picture with alpha", axis: Axis::Channel, expected: 2, found: channels });
    }
    for mut pixel in picture.rows_mut() {
        let alpha = pixel[channels - 1];
        pixel.iter_mut().take(channels - 1).for_each(|colour| *colour = change(*colour, alpha));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};

    use super::*;

    #[test]
    fn products_are_rounded_to_nearest() {
        let mut all = Array3::from_shape_fn((256, 256, 2), |(colour, alpha, c)| [colour as u8, alpha as u8][c]);
        premultiply(&mut all).unwrap();
        for ((colour, alpha, c), &value) in all.indexed_iter() {
            let exact = if c == 1 { alpha } else { (2 * colour * alpha + 255) / 510 };
            assert_eq!(usize::from(value), exact, "{colour} × {alpha}");
        }
    }

    #[test]
    fn quotients_are_rounded_down_and_saturated() {
        let mut x = array![[[10, 20, 30, 0], [10, 20, 30, 255], [10, 20, 200, 100_u8]]];
        unpremultiply(&mut x).unwrap();
        assert_eq!(x, array![[[10, 20, 30, 0], [10, 20, 30, 255], [25, 51, 255, 100]]]);
    }

    #[test]
    fn a_picture_of_one_channel_has_no_alpha() {
        let found = premultiply(&mut Array3::zeros((2, 2, 1))).unwrap_err();
        assert_eq!(found, Error::ShapeMismatch { argument: "picture with alpha", axis: Axis::Channel, expected: 2, found: 1 });
        assert!(unpremultiply(&mut Array3::zeros((2, 2, 0))).is_err());
    }
}
