//! PNG, JPEG, WebP, TIFF and QOI files as H×W×C arrays, and back, keeping what they are: gray, RGB, with alpha, 8 or 16 bits, and their
//! colour profile, which QOI alone has no place for.

use std::borrow::Cow;
use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, qoi::QoiEncoder, tiff::TiffEncoder, webp::WebPEncoder};
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits};
use ndarray::Array3;

type Failure = Box<dyn Error>;

/// A decoded picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub pixels: Pixels,
    /// What its numbers mean as colours: an ICC profile, passed on as it is.
    pub profile: Option<Vec<u8>>,
}

/// H×W×C: 1 channel is gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha.
#[derive(Debug, Clone, PartialEq)]
pub enum Pixels {
    U8(Array3<u8>),
    U16(Array3<u16>),
}

impl Pixels {
    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        let (height, width, _) = self.dim();
        [height, width]
    }

    pub fn channels(&self) -> usize {
        self.dim().2
    }

    pub fn has_alpha(&self) -> bool {
        self.channels().is_multiple_of(2)
    }

    fn dim(&self) -> (usize, usize, usize) {
        match self {
            Self::U8(pixels) => pixels.dim(),
            Self::U16(pixels) => pixels.dim(),
        }
    }

    /// In words, say `RGB, 8 bits`.
    pub fn kind(&self) -> String {
        let name = ["gray", "gray with alpha", "RGB", "RGB with alpha"][(self.channels() - 1).min(3)];
        format!("{name}, {} bits", if matches!(self, Self::U8(_)) { 8 } else { 16 })
    }
}

/// The format that a file name stands for.
///
/// # Errors
/// If it is none of PNG, JPEG, WebP, TIFF and QOI.
pub fn format_of(path: &Path) -> Result<ImageFormat, Failure> {
    match ImageFormat::from_path(path) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Tiff | ImageFormat::Qoi)) => Ok(format),
        _ => Err(format!("{}: pictures are written as .png, .jpg, .webp, .tiff or .qoi", path.display()).into()),
    }
}

