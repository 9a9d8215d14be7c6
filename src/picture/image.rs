//! Pictures of the `image` crate.

use std::ops::{Deref, DerefMut};

use image::{DynamicImage, ImageBuffer, Pixel};
use ndarray::{Array3, ArrayView3, ArrayViewMut1, ArrayViewMut3, Axis, aview1};

use crate::error::Error;
use crate::resize::coordinates::Target;

use super::options::PictureResize;
use super::sample::Sample;
use super::view::{AsPicture, View, ViewMut};

/// H×W×C.
fn shape<P: Pixel, C: Deref<Target = [P::Subpixel]>>(image: &ImageBuffer<P, C>) -> (usize, usize, usize) {
    (image.height() as usize, image.width() as usize, usize::from(P::CHANNEL_COUNT))
}

impl<'a, P, C> From<&'a ImageBuffer<P, C>> for View<'a, P::Subpixel>
where
    P: Pixel<Subpixel: Sample>,
    C: Deref<Target = [P::Subpixel]>,
{
    fn from(image: &'a ImageBuffer<P, C>) -> Self {
        // Through `Deref` a buffer is exactly its pixels.
        let samples: &[P::Subpixel] = image;
        let pixels = ArrayView3::from_shape(shape(image), samples).unwrap_or(aview1(&[]).insert_axis(Axis(1)).insert_axis(Axis(2)));
        let view = Self::new(pixels);
        if P::COLOR_MODEL.ends_with('A') { view } else { view.without_alpha() }
    }
}

impl<'a, P, C> From<&'a mut ImageBuffer<P, C>> for ViewMut<'a, P::Subpixel>
where
    P: Pixel<Subpixel: Sample>,
    C: DerefMut<Target = [P::Subpixel]>,
{
    fn from(image: &'a mut ImageBuffer<P, C>) -> Self {
        let shape = shape(image);
        let samples: &mut [P::Subpixel] = image;
        let pixels = ArrayViewMut3::from_shape(shape, samples);
        Self::new(pixels.unwrap_or(ArrayViewMut1::from(&mut []).insert_axis(Axis(1)).insert_axis(Axis(2))))
    }
}

impl<P, C> AsPicture for ImageBuffer<P, C>
where
    P: Pixel<Subpixel: Sample>,
    C: Deref<Target = [P::Subpixel]>,
{
    type Resized = ImageBuffer<P, Vec<P::Subpixel>>;

    fn resized(&self, resize: &PictureResize, target: Target<2>) -> Result<Self::Resized, Error> {
        let [height, width] = resize.output_size([self.height() as usize, self.width() as usize], target)?;
        let too_large = || Error::TooLarge { argument: "output", shape: vec![height, width, usize::from(P::CHANNEL_COUNT)] };
        let (Ok(height), Ok(width)) = (u32::try_from(height), u32::try_from(width)) else { return Err(too_large()) };
        let pixels: Array3<P::Subpixel> = View::from(self).resized(resize, target)?;
        ImageBuffer::from_raw(width, height, pixels.into_raw_vec_and_offset().0).ok_or_else(too_large)
    }
}

impl AsPicture for DynamicImage {
    type Resized = Self;

    fn resized(&self, resize: &PictureResize, target: Target<2>) -> Result<Self, Error> {
        Ok(match self {
            Self::ImageLuma8(image) => Self::ImageLuma8(image.resized(resize, target)?),
            Self::ImageLumaA8(image) => Self::ImageLumaA8(image.resized(resize, target)?),
            Self::ImageRgb8(image) => Self::ImageRgb8(image.resized(resize, target)?),
            Self::ImageRgba8(image) => Self::ImageRgba8(image.resized(resize, target)?),
            Self::ImageLuma16(image) => Self::ImageLuma16(image.resized(resize, target)?),
            Self::ImageLumaA16(image) => Self::ImageLumaA16(image.resized(resize, target)?),
            Self::ImageRgb16(image) => Self::ImageRgb16(image.resized(resize, target)?),
            Self::ImageRgba16(image) => Self::ImageRgba16(image.resized(resize, target)?),
            Self::ImageRgb32F(image) => Self::ImageRgb32F(image.resized(resize, target)?),
            Self::ImageRgba32F(image) => Self::ImageRgba32F(image.resized(resize, target)?),
            other => {
                let what = format!("a picture of {:?}", other.color());
                return Err(Error::Unsupported { what, why: "channels are of 8 or 16 bits or f32; convert it first" });
            }
        })
    }
}

