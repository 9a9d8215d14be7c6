//! `apply conv-transpose`: transposed convolution and its gradients.

use std::path::PathBuf;

use clap::ValueEnum;
use ndarray_npy::{ReadableElement, WritableElement};
use upsample::ndarray::{Array1, ArrayD, Ix1};
use upsample::{AutoPad, ConvTranspose, FloatElement, Output, PerAxis, Spatial, SpatialRank, Tensor};

use crate::npy;

/// Transposes a convolution, or computes one of its gradients.
#[derive(clap::Args)]
pub struct Args {
    /// N×C_in×spatial
    #[arg(long)]
    input: PathBuf,
    /// C_in × C_out/groups × kernel
    #[arg(long)]
    weight: PathBuf,
    /// An entry for each output channel
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
    #[arg(long, default_value_t = 1)]
    groups: usize,
    /// Compute the padding as ONNX does
    #[arg(long)]
    auto_pad: Option<AutoPadName>,
    /// Compute the padding from the size of the output
    #[arg(long, value_delimiter = ',')]
    output_shape: Vec<usize>,
    /// Gradient of the output: writes the gradient that --of names
    #[arg(long, requires = "of")]
    gradient: Option<PathBuf>,
    #[arg(long, requires = "gradient")]
    of: Option<Of>,
}

#[derive(Clone, Copy, ValueEnum)]
enum AutoPadName {
    SameUpper,
    SameLower,
    Valid,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    Input,
    Weight,
    Bias,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    match npy::element_type(&args.input)?.as_str() {
        "<f4" | ">f4" => run_float::<f32>(args),
        "<f8" | ">f8" => run_float::<f64>(args),
        other => Err(format!("elements of type {other}: expected <f4 or <f8")),
    }
}

fn run_float<A: FloatElement + ReadableElement + WritableElement>(args: &Args) -> Result<(), String> {
    let x: ArrayD<A> = npy::read(&args.input)?;
    match x.ndim() {
        3 => run_rank::<A, 1>(args, x),
        4 => run_rank::<A, 2>(args, x),
        5 => run_rank::<A, 3>(args, x),
        axes => Err(format!("an array of {axes} axes: expected 3 (N,C,L), 4 (N,C,H,W) or 5 (N,C,D,H,W)")),
    }
}

fn run_rank<A, const RANK: usize>(args: &Args, x: ArrayD<A>) -> Result<(), String>
where
    A: FloatElement + ReadableElement + WritableElement,
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, A, RANK>: From<&'a Output<A, RANK>>,
{
    let x = with_rank::<A, RANK>("input", x)?;
    let weight = with_rank::<A, RANK>("weight", npy::read(&args.weight)?)?;
    let size = |array: &Output<A, RANK>| Tensor::from(array).spatial();
    let plan = describe(args, RANK).plan(size(&x), size(&weight)).map_err(|error| error.to_string())?;
    let result = match (&args.gradient, args.of) {
        (Some(file), Some(of)) => {
            let dy = with_rank::<A, RANK>("output gradient", npy::read(file)?)?;
            match of {
                Of::Input => plan.input_gradient(&dy, &weight).map(|dx| dx.into_dyn()),
                Of::Weight => plan.weight_gradient(&x, &dy).map(|dw| dw.into_dyn()),
                Of::Bias => plan.bias_gradient(&dy).map(|db| db.into_dyn()),
            }
        }
        _ => plan.forward(&x, &weight, bias(args)?.as_deref()).map(|y| y.into_dyn()),
    };
    npy::write(&args.output, &result.map_err(|error| error.to_string())?)
}

fn with_rank<A, const RANK: usize>(argument: &str, array: ArrayD<A>) -> Result<Output<A, RANK>, String>
where
    Spatial<RANK>: SpatialRank,
{
    let axes = array.ndim();
    array.into_dimensionality().map_err(|_| format!("{argument}: an array of {axes} axes, expected {}", RANK + 2))
}

fn bias<A: ReadableElement>(args: &Args) -> Result<Option<Array1<A>>, String> {
    let Some(file) = &args.bias else { return Ok(None) };
    let bias: ArrayD<A> = npy::read(file)?;
    let axes = bias.ndim();
    bias.into_dimensionality::<Ix1>().map(Some).map_err(|_| format!("bias: an array of {axes} axes, expected 1"))
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
        .groups(args.groups);
    if let Some(name) = args.auto_pad {
        operator = operator.auto_pad(match name {
            AutoPadName::SameUpper => AutoPad::SameUpper,
            AutoPadName::SameLower => AutoPad::SameLower,
            AutoPadName::Valid => AutoPad::Valid,
        });
    }
    if args.output_shape.is_empty() { operator } else { operator.output_shape(args.output_shape.clone()) }
}

fn per_axis(numbers: &[usize]) -> PerAxis<usize> {
    match *numbers {
        [all] => PerAxis::All(all),
        _ => PerAxis::Each(numbers.to_vec()),
    }
}
