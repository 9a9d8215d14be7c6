//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use upsample::picture::{Fit, PictureResize};
use upsample::{Filter, Target};
use upsample_examples::profile_name::ProfileName;

/// Enlarges a picture by every method: writes the result of one, and a sheet on which all of them stand side by side
///
/// For several pictures or a folder, only the results are written.
#[derive(Parser)]
pub struct Arguments {
    /// Pictures, or folders of them: PNG, JPEG, WebP, TIFF or QOI; without one a test card is drawn
    pub pictures: Vec<PathBuf>,
    /// Output pixels per input pixel
    #[arg(long, default_value_t = 4.0, allow_negative_numbers = true)]
    pub scale: f64,
    /// Output size in pixels, instead of a scale
    #[arg(long, value_name = "WxH", conflicts_with = "scale")]
    pub size: Option<Size>,
    /// The filter of the picture that is written
    #[arg(long, alias = "method", value_enum, default_value_t = Method::Bicubic)]
    pub filter: Method,
    /// The framework whose numbers are computed; filters are antialiased when shrinking, whichever it is
    #[arg(long, value_enum, default_value_t = ProfileName::Pillow)]
    pub profile: ProfileName,
    /// Average the light of an sRGB picture instead of its stored numbers
    #[arg(long)]
    pub linear_light: bool,
    /// Resize only this part: pixels from the left and from the top, width and height, fractions allowed
    #[arg(long, value_name = "X,Y,W,H")]
    pub crop: Option<Part>,
    /// How to fit a picture whose proportions differ from those of --size
    #[arg(long, value_enum, default_value_t = Fitting::Stretch)]
    pub fit: Fitting,
    /// The file to write, or the folder for several pictures [default: a name under out/]
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Method {
    Nearest,
    Box,
    Bilinear,
    Hamming,
    Bicubic,
    Mitchell,
    Lanczos3,
}

impl Method {
    /// The filters on the comparison sheet.
    pub const SHOWN: [Self; 4] = [Self::Nearest, Self::Bilinear, Self::Bicubic, Self::Lanczos3];

    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn resize(self) -> PictureResize {
        match self {
            Self::Nearest => PictureResize::nearest(),
            Self::Box => PictureResize::filter(Filter::Box),
            Self::Bilinear => PictureResize::bilinear(),
            Self::Hamming => PictureResize::filter(Filter::Hamming),
            Self::Bicubic => PictureResize::bicubic(),
            Self::Mitchell => PictureResize::filter(Filter::Mitchell),
            Self::Lanczos3 => PictureResize::lanczos3(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Fitting {
    Stretch,
    Cover,
    Contain,
    /// Contained, with a transparent or black frame
    Pad,
    Thumbnail,
}

/// Left, top, width and height in pixels.
#[derive(Clone, Copy)]
pub struct Part(pub [f64; 4]);

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        numbers.map(Self).ok_or_else(|| "a part is written as left, top, width, height, say 10,20,640,480".to_owned())
    }
}

impl Arguments {
    /// The resize by one filter, with all options.
    pub fn described(&self, filter: Method) -> PictureResize {
        let fit = match self.fit {
            Fitting::Stretch => Fit::Stretch,
            Fitting::Cover => Fit::Cover,
            Fitting::Contain => Fit::Contain,
            Fitting::Pad => Fit::Pad([0.0; 4]),
            Fitting::Thumbnail => Fit::Thumbnail,
        };
        let mut resize = filter.resize().profile(self.profile.into()).fit(fit);
        if self.linear_light {
            resize = resize.linear_light();
        }
        if let Some(Part([left, top, width, height])) = self.crop {
            resize = resize.crop([top, left], [top + height, left + width]);
        }
        // A thumbnail is shrunk in two stages, as Pillow's is.
        if self.fit == Fitting::Thumbnail { resize.reducing_gap(2.0) } else { resize }
    }

    /// The requested size or scale.
    pub fn target(&self) -> Target<2> {
        self.size.map_or(Target::from(self.scale), |Size(size)| Target::from(size))
    }
}

/// Width and height as people write them, `640x480`.
#[derive(Clone, Copy)]
pub struct Size(pub [usize; 2]);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes = text.split_once(['x', 'X', '×']).and_then(|(width, height)| Some([height.parse().ok()?, width.parse().ok()?]));
        sizes.map(Self).ok_or_else(|| "a size is written as width x height, say 640x480".to_owned())
    }
}
