//! Pictures side by side, each column under its label.

use ndarray::{Array3, s};

use crate::label;

const GAP: usize = 8;
const TEXT: usize = 2;
const PAPER: u8 = 255;
const INK: [u8; 3] = [30; 3];

/// A sheet, H×W×3: one column a label, one picture of each row in it, and a line of text below.
pub fn sheet(labels: &[&str], rows: &[Vec<Array3<u8>>], footer: &str) -> Array3<u8> {
    let cell = |row: &Vec<Array3<u8>>| row.iter().fold([0, 0], |[h, w], picture| [h.max(picture.dim().0), w.max(picture.dim().1)]);
    let [line, footer_width] = label::extent(footer, TEXT);
    let label_width = labels.iter().map(|text| label::extent(text, TEXT)[1]).max().unwrap_or(0);
    let column = rows.iter().map(|row| cell(row)[1]).fold(label_width, usize::max) + GAP;
    let height = 2 * (GAP + line) + rows.iter().map(|row| cell(row)[0] + GAP).sum::<usize>();
    let width = (GAP + labels.len() * column).max(2 * GAP + footer_width);

    let mut sheet = Array3::from_elem((height, width, 3), PAPER);
    for (index, text) in labels.iter().enumerate() {
        label::draw(&mut sheet, [GAP, GAP + index * column], TEXT, &INK, text);
    }
    let mut top = GAP + line;
    for row in rows {
        for (index, picture) in row.iter().enumerate() {
            let ((height, width, _), left) = (picture.dim(), GAP + index * column);
            sheet.slice_mut(s![top..top + height, left..left + width, ..]).assign(picture);
        }
        top += cell(row)[0] + GAP;
    }
    label::draw(&mut sheet, [top, GAP], TEXT, &INK, footer);
    sheet
}

/// Each pixel as a square of `times` × `times`, so that it can be seen.
pub fn magnified(picture: &Array3<u8>, times: usize) -> Array3<u8> {
    let (height, width, channels) = picture.dim();
    Array3::from_shape_fn((height * times, width * times, channels), |(y, x, channel)| picture[[y / times, x / times, channel]])
}
