//! Sees the checkerboard: one picture through transposed convolutions and a resize-convolution, untrained and trained.
//!
//! ```text
//! cargo run --release --example checkerboard               # a test card
//! cargo run --release --example checkerboard -- photo.jpg --steps 200
//! ```
//!
//! Each operator gets a picture of half the size and has to give back the whole. It begins with random weights, whose sum is right and
//! nothing else, and learns by gradient descent. Below: how many taps reach each output pixel, and how much of each frequency the result
//! has. A pattern with the stride's period is the spike at 1/2.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use upsample_examples::{command_line, label, picture, plot, sheet, test_card};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array2, Array3, Array4, ArrayView2, Axis, s};
use plotters::prelude::{ChartBuilder, Color, IntoLogRange, LineSeries, PathElement, SeriesLabelPosition};
use upsample::checkerboard::{Overlap, StrideSpectrum};
use upsample::output_size::Window;
use upsample::{ConvPlan, ConvTranspose, Error, Resize, ResizeConv};
use upsample_examples::command_line::Failure;
use upsample_examples::picture::{Picture, Pixels};
use upsample_examples::plot::{COLOURS, LARGE};

/// Shows the checkerboard of transposed convolutions, and that resize-convolution has none
#[derive(Parser)]
struct Arguments {
    /// PNG or JPEG; without one a test card is drawn
    picture: Option<PathBuf>,
    /// Steps of gradient descent
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Another seed begins with other weights
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Folder of the result
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

/// Gray, from which pixels are measured.
const GRAY: f32 = 0.5;
/// The side of the detail, how often its pixels are repeated, and how many pixels of the overlap are shown how large.
const DETAIL: [usize; 2] = [88, 3];
const OVERLAP: [usize; 2] = [12, 22];

fn main() -> ExitCode {
    command_line::run(checkerboard)
}

/// The operators that are compared: the one line in which they differ, and everything after it is the same.
enum Up {
    Transposed(ConvPlan<2>),
    Resized(ConvPlan<2>),
}

impl Up {
    const NAMES: [&'static str; 3] = ["transposed 3×3", "transposed 4×4", "resize, 3×3"];
    const KERNELS: [usize; 3] = [3, 4, 3];

    fn all(input: [usize; 2]) -> Result<[Self; 3], Error> {
        let [a, b, c] = Self::KERNELS;
        Ok([
            Self::Transposed(ConvTranspose::doubling(a)?.plan(input, [a; 2])?),
            Self::Transposed(ConvTranspose::doubling(b)?.plan(input, [b; 2])?),
            Self::Resized(ResizeConv::doubling(c)?.plan(input, [c; 2])?),
        ])
    }

    fn forward(&self, x: &Array4<f32>, weight: &Array4<f32>) -> Result<Array4<f32>, Error> {
        match self {
            Self::Transposed(plan) => plan.forward(x, weight, None),
            Self::Resized(plan) => plan.forward(x, weight, None),
        }
    }

    fn weight_gradient(&self, x: &Array4<f32>, dy: &Array4<f32>) -> Result<Array4<f32>, Error> {
        match self {
            Self::Transposed(plan) => plan.weight_gradient(x, dy),
            Self::Resized(plan) => plan.weight_gradient(x, dy),
        }
    }

    /// How many taps reach each pixel of an output of `size`, as a picture.
    fn overlap(&self, input: [usize; 2]) -> Result<Array2<usize>, Error> {
        match self {
            Self::Transposed(plan) => Ok(Overlap::of(input, plan.windows())?.counts().clone()),
            // A convolution of stride 1 that keeps the size, on the enlarged picture: it has one phase, and all pixels are alike.
            Self::Resized(plan) => {
                Ok(Overlap::of(plan.output_size(), plan.kernel_size().map(|k| Window::new(k).padding((k / 2).cast_signed())))?
                    .counts()
                    .clone())
            }
        }
    }

    /// Random weights that keep the brightness: what reaches a pixel has the weight 1 on average.
    fn untrained(&self, kernel: usize, seed: u64) -> Array4<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let random = Array4::from_shape_simple_fn((1, 1, kernel, kernel), || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            0.25 + (state >> 40) as f32 / (1 << 24) as f32
        });
        let stride = if matches!(self, Self::Transposed(_)) { 2.0 } else { 1.0 };
        &random * (stride * stride / random.sum())
    }
}

/// What one operator made of the picture.
struct Shown {
    untrained: Array2<f32>,
    trained: Array2<f32>,
    overlap: Array2<usize>,
}

