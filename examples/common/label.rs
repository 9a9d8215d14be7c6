//! Writing a label into a picture.

use ndarray::Array3;

use crate::font;

/// Height and width of a line of `text`, each dot of the font `size` pixels large.
pub fn extent(text: &str, size: usize) -> [usize; 2] {
    [font::LINE * size, font::ADVANCE * size * text.chars().count()]
}

/// Writes one line of `text` into an H×W×C picture, its top left corner at `[row, column]`, each dot `size` pixels large,
/// in `colour`: one value a channel. What lies outside the picture is left out.
pub fn draw(picture: &mut Array3<u8>, [row, column]: [usize; 2], size: usize, colour: &[u8], text: &str) {
    font::dots(text, |dot_row, dot_column| {
        for pixel in 0..size * size {
            let (y, x) = (row + dot_row * size + pixel / size, column + dot_column * size + pixel % size);
            for (channel, &value) in colour.iter().enumerate() {
                if let Some(sample) = picture.get_mut([y, x, channel]) {
                    *sample = value;
                }
            }
        }
    });
}
