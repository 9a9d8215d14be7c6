//! Pictures as people have them: bytes, 16 bits or `f32`, grey or RGB, with alpha, in sRGB, cropped, fitted, made into thumbnails.
//!
//! With the feature `image`, from photo to photo:
//!
//! ```
//! # #[cfg(feature = "image")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let photo = image::DynamicImage::new_rgb8(64, 48);
//! // let photo = image::open("photo.jpg")?;
//! let small = upsample::picture::resize(&photo, [24, 32])?; // height and width, or a scale
//! // small.save("small.png")?;
//! assert_eq!((small.width(), small.height()), (32, 24));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "image"))]
//! # fn main() {}
//! ```
//!
//! Without it, H×W×C arrays and slices go the same way: see [`View`]. [`PictureResize`] has the filters and options.
//!
//! | for | choose |
//! |---|---|
//! | photos, smaller or larger | [`PictureResize::bicubic`], the default; [`lanczos3`](PictureResize::lanczos3) is sharper and rings more |
//! | many thumbnails | [`thumbnail`] |
//! | fine bright detail on dark: stars, text, line art | any filter with [`linear_light`](PictureResize::linear_light) |
//! | pixel art, labels | [`PictureResize::nearest`] |

mod convert;
mod fit;
#[cfg(feature = "image")]
mod image;
mod light;
mod options;
mod reduce;
mod sample;
mod view;

pub use fit::Fit;
pub use light::Light;
pub use options::{PicturePlan, PictureResize};
pub use sample::Sample;
pub use view::{AsPicture, View, ViewMut};

use crate::error::Error;
use crate::resize::coordinates::Target;

/// Resizes a picture to `target`, `[height, width]` or a scale, by a cubic filter that is stretched when shrinking: Pillow's numbers.
/// [`PictureResize`] has other filters and options.
///
/// ```
/// let picture = ndarray::Array3::<u8>::from_elem((60, 80, 3), 7); // H×W×RGB
/// assert_eq!(upsample::picture::resize(&picture, [30, 40])?.dim(), (30, 40, 3));
/// assert_eq!(upsample::picture::resize(&picture, 2.0)?.dim(), (120, 160, 3));
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// As [`PictureResize::resize`].
pub fn resize<P: AsPicture>(picture: &P, target: impl Into<Target<2>>) -> Result<P::Resized, Error> {
    PictureResize::bicubic().resize(picture, target)
}

/// Shrinks a picture so that it fits into `[height, width]`, with its proportions, in two stages where the factor is large. Smaller pictures
/// keep their size. The numbers are those of Pillow's `Image.thumbnail`.
///
/// ```
/// let picture = ndarray::Array3::<u8>::from_elem((600, 800, 3), 7); // H×W×RGB
/// assert_eq!(upsample::picture::thumbnail(&picture, [128, 128])?.dim(), (96, 128, 3));
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// As [`PictureResize::resize`].
pub fn thumbnail<P: AsPicture>(picture: &P, size: [usize; 2]) -> Result<P::Resized, Error> {
    PictureResize::bicubic().fit(Fit::Thumbnail).reducing_gap(2.0).resize(picture, size)
}
