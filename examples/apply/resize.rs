//! `apply resize`: interpolation and its gradient.

mod description;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use half::f16;
use upsample::{AxesTarget, Axis, Element, Error, FloatElement, Resize};
use upsample_examples::profile_name::ProfileName;

use super::npy::{self, Kind, Number};
use super::{refuse_broken, with_files};

/// Resizes an array.
#[derive(clap::Args)]
pub struct Args {
    /// The array to resize; with --gradient only its shape counts
    #[arg(long)]
    input: PathBuf,
    /// Where the result goes
    #[arg(long)]
    output: PathBuf,
    /// What output pixels are computed from
    #[arg(long)]
    method: Method,
    /// Output size: one number, or one for each resized axis; or give --scale
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    size: Vec<usize>,
    /// Output pixels per input pixel: one number, or one for each resized axis; or give --size
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    scale: Vec<f64>,
    /// How a scale becomes a size; as the profile has it unless given
    #[arg(long)]
    scale_rule: Option<ScaleRuleName>,
    /// The scale counts only for the output size (PyTorch's recompute_scale_factor)
    #[arg(long)]
    recompute_scale: bool,
    /// Where output pixels lie in the input; not for area, nearest-exact and nearest-integer
    #[arg(long)]
    coordinates: Option<CoordinatesName>,
    /// Coefficient of the cubic filter
    #[arg(long, allow_hyphen_values = true)]
    cubic_a: Option<f64>,
    /// How nearest rounds a position
    #[arg(long)]
    rounding: Option<RoundingName>,
    /// Stretch the filter when shrinking; not for nearest and area
    #[arg(long)]
    antialias: bool,
    /// Drop taps outside the input instead of clamping them; not for nearest and area
    #[arg(long)]
    exclude_outside: bool,
    /// Region of tf-crop-and-resize: the starts of all resized axes, then the ends
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    roi: Vec<f64>,
    /// Value of positions outside the input, for tf-crop-and-resize; 0 unless given
    #[arg(long, allow_hyphen_values = true)]
    extrapolation: Option<f64>,
    /// Whether the asked --size keeps the proportions
    #[arg(long)]
    keep_aspect: Option<KeepAspect>,
    /// Which axes are resized, in which order; the spatial ones unless given
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    axes: Vec<isize>,
    /// The framework whose conventions hold where nothing else is said
    #[arg(long)]
    profile: Option<ProfileName>,
    /// Gradient of the output: writes the gradient of the input
    #[arg(long)]
    gradient: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum Method {
    Nearest,
    NearestExact,
    NearestInteger,
    #[value(alias = "bilinear", alias = "trilinear")]
    Linear,
    #[value(alias = "bicubic", alias = "tricubic")]
    Cubic,
    Area,
    Lanczos3,
    Lanczos4,
    Box,
    Hamming,
    Mitchell,
    Gaussian,
}

impl Method {
    fn is_nearest(self) -> bool {
        matches!(self, Self::Nearest | Self::NearestExact | Self::NearestInteger)
    }

