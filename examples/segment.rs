//! A small SegNet learns to tell discs, squares and triangles apart, with three ways to come back to the picture's size.
//!
//! ```text
//! cargo run --release --example segment                   # about a minute
//! cargo run --release --example segment -- --steps 50
//! ```
//!
//! Nothing but the crate's operators and their gradients: convolution, max pooling with indices, and in the decoder max unpooling,
//! transposed convolution or bilinear interpolation. All three see the same pictures.

#[path = "segment/layers.rs"]
mod layers;
#[path = "segment/network.rs"]
mod network;
#[path = "segment/shapes.rs"]
mod shapes;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use upsample_examples::{command_line, picture, plot, sheet};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use layers::Decoder;
use ndarray::{Array3, ArrayView2, s};
use plotters::prelude::{ChartBuilder, Color, IntoFont, IntoLogRange, LineSeries, PathElement, SeriesLabelPosition};
use shapes::{Batch, Random, batch};
use upsample_examples::command_line::Failure;
use upsample_examples::picture::{Picture, Pixels};
use upsample_examples::plot::{COLOURS, LARGE};

/// Trains a small SegNet on drawn shapes with three decoders, and shows what each of them finds
#[derive(Parser)]
struct Arguments {
    /// Steps of training, each on 16 new pictures
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Another seed draws other pictures and other weights to begin with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the results
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

/// Pictures that the mean IoU is measured on; none of them is trained on.
const HELD_OUT: usize = 128;
/// Pictures on the sheet, and how large each pixel is shown.
const SHOWN: [usize; 2] = [5, 4];

/// The decoders as columns are headed.
const SHORT: [&str; 3] = ["unpooling", "transposed", "bilinear"];

fn main() -> ExitCode {
    command_line::run(segment)
}

fn segment(arguments: Arguments) -> Result<(), Failure> {
    let test = batch(&mut Random::new(arguments.seed.wrapping_add(0x5EED)), HELD_OUT);
    let mut console = stdout();
    writeln!(console, "{:<24}{:>12}{:>12}{:>12}", "decoder", "first loss", "last loss", "mean IoU")?;
    let (mut found, mut curves, mut footer) = (Vec::new(), Vec::new(), Vec::new());
    for decoder in Decoder::ALL {
        let progress = progress_bar(arguments.steps, decoder);
        let report = |loss: f64| {
            progress.set_message(format!("{loss:.3}"));
            progress.inc(1);
        };
        let (network, losses) = network::trained(decoder, arguments.seed, arguments.steps, report)?;
        progress.finish_and_clear();
        let classes = network.classes(&test.pictures)?;
        let iou = network::mean_iou(&classes, &test.classes);
        let [first, last] = [losses.first(), losses.last()].map(|loss| loss.copied().unwrap_or_default());
        writeln!(console, "{:<24}{first:>12.3}{last:>12.3}{iou:>12.3}", decoder.name())?;
        footer.push(format!("{} {iou:.3}", SHORT[decoder as usize]));
        found.push(classes);
        curves.push(losses);
    }
    writeln!(console, "mean IoU: over background, disc, square and triangle, on {HELD_OUT} pictures that were not trained on")?;

    let sheet = drawn(&test, &found, &format!("mean IoU: {}", footer.join(", ")));
    for (name, pixels) in [("segment.png", sheet), ("segment-loss.png", loss_curves(&curves)?)] {
        let path = arguments.out.join(name);
        picture::write(&path, &Picture { pixels: Pixels::U8(pixels), profile: None })?;
        writeln!(console, "wrote {}", path.display())?;
    }
    Ok(())
}

fn progress_bar(steps: u32, decoder: Decoder) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:24} {bar:30} {pos}/{len} steps, {elapsed}, loss {msg}");
    let progress = ProgressBar::new(steps.into()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    progress.with_prefix(decoder.name())
}

/// Input, truth and what each decoder found, a picture a row.
fn drawn(test: &Batch, found: &[Array3<u8>], footer: &str) -> Array3<u8> {
    let [count, times] = SHOWN;
    let labels: Vec<_> = ["input", "truth"].into_iter().chain(SHORT).collect();
    let rows = (0..count.min(test.classes.dim().0)).map(|n| {
        let input = test.pictures.slice(s![n, 0, .., ..]);
        let coloured = |classes: &Array3<u8>| sheet::magnified(&colours(classes.slice(s![n, .., ..])), times);
        let mut row = vec![sheet::magnified(&gray(input), times), coloured(&test.classes)];
        row.extend(found.iter().map(coloured));
        row
    });
    sheet::sheet(&labels, &rows.collect::<Vec<_>>(), footer)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
fn gray(picture: ArrayView2<'_, f32>) -> Array3<u8> {
    let (height, width) = picture.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, _)| (picture[[y, x]] * 230.0).clamp(0.0, 255.0) as u8)
}

/// A colour for each class, the background light.
fn colours(classes: ArrayView2<'_, u8>) -> Array3<u8> {
    let (height, width) = classes.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, channel)| {
        let class = usize::from(classes[[y, x]]);
        let colour = if class == 0 {
            (232, 232, 232)
        } else {
            let colour = COLOURS[class - 1];
            (colour.0, colour.1, colour.2)
        };
        [colour.0, colour.1, colour.2][channel]
    })
}

/// The loss of every step, each the mean of its neighbourhood.
fn loss_curves(curves: &[Vec<f64>]) -> Result<Array3<u8>, Failure> {
    let steps = curves.iter().map(Vec::len).max().unwrap_or(1);
    let reach = steps / 60;
    let smooth = |curve: &[f64]| -> Vec<(f64, f64)> {
        let mean = |step: usize| {
            let near = &curve[step.saturating_sub(reach)..(step + reach + 1).min(curve.len())];
            near.iter().sum::<f64>() / near.len() as f64
        };
        (0..curve.len()).map(|step| (step as f64 + 1.0, mean(step))).collect()
    };
    let curves: Vec<_> = curves.iter().map(|curve| smooth(curve)).collect();
    let all = || curves.iter().flatten().map(|&(_, loss)| loss);
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    plot::plot(420, 760, |area| -> Result<(), Failure> {
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .margin_right(40)
            .caption("what a pixel's class costs while learning", ("sans-serif", LARGE).into_font())
            .x_label_area_size(44)
            .y_label_area_size(84)
            .build_cartesian_2d(0.0..steps as f64, (low * 0.8..high * 1.2).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(COLOURS[4].mix(0.06))
            .bold_line_style(COLOURS[4].mix(0.18))
            .x_desc("step")
            .y_desc("cross-entropy")
            .x_labels(8)
            .y_labels(5)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.2}"))
            .label_style(("sans-serif", LARGE))
            .draw()?;
        for ((decoder, curve), colour) in Decoder::ALL.iter().zip(&curves).zip(COLOURS) {
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(curve.iter().copied(), style))?
                .label(plot::legend(decoder.name()))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .legend_area_size(36)
            .label_font(("sans-serif", LARGE))
            .background_style(plot::PAPER.mix(0.8))
            .draw()?;
        Ok(())
    })
}