impl PictureResize {
    /// Resizes `x` to the size of `y`, into `y`, which is of the same kind.
    ///
    /// ```
    /// use image::DynamicImage;
    /// use upsample::picture::PictureResize;
    ///
    /// let mut y = DynamicImage::new_rgb8(20, 10);
    /// PictureResize::bicubic().resize_dynamic_into(&DynamicImage::new_rgb8(64, 48), &mut y)?;
    /// assert!(PictureResize::bicubic().resize_dynamic_into(&DynamicImage::new_luma8(64, 48), &mut y).is_err());
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`resize_into`](Self::resize_into); [`Error::Unsupported`] for pictures of two kinds.
    pub fn resize_dynamic_into(&self, x: &DynamicImage, y: &mut DynamicImage) -> Result<(), Error> {
        use DynamicImage::{
            ImageLuma8, ImageLuma16, ImageLumaA8, ImageLumaA16, ImageRgb8, ImageRgb16, ImageRgb32F, ImageRgba8, ImageRgba16, ImageRgba32F,
        };
        match (x, y) {
            (ImageLuma8(x), ImageLuma8(y)) => self.resize_into(x, y),
            (ImageLumaA8(x), ImageLumaA8(y)) => self.resize_into(x, y),
            (ImageRgb8(x), ImageRgb8(y)) => self.resize_into(x, y),
            (ImageRgba8(x), ImageRgba8(y)) => self.resize_into(x, y),
            (ImageLuma16(x), ImageLuma16(y)) => self.resize_into(x, y),
            (ImageLumaA16(x), ImageLumaA16(y)) => self.resize_into(x, y),
            (ImageRgb16(x), ImageRgb16(y)) => self.resize_into(x, y),
            (ImageRgba16(x), ImageRgba16(y)) => self.resize_into(x, y),
            (ImageRgb32F(x), ImageRgb32F(y)) => self.resize_into(x, y),
            (ImageRgba32F(x), ImageRgba32F(y)) => self.resize_into(x, y),
            (x, y) => {
                let what = format!("a picture of {:?} into one of {:?}", x.color(), y.color());
                Err(Error::Unsupported { what, why: "both must be of one kind, with channels of 8 or 16 bits or f32" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, LumaA, Rgb, Rgba, RgbaImage};

    use super::*;
    use crate::picture::{resize, thumbnail};

    /// Every kind of `DynamicImage`, with the array that holds the same.
    #[test]
    fn every_kind_keeps_its_kind_and_has_the_numbers_of_its_array() {
        macro_rules! check {
            ($($variant:ident: $pixel:ident<$sample:ty>, $channels:literal);+ $(;)?) => {$({
                let pixels: Vec<$sample> = (0..12 * 9 * $channels).map(|i| (i * 37 % 251) as $sample).collect();
                let array = Array3::from_shape_vec((9, 12, $channels), pixels.clone()).unwrap();
                let image = DynamicImage::$variant(ImageBuffer::<$pixel<$sample>, _>::from_raw(12, 9, pixels).unwrap());
                let (found, expected) = (resize(&image, [5, 20]).unwrap(), resize(&array, [5, 20]).unwrap());
                assert_eq!((found.color(), found.width(), found.height()), (image.color(), 20, 5));
                let mut reused = DynamicImage::new(20, 5, image.color());
                PictureResize::bicubic().resize_dynamic_into(&image, &mut reused).unwrap();
                assert_eq!(reused, found);
                let DynamicImage::$variant(found) = found else { panic!("another kind") };
                assert_eq!(found.into_raw(), expected.into_raw_vec_and_offset().0, stringify!($variant));
            })+};
        }
        check!(
            ImageLuma8: Luma<u8>, 1; ImageLumaA8: LumaA<u8>, 2; ImageRgb8: Rgb<u8>, 3; ImageRgba8: Rgba<u8>, 4;
            ImageLuma16: Luma<u16>, 1; ImageLumaA16: LumaA<u16>, 2; ImageRgb16: Rgb<u16>, 3; ImageRgba16: Rgba<u16>, 4;
            ImageRgb32F: Rgb<f32>, 3; ImageRgba32F: Rgba<f32>, 4;
        );
    }

    #[test]
    fn buffers_are_read_and_written_in_place() {
        // A container that is longer than the picture, as `from_raw` allows.
        let x = ImageBuffer::<Rgba<u8>, _>::from_raw(4, 2, (0..40).collect::<Vec<u8>>()).unwrap();
        let mut y = RgbaImage::new(8, 6);
        PictureResize::bicubic().resize_into(&x, &mut y).unwrap();
        assert_eq!(resize(&x, [6, 8]).unwrap(), y);
        assert_eq!(thumbnail(&y, [3, 3]).unwrap().dimensions(), (3, 2));
        let borrowed = ImageBuffer::<Luma<f32>, &[f32]>::from_raw(2, 1, &[0.0, 1.0]).unwrap();
        assert_eq!(resize(&borrowed, 2.0).unwrap().dimensions(), (4, 2));
        assert!(resize(&RgbaImage::new(0, 0), [2, 2]).is_err());
        assert!(PictureResize::bicubic().resize_into(&x, &mut RgbaImage::new(0, 3)).is_err());
    }
}
