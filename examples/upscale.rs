//! Enlarges a picture by every method and shows the results side by side.
//!
//! ```text
//! cargo run --release --example upscale                       # a test card
//! cargo run --release --example upscale -- photo.jpg --scale 3 --filter lanczos3 --linear-light
//! cargo run --release --example upscale -- photos/ --size 256x256 --fit thumbnail --out thumbnails
//! ```

#[path = "upscale/options.rs"]
mod options;
#[path = "upscale/several.rs"]
mod several;

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use upsample_examples::{command_line, picture, sheet, test_card};

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::Array3;
use upsample::Target;
use upsample::picture::{PicturePlan, PictureResize, Sample};
use upsample_examples::close_up::CloseUp;
use upsample_examples::command_line::Failure;
use upsample_examples::picture::{Picture, Pixels};

use options::{Arguments, Fitting, Method};

fn main() -> ExitCode {
    command_line::run(upscale)
}

fn upscale(arguments: Arguments) -> Result<(), Failure> {
    if let Some(files) = several::listed(&arguments.pictures)? {
        return several::run(&files, &arguments);
    }
    let source = match arguments.pictures.first() {
        Some(path) => picture::read(path)?,
        None => Picture { pixels: Pixels::U8(test_card::test_card(180, 240)), profile: None },
    };
    let target = arguments.target();
    let input = source.pixels.size();
    let output = arguments.described(arguments.filter).output_size(input, target)?;
    let out = arguments.out.clone().unwrap_or_else(|| default_out(&arguments, output));
    check_destination(&out, arguments.pictures.first().map(PathBuf::as_path), &source.pixels)?;

    let mut console = stdout();
    writeln!(console, "{}: {} ({}) to {}", name(&arguments), in_words(input), source.pixels.kind(), in_words(output))?;
    writeln!(console, "{:<10}{:>14}{:>16}", "filter", "milliseconds", "megapixels/s")?;
    let details = arguments.pictures.is_empty().then(|| test_card::details(input[0], input[1]).to_vec());
    // Details are looked for where the whole picture is shown.
    let whole = arguments.crop.is_none() && arguments.fit == Fitting::Stretch;
    let close_ups = if whole { CloseUp::of(&source.pixels, output, details) } else { Vec::new() };
    let mut rows = vec![Vec::new(); close_ups.len()];
    let mut filters = if whole { Method::SHOWN.to_vec() } else { Vec::new() };
    if !filters.contains(&arguments.filter) {
        filters.push(arguments.filter);
    }
    let progress = progress_bar(output, filters.len() + 1);
    for filter in filters {
        progress.set_message(filter.name());
        let (pixels, time) = enlarged(&source.pixels, &arguments.described(filter), target)?;
        if Method::SHOWN.contains(&filter) {
            for (row, close_up) in rows.iter_mut().zip(&close_ups) {
                row.push(close_up.shown(&pixels));
            }
        }
        let milliseconds = time.as_secs_f64() * 1e3;
        let rate = (output[0] * output[1]) as f64 / time.as_secs_f64() / 1e6;
        progress.suspend(|| writeln!(console, "{:<10}{milliseconds:>14.3}{rate:>16.0}", filter.name()))?;
        progress.inc(1);
        if filter == arguments.filter {
            progress.set_message(format!("writing {}", out.display()));
            picture::write(&out, &Picture { pixels, profile: source.profile.clone() })?;
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    writeln!(console, "wrote {}", out.display())?;
    if whole {
        let footer = format!("{} to {}, details", in_words(input), in_words(output));
        let comparison = write_comparison(&out, &rows, &footer, source)?;
        writeln!(console, "wrote {}", comparison.display())?;
    }
    Ok(())
}

/// Writes the sheet of all filters beside `out`, in the colours of the source.
fn write_comparison(out: &Path, rows: &[Vec<Array3<u8>>], footer: &str, source: Picture) -> Result<PathBuf, Failure> {
    let names = Method::SHOWN.map(Method::name);
    let pixels = Pixels::U8(sheet::sheet(&names.each_ref().map(String::as_str), rows, footer));
    let profile = source.profile.filter(|_| source.pixels.channels() >= 3);
    let comparison = out.with_file_name(format!("{}-comparison.png", stem(out)));
    picture::write(&comparison, &Picture { pixels, profile })?;
    Ok(comparison)
}

/// `width x height`.
fn in_words([height, width]: [usize; 2]) -> String {
    format!("{width} x {height}")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn name(arguments: &Arguments) -> String {
    arguments.pictures.first().map_or("test-card".to_owned(), |path| stem(path))
}

fn default_out(arguments: &Arguments, [height, width]: [usize; 2]) -> PathBuf {
    Path::new("out").join(format!("{}-{}-{width}x{height}.png", name(arguments), arguments.filter.name()))
}

/// Refuses a file that cannot keep the picture, or that is its input.
fn check_destination(out: &Path, input: Option<&Path>, pixels: &Pixels) -> Result<(), Failure> {
    picture::check_format(out, pixels)?;
    let same = input.is_some_and(|path| matches!((path.canonicalize(), out.canonicalize()), (Ok(a), Ok(b)) if a == b));
    if same { Err(format!("{}: this would overwrite the input", out.display()).into()) } else { Ok(()) }
}

fn progress_style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Shown where the work is long enough to wait for.
fn progress_bar([height, width]: [usize; 2], steps: usize) -> ProgressBar {
    if height.saturating_mul(width) < 8_000_000 {
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::new(steps as u64).with_style(progress_style());
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}

/// The enlarged pixels, and how long it took.
fn enlarged(pixels: &Pixels, resize: &PictureResize, target: Target<2>) -> Result<(Pixels, Duration), Failure> {
    let plan = resize.plan(pixels.size(), target)?;
    Ok(match pixels {
        Pixels::U8(pixels) => timed(pixels, &plan).map(|(pixels, time)| (Pixels::U8(pixels), time))?,
        Pixels::U16(pixels) => timed(pixels, &plan).map(|(pixels, time)| (Pixels::U16(pixels), time))?,
    })
}

/// Runs the plan into an output that is there already, as a loop over many pictures would: the median of some runs.
fn timed<A: Sample>(pixels: &Array3<A>, plan: &PicturePlan) -> Result<(Array3<A>, Duration), Failure> {
    let mut y = plan.run(pixels)?;
    let mut times: Vec<Duration> = Vec::new();
    while times.len() < 9 && times.iter().sum::<Duration>() < Duration::from_millis(500) {
        let start = Instant::now();
        plan.run_into(pixels, &mut y)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok((y, times[times.len() / 2]))
}
