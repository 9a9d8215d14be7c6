//! Nearest, linear and cubic interpolation through the same points, as a plot.
//!
//! ```text
//! cargo run --release --example interpolate_1d
//! cargo run --release --example interpolate_1d -- --points 0,0,1,0,0 --factor 50
//! ```

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use upsample_examples::{command_line, picture, plot};

use clap::Parser;
use ndarray::{Array3, Axis};
use plotters::prelude::{ChartBuilder, Circle, Color, IntoFont, LineSeries, PathElement, SeriesLabelPosition};
use upsample::Resize;
use upsample_examples::command_line::Failure;
use upsample_examples::picture::{Picture, Pixels};
use upsample_examples::plot::{COLOURS, LARGE};

/// Draws nearest, linear and cubic interpolation through the same points
#[derive(Parser)]
struct Arguments {
    /// The values, separated by commas
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true, default_value = "1,2,2,5,5,4.5,1,1.5,3")]
    points: Vec<f64>,
    /// Values computed from one point to the next
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    factor: u32,
    /// Folder of the result
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

const METHODS: [(&str, &str); 3] = [
    ("nearest", "copies the nearest point: steps, no new values"),
    ("linear", "joins the points: no new extremes, but corners"),
    ("cubic", "smooth through the points, and beyond them: it overshoots"),
];

fn main() -> ExitCode {
    command_line::run(interpolate)
}

fn interpolate(arguments: Arguments) -> Result<(), Failure> {
    let points = arguments.points;
    if points.is_empty() || points.iter().any(|value| !value.is_finite()) {
        return Err("the points must be finite numbers, at least one".into());
    }
    let signal = Array3::from_shape_vec((1, 1, points.len()), points.clone())?; // N×C×L
    let factor = f64::from(arguments.factor);
    let mut curves = Vec::new();
    for method in [Resize::nearest_exact(), Resize::linear(), Resize::cubic()] {
        let y = method.plan([points.len()], factor)?.forward(&signal)?;
        // Where output pixel o lies between the input pixels: the half-pixel rule.
        let curve = y.iter().enumerate().map(|(o, &value)| ((o as f64 + 0.5) / factor - 0.5, value));
        curves.push(curve.collect::<Vec<_>>());
    }

    let mut console = stdout();
    let range = |values: &mut dyn Iterator<Item = f64>| values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let (low, high) = range(&mut points.iter().copied());
    writeln!(console, "{} points between {low} and {high}, {} values from one to the next", points.len(), arguments.factor)?;
    for ((name, meaning), curve) in METHODS.iter().zip(&curves) {
        let (lowest, highest) = range(&mut curve.iter().map(|&(_, value)| value));
        writeln!(console, "{name:<8} from {lowest:>7.3} to {highest:>7.3}: {meaning}")?;
    }
    let path = arguments.out.join("interpolate_1d.png");
    picture::write(&path, &Picture { pixels: Pixels::U8(drawn(&points, &curves)?), profile: None })?;
    writeln!(console, "wrote {}", path.display())?;
    Ok(())
}

fn drawn(points: &[f64], curves: &[Vec<(f64, f64)>]) -> Result<Array3<u8>, Failure> {
    let all = || curves.iter().flatten().map(|&(_, value)| value);
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    let room = ((high - low) * 0.08).max(0.1);
    plot::plot(460, 900, |area| -> Result<(), Failure> {
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .caption("the same points, three ways between them", ("sans-serif", LARGE).into_font())
            .x_label_area_size(44)
            .y_label_area_size(76)
            .build_cartesian_2d(-0.5..points.len() as f64 - 0.5, low - room..high + 3.0 * room)?;
        chart
            .configure_mesh()
            .light_line_style(COLOURS[4].mix(0.06))
            .bold_line_style(COLOURS[4].mix(0.18))
            .x_desc("position, in input pixels")
            .y_desc("value")
            .x_labels(points.len().min(20))
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.1}"))
            .label_style(("sans-serif", LARGE))
            .draw()?;
        for (((name, _), curve), colour) in METHODS.iter().zip(curves).zip(COLOURS) {
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(curve.iter().copied(), style))?
                .label(plot::legend(name))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
        }
        let dots = points.iter().enumerate().map(|(i, &value)| Circle::new((i as f64, value), 5, COLOURS[4].filled()));
        chart.draw_series(dots)?.label(plot::legend("points")).legend(|(x, y)| Circle::new((x + 12, y), 5, COLOURS[4].filled()));
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .legend_area_size(36)
            .label_font(("sans-serif", LARGE))
            .background_style(plot::PAPER.mix(0.8))
            .draw()?;
        Ok(())
    })
    .map(|picture| picture.as_standard_layout().into_owned())
    .inspect(|picture| debug_assert_eq!(picture.len_of(Axis(2)), 3))
}
