//! Pictures that lie in memory somewhere: H×W×C.

use ndarray::{Array3, ArrayBase, ArrayView3, ArrayViewMut3, Data, DataMut, Ix3};

use crate::error::{Axis, Error};
use crate::output_size::element_count;
use crate::resize::coordinates::Target;

use super::PictureResize;
use super::sample::Sample;

/// A picture to read, H×W×C. With 2 or 4 channels the last one is the opacity, unless [`without_alpha`](Self::without_alpha) says otherwise.
///
/// Made of an `ndarray` view of any strides, of a slice, or with the feature `image` of an `image::ImageBuffer`.
///
/// ```
/// use upsample::picture::{PictureResize, View};
///
/// let bytes = [0_u8; 3 * 640 * 480]; // rows of RGB pixels, one after the other
/// let small = PictureResize::bilinear().resize(&View::from_slice(&bytes, [480, 640], 3)?, [48, 64])?;
/// assert_eq!(small.dim(), (48, 64, 3));
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct View<'a, A> {
    pub(super) pixels: ArrayView3<'a, A>,
    /// The last channel is the opacity: of 2 or 4 channels only.
    pub(super) alpha: bool,
}

/// A picture to write, H×W×C.
///
/// ```
/// use upsample::picture::{PictureResize, View, ViewMut};
///
/// let x = [10_u8, 20];
/// let mut y = [0; 3];
/// PictureResize::bilinear().resize_into(View::from_slice(&x, [1, 2], 1)?, ViewMut::from_slice(&mut y, [1, 3], 1)?)?;
/// assert_eq!(y, [10, 15, 20]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug)]
pub struct ViewMut<'a, A> {
    pub(super) pixels: ArrayViewMut3<'a, A>,
}

/// The shape of a slice that holds a picture exactly.
fn shape_of<A>(found: usize, [height, width]: [usize; 2], channels: usize) -> Result<(usize, usize, usize), Error> {
    let expected = element_count::<A>("picture", &[height, width, channels])?;
    if found == expected { Ok((height, width, channels)) } else { Err(Error::LengthMismatch { argument: "picture", expected, found }) }
}

/// The error of a shape that `ndarray` refuses.
fn too_large(size: [usize; 2], channels: usize) -> Error {
    Error::TooLarge { argument: "picture", shape: vec![size[0], size[1], channels] }
}

impl<'a, A: Sample> View<'a, A> {
    /// H×W×C.
    #[must_use]
    pub fn new(pixels: ArrayView3<'a, A>) -> Self {
        Self { pixels, alpha: matches!(pixels.dim().2, 2 | 4) }
    }

    /// Rows of pixels, one after the other without gaps. `size` is height and width.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] if the slice is not as long as height × width × channels, [`Error::TooLarge`] if that overflows.
    pub fn from_slice(samples: &'a [A], size: [usize; 2], channels: usize) -> Result<Self, Error> {
        let shape = shape_of::<A>(samples.len(), size, channels)?;
        ArrayView3::from_shape(shape, samples).map(Self::new).map_err(|_| too_large(size, channels))
    }

    /// Treats every channel as a colour, for CMYK for example.
    #[must_use]
    pub fn without_alpha(self) -> Self {
        Self { alpha: false, ..self }
    }

    /// Height and width.
    #[must_use]
    pub fn size(&self) -> [usize; 2] {
        [self.pixels.dim().0, self.pixels.dim().1]
    }

    /// Channels of a pixel.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.pixels.dim().2
    }
}

impl<'a, A: Sample> ViewMut<'a, A> {
    /// H×W×C.
    #[must_use]
    pub fn new(pixels: ArrayViewMut3<'a, A>) -> Self {
        Self { pixels }
    }

    /// Rows of pixels, one after the other without gaps. `size` is height and width.
    ///
    /// # Errors
    /// As [`View::from_slice`].
    pub fn from_slice(samples: &'a mut [A], size: [usize; 2], channels: usize) -> Result<Self, Error> {
        let shape = shape_of::<A>(samples.len(), size, channels)?;
        ArrayViewMut3::from_shape(shape, samples).map(Self::new).map_err(|_| too_large(size, channels))
    }
}

impl<'a, A: Sample, S: Data<Elem = A>> From<&'a ArrayBase<S, Ix3>> for View<'a, A> {
    fn from(pixels: &'a ArrayBase<S, Ix3>) -> Self {
        Self::new(pixels.view())
    }
}

impl<'a, A: Sample, S: DataMut<Elem = A>> From<&'a mut ArrayBase<S, Ix3>> for ViewMut<'a, A> {
    fn from(pixels: &'a mut ArrayBase<S, Ix3>) -> Self {
        Self::new(pixels.view_mut())
    }
}

/// A picture that can be resized to a new one of its own kind: a [`View`] or an array of `ndarray` to an [`Array3`], and with the feature
/// `image` an `ImageBuffer` or a `DynamicImage`.
pub trait AsPicture {
    /// The new picture.
    type Resized;

    /// A new picture, resized.
    ///
    /// # Errors
    /// As [`PictureResize::resize`].
    fn resized(&self, resize: &PictureResize, target: Target<2>) -> Result<Self::Resized, Error>;
}

impl<A: Sample> AsPicture for View<'_, A> {
    type Resized = Array3<A>;

    fn resized(&self, resize: &PictureResize, target: Target<2>) -> Result<Array3<A>, Error> {
        resize.plan(self.size(), target)?.run(*self)
    }
}

impl<A: Sample, S: Data<Elem = A>> AsPicture for ArrayBase<S, Ix3> {
    type Resized = Array3<A>;

    fn resized(&self, resize: &PictureResize, target: Target<2>) -> Result<Array3<A>, Error> {
        View::from(self).resized(resize, target)
    }
}

/// Refuses pictures without channels.
pub(super) fn check_channels(channels: usize) -> Result<(), Error> {
    if channels == 0 { Err(Error::ZeroSize { argument: "picture", axis: Axis::Channel }) } else { Ok(()) }
}
