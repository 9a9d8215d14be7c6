//! Enlarges a picture by every method and shows the results side by side.
//!
//! ```text
//! cargo run --release --example upscale                       # a test card
//! cargo run --release --example upscale -- photo.jpg --scale 3 --method bilinear
//! ```

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};
use upsample_examples::{command_line, picture, sheet, test_card};

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array3, Axis};
use upsample::{Element, Resize, ResizePlan, Target, Tensor4, Tensor4Mut};
use upsample_examples::close_up::CloseUp;
use upsample_examples::command_line::Failure;
use upsample_examples::picture::{Picture, Pixels, Sample};

/// Enlarges a picture by every method: writes the result of one, and a sheet on which all of them stand side by side
#[derive(Parser)]
struct Arguments {
    /// PNG or JPEG; without one a test card is drawn
    picture: Option<PathBuf>,
    /// Output pixels per input pixel
    #[arg(long, default_value_t = 4.0, allow_negative_numbers = true)]
    scale: f64,
    /// Output size in pixels, instead of a scale
    #[arg(long, value_name = "WxH", conflicts_with = "scale")]
    size: Option<Size>,
    /// The method of the picture that is written
    #[arg(long, value_enum, default_value_t = Method::Bicubic)]
    method: Method,
    /// Where it is written, as .png or .jpg [default: a name under out/]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Method {
    Nearest,
    Bilinear,
    Bicubic,
}

impl Method {
    fn name(self) -> &'static str {
        ["nearest", "bilinear", "bicubic"][self as usize]
    }

    fn resize(self) -> Resize {
        match self {
            Self::Nearest => Resize::nearest(),
            Self::Bilinear => Resize::bilinear(),
            Self::Bicubic => Resize::bicubic(),
        }
    }
}

/// Width and height as people write them, `640x480`.
#[derive(Clone, Copy)]
struct Size([usize; 2]);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes = text.split_once(['x', 'X', '×']).and_then(|(width, height)| Some([height.parse().ok()?, width.parse().ok()?]));
        sizes.map(Self).ok_or_else(|| "a size is written as width x height, say 640x480".to_owned())
    }
}

fn main() -> ExitCode {
    command_line::run(upscale)
}

fn upscale(arguments: Arguments) -> Result<(), Failure> {
    let source = match &arguments.picture {
        Some(path) => picture::read(path)?,
        None => Picture { pixels: Pixels::U8(test_card::test_card(180, 240)), profile: None },
    };
    let target = arguments.size.map_or(Target::from(arguments.scale), |Size(size)| Target::from(size));
    let input = source.pixels.size();
    let output = arguments.method.resize().output_size(input, target)?;
    let out = arguments.out.clone().unwrap_or_else(|| default_out(&arguments, output));
    check_destination(&out, &arguments, &source.pixels)?;

    let mut console = stdout();
    writeln!(console, "{}: {} ({}) to {}", name(&arguments), in_words(input), source.pixels.kind(), in_words(output))?;
    writeln!(console, "{:<10}{:>14}{:>16}", "method", "milliseconds", "megapixels/s")?;
    let progress = progress_bar(output);
    let details = arguments.picture.is_none().then(|| test_card::details(input[0], input[1]).to_vec());
    let close_ups = CloseUp::of(&source.pixels, output, details);
    let mut rows = vec![Vec::new(); close_ups.len()];
    for &method in Method::value_variants() {
        progress.set_message(method.name());
        let (pixels, time) = enlarged(&source.pixels, method, target)?;
        for (row, close_up) in rows.iter_mut().zip(&close_ups) {
            row.push(close_up.shown(&pixels));
        }
        let milliseconds = time.as_secs_f64() * 1e3;
        let rate = (output[0] * output[1]) as f64 / time.as_secs_f64() / 1e6;
        progress.suspend(|| writeln!(console, "{:<10}{milliseconds:>14.3}{rate:>16.0}", method.name()))?;
        progress.inc(1);
        if method == arguments.method {
            progress.set_message(format!("writing {}", out.display()));
            picture::write(&out, &Picture { pixels, profile: source.profile.clone() })?;
            progress.inc(1);
        }
    }
    let labels: Vec<_> = Method::value_variants().iter().map(|method| method.name()).collect();
    let footer = format!("{} to {}, details", in_words(input), in_words(output));
    let comparison = Pixels::U8(sheet::sheet(&labels, &rows, &footer));
    let comparison_out = out.with_file_name(format!("{}-comparison.png", stem(&out)));
    let profile = source.profile.filter(|_| source.pixels.channels() >= 3);
    picture::write(&comparison_out, &Picture { pixels: comparison, profile })?;
    progress.finish_and_clear();
    Ok(writeln!(console, "wrote {}\nwrote {}", out.display(), comparison_out.display())?)
}