fn checkerboard(arguments: Arguments) -> Result<(), Failure> {
    let whole = match &arguments.picture {
        Some(path) => gray(&picture::shown(&picture::read(path)?.pixels)),
        None => test_card::gray_test_card(240, 320),
    };
    let (height, width) = (whole.dim().0 / 2 * 2, whole.dim().1 / 2 * 2);
    if height < 16 || width < 16 {
        return Err(format!("a picture of {}x{} pixels is too small: 16x16 are needed", whole.dim().1, whole.dim().0).into());
    }
    let whole = whole.slice(s![..height, ..width]).to_owned();
    let target = whole.view().insert_axis(Axis(0)).insert_axis(Axis(0)).mapv(|value| value - GRAY);
    let half = Resize::area().plan([height, width], 0.5)?.forward(&target)?;

    let progress = progress_bar(3 * u64::from(arguments.steps));
    let mut results = Vec::new();
    for (index, up) in Up::all([height / 2, width / 2])?.iter().enumerate() {
        progress.set_message(Up::NAMES[index]);
        let weight = up.untrained(Up::KERNELS[index], arguments.seed);
        let untrained = plane(&up.forward(&half, &weight)?);
        let weight = train(up, weight, &half, &target, arguments.steps, &progress)?;
        let trained = plane(&up.forward(&half, &weight)?);
        results.push(Shown { untrained, trained, overlap: up.overlap([height / 2, width / 2])? });
    }
    progress.finish_and_clear();
    report(&whole, &results)?;

    let path = arguments.out.join("checkerboard.png");
    let drawn = drawn(&whole, &plane(&half), &results, arguments.picture.is_none())?;
    picture::write(&path, &Picture { pixels: Pixels::U8(drawn), profile: None })?;
    writeln!(stdout(), "wrote {}", path.display())?;
    Ok(())
}

/// Gradient descent on the squared error; along the gradient the loss is a parabola, whose lowest point is the step.
fn train(
    up: &Up,
    mut weight: Array4<f32>,
    x: &Array4<f32>,
    target: &Array4<f32>,
    steps: u32,
    progress: &ProgressBar,
) -> Result<Array4<f32>, Error> {
    let squares = |values: &Array4<f32>| values.iter().map(|value| value * value).sum::<f32>();
    for _ in 0..steps {
        let error = up.forward(x, &weight)? - target;
        let gradient = up.weight_gradient(x, &error)?;
        let curvature = squares(&up.forward(x, &gradient)?);
        if curvature > 0.0 {
            weight.scaled_add(-squares(&gradient) / curvature, &gradient);
        }
        progress.inc(1);
    }
    Ok(weight)
}

fn progress_bar(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {elapsed}, {msg}");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn plane(batch: &Array4<f32>) -> Array2<f32> {
    batch.slice(s![0, 0, .., ..]).mapv(|value| value + GRAY)
}

fn gray(rgb: &Array3<u8>) -> Array2<f32> {
    rgb.map_axis(Axis(2), |rgb| (0.299 * f32::from(rgb[0]) + 0.587 * f32::from(rgb[1]) + 0.114 * f32::from(rgb[2])) / 255.0)
}

/// The error, and how far the frequencies of the stride stand out, of each result.
fn report(whole: &Array2<f32>, results: &[Shown]) -> Result<(), Failure> {
    let mut console = stdout();
    let prominence = |picture: &Array2<f32>| -> Result<f64, Error> {
        Ok(StrideSpectrum::<2>::of(upsample::Tensor4::from_plane(picture.view()), 2)?.prominence())
    };
    let psnr = |picture: &Array2<f32>| {
        let squares = picture.iter().zip(whole).map(|(a, b)| f64::from(a - b) * f64::from(a - b));
        -10.0 * (squares.sum::<f64>() / whole.len() as f64).log10()
    };
    writeln!(console, "{:<16}{:>14}{:>26}{:>26}", "", "", "untrained", "trained")?;
    writeln!(console, "{:<16}{:>14}{:>16}{:>10}{:>16}{:>10}", "", "taps a pixel", "checkerboard", "PSNR", "checkerboard", "PSNR")?;
    for (name, result) in Up::NAMES.iter().zip(results) {
        let (height, width) = result.overlap.dim();
        let inner = result.overlap.slice(s![4..height - 4, 4..width - 4]);
        let (fewest, most) = inner.iter().fold((usize::MAX, 0), |(low, high), &count| (low.min(count), high.max(count)));
        let taps = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
        write!(console, "{name:<16}{taps:>14}")?;
        for picture in [&result.untrained, &result.trained] {
            write!(console, "{:>16.1}{:>10.2}", prominence(picture)?, psnr(picture))?;
        }
        writeln!(console)?;
    }
    writeln!(console, "{:<16}{:>14}{:>16.1}", "the original", "", prominence(whole)?)?;
    writeln!(console, "checkerboard: energy at the frequencies of the stride, in multiples of that at any other; PSNR in dB")?;
    Ok(())
}

