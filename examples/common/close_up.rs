//! Which pieces of a resized picture to look at, and how large.

use ndarray::{Array3, ArrayView2, Axis, s};

use crate::picture::{Pixels, shown};
use crate::sheet::magnified;

/// A piece of the output for the sheet.
#[derive(Debug)]
pub struct CloseUp {
    corner: [usize; 2],
    size: [usize; 2],
    /// How large each of its pixels is shown.
    magnification: usize,
}

/// The side of a close-up on the sheet, in pixels.
const SIDE: usize = 256;

impl CloseUp {
    /// The close-ups of an `output` that `input` is resized to: around `details`, pixels of the input, or else where it has most to show.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within the picture
    pub fn of(input: &Pixels, output: [usize; 2], details: Option<Vec<[usize; 2]>>) -> Vec<Self> {
        let input_size = input.size();
        let scale = [0, 1].map(|axis| output[axis] as f64 / input_size[axis] as f64);
        // Enough input pixels to show something, few enough to see each of them.
        let size = [0, 1].map(|axis| ((6.0 * scale[axis]) as usize).clamp(SIDE / 2, SIDE).min(output[axis]));
        let input_side = [0, 1].map(|axis| ((size[axis] as f64 / scale[axis]) as usize).max(1));
        let details = details.unwrap_or_else(|| liveliest(&shown(input), input_side));
        let around = |detail: [usize; 2]| {
            let corner = [0, 1].map(|axis| {
                let centre = ((detail[axis] as f64 + 0.5) * scale[axis]) as usize;
                centre.saturating_sub(size[axis] / 2).min(output[axis] - size[axis])
            });
            Self { corner, size, magnification: (SIDE / size[0].max(size[1])).max(1) }
        };
        details.into_iter().map(around).collect()
    }

    /// The piece of a result, magnified.
    pub fn shown(&self, output: &Pixels) -> Array3<u8> {
        let [(top, height), (left, width)] = [0, 1].map(|axis| (self.corner[axis], self.size[axis]));
        let piece = s![top..top + height, left..left + width, ..];
        let piece = match output {
            Pixels::U8(pixels) => Pixels::U8(pixels.slice(piece).to_owned()),
            Pixels::U16(pixels) => Pixels::U16(pixels.slice(piece).to_owned()),
        };
        magnified(&shown(&piece), self.magnification)
    }
}

/// The centres of two pieces of a picture, apart from each other, that show most.
fn liveliest(picture: &Array3<u8>, side: [usize; 2]) -> Vec<[usize; 2]> {
    let green = picture.index_axis(Axis(2), 1);
    let corners = |axis: usize| (0..=picture.shape()[axis].saturating_sub(side[axis])).step_by(side[axis].div_ceil(2));
    let mut pieces: Vec<([usize; 2], f64)> = Vec::new();
    for y in corners(0) {
        for x in corners(1) {
            let piece = green.slice(s![y..(y + side[0]).min(green.dim().0), x..(x + side[1]).min(green.dim().1)]);
            pieces.push(([y, x], life(piece)));
        }
    }
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1));
    let apart = |a: [usize; 2], b: [usize; 2]| (0..2).any(|axis| a[axis].abs_diff(b[axis]) > side[axis]);
    let best = pieces.first().map(|piece| piece.0);
    let second = pieces.iter().map(|piece| piece.0).find(|&piece| best.is_some_and(|best| apart(piece, best)));
    [best, second].into_iter().flatten().map(|[y, x]| [y + side[0] / 2, x + side[1] / 2]).collect()
}

/// How much a piece shows: contrast times detail, so that neither fine texture nor a plain slope wins alone.
fn life(piece: ArrayView2<'_, u8>) -> f64 {
    let values = piece.mapv(f64::from);
    let steps = |axis: usize| -> f64 {
        let axis = Axis(axis);
        let last = values.len_of(axis) - 1;
        (&values.slice_axis(axis, (1..).into()) - &values.slice_axis(axis, (..last).into())).iter().map(|step| step.abs()).sum()
    };
    values.var(0.0) * (steps(0) + steps(1))
}
