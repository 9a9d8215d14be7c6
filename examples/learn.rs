//! Let the network learn how to upscale: a transposed convolution is trained to enlarge pictures 2×, starting from a kernel of zeros.
//!
//! ```text
//! cargo run --release --example learn                        # a test card
//! cargo run --release --example learn -- photo.jpg other.png --kernel 6 --steps 1000
//! ```
//!
//! Every picture is halved by averaging 2×2 pixels; the operator sees the half and has to give back the whole. The loss is quadratic in the
//! weights, so plain gradient descent needs no tuning: the gradient is [`ConvPlan::weight_gradient`], and the best length of a
//! step follows from one more forward pass.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use upsample_examples::{command_line, picture, sheet, test_card};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array3, Array4, Axis, s};
use upsample::{ConvPlan, ConvTranspose, Resize, Update};
use upsample_examples::command_line::Failure;
use upsample_examples::picture::{Picture, Pixels};

/// Trains a transposed convolution to enlarge pictures 2×, and shows what it learned beside bilinear and bicubic
#[derive(Parser)]
struct Arguments {
    /// PNG or JPEG; without any a test card is drawn
    pictures: Vec<PathBuf>,
    /// Steps of gradient descent
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Taps of the kernel on each axis
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(4..=64))]
    kernel: u64,
    /// Folder of the results
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

/// Input pixels repeated beyond each border, so that the operator does not see black there.
const MARGIN: usize = 16;
/// Gray, from which pixels are measured: with it the loss is less stretched, and descent faster.
const GRAY: f32 = 0.5;
/// The side of a detail on the sheet, and how often each of its pixels is repeated.
const DETAIL: [usize; 2] = [72, 3];

fn main() -> ExitCode {
    command_line::run(learn)
}

fn learn(arguments: Arguments) -> Result<(), Failure> {
    let lessons = if arguments.pictures.is_empty() {
        vec![Lesson::new(&test_card::test_card(240, 320))?]
    } else {
        arguments.pictures.iter().map(|path| Lesson::new(&picture::shown(&picture::read(path)?.pixels))).collect::<Result<_, _>>()?
    };
    let kernel = usize::try_from(arguments.kernel)?;
    let weight = train(&lessons, kernel, arguments.steps)?;

    let mut console = stdout();
    writeln!(console, "{:<24}{:>12}{:>12}{:>12}", "PSNR in dB", "bilinear", "bicubic", "learned")?;
    let (mut rows, mut footer) = (Vec::new(), String::new());
    for (index, lesson) in lessons.iter().enumerate() {
        let results = [lesson.resized(&Resize::bilinear())?, lesson.resized(&Resize::bicubic())?, lesson.enlarged(&weight)?];
        let [bilinear, bicubic, learned] = results.each_ref().map(|result| psnr(result, &lesson.whole));
        let name = arguments.pictures.get(index).map_or("test card".into(), |path| path.file_name().unwrap_or_default().to_string_lossy());
        writeln!(console, "{name:<24}{bilinear:>12.2}{bicubic:>12.2}{learned:>12.2}")?;
        if index == 0 {
            footer = format!("PSNR: bilinear {bilinear:.2} dB, bicubic {bicubic:.2} dB, learned {learned:.2} dB");
            rows = lesson.details(&results);
        }
    }
    rows.push(vec![kernel_picture(&weight)]);
    let labels = ["half the size", "bilinear", "bicubic", "learned", "original"];
    for (name, pixels) in [("learned-kernel.png", kernel_picture(&weight)), ("learned.png", sheet::sheet(&labels, &rows, &footer))] {
        let path = arguments.out.join(name);
        picture::write(&path, &Picture { pixels: Pixels::U8(pixels), profile: None })?;
        writeln!(console, "wrote {}", path.display())?;
    }
    Ok(())
}

/// A picture and its half, each colour a picture of one channel: all colours are enlarged with the same kernel.
struct Lesson {
    half: Array4<f32>,
    whole: Array4<f32>,
    /// The half with its border repeated outwards, gray being 0.
    input: Array4<f32>,
}

impl Lesson {
    fn new(rgb: &Array3<u8>) -> Result<Self, Failure> {
        let (height, width) = (rgb.dim().0 / 2 * 2, rgb.dim().1 / 2 * 2);
        if height == 0 || width == 0 {
            return Err(format!("a picture of {}x{} pixels cannot be halved", rgb.dim().1, rgb.dim().0).into());
        }
        let planes = rgb.slice(s![..height, ..width, ..]).permuted_axes([2, 0, 1]).insert_axis(Axis(1));
        let whole = planes.mapv(|value| f32::from(value) / 255.0);
        let half = Resize::area().plan([height, width], 0.5)?.forward(&whole)?;
        let (planes, _, height, width) = half.dim();
        let input = Array4::from_shape_fn((planes, 1, height + 2 * MARGIN, width + 2 * MARGIN), |(n, c, y, x)| {
            half[[n, c, inside(y, height), inside(x, width)]] - GRAY
        });
        Ok(Self { half, whole, input })
    }