/// Columns: what there was, and each operator. Rows: untrained, trained, overlap, spectrum.
fn drawn(whole: &Array2<f32>, half: &Array2<f32>, results: &[Shown], card: bool) -> Result<Array3<u8>, Failure> {
    let (height, width) = whole.dim();
    let [side, times] = DETAIL;
    let centre = if card { [height / 4 + 6, 3 * width / 4 + 20] } else { [height / 2, width / 2] };
    let (rows, columns) = (side.min(height), side.min(width));
    let corner =
        [centre[0].saturating_sub(side / 2).min(height - rows) / 2 * 2, centre[1].saturating_sub(side / 2).min(width - columns) / 2 * 2];
    let detail = |picture: &Array2<f32>, scale: usize| {
        let [top, left] = corner.map(|start| start / scale);
        shown(picture.slice(s![top..top + rows / scale, left..left + columns / scale]), times * scale)
    };
    let blank = |lines: &[&str]| {
        let mut page = Array3::from_elem((side * times, side * times, 3), 255);
        for (index, line) in lines.iter().enumerate() {
            label::draw(&mut page, [8 + 22 * index, 0], 2, &[30; 3], line);
        }
        page
    };
    let mut table = vec![
        vec![detail(whole, 1)],
        vec![detail(half, 2)],
        vec![blank(&[
            "Right: taps that",
            "reach each pixel",
            "of a corner,",
            "more is darker.",
            "",
            "Below: energy at",
            "each frequency,",
            "in cycles a pixel.",
            "A checkerboard is",
            "the rise at 1/2.",
        ])],
        vec![blank(&["Above: results", "of random weights", "beside the whole,", "of trained ones", "beside the half."])],
    ];
    for result in results {
        table[0].push(detail(&result.untrained, 1));
        table[1].push(detail(&result.trained, 1));
        table[2].push(overlap_map(&result.overlap));
        table[3].push(spectra(whole, result)?);
    }
    let mut labels = vec!["whole, half"];
    labels.extend(Up::NAMES);
    Ok(sheet::sheet(&labels, &table, "rows: untrained, trained, taps a pixel, spectrum"))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
fn shown(picture: ArrayView2<'_, f32>, times: usize) -> Array3<u8> {
    let (height, width) = picture.dim();
    let bytes = Array3::from_shape_fn((height, width, 3), |(y, x, _)| (picture[[y, x]] * 255.0).round().clamp(0.0, 255.0) as u8);
    sheet::magnified(&bytes, times)
}

/// The corner of the overlap, each count written into its pixel.
#[allow(clippy::cast_possible_truncation)] // bytes
fn overlap_map(overlap: &Array2<usize>) -> Array3<u8> {
    let [count, times] = OVERLAP;
    let most = overlap.iter().copied().max().unwrap_or(1).max(1);
    let corner = Array3::from_shape_fn((count, count, 3), |(y, x, _)| (250 - 190 * overlap[[y, x]] / most) as u8);
    let mut map = sheet::magnified(&corner, times);
    for y in 0..count {
        for x in 0..count {
            let ink = if 2 * overlap[[y, x]] > most { 255 } else { 30 };
            label::draw(&mut map, [y * times + 4, x * times + 6], 2, &[ink; 3], &overlap[[y, x]].to_string());
        }
    }
    map
}

/// The energy of each frequency along the rows, on average over the rows and then over some neighbours.
fn spectrum(picture: &Array2<f32>) -> Vec<(f64, f64)> {
    let (height, width) = picture.dim();
    let mut energies = vec![0.0; width / 2 + 1];
    for row in picture.outer_iter() {
        let mean = row.mean().unwrap_or_default();
        for (frequency, energy) in energies.iter_mut().enumerate() {
            let (mut re, mut im) = (0.0, 0.0);
            for (place, &value) in row.iter().enumerate() {
                let (sin, cos) = (std::f64::consts::TAU * (frequency * place % width) as f64 / width as f64).sin_cos();
                let difference = f64::from(value - mean);
                re += difference * cos;
                im += difference * sin;
            }
            *energy += (re * re + im * im) / (width * height) as f64;
        }
    }
    energies.into_iter().enumerate().skip(1).map(|(frequency, energy)| (frequency as f64 / width as f64, energy.max(1e-12))).collect()
}

fn spectra(whole: &Array2<f32>, result: &Shown) -> Result<Array3<u8>, Failure> {
    let side = u32::try_from(DETAIL[0] * DETAIL[1])?;
    let curves = [("whole", whole, 4), ("untrained", &result.untrained, 1), ("trained", &result.trained, 0)];
    plot::plot(side, side, |area| -> Result<(), Failure> {
        let mut chart = ChartBuilder::on(area)
            .margin(4)
            .margin_right(30)
            .x_label_area_size(24)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..2.0, (1e-5..10.0).log_scale())?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(3)
            .y_labels(4)
            .x_label_formatter(&|x: &f64| ["0", "1/4", "1/2"].get(x.round() as usize).unwrap_or(&"").to_string())
            .y_label_formatter(&|y| format!("{y:.0e}"))
            .label_style(("sans-serif", LARGE))
            .draw()?;
        for (name, picture, colour) in curves {
            let style = COLOURS[colour].stroke_width(1);
            chart
                .draw_series(LineSeries::new(spectrum(picture).into_iter().map(|(frequency, energy)| (4.0 * frequency, energy)), style))?
                .label(plot::legend(name))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], COLOURS[colour].stroke_width(3)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .legend_area_size(24)
            .label_font(("sans-serif", LARGE))
            .background_style(plot::PAPER.mix(0.7))
            .draw()?;
        Ok(())
    })
}
