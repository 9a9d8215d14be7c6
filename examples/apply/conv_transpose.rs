//! `apply conv-transpose`: transposed convolution and its gradients.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use upsample::ndarray::{Array1, ArrayD, Ix1};
use upsample::{AutoPad, ConvTranspose, FloatElement, Output, Precision, Spatial, SpatialRank, Tensor};

use super::npy::{self, Kind, Number};
use super::{per_axis, refuse_broken, with_files};

/// Transposes a convolution, or computes one of its gradients.
#[derive(clap::Args)]
pub struct Args {
    /// N×C_in×spatial; of the gradients only that of the weight reads its values, of the others its shape counts
    #[arg(long)]
    input: PathBuf,
    /// C_in × C_out/groups × kernel; of the gradients only that of the input reads its values, of the others its shape counts
    #[arg(long)]
    weight: PathBuf,
    /// An entry for each output channel; not with --gradient, since no gradient depends on it
    #[arg(long)]
    bias: Option<PathBuf>,
    /// Where the result goes
    #[arg(long)]
    output: PathBuf,
    /// One number, or one for each axis
    #[arg(long, value_delimiter = ',', default_value = "1")]
    stride: Vec<usize>,
    /// One number, one for each axis, or all beginnings and then all ends
    #[arg(long, value_delimiter = ',', default_value = "0")]
    padding: Vec<usize>,
    /// One number, or one for each axis
    #[arg(long, value_delimiter = ',', default_value = "0")]
    output_padding: Vec<usize>,
    /// One number, or one for each axis
    #[arg(long, value_delimiter = ',', default_value = "1")]
    dilation: Vec<usize>,
    /// Channels are convolved in this many groups
    #[arg(long, default_value_t = 1)]
    groups: usize,
    /// Compute the padding as ONNX does; instead of --padding
    #[arg(long)]
    auto_pad: Option<AutoPadName>,
    /// Compute the padding from the size of the output, by ONNX's rule: one number, or one for each axis; instead of --padding
    #[arg(long, value_delimiter = ',')]
    output_shape: Vec<usize>,
    /// Whether sums may be computed with fewer multiplications than the definition has
    #[arg(long, default_value = "standard")]
    precision: PrecisionName,
    /// Gradient of the output: writes the gradient that --of names
    #[arg(long, requires = "of")]
    gradient: Option<PathBuf>,
    /// Which gradient is written
    #[arg(long, requires = "gradient")]
    of: Option<Of>,
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum AutoPadName {
    SameUpper,
    SameLower,
    Valid,
}

#[derive(Clone, Copy, ValueEnum)]
enum PrecisionName {
    Standard,
    Reduced,
    Strict,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    Input,
    Weight,
    Bias,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    check(args)?;
    match one_type(args)? {
        kind @ Kind { class: 'f', size: 2 | 4 } => run_float::<f32>(args, kind),
        kind @ Kind { class: 'f', size: 8 } => run_float::<f64>(args, kind),
        kind => Err(format!("{} holds {kind}: conv-transpose computes with <f2, <f4 and <f8", args.input.display())),
    }
}

/// Refuses options that would be ignored.
fn check(args: &Args) -> Result<(), String> {
    let (padding, shape) = (args.padding.iter().any(|&padding| padding > 0), !args.output_shape.is_empty());
    refuse_broken(&[
        (args.bias.is_some() && args.gradient.is_some(), "--bias does not go with --gradient: no gradient depends on it"),
        (padding && args.auto_pad.is_some(), "--padding does not go with --auto-pad, which computes the padding: give one of them"),
        (padding && shape, "--padding does not go with --output-shape, which computes the padding: give one of them"),
        (
            args.auto_pad == Some(AutoPadName::Valid) && shape,
            "--auto-pad valid does not go with --output-shape, which computes the padding",
        ),
    ])
}

/// The type that all files of the call have.
fn one_type(args: &Args) -> Result<Kind, String> {
    let kind = npy::header(&args.input)?.kind;
    for file in [Some(&args.weight), args.bias.as_ref(), args.gradient.as_ref()].into_iter().flatten() {
        let other = npy::header(file)?.kind;
        if other != kind {
            let (input, file) = (args.input.display(), file.display());
            return Err(format!("{input} holds {kind}, {file} {other}: all files of a call must have one type"));
        }
    }
    Ok(kind)
}

fn run_float<A: FloatElement + Number>(args: &Args, kind: Kind) -> Result<(), String> {
    let x: ArrayD<A> = npy::read(&args.input)?.numbers()?;
    let result = match x.ndim() {
        3 => run_rank::<A, 1>(args, x),
        4 => run_rank::<A, 2>(args, x),
        5 => run_rank::<A, 3>(args, x),
        axes => {
            let file = args.input.display();
            Err(format!("{file}: an array of {axes} axes, expected 3 (N,C,L), 4 (N,C,H,W) or 5 (N,C,D,H,W)"))
        }
    };
    npy::write(&args.output, kind, &result?)
}

fn run_rank<A, const RANK: usize>(args: &Args, x: ArrayD<A>) -> Result<ArrayD<A>, String>
where
    A: FloatElement + Number,
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, A, RANK>: From<&'a Output<A, RANK>>,
{
    let x = with_rank::<A, RANK>(&args.input, x)?;
    let weight = read_rank::<A, RANK>(&args.weight)?;
    let bias = args.bias.as_deref().map(read_bias).transpose()?;
    let (input, kernel) = (Tensor::from(&x), Tensor::from(&weight));
    let plan = describe(args, RANK).plan(input.spatial(), kernel.spatial()).map_err(|error| error.to_string())?;
    let result = match (&args.gradient, args.of) {
        (Some(file), Some(of)) => {
            let dy = read_rank::<A, RANK>(file)?;
            let outer = [input.batch(), kernel.channels().saturating_mul(args.groups)];
            check_outer(args, file, [input.channels(), kernel.batch()], outer, &Tensor::from(&dy))?;
            match of {
                Of::Input => plan.input_gradient(&dy, &weight).map(|dx| dx.into_dyn()),
                Of::Weight => plan.weight_gradient(&x, &dy).map(|dw| dw.into_dyn()),
                Of::Bias => plan.bias_gradient(&dy).map(|db| db.into_dyn()),
            }
        }
        _ => plan.forward(&x, &weight, bias.as_deref()).map(|y| y.into_dyn()),
    };
    let gradient = args.gradient.as_deref().unwrap_or(&args.input);
    let bias = args.bias.as_deref().unwrap_or(&args.input);
    let files: [(&str, &Path); 4] = [("input", &args.input), ("weight", &args.weight), ("bias", bias), ("output gradient", gradient)];
    result.map_err(|error| with_files(&error, &files))
}

/// Checks what a gradient does not read: the channels of input and weight, and batch and channels of the output's gradient.
fn check_outer<A, const RANK: usize>(
    args: &Args,
    gradient: &Path,
    [input, weight]: [usize; 2],
    [batch, channels]: [usize; 2],
    dy: &Tensor<'_, A, RANK>,
) -> Result<(), String> {
    let (x, w, dy_file) = (args.input.display(), args.weight.display(), gradient.display());
    if input != weight {
        return Err(format!("{w}: the first axis has size {weight}, expected {input}, the channels of {x}"));
    }
    if dy.batch() != batch {
        return Err(format!("{dy_file}: the batch axis has size {}, expected {batch}, that of {x}", dy.batch()));
    }
    if dy.channels() != channels {
        return Err(format!("{dy_file}: the channel axis has size {}, expected {channels}, the output channels of {w}", dy.channels()));
    }
    Ok(())
}

fn read_rank<A: Number, const RANK: usize>(file: &Path) -> Result<Output<A, RANK>, String>
where
    Spatial<RANK>: SpatialRank,
{
    with_rank(file, npy::read(file)?.numbers()?)
}

fn with_rank<A, const RANK: usize>(file: &Path, array: ArrayD<A>) -> Result<Output<A, RANK>, String>
where
    Spatial<RANK>: SpatialRank,
{
    let axes = array.ndim();
    array.into_dimensionality().map_err(|_| format!("{}: an array of {axes} axes, expected {}", file.display(), RANK + 2))
}

fn read_bias<A: Number>(file: &Path) -> Result<Array1<A>, String> {
    let bias: ArrayD<A> = npy::read(file)?.numbers()?;
    let axes = bias.ndim();
    bias.into_dimensionality::<Ix1>().map_err(|_| format!("{}: an array of {axes} axes, expected 1", file.display()))
}

/// The operator that the options describe.
fn describe(args: &Args, rank: usize) -> ConvTranspose {
    let (begin, end) = match args.padding.as_slice() {
        both if both.len() == 2 * rank => both.split_at(rank),
        same => (same, same),
    };
    let mut operator = ConvTranspose::new()
        .stride(per_axis(&args.stride))
        .padding_of(per_axis(begin), per_axis(end))
        .output_padding(per_axis(&args.output_padding))
        .dilation(per_axis(&args.dilation))
        .groups(args.groups)
        .precision(match args.precision {
            PrecisionName::Standard => Precision::Standard,
            PrecisionName::Reduced => Precision::Reduced,
            PrecisionName::Strict => Precision::Strict,
        });
    if let Some(name) = args.auto_pad {
        operator = operator.auto_pad(match name {
            AutoPadName::SameUpper => AutoPad::SameUpper,
            AutoPadName::SameLower => AutoPad::SameLower,
            AutoPadName::Valid => AutoPad::Valid,
        });
    }
    if args.output_shape.is_empty() { operator } else { operator.output_shape(per_axis(&args.output_shape)) }
}
