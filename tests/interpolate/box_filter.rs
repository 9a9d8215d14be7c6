//! The box filter when shrinking: every input pixel belongs to exactly one output pixel. Pillow's own arithmetic loses some and is followed.

use common::{npz, read};
use ndarray::{Array2, Array3, ArrayD};
use upsample::{Filter, FloatElement, Profile, Resize, ndarray};

/// The weight of input pixel `i` in output pixel `o`, at `[i, o]`: one channel a pixel.
fn weights<A: FloatElement + From<u8> + Into<f64>>(resize: &Resize, n: usize, m: usize) -> Array2<f64> {
    let one_hot = Array3::from_shape_fn((1, n, n), |(_, c, i)| A::from(u8::from(c == i)));
    resize.plan([n], [m]).unwrap().forward(&one_hot).unwrap().index_axis_move(ndarray::Axis(0), 0).mapv(Into::into)
}

/// Pixel `i` belongs to `o` where its centre lies behind the left edge of `o` and not behind its right edge: halves of halves, so whole
/// numbers decide.
fn covered(i: usize, o: usize, n: usize, m: usize) -> bool {
    2 * o * n < (2 * i + 1) * m && (2 * i + 1) * m <= 2 * (o + 1) * n
}

fn expected(n: usize, m: usize) -> Array2<f64> {
    let count: Vec<usize> = (0..m).map(|o| (0..n).filter(|&i| covered(i, o, n, m)).count()).collect();
    Array2::from_shape_fn((n, m), |(i, o)| if covered(i, o, n, m) { 1.0 / count[o] as f64 } else { 0.0 })
}

fn shrinking() -> impl Iterator<Item = (usize, usize)> {
    (2..=64).flat_map(|n| (1..n).map(move |m| (n, m)))
}

#[test]
fn every_pixel_belongs_to_one_output() {
    let mut failures = Vec::new();
    for profile in [Profile::Torch, Profile::Onnx, Profile::Jax] {
        let resize = Resize::filter(Filter::Box).antialias(true).profile(profile);
        for (n, m) in shrinking() {
            let expected = expected(n, m);
            assert!(expected.rows().into_iter().all(|row| row.iter().filter(|&&weight| weight != 0.0).count() == 1));
            let near = |found: &Array2<f64>, epsilon: f64| found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= epsilon * b);
            let (single, double) = (weights::<f32>(&resize, n, m), weights::<f64>(&resize, n, m));
            if !near(&single, f64::from(f32::EPSILON)) || !near(&double, f64::EPSILON) {
                failures.push(format!("{profile:?} {n} to {m}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn pillow_weights_to_the_last_bit() {
    let mut arrays = npz("golden/box_weights.npz");
    let mut list = |name: &str| -> Vec<u8> { read::<u8>(&mut arrays, name).into_iter().collect() };
    let (first, count) = (list("0/first"), list("0/count"));
    let weight: ArrayD<f32> = read(&mut arrays, "0/weight");
    let weight: Vec<f32> = weight.into_iter().collect();
    let resize = Resize::filter(Filter::Box).profile(Profile::Pillow);
    let (mut at, mut lost) = (0, 0);
    for (n, m) in shrinking() {
        let found = weights::<f32>(&resize, n, m);
        for o in 0..m {
            let taps = usize::from(first[at])..usize::from(first[at]) + usize::from(count[at]);
            for i in 0..n {
                let expected = if taps.contains(&i) { f64::from(weight[at]) } else { 0.0 };
                assert_eq!(found[[i, o]], expected, "{n} to {m}, pixel {i} in {o}");
            }
            at += 1;
        }
        lost += usize::from(found.rows().into_iter().any(|row| row.iter().all(|&weight| weight == 0.0)));
    }
    assert_eq!(at, first.len());
    // Pillow's rounding drops a pixel in so many pairs of sizes, 19 to 10 among them.
    assert_eq!(lost, 122);
}