/// `width x height`.
fn in_words([height, width]: [usize; 2]) -> String {
    format!("{width} x {height}")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn name(arguments: &Arguments) -> String {
    arguments.picture.as_deref().map_or("test-card".to_owned(), stem)
}

fn default_out(arguments: &Arguments, [height, width]: [usize; 2]) -> PathBuf {
    Path::new("out").join(format!("{}-{}-{width}x{height}.png", name(arguments), arguments.method.name()))
}

/// Whether the result can be written where it shall be, before any work is done.
fn check_destination(out: &Path, arguments: &Arguments, pixels: &Pixels) -> Result<(), Failure> {
    picture::check_format(out, pixels)?;
    let same =
        arguments.picture.as_deref().is_some_and(|path| matches!((path.canonicalize(), out.canonicalize()), (Ok(a), Ok(b)) if a == b));
    if same { Err(format!("{}: this would overwrite the input", out.display()).into()) } else { Ok(()) }
}

/// One step a method, one for writing; shown where the work is long enough to wait for.
fn progress_bar([height, width]: [usize; 2]) -> ProgressBar {
    if height.saturating_mul(width) < 8_000_000 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(1 + Method::value_variants().len() as u64).with_style(style);
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}

/// The enlarged pixels, and how long it took.
fn enlarged(pixels: &Pixels, method: Method, target: Target<2>) -> Result<(Pixels, Duration), Failure> {
    let plan = method.resize().plan(pixels.size(), target)?;
    let mixes = pixels.has_alpha() && method != Method::Nearest;
    Ok(match pixels {
        Pixels::U8(pixels) => filtered(pixels, &plan, mixes).map(|(pixels, time)| (Pixels::U8(pixels), time))?,
        Pixels::U16(pixels) => filtered(pixels, &plan, mixes).map(|(pixels, time)| (Pixels::U16(pixels), time))?,
    })
}

/// Where pixels that have alpha are mixed, colours are multiplied by it before and divided after.
fn filtered<A: Element + Sample>(pixels: &Array3<A>, plan: &ResizePlan<2>, premultiply: bool) -> Result<(Array3<A>, Duration), Failure> {
    if !premultiply {
        return timed(pixels, plan);
    }
    let (pixels, time) = timed(&picture::premultiplied(pixels), plan)?;
    Ok((picture::unpremultiplied(pixels), time))
}

/// Runs the plan into an output that is there already, as a loop over many pictures would: the median of some runs.
fn timed<A: Element>(pixels: &Array3<A>, plan: &ResizePlan<2>) -> Result<(Array3<A>, Duration), Failure> {
    let x = Tensor4::from_hwc(pixels.view());
    let mut y = plan.forward(x)?.index_axis_move(Axis(0), 0).permuted_axes([1, 2, 0]); // 1×C×H×W to H×W×C
    let mut times: Vec<Duration> = Vec::new();
    while times.len() < 9 && times.iter().sum::<Duration>() < Duration::from_millis(500) {
        let start = Instant::now();
        plan.forward_into(x, Tensor4Mut::from_hwc(y.view_mut()))?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok((y, times[times.len() / 2]))
}
