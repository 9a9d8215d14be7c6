//! A drawn test card, on which jagged edges, blur and ringing show: a zone plate, a star, letters, slanted edges and colours.
//!
//! Edges lie between dark and light gray, not black and white, so that what a filter overshoots can be seen.

use std::f32::consts::{PI, TAU};

use ndarray::{Array2, Array3, ArrayViewMut3, Axis, s};

use crate::font;

const DARK: f32 = 0.2;
const LIGHT: f32 = 0.8;

/// The card as 8-bit RGB, H×W×3, of any size. The same size gives the same card.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // in 0..=255
pub fn test_card(height: usize, width: usize) -> Array3<u8> {
    drawn(height, width).mapv(|value| (value * 255.0).round() as u8)
}

/// The card in gray, H×W, 0 black and 1 white.
pub fn gray_test_card(height: usize, width: usize) -> Array2<f32> {
    drawn(height, width).map_axis(Axis(2), |rgb| 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2])
}

/// Where the card shows most, as `[row, column]`: letters, the heart of the star, the slanted edge.
pub fn details(height: usize, width: usize) -> [[usize; 2]; 3] {
    [[height / 2 + 17, width / 6], [height / 4, 3 * width / 4], [height - height / 8, width / 4]]
}

fn drawn(height: usize, width: usize) -> Array3<f32> {
    let mut card = Array3::zeros((height, width, 3));
    let (middle, centre) = (height / 2, width / 2);
    zone_plate(card.slice_mut(s![..middle, ..centre, ..]));
    star(card.slice_mut(s![..middle, centre.., ..]));
    letters_and_edge(card.slice_mut(s![middle.., ..centre, ..]));
    colours(card.slice_mut(s![middle.., centre.., ..]));
    card
}

/// Rings whose frequency grows with the radius, to the finest pattern that pixels can hold in the corners.
fn zone_plate(panel: ArrayViewMut3<'_, f32>) {
    let [height, width] = size(&panel);
    let corner = height.hypot(width) / 2.0;
    paint(panel, |y, x| {
        let radius = (y - height / 2.0).hypot(x - width / 2.0);
        [0.5 + 0.4 * (PI * radius * radius / (2.0 * corner)).cos(); 3]
    });
}

/// A Siemens star: spokes that come together.
fn star(panel: ArrayViewMut3<'_, f32>) {
    let [height, width] = size(&panel);
    let radius = 0.46 * height.min(width);
    paint_smooth(panel, |y, x| {
        let (y, x) = (y - height / 2.0, x - width / 2.0);
        let spoke = (y.atan2(x) * 18.0).sin() > 0.0;
        [if spoke && y.hypot(x) < radius { DARK } else { LIGHT }; 3]
    });
}

/// Letters, one pixel a dot and two, above an edge that rises one pixel in eight.
fn letters_and_edge(mut panel: ArrayViewMut3<'_, f32>) {
    let [height, width] = size(&panel);
    paint_smooth(panel.view_mut(), |y, x| [if y + (x - width / 2.0) / 8.0 > 0.78 * height { DARK } else { LIGHT }; 3]);
    let mut row = 3;
    for (scale, text) in [(2, "upsample"), (1, "The quick brown fox"), (1, "jumps over 13 dogs"), (1, "0123456789 +-*/=")] {
        font::dots(text, |dot_row, dot_column| {
            for pixel in 0..scale * scale {
                let (y, x) = (row + dot_row * scale + pixel / scale, 4 + dot_column * scale + pixel % scale);
                if panel.get([y, x, 0]).is_some() && (y as f32) < 0.68 * height {
                    panel.slice_mut(s![y, x, ..]).fill(DARK);
                }
            }
        });
        row += font::LINE * scale;
    }
}

/// Every hue from left to right, darker downwards, and a disc of the opposite hue.
fn colours(panel: ArrayViewMut3<'_, f32>) {
    let [height, width] = size(&panel);
    let radius = 0.3 * height.min(width);
    paint_smooth(panel, |y, x| {
        let inside = (y - height / 2.0).hypot(x - width / 2.0) < radius;
        let hue = x / width + if inside { 0.5 } else { 0.0 };
        let brightness = 0.95 - 0.5 * y / height;
        [0.0, 1.0, 2.0].map(|third| brightness * (0.55 + 0.45 * (TAU * (hue - third / 3.0)).cos()))
    });
}

fn size(panel: &ArrayViewMut3<'_, f32>) -> [f32; 2] {
    [panel.len_of(Axis(0)) as f32, panel.len_of(Axis(1)) as f32]
}

/// Each pixel as `colour` is at its centre.
fn paint(mut panel: ArrayViewMut3<'_, f32>, colour: impl Fn(f32, f32) -> [f32; 3]) {
    for ((y, x, channel), value) in panel.indexed_iter_mut() {
        *value = colour(y as f32 + 0.5, x as f32 + 0.5)[channel];
    }
}

/// Each pixel as `colour` is on average, as a camera would see it.
fn paint_smooth(panel: ArrayViewMut3<'_, f32>, colour: impl Fn(f32, f32) -> [f32; 3]) {
    const SAMPLES: u8 = 4;
    paint(panel, |y, x| {
        let mut sum = [0.0; 3];
        for sample in 0..SAMPLES * SAMPLES {
            let [down, right] = [sample / SAMPLES, sample % SAMPLES].map(|step| (f32::from(step) + 0.5) / f32::from(SAMPLES) - 0.5);
            for (sum, value) in sum.iter_mut().zip(colour(y + down, x + right)) {
                *sum += value / f32::from(SAMPLES * SAMPLES);
            }
        }
        sum
    });
}
