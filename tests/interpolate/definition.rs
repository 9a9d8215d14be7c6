//! Resizing written from the definitions, in `f64`, one output pixel at a time: what the other files of this test judge by.

use ndarray::Array2;

/// `1 - |x|`.
pub fn tent(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// The cubic of Keys.
pub fn keys(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (a + 2.0) * x.powi(3) - (a + 3.0) * x.powi(2) + 1.0
    } else if x < 2.0 {
        a * x.powi(3) - 5.0 * a * x.powi(2) + 8.0 * a * x - 4.0 * a
    } else {
        0.0
    }
}

/// The windowed sinc.
pub fn lanczos(x: f64, lobes: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
    if x.abs() < lobes { sinc(x) * sinc(x / lobes) } else { 0.0 }
}

/// What becomes of taps outside the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outside {
    /// They read the border pixel.
    Clamped,
    /// They are left out, and the others divided by what is left.
    Dropped,
}

/// The weights of all `n` input pixels for an output pixel at position `x`, of a kernel with `support` that is `stretch` times as long.
pub fn weights(kernel: impl Fn(f64) -> f64, support: f64, stretch: f64, x: f64, n: usize, outside: Outside) -> Vec<f64> {
    let mut weights = vec![0.0; n];
    let reach = support * stretch;
    let (first, last) = ((x - reach).ceil() as i64, (x + reach).floor() as i64);
    for k in first..=last {
        let weight = kernel((k as f64 - x) / stretch);
        let inside = k.clamp(0, n as i64 - 1);
        if inside == k || outside == Outside::Clamped {
            weights[inside as usize] += weight;
        }
    }
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

/// Half-pixel weights for every output pixel of `n` to `m`: one row each.
pub fn half_pixel(kernel: impl Fn(f64) -> f64, support: f64, antialias: bool, (n, m): (usize, usize), outside: Outside) -> Vec<Vec<f64>> {
    let ratio = n as f64 / m as f64;
    let stretch = if antialias { ratio.max(1.0) } else { 1.0 };
    let position = |o: usize| ((2 * o + 1) as f64 * n as f64 - m as f64) / (2 * m) as f64;
    (0..m).map(|o| weights(&kernel, support, stretch, position(o), n, outside)).collect()
}

/// Both axes of a picture.
pub fn resized(x: &Array2<f64>, rows: &[Vec<f64>], columns: &[Vec<f64>]) -> Array2<f64> {
    let (height, width) = x.dim();
    let wide = Array2::from_shape_fn((height, columns.len()), |(i, w)| (0..width).map(|j| columns[w][j] * x[[i, j]]).sum::<f64>());
    Array2::from_shape_fn((rows.len(), columns.len()), |(h, w)| (0..height).map(|i| rows[h][i] * wide[[i, w]]).sum())
}

/// A sum that does not grow worse with the number of terms.
pub fn kahan(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for term in terms {
        let next = sum + (term - lost);
        lost = (next - sum) - (term - lost);
        sum = next;
    }
    sum
}