    /// The operator that makes exactly twice the half of the input: what surrounds it is cropped with the padding.
    fn operator(&self, kernel: usize) -> Result<ConvPlan<2>, Failure> {
        let [window, _] = ConvTranspose::doubling(kernel)?.plan([1, 1], [kernel, kernel])?.windows();
        let (_, _, height, width) = self.input.dim();
        let operator =
            ConvTranspose::new().stride(2).padding(window.padding_begin + 2 * MARGIN as isize).output_padding(window.output_padding);
        Ok(operator.plan([height, width], [kernel, kernel])?)
    }

    fn resized(&self, method: &Resize) -> Result<Array4<f32>, Failure> {
        Ok(method.plan([self.half.dim().2, self.half.dim().3], 2.0)?.forward(&self.half)?)
    }

    fn enlarged(&self, weight: &Array4<f32>) -> Result<Array4<f32>, Failure> {
        Ok(self.operator(weight.dim().2)?.forward(&self.input, weight, None)? + GRAY)
    }

    /// The same details of the half, of every result and of the whole.
    fn details(&self, results: &[Array4<f32>; 3]) -> Vec<Vec<Array3<u8>>> {
        let (_, _, height, width) = self.whole.dim();
        let [side, times] = DETAIL;
        let centres = test_card::details(height, width);
        let shown = centres.map(|[row, column]| {
            let corner = [row, column].map(|centre| centre.saturating_sub(side / 2));
            let corner = [corner[0].min(height.saturating_sub(side)) / 2 * 2, corner[1].min(width.saturating_sub(side)) / 2 * 2];
            let piece = |planes: &Array4<f32>, scale: usize| {
                let (_, _, height, width) = planes.dim();
                let [top, left] = corner.map(|start| start / scale);
                let piece = planes.slice(s![.., 0, top..height.min(top + side / scale), left..width.min(left + side / scale)]);
                sheet::magnified(&bytes(&piece.permuted_axes([1, 2, 0]).to_owned()), times * scale)
            };
            let mut row = vec![piece(&self.half, 2)];
            row.extend(results.iter().chain([&self.whole]).map(|planes| piece(planes, 1)));
            row
        });
        shown.into()
    }
}

/// The pixel of a margin or of the picture, whichever the position is in.
fn inside(position: usize, len: usize) -> usize {
    position.saturating_sub(MARGIN).min(len - 1)
}

/// Gradient descent on the squared error over all pictures.
fn train(lessons: &[Lesson], kernel: usize, steps: u64) -> Result<Array4<f32>, Failure> {
    let plans = lessons.iter().map(|lesson| lesson.operator(kernel)).collect::<Result<Vec<_>, _>>()?;
    let mut weight = Array4::<f32>::zeros((1, 1, kernel, kernel));
    // What the operator makes of the input, less what it should make: a kernel of zeros makes gray.
    let mut errors: Vec<Array4<f32>> = lessons.iter().map(|lesson| GRAY - &lesson.whole).collect();
    let pixels: usize = errors.iter().map(Array4::len).sum();
    let progress = progress_bar(steps);
    for _ in 0..steps {
        let mut gradient = Array4::<f32>::zeros(weight.dim());
        for ((plan, lesson), error) in plans.iter().zip(lessons).zip(&errors) {
            plan.weight_gradient_into(&lesson.input, error, &mut gradient, Update::Add)?;
        }
        // Along the gradient the loss is a parabola: its lowest point is the step.
        let mut changes = Vec::new();
        for (plan, lesson) in plans.iter().zip(lessons) {
            changes.push(plan.forward(&lesson.input, &gradient, None)?);
        }
        let curvature: f64 = changes.iter().map(squares).sum();
        if curvature == 0.0 {
            break; // nothing left to learn
        }
        let step = (squares(&gradient) / curvature) as f32;
        weight.scaled_add(-step, &gradient);
        errors.iter_mut().zip(&changes).for_each(|(error, change)| error.scaled_add(-step, change));
        progress.set_message(format!("{:.3e}", errors.iter().map(squares).sum::<f64>() / pixels as f64));
        progress.inc(1);
    }
    progress.finish();
    Ok(weight)
}

fn progress_bar(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {elapsed}, mean squared error {msg}");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn squares(values: &Array4<f32>) -> f64 {
    values.iter().map(|&value| f64::from(value) * f64::from(value)).sum()
}

/// Peak signal-to-noise ratio in decibels, of what a screen can show.
fn psnr(found: &Array4<f32>, expected: &Array4<f32>) -> f64 {
    let error = squares(&(found.mapv(|value| value.clamp(0.0, 1.0)) - expected)) / expected.len() as f64;
    -10.0 * error.log10()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
fn bytes(pixels: &Array3<f32>) -> Array3<u8> {
    pixels.mapv(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8)
}

/// The kernel, gray where it is 0, lighter above and darker below.
fn kernel_picture(weight: &Array4<f32>) -> Array3<u8> {
    let largest = weight.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    let (_, _, height, width) = weight.dim();
    let gray = Array3::from_shape_fn((height, width, 3), |(y, x, _)| GRAY + GRAY * weight[[0, 0, y, x]] / largest);
    sheet::magnified(&bytes(&gray), 192 / height.max(width))
}
