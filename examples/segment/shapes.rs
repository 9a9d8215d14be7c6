//! Pictures to learn from: discs, squares and triangles on noise, and which pixel belongs to what.
#![allow(dead_code)] // the test takes a part

use ndarray::{Array3, Array4};

/// Background, disc, square, triangle.
pub(crate) const CLASSES: usize = 4;
/// The side of a picture.
pub(crate) const SIDE: usize = 32;

/// A stream of pseudo-random numbers: the same seed draws the same pictures and weights everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Between 0 and 1.
    #[allow(clippy::cast_precision_loss)] // 24 bits
    pub(crate) fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    /// Between two numbers.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Of mean 0 and variance 1: a sum of uniform numbers is near enough to normal.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// One shape: what it is, where, how large, how bright.
#[derive(Debug, Clone, Copy)]
struct Shape {
    class: usize,
    centre: [f32; 2],
    radius: f32,
    brightness: f32,
}

impl Shape {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below the number of classes
    fn drawn(random: &mut Random) -> Self {
        let class = 1 + (random.uniform() * (CLASSES - 1) as f32) as usize;
        let radius = random.between(5.0, 8.0);
        let centre = [(); 2].map(|()| random.between(radius, SIDE as f32 - radius));
        Self { class, centre, radius, brightness: random.between(0.55, 1.0) }
    }

    fn covers(&self, row: usize, column: usize) -> bool {
        let (down, across) = (row as f32 + 0.5 - self.centre[0], column as f32 + 0.5 - self.centre[1]);
        match self.class {
            1 => down.hypot(across) < self.radius,
            2 => down.abs().max(across.abs()) < 0.85 * self.radius,
            // Upright, its base as wide as it is high.
            _ => down.abs() < self.radius && across.abs() < (down + self.radius) / 2.0,
        }
    }
}

/// Pictures, N×1×H×W, and the class of each pixel, N×H×W.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) pictures: Array4<f32>,
    pub(crate) classes: Array3<u8>,
}

/// Draws `count` pictures of one to three shapes each; later shapes cover earlier ones.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // few shapes, few classes
pub(crate) fn batch(random: &mut Random, count: usize) -> Batch {
    let mut pictures = Array4::from_shape_simple_fn((count, 1, SIDE, SIDE), || 0.25 + 0.08 * random.normal());
    let mut classes = Array3::zeros((count, SIDE, SIDE));
    for n in 0..count {
        for _ in 0..1 + (random.uniform() * 3.0) as usize {
            let shape = Shape::drawn(random);
            for (row, column) in ndarray::indices((SIDE, SIDE)) {
                if shape.covers(row, column) {
                    pictures[[n, 0, row, column]] = shape.brightness + 0.08 * random.normal();
                    classes[[n, row, column]] = shape.class as u8;
                }
            }
        }
    }
    Batch { pictures, classes }
}