    fn has_filter(self) -> bool {
        !self.is_nearest() && self != Self::Area
    }
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum CoordinatesName {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    Asymmetric,
    AlignCorners,
    TfHalfPixelForNn,
    TfCropAndResize,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoundingName {
    Floor,
    Ceil,
    RoundPreferFloor,
    RoundPreferCeil,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScaleRuleName {
    Floor,
    Round,
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum KeepAspect {
    Stretch,
    NotLarger,
    NotSmaller,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    check(args)?;
    match &args.gradient {
        Some(gradient) => match npy::header(gradient)?.kind {
            Kind { class: 'f', size: 2 | 4 } => backward::<f32>(args, gradient),
            Kind { class: 'f', size: 8 } => backward::<f64>(args, gradient),
            kind => Err(format!("{} holds {kind}: gradients exist for <f2, <f4 and <f8", gradient.display())),
        },
        None => forward(args),
    }
}

/// Refuses options that would be ignored.
fn check(args: &Args) -> Result<(), String> {
    let (size, scale) = (!args.size.is_empty(), !args.scale.is_empty());
    let aspect = !matches!(args.keep_aspect, None | Some(KeepAspect::Stretch));
    let own_positions = matches!(args.method, Method::NearestExact | Method::NearestInteger);
    let crop = args.coordinates == Some(CoordinatesName::TfCropAndResize);
    refuse_broken(&[
        (!size && !scale, "neither --size nor --scale is given: one of them is needed"),
        (size && scale, "--size and --scale exclude each other: give one of them"),
        (args.recompute_scale && size, "--recompute-scale goes with --scale, not with --size"),
        (args.scale_rule.is_some() && size, "--scale-rule goes with --scale, not with --size"),
        (aspect && scale, "--keep-aspect goes with --size, not with --scale"),
        (args.rounding.is_some() && args.method != Method::Nearest, "--rounding goes with --method nearest"),
        (args.coordinates.is_some() && own_positions, "--coordinates goes with --method nearest: this method has positions of its own"),
        (
            args.coordinates.is_some() && args.method == Method::Area,
            "--coordinates has no meaning for --method area, which averages what it touches",
        ),
        (args.cubic_a.is_some() && args.method != Method::Cubic, "--cubic-a goes with --method cubic"),
        (args.antialias && !args.method.has_filter(), "--antialias goes with methods that have a filter, not with nearest or area"),
        (
            args.exclude_outside && !args.method.has_filter(),
            "--exclude-outside goes with methods that have a filter, not with nearest or area",
        ),
        (!args.roi.is_empty() && !crop, "--roi goes with --coordinates tf-crop-and-resize"),
        (args.roi.is_empty() && crop, "--coordinates tf-crop-and-resize needs --roi: the starts of the resized axes, then their ends"),
        (
            args.extrapolation.is_some() && !crop,
            "--extrapolation goes with --coordinates tf-crop-and-resize: otherwise no position lies outside",
        ),
    ])
}

fn forward(args: &Args) -> Result<(), String> {
    let x = npy::read(&args.input)?;
    let kind = x.header.kind;
    match (kind.class, kind.size) {
        ('f', 4) => compute::<f32>(args, &x),
        ('f', 8) => compute::<f64>(args, &x),
        ('u', 1) => compute::<u8>(args, &x),
        ('u', 2) => compute::<u16>(args, &x),
        ('i', 1) => compute::<i8>(args, &x),
        ('i', 2) => compute::<i16>(args, &x),
        ('i', 4) => compute::<i32>(args, &x),
        _ if args.method.is_nearest() => copy(args, &x),
        ('f', 2) => compute::<f32>(args, &x),
        _ => {
            let file = args.input.display();
            Err(format!("{file} holds {kind}: only nearest takes it; the other methods take <f2, <f4, <f8, |u1, <u2, |i1, <i2 and <i4"))
        }
    }
}

fn compute<A: Element + Number>(args: &Args, x: &npy::Array) -> Result<(), String> {
    let job = Job::new(args, &x.header.shape)?;
    let y = job.resize.resize_axes(x.numbers::<A>()?.view(), &job.axes, &job.target).map_err(|error| blame(args, &error))?;
    npy::write(&args.output, x.header.kind, &y)
}

/// Nearest for elements of any type: what is resized are their places in the file.
fn copy(args: &Args, x: &npy::Array) -> Result<(), String> {
    const OUTSIDE: i32 = -1;
    let (kind, job) = (x.header.kind, Job::new(args, &x.header.shape)?);
    let count = i32::try_from(x.bytes.len() / kind.size);
    let count = count.map_err(|_| format!("{}: at most {} elements of type {kind} are copied", args.input.display(), i32::MAX))?;
    let places = x.arranged((0..count).collect())?;
    let resize = job.resize.extrapolation(f64::from(OUTSIDE));
    let y = resize.resize_axes(places.view(), &job.axes, &job.target).map_err(|error| blame(args, &error))?;
    let outside = bytes_of(args.extrapolation.unwrap_or(0.0), kind);
    let element = |&place: &i32| match usize::try_from(place) {
        Ok(place) => &x.bytes[place * kind.size..][..kind.size],
        Err(_) => outside.as_slice(),
    };
    npy::write_elements(&args.output, kind, y.shape(), &|to| y.iter().try_for_each(|place| to.write_all(element(place))))
}

/// A value as an element of a type that the crate does not compute with: the nearest there is.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
fn bytes_of(value: f64, kind: Kind) -> Vec<u8> {
    match (kind.class, kind.size) {
        ('b', _) => vec![u8::from(value != 0.0)],
        ('u', 4) => (value.round() as u32).to_le_bytes().to_vec(),
        ('u', _) => (value.round() as u64).to_le_bytes().to_vec(),
        ('i', _) => (value.round() as i64).to_le_bytes().to_vec(),
        ('f', _) => f16::from_f64(value).to_le_bytes().to_vec(),
        (_, 8) => [(value as f32).to_le_bytes(), [0; 4]].concat(),
        _ => [value.to_le_bytes(), [0; 8]].concat(),
    }
}

fn backward<A: FloatElement + Number>(args: &Args, gradient: &Path) -> Result<(), String> {
    let shape = npy::header(&args.input)?.shape;
    let job = Job::new(args, &shape)?;
    let file = npy::read(gradient)?;
    let dy = file.numbers::<A>()?;
    let dx = job.resize.resize_axes_input_gradient(dy.view(), &shape, &job.axes, &job.target).map_err(|error| blame(args, &error))?;
    npy::write(&args.output, file.header.kind, &dx)
}

/// The message of an error, with the option or the file that it is about.
fn blame(args: &Args, error: &Error) -> String {
    let option = if args.scale.is_empty() { "--size" } else { "--scale" };
    let gradient = args.gradient.as_deref().unwrap_or(&args.input);
    match error {
        Error::ShapeMismatch { axis: Axis::Number(axis), expected, found, .. } => {
            format!("{}: axis {axis} has size {found}, expected {expected}", gradient.display())
        }
        Error::AxisCount { argument: "output gradient", expected, found } => {
            format!("{}: an array of {found} axes, expected {expected}", gradient.display())
        }
        Error::InvalidScale { .. } | Error::ScaleTooSmall { .. } => format!("{option}: {error}"),
        Error::ZeroSize { argument: "output", .. } | Error::SizeOverflow { .. } | Error::TooLarge { .. } => format!("{option}: {error}"),
        _ => with_files(error, &[("input", &args.input), ("output gradient", gradient)]),
    }
}

/// What is done to which axes.
struct Job {
    resize: Resize,
    axes: Vec<usize>,
    target: AxesTarget,
}

impl Job {
    /// For an input of shape `shape`.
    fn new(args: &Args, shape: &[usize]) -> Result<Self, String> {
        let axes = axes(args, shape.len())?;
        let target = if args.scale.is_empty() {
            AxesTarget::Size(one_or_each("--size (or --scale)", &args.size, axes.len())?)
        } else {
            AxesTarget::Scale(one_or_each("--scale (or --size)", &args.scale, axes.len())?)
        };
        Ok(Self { resize: description::of(args, axes.len())?, axes, target })
    }
}

/// Which axes are resized.
fn axes(args: &Args, rank: usize) -> Result<Vec<usize>, String> {
    let file = args.input.display();
    if args.axes.is_empty() {
        return match rank {
            3..=5 => Ok((2..rank).collect()),
            _ => Err(format!("{file}: an array of {rank} axes, expected 3 (N,C,L), 4 (N,C,H,W) or 5 (N,C,D,H,W), or --axes")),
        };
    }
    let mut axes = Vec::new();
    for &named in &args.axes {
        let axis = if named < 0 { rank.checked_sub(named.unsigned_abs()) } else { Some(named.unsigned_abs()) };
        match axis.filter(|&axis| axis < rank) {
            None => return Err(format!("--axes: axis {named}: the array has {rank} axes")),
            Some(axis) if axes.contains(&axis) => return Err(format!("--axes: axis {named} is named twice")),
            Some(axis) => axes.push(axis),
        }
    }
    if axes.len() > 3 { Err(format!("--axes names {} axes, at most 3 can be resized at a time", axes.len())) } else { Ok(axes) }
}

fn one_or_each<T: Copy>(option: &str, numbers: &[T], axes: usize) -> Result<Vec<T>, String> {
    match *numbers {
        [all] => Ok(vec![all; axes]),
        _ if numbers.len() == axes => Ok(numbers.to_vec()),
        _ => Err(format!("{option} has {} entries, expected one, or one for each of the {axes} resized axes", numbers.len())),
    }
}
