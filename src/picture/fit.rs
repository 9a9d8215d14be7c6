//! Which part of a picture goes where: cropping, covering, containing, thumbnails. The arithmetic is that of Pillow's `ImageOps` and
//! `Image.thumbnail`.

/// How to fit a picture whose proportions differ from those of the requested size. A scale needs none of this.
///
/// ```
/// use upsample::picture::{Fit, PictureResize};
///
/// let size = |fit| PictureResize::bicubic().fit(fit).output_size([600, 1000], [100, 100]); // height and width
/// assert_eq!(size(Fit::Stretch)?, [100, 100]);
/// assert_eq!(size(Fit::Cover)?, [100, 100]);
/// assert_eq!(size(Fit::Contain)?, [60, 100]);
/// assert_eq!(size(Fit::Pad([0.0; 4]))?, [100, 100]);
/// assert_eq!(size(Fit::Thumbnail)?, [60, 100]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Fit {
    /// Changes the proportions.
    #[default]
    Stretch,
    /// Fills the size and cuts off what is too long, equally on both sides. Pillow's `ImageOps.fit`.
    Cover,
    /// The largest size that fits. Pillow's `ImageOps.contain`.
    Contain,
    /// The largest size that fits, in the middle of a picture of the requested size. The colour of the frame has one number for each channel,
    /// in the units of the picture: 255 is white for bytes. Pillow's `ImageOps.pad`.
    Pad([f64; 4]),
    /// The largest size that fits, but never larger than the picture. Pillow's `Image.thumbnail`.
    Thumbnail,
}

/// Top left and bottom right, in input pixels.
pub(super) type Part = [[f64; 2]; 2];

/// What is resized, to what size, and where it goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layout {
    /// What is resized, if it is not the whole picture.
    pub(super) part: Option<Part>,
    pub(super) resized: [usize; 2],
    /// Where it begins in the output.
    pub(super) at: [usize; 2],
    pub(super) output: [usize; 2],
}

/// The layout for a picture of `input` pixels, of which `part` is used, in a picture of `asked` pixels. No size is 0.
#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
pub(super) fn layout(fit: Fit, input: [usize; 2], part: Option<Part>, asked: [usize; 2]) -> Layout {
    let [begin, end] = part.unwrap_or([[0.0; 2], [input[0] as f64, input[1] as f64]]);
    let length = [end[0] - begin[0], end[1] - begin[1]];
    let plain = Layout { part, resized: asked, at: [0; 2], output: asked };
    match fit {
        Fit::Stretch => plain,
        Fit::Cover => {
            let [height, width] = covered(length, asked);
            let first = [begin[0] + (length[0] - height) * 0.5, begin[1] + (length[1] - width) * 0.5];
            let whole = part.is_none() && [height, width] == length;
            Layout { part: if whole { None } else { Some([first, [first[0] + height, first[1] + width]]) }, ..plain }
        }
        Fit::Contain => {
            let resized = contained(length, asked);
            Layout { resized, output: resized, ..plain }
        }
        Fit::Pad(_) => {
            let resized = contained(length, asked);
            Layout { resized, at: [0, 1].map(|axis| half(asked[axis].saturating_sub(resized[axis]))), ..plain }
        }
        Fit::Thumbnail => {
            let resized = thumbnail(length, asked);
            Layout { resized, output: resized, ..plain }
        }
    }
}

/// Half of a length, halves to even, as Python rounds.
fn half(length: usize) -> usize {
    length / 2 + usize::from(length % 4 == 3)
}

/// Height and width of the largest part that has the proportions of `asked`.
#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
#[allow(clippy::float_cmp)] // exactly equal proportions need no cut
fn covered([height, width]: [f64; 2], asked: [usize; 2]) -> [f64; 2] {
    let (ratio, asked) = (width / height, asked[1] as f64 / asked[0] as f64);
    if ratio == asked {
        [height, width]
    } else if ratio >= asked {
        [height, asked * height]
    } else {
        [width / asked, width]
    }
}

/// Whole and at least 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates
fn pixels(length: f64) -> usize {
    (length as usize).max(1)
}

#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
fn contained([height, width]: [f64; 2], asked: [usize; 2]) -> [usize; 2] {
    let (ratio, asked_ratio) = (width / height, asked[1] as f64 / asked[0] as f64);
    if ratio > asked_ratio {
        [pixels((height / width * asked[1] as f64).round_ties_even()), asked[1]]
    } else if ratio < asked_ratio {
        [asked[0], pixels((width / height * asked[0] as f64).round_ties_even())]
    } else {
        asked
    }
}

#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
fn thumbnail([height, width]: [f64; 2], asked: [usize; 2]) -> [usize; 2] {
    let [y, x] = asked.map(|size| size as f64);
    if x >= width && y >= height {
        return [pixels(height.round()), pixels(width.round())];
    }
    let aspect = width / height;
    // Of the two whole numbers around the exact length the one that is nearer to the proportions.
    let nearer = |length: f64, error: &dyn Fn(f64) -> f64| {
        let (below, above) = (length.floor(), length.ceil());
        pixels(if error(above) < error(below) { above } else { below })
    };
    if x / y >= aspect {
        [asked[0], nearer(y * aspect, &|n| (aspect - n / y).abs())]
    } else {
        [nearer(x / aspect, &|n| if n == 0.0 { 0.0 } else { (aspect - x / n).abs() }), asked[1]]
    }
}

/// The part that is reduced before a resize with a filter of `support` pixels, and what of the reduced picture is then resized: Pillow's
/// `reducing_gap`. `None` where the blocks would be single pixels.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes are far below 2^53
pub(super) fn reduction(
    input: [usize; 2],
    part: Part,
    resized: [usize; 2],
    support: f64,
    gap: f64,
) -> Option<(super::reduce::Reduction, Part)> {
    let [begin, end] = part;
    let block = [0, 1].map(|axis| ((end[axis] - begin[axis]) / resized[axis] as f64 / gap).max(1.0) as usize);
    if block == [1, 1] {
        return None;
    }
    let reach = [0, 1].map(|axis| (support - 0.5) * ((end[axis] - begin[axis]) / resized[axis] as f64));
    let first = [0, 1].map(|axis| (begin[axis] - reach[axis]).max(0.0) as usize);
    let last = [0, 1].map(|axis| ((end[axis] + reach[axis]).ceil() as usize).min(input[axis]));
    let within = |edges: [f64; 2]| [0, 1].map(|axis| (edges[axis] - first[axis] as f64) / block[axis] as f64);
    Some((super::reduce::Reduction { block, begin: first, end: last }, [within(begin), within(end)]))
}