/// Reads a picture, turned upright.
///
/// # Errors
/// One line that names the file.
pub fn read(path: &Path) -> Result<Picture, Failure> {
    decode(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn decode(path: &Path) -> Result<Picture, Failure> {
    let mut decoder = ImageReader::open(path)?.with_guessed_format()?.into_decoder()?;
    Limits::default().reserve(decoder.total_bytes())?;
    let (profile, orientation) = (decoder.icc_profile()?, decoder.orientation()?);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    let (height, width, channels) = (image.height() as usize, image.width() as usize, usize::from(image.color().channel_count()));
    let pixels = match image {
        image @ (DynamicImage::ImageLuma8(_) | DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_)) => {
            Pixels::U8(Array3::from_shape_vec((height, width, channels), image.into_bytes())?)
        }
        DynamicImage::ImageLuma16(image) => Pixels::U16(Array3::from_shape_vec((height, width, channels), image.into_raw())?),
        DynamicImage::ImageLumaA16(image) => Pixels::U16(Array3::from_shape_vec((height, width, channels), image.into_raw())?),
        DynamicImage::ImageRgb16(image) => Pixels::U16(Array3::from_shape_vec((height, width, channels), image.into_raw())?),
        DynamicImage::ImageRgba16(image) => Pixels::U16(Array3::from_shape_vec((height, width, channels), image.into_raw())?),
        other => return Err(format!("pixels of type {:?} are not supported", other.color()).into()),
    };
    // A profile of another colour space (of inks, say) says nothing about the decoded pixels.
    let space = if channels < 3 { b"GRAY" } else { b"RGB " };
    Ok(Picture { pixels, profile: profile.filter(|profile| profile.get(16..20) == Some(space)) })
}

/// Writes a picture in the format that the file name stands for; folders that are missing are made.
///
/// # Errors
/// One line that names the file, also where the format cannot keep the picture: JPEG has neither alpha nor 16 bits, WebP and QOI
/// neither 16 bits nor grey ones, TIFF no grey ones with alpha.
pub fn write(path: &Path, picture: &Picture) -> Result<(), Failure> {
    encode(path, picture).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Whether the format of `path` can keep such a picture.
///
/// # Errors
/// If it cannot.
pub fn check_format(path: &Path, pixels: &Pixels) -> Result<(), Failure> {
    let (deep, channels) = (matches!(pixels, Pixels::U16(_)), pixels.channels());
    let (name, keeps) = match format_of(path)? {
        ImageFormat::Jpeg => ("JPEG", !deep && channels % 2 == 1),
        ImageFormat::WebP => ("WebP", !deep && channels >= 3), // it would come back as RGB
        ImageFormat::Qoi => ("QOI", !deep && channels >= 3),
        ImageFormat::Tiff => ("TIFF", channels != 2),
        _ => return Ok(()),
    };
    let refused = || format!("{}: {name} cannot keep a picture of {}; write a .png", path.display(), pixels.kind());
    if keeps { Ok(()) } else { Err(refused().into()) }
}

fn encode(path: &Path, picture: &Picture) -> Result<(), Failure> {
    use ExtendedColorType::{L8, L16, La8, La16, Rgb8, Rgb16, Rgba8, Rgba16};
    check_format(path, &picture.pixels)?;
    let [height, width] = picture.pixels.size();
    let (height, width) = (u32::try_from(height)?, u32::try_from(width)?);
    let place = (picture.pixels.channels() - 1).min(3);
    let (bytes, colour): (Cow<'_, [u8]>, _) = match &picture.pixels {
        Pixels::U8(pixels) => {
            (pixels.as_slice().map_or_else(|| pixels.iter().copied().collect(), Cow::from), [L8, La8, Rgb8, Rgba8][place])
        }
        Pixels::U16(pixels) => (pixels.iter().flat_map(|value| value.to_ne_bytes()).collect(), [L16, La16, Rgb16, Rgba16][place]),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = BufWriter::new(File::create(path)?);
    match format_of(path)? {
        ImageFormat::Jpeg => finish(JpegEncoder::new_with_quality(file, 95), picture, &bytes, [width, height], colour),
        ImageFormat::WebP => finish(WebPEncoder::new_lossless(file), picture, &bytes, [width, height], colour),
        ImageFormat::Tiff => finish(TiffEncoder::new(file), picture, &bytes, [width, height], colour),
        ImageFormat::Qoi => Ok(QoiEncoder::new(file).write_image(&bytes, width, height, colour)?), // has no place for a colour profile
        _ => finish(PngEncoder::new(file), picture, &bytes, [width, height], colour),
    }
}

fn finish(
    mut encoder: impl ImageEncoder,
    picture: &Picture,
    bytes: &[u8],
    [width, height]: [u32; 2],
    colour: ExtendedColorType,
) -> Result<(), Failure> {
    if let Some(profile) = &picture.profile {
        encoder.set_icc_profile(profile.clone())?;
    }
    Ok(encoder.write_image(bytes, width, height, colour)?)
}

/// A sample of 8 or 16 bits.
pub trait Sample: Copy + Into<f32> {
    /// White, opaque.
    const MAX: f32;

    /// Rounds and saturates.
    fn from_f32(value: f32) -> Self;
}

macro_rules! sample {
    ($integer:ty) => {
        impl Sample for $integer {
            const MAX: f32 = <$integer>::MAX as f32;

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates
            fn from_f32(value: f32) -> Self {
                value.round() as $integer
            }
        }
    };
}
sample!(u8);
sample!(u16);

/// As a screen shows it: 8-bit RGB, what is transparent over a checkered ground.
pub fn shown(pixels: &Pixels) -> Array3<u8> {
    match pixels {
        Pixels::U8(pixels) => opaque(pixels),
        Pixels::U16(pixels) => opaque(pixels),
    }
}

fn opaque<A: Sample>(pixels: &Array3<A>) -> Array3<u8> {
    let (height, width, channels) = pixels.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, channel)| {
        let sample = |channel: usize| -> f32 { pixels[[y, x, channel]].into() / A::MAX };
        let colour = sample(if channels < 3 { 0 } else { channel });
        let alpha = if channels % 2 == 0 { sample(channels - 1) } else { 1.0 };
        let ground = if (y / 8 + x / 8) % 2 == 0 { 0.55 } else { 0.7 };
        u8::from_f32(255.0 * (alpha * colour + (1.0 - alpha) * ground))
    })
}
