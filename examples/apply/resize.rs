//! `apply resize`: interpolation and its gradient.

use std::path::PathBuf;

use clap::ValueEnum;
use ndarray_npy::{ReadableElement, WritableElement};
use upsample::ndarray::ArrayD;
use upsample::{AspectRatio, AxesTarget, Coordinates, Element, Filter, FloatElement, NearestRule, PerAxis, Profile, Resize, Rounding};

use crate::npy;

/// Resizes an array.
#[derive(clap::Args)]
pub struct Args {
    /// The array to resize; with --gradient only its shape counts
    #[arg(long)]
    input: PathBuf,
    /// Where the result goes
    #[arg(long)]
    output: PathBuf,
    #[arg(long)]
    method: Method,
    /// Output size of each axis
    #[arg(long, value_delimiter = ',', conflicts_with = "scale", required_unless_present = "scale")]
    size: Vec<usize>,
    /// Output pixels per input pixel of each axis
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    scale: Vec<f64>,
    /// The scale counts only for the output size (PyTorch's recompute_scale_factor)
    #[arg(long)]
    recompute_scale: bool,
    /// Where output pixels lie in the input
    #[arg(long)]
    coordinates: Option<CoordinatesName>,
    /// Coefficient of the cubic filter
    #[arg(long, allow_hyphen_values = true)]
    cubic_a: Option<f64>,
    /// How nearest rounds a position
    #[arg(long)]
    rounding: Option<RoundingName>,
    /// Stretch the filter when shrinking
    #[arg(long)]
    antialias: bool,
    /// Drop taps outside the input instead of clamping them
    #[arg(long)]
    exclude_outside: bool,
    /// Region of tf-crop-and-resize: the starts of all resized axes, then the ends
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    roi: Vec<f64>,
    /// Value of positions outside the input
    #[arg(long, allow_hyphen_values = true)]
    extrapolation: Option<f64>,
    /// Whether the size keeps the proportions
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

#[derive(Clone, Copy, ValueEnum)]
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
enum KeepAspect {
    Stretch,
    NotLarger,
    NotSmaller,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileName {
    Torch,
    Onnx,
    Opencv,
    Pillow,
    Jax,
    Tensorflow,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    let file = args.gradient.as_ref().unwrap_or(&args.input);
    match npy::element_type(file)?.as_str() {
        "<f4" | ">f4" => run_float::<f32>(args),
        "<f8" | ">f8" => run_float::<f64>(args),
        "|u1" if args.gradient.is_none() => forward::<u8>(args),
        "<u2" | ">u2" if args.gradient.is_none() => forward::<u16>(args),
        "|i1" if args.gradient.is_none() => forward::<i8>(args),
        "<i2" | ">i2" if args.gradient.is_none() => forward::<i16>(args),
        "<i4" | ">i4" if args.gradient.is_none() => forward::<i32>(args),
        other if args.gradient.is_some() => Err(format!("gradients exist for <f4 and <f8, not for {other}")),
        other => Err(format!("elements of type {other}: expected <f4, <f8, |u1, <u2, |i1, <i2 or <i4")),
    }
}

fn run_float<A: FloatElement + ReadableElement + WritableElement>(args: &Args) -> Result<(), String> {
    let Some(gradient) = &args.gradient else {
        return forward::<A>(args);
    };
    let dy: ArrayD<A> = npy::read(gradient)?;
    let shape = shape_of(args)?;
    let (axes, target) = axes_and_target(args, &shape)?;
    let dx = description(args, axes.len())?.resize_axes_backward(dy.view(), &shape, &axes, &target).map_err(|error| error.to_string())?;
    npy::write(&args.output, &dx)
}

fn forward<A: Element + ReadableElement + WritableElement>(args: &Args) -> Result<(), String> {
    let x: ArrayD<A> = npy::read(&args.input)?;
    let (axes, target) = axes_and_target(args, x.shape())?;
    let y = description(args, axes.len())?.resize_axes(x.view(), &axes, &target).map_err(|error| error.to_string())?;
    npy::write(&args.output, &y)
}

/// The shape of the input, whatever its type.
fn shape_of(args: &Args) -> Result<Vec<usize>, String> {
    let input = &args.input;
    Ok(match npy::element_type(input)?.as_str() {
        "<f4" | ">f4" => npy::read::<f32>(input)?.shape().to_vec(),
        "<f8" | ">f8" => npy::read::<f64>(input)?.shape().to_vec(),
        "|u1" => npy::read::<u8>(input)?.shape().to_vec(),
        "<i8" | ">i8" => npy::read::<i64>(input)?.shape().to_vec(),
        other => return Err(format!("{}: elements of type {other}", input.display())),
    })
}

/// Which axes of an array of shape `shape` are resized, and to what.
fn axes_and_target(args: &Args, shape: &[usize]) -> Result<(Vec<usize>, AxesTarget), String> {
    let rank = shape.len();
    let axes = if args.axes.is_empty() {
        if !(3..=5).contains(&rank) {
            return Err(format!("an array of {rank} axes: expected 3 (N,C,L), 4 (N,C,H,W) or 5 (N,C,D,H,W), or --axes"));
        }
        (2..rank).collect()
    } else {
        let from_end = |axis: isize| if axis < 0 { axis + rank as isize } else { axis };
        let wrong = |_| format!("--axes: an axis lies outside the array's {rank} axes");
        args.axes.iter().map(|&axis| usize::try_from(from_end(axis)).map_err(wrong)).collect::<Result<Vec<_>, _>>()?
    };
    let given = args.size.len().max(args.scale.len());
    if given != axes.len() {
        let name = if args.scale.is_empty() { "--size" } else { "--scale" };
        return Err(format!("{name} has {given} entries, expected one for each of the {} resized axes", axes.len()));
    }
    let target = if args.scale.is_empty() { AxesTarget::Size(args.size.clone()) } else { AxesTarget::Scale(args.scale.clone()) };
    Ok((axes, target))
}

/// The description that the options stand for.
fn description(args: &Args, axes: usize) -> Result<Resize, String> {
    let mut resize = method(args)?;
    if let Some(profile) = args.profile {
        resize = resize.profile(match profile {
            ProfileName::Torch => Profile::Torch,
            ProfileName::Onnx => Profile::Onnx,
            ProfileName::Opencv => Profile::OpenCv,
            ProfileName::Pillow => Profile::Pillow,
            ProfileName::Jax => Profile::Jax,
            ProfileName::Tensorflow => Profile::TensorFlow,
        });
    }
    if let Some(coordinates) = coordinates(args, axes)? {
        resize = resize.coordinates(coordinates);
    }
    if let Some(rounding) = args.rounding {
        resize = resize.rounding(match rounding {
            RoundingName::Floor => Rounding::Floor,
            RoundingName::Ceil => Rounding::Ceil,
            RoundingName::RoundPreferFloor => Rounding::RoundPreferFloor,
            RoundingName::RoundPreferCeil => Rounding::RoundPreferCeil,
        });
    }
    if args.antialias {
        resize = resize.antialias(true);
    }
    if args.exclude_outside {
        resize = resize.exclude_outside(true);
    }
    if let Some(value) = args.extrapolation {
        resize = resize.extrapolation(value);
    }
    let aspect = match args.keep_aspect {
        Some(KeepAspect::NotLarger) => AspectRatio::NotLarger,
        Some(KeepAspect::NotSmaller) => AspectRatio::NotSmaller,
        Some(KeepAspect::Stretch) | None => AspectRatio::Stretch,
    };
    Ok(resize.recompute_scale(args.recompute_scale).aspect_ratio(aspect))
}

fn method(args: &Args) -> Result<Resize, String> {
    let nearest = matches!(args.method, Method::Nearest | Method::NearestExact);
    if args.rounding.is_some() && !nearest {
        return Err("--rounding goes with --method nearest".to_owned());
    }
    if args.cubic_a.is_some() && args.method != Method::Cubic {
        return Err("--cubic-a goes with --method cubic".to_owned());
    }
    Ok(match args.method {
        Method::Nearest => Resize::nearest(),
        Method::NearestExact => Resize::nearest_exact(),
        Method::NearestInteger => Resize::nearest_by(NearestRule::Integer),
        Method::Linear => Resize::linear(),
        Method::Cubic => args.cubic_a.map_or(Resize::cubic(), |a| Resize::cubic().cubic_coefficient(a)),
        Method::Area => Resize::area(),
        Method::Lanczos3 => Resize::filter(Filter::Lanczos { lobes: 3 }),
        Method::Lanczos4 => Resize::filter(Filter::Lanczos { lobes: 4 }),
        Method::Box => Resize::filter(Filter::Box),
        Method::Hamming => Resize::filter(Filter::Hamming),
        Method::Mitchell => Resize::filter(Filter::Mitchell),
        Method::Gaussian => Resize::filter(Filter::Gaussian),
    })
}

fn coordinates(args: &Args, axes: usize) -> Result<Option<PerAxis<Coordinates>>, String> {
    let crop = matches!(args.coordinates, Some(CoordinatesName::TfCropAndResize));
    if !crop && !args.roi.is_empty() {
        return Err("--roi goes with --coordinates tf-crop-and-resize".to_owned());
    }
    if crop && args.roi.len() != 2 * axes {
        return Err(format!("--roi has {} entries, expected the starts of the {axes} resized axes, then their ends", args.roi.len()));
    }
    Ok(args.coordinates.map(|name| match name {
        CoordinatesName::HalfPixel => Coordinates::HalfPixel.into(),
        CoordinatesName::HalfPixelSymmetric => Coordinates::HalfPixelSymmetric.into(),
        CoordinatesName::PytorchHalfPixel => Coordinates::PytorchHalfPixel.into(),
        CoordinatesName::Asymmetric => Coordinates::Asymmetric.into(),
        CoordinatesName::AlignCorners => Coordinates::AlignCorners.into(),
        CoordinatesName::TfHalfPixelForNn => Coordinates::TfHalfPixelForNn.into(),
        CoordinatesName::TfCropAndResize => {
            let (starts, ends) = args.roi.split_at(axes);
            let region = |(&start, &end): (&f64, &f64)| Coordinates::TfCropAndResize { start, end };
            PerAxis::Each(starts.iter().zip(ends).map(region).collect())
        }
    }))
}
