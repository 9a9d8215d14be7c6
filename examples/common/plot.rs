//! `plotters` on an H×W×3 picture, its text in the bitmap font of the labels.

use std::convert::Infallible;

use ndarray::{Array3, s};
use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, RGBColor, WHITE};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, rasterizer};

use crate::font;

/// The colours of curves: told apart by everyone, in print too (Okabe and Ito).
pub const COLOURS: [RGBColor; 5] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(90, 90, 90)];

/// Font sizes, in the units of plotters: dots of one and of two pixels.
pub const SMALL: i32 = 8;
pub const LARGE: i32 = 16;

/// A white picture that `draw` draws a chart into.
///
/// # Errors
/// Whatever `draw` returns.
pub fn plot<E>(height: u32, width: u32, draw: impl FnOnce(&DrawingArea<Canvas<'_>, Shift>) -> Result<(), E>) -> Result<Array3<u8>, E> {
    let mut picture = Array3::from_elem((height as usize, width as usize, 3), 255);
    {
        let area = Canvas { picture: &mut picture }.into_drawing_area();
        draw(&area)?;
    }
    Ok(picture)
}

/// White all over: what a chart that draws nothing leaves.
pub const PAPER: RGBColor = WHITE;

/// A name for the legend. Plotters measures text by a narrower font than the one that it is drawn with, so spaces make up for it.
pub fn legend(name: &str) -> String {
    format!("{name:<0$}", name.chars().count() * 5 / 3 + 1)
}

/// Where plotters draws.
#[derive(Debug)]
pub struct Canvas<'a> {
    picture: &'a mut Array3<u8>,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// The side of a dot of the font.
#[allow(clippy::cast_possible_truncation)] // sizes of text
fn dot(size: f64) -> i32 {
    ((size / f64::from(SMALL)).round() as i32).max(1)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // labels are short
fn extent(text: &str, size: f64) -> (i32, i32) {
    let advance = (font::ADVANCE * text.chars().count()).saturating_sub(1);
    (advance as i32 * dot(size), (font::LINE as i32 - 3) * dot(size))
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    #[allow(clippy::cast_possible_truncation)] // made from u32
    fn get_size(&self) -> (u32, u32) {
        let (height, width, _) = self.picture.dim();
        (width as u32, height as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a mixture of bytes
    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        let (height, width, _) = self.picture.dim();
        if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
            && x < width
            && y < height
        {
            let ink = [colour.rgb.0, colour.rgb.1, colour.rgb.2];
            for (below, ink) in self.picture.slice_mut(s![y, x, ..]).iter_mut().zip(ink) {
                *below = (f64::from(*below) * (1.0 - colour.alpha) + f64::from(ink) * colour.alpha).round() as u8;
            }
        }
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        rasterizer::draw_line(self, from, to, style)
    }

    fn estimate_text_size<S: BackendTextStyle>(&self, text: &str, style: &S) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let (width, height) = extent(text, style.size());
        Ok((width.unsigned_abs(), height.unsigned_abs()))
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // labels are short
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let ((width, height), dot, colour) = (extent(text, style.size()), dot(style.size()), style.color());
        let anchor = style.anchor();
        let left = match anchor.h_pos {
            HPos::Left => 0,
            HPos::Center => -width / 2,
            HPos::Right => -width,
        };
        let top = match anchor.v_pos {
            VPos::Top => 0,
            VPos::Center => -height / 2,
            VPos::Bottom => -height,
        };
        let mut dots = Vec::new();
        font::dots(text, |row, column| dots.push((column as i32, row as i32)));
        for (column, row) in dots {
            for pixel in 0..dot * dot {
                let place = (left + column * dot + pixel % dot, top + row * dot + pixel / dot);
                let (across, down) = style.transform().transform(place.0, place.1);
                self.draw_pixel((x + across, y + down), colour)?;
            }
        }
        Ok(())
    }
}
