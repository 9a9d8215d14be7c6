//! NaN and infinity reach the outputs that read them, and no others: a tap of weight 0 is not read.

use common::backends;
use ndarray::{Array3, Array4, Array5, Axis};
use upsample::{Backend, Coordinates, Filter, FloatElement, Resize, ndarray};

fn aligned(resize: Resize, backend: Backend) -> Resize {
    resize.coordinates(Coordinates::AlignCorners).backend(backend)
}

/// The same bits but for which NaN it is.
fn same<A: FloatElement + Into<f64>>(found: impl IntoIterator<Item = A>, expected: &[f64]) -> bool {
    let found: Vec<f64> = found.into_iter().map(Into::into).collect();
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a == b || a.is_nan() && b.is_nan())
}

/// A line of numbers along the width, along the height and along the depth, planes and channels last; each must become `expected`.
fn along_every_axis<A: FloatElement + Into<f64>>(resize: &Resize, line: &[A], expected: &[f64], backward: bool) -> Result<(), String> {
    let (from, to) = (line.len(), expected.len());
    let (n, m) = if backward { (to, from) } else { (from, to) };
    let check = |name: &str, found: Vec<A>| {
        if same(found.iter().copied(), expected) { Ok(()) } else { Err(format!("{name}: {found:?}, not {expected:?}")) }
    };

    let x = Array3::from_shape_vec((1, 1, from), line.to_vec()).unwrap();
    let plan = resize.plan([n], [m]).unwrap();
    let y = if backward { plan.input_gradient(&x) } else { plan.forward(&x) }.unwrap();
    check("signal", y.into_iter().collect())?;

    for others in [1, 5, 40] {
        for channels in [1, 3] {
            for last in [false, true] {
                for axis in [0, 1] {
                    // Every row or column is the line.
                    let mut size = [others, others];
                    size[axis] = from;
                    let shape = [1, channels, size[0], size[1]];
                    let x = Array4::from_shape_fn(shape, |(_, _, h, w)| line[if axis == 0 { h } else { w }]);
                    let x = if last { interleaved(&x) } else { x };
                    let (mut input, mut output) = ([others; 2], [others; 2]);
                    (input[axis], output[axis]) = (n, m);
                    let plan = resize.plan(input, output).unwrap();
                    let y = if backward { plan.input_gradient(&x) } else { plan.forward(&x) }.unwrap();
                    for lane in y.lanes(Axis(2 + axis)) {
                        check(&format!("axis {axis} of a picture {others} wide, {channels} channels, last {last}"), lane.to_vec())?;
                    }
                }
            }
        }
    }
    for axis in 0..3 {
        let mut shape = [1, 2, 3, 3, 3];
        shape[2 + axis] = from;
        let x = Array5::from_shape_fn(shape, |(_, _, d, h, w)| line[[d, h, w][axis]]);
        let (mut input, mut output) = ([3; 3], [3; 3]);
        (input[axis], output[axis]) = (n, m);
        let plan = resize.plan(input, output).unwrap();
        let y = if backward { plan.input_gradient(&x) } else { plan.forward(&x) }.unwrap();
        for lane in y.lanes(Axis(2 + axis)) {
            check(&format!("axis {axis} of a volume"), lane.to_vec())?;
        }
    }
    Ok(())
}

fn interleaved<A: Clone>(x: &Array4<A>) -> Array4<A> {
    x.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned().permuted_axes([0, 3, 1, 2])
}

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[test]
fn taps_of_weight_0_are_not_read() {
    // Every second output pixel lies on an input pixel.
    let rows: Vec<(&str, Resize, Vec<f64>, Vec<f64>)> = vec![
        ("linear", Resize::linear(), vec![1.0, INF], vec![1.0, INF, INF]),
        ("linear", Resize::linear(), vec![INF, 1.0], vec![INF, INF, 1.0]),
        ("linear", Resize::linear(), vec![1.0, NAN], vec![1.0, NAN, NAN]),
        ("linear", Resize::linear(), vec![1.0, -INF, 2.0], vec![1.0, -INF, -INF, -INF, 2.0]),
        ("linear", Resize::linear(), vec![INF, 1.0, -INF], vec![INF, INF, 1.0, -INF, -INF]),
        ("cubic", Resize::cubic(), vec![1.0, NAN, 2.0], vec![1.0, NAN, NAN, NAN, 2.0]),
        ("cubic", Resize::cubic(), vec![NAN, 4.0, 4.0], vec![NAN, NAN, 4.0, NAN, 4.0]),
        ("Lanczos", Resize::filter(Filter::Lanczos { lobes: 3 }), vec![NAN, 4.0, 3.0], vec![NAN, NAN, 4.0, NAN, 3.0]),
        ("spline", Resize::filter(Filter::Spline36), vec![3.0, 4.0, NAN], vec![3.0, NAN, 4.0, NAN, NAN]),
        // Of five pixels every second one.
        ("shrunk", Resize::linear(), vec![1.0, NAN, 2.0, NAN, 3.0], vec![1.0, 2.0, 3.0]),
    ];
    let mut failures = Vec::new();
    for backend in backends() {
        for (name, resize, line, expected) in &rows {
            let resize = aligned(resize.clone(), backend);
            let single: Vec<f32> = line.iter().map(|&value| value as f32).collect();
            let outcomes =
                [("f32", along_every_axis(&resize, &single, expected, false)), ("f64", along_every_axis(&resize, line, expected, false))];
            failures.extend(
                outcomes.into_iter().filter_map(|(of, outcome)| outcome.err().map(|error| format!("{name} {of} {backend:?}, {error}"))),
            );
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn gradients_of_weight_0_are_not_read() {
    let rows: Vec<(&str, Resize, Vec<f64>, Vec<f64>)> = vec![
        ("linear", Resize::linear(), vec![1.0, 1.0, INF], vec![1.5, INF]),
        ("linear", Resize::linear(), vec![NAN, 1.0, 1.0], vec![NAN, 1.5]),
        ("linear", Resize::linear(), vec![1.0, 2.0, NAN, 2.0, 4.0], vec![2.0, NAN, 5.0]),
        ("cubic", Resize::cubic(), vec![0.0, 0.0, NAN, 0.0, 4.0], vec![0.0, NAN, 4.0]),
        ("Lanczos", Resize::filter(Filter::Lanczos { lobes: 3 }), vec![INF, 0.0, 3.0, 0.0, 4.0], vec![INF, 3.0, 4.0]),
        ("shrunk", Resize::linear(), vec![1.0, NAN, 3.0], vec![1.0, 0.0, NAN, 0.0, 3.0]),
    ];
    let mut failures = Vec::new();
    for backend in backends() {
        for (name, resize, dy, expected) in &rows {
            let resize = aligned(resize.clone(), backend);
            let single: Vec<f32> = dy.iter().map(|&value| value as f32).collect();
            let outcomes =
                [("f32", along_every_axis(&resize, &single, expected, true)), ("f64", along_every_axis(&resize, dy, expected, true))];
            failures.extend(
                outcomes.into_iter().filter_map(|(of, outcome)| outcome.err().map(|error| format!("{name} {of} {backend:?}, {error}"))),
            );
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

/// One pixel that is not finite in a picture: exactly the outputs whose taps read it are not finite.
#[test]
fn one_pixel_reaches_only_its_readers() {
    for (name, resize, reach) in [
        ("linear", Resize::linear(), 1.0),
        ("cubic", Resize::cubic(), 2.0),
        ("Lanczos", Resize::filter(Filter::Lanczos { lobes: 3 }), 3.0),
        ("antialiased", Resize::linear().antialias(true), 1.0),
        ("many taps", Resize::filter(Filter::Lanczos { lobes: 40 }), 40.0),
    ] {
        for (backend, (n, m)) in backends().into_iter().flat_map(|backend| [(9, 30), (30, 9), (100, 37), (17, 17)].map(|s| (backend, s))) {
            let stretch = if name == "antialiased" { (n as f64 / m as f64).max(1.0) } else { 1.0 };
            // In the middle, so that what is clamped to the border does not count.
            let at = n / 2;
            let mut x = Array4::<f32>::ones((1, 1, n, n));
            x[[0, 0, at, at]] = f32::NAN;
            let y = resize.clone().backend(backend).plan([n, n], [m, m]).unwrap().forward(&x).unwrap();
            let reads = |o: usize| ((o as f64 + 0.5) * n as f64 / m as f64 - 0.5 - at as f64).abs() < reach * stretch - 1e-9;
            let clear = |o: usize| ((o as f64 + 0.5) * n as f64 / m as f64 - 0.5 - at as f64).abs() > reach * stretch + 1e-9;
            for ((_, _, h, w), value) in y.indexed_iter() {
                if clear(h) || clear(w) {
                    assert!(!value.is_nan(), "{name} {backend:?} {n} to {m} at {h}, {w}");
                } else if n != m && reads(h) && reads(w) && name != "many taps" {
                    assert!(value.is_nan(), "{name} {backend:?} {n} to {m} at {h}, {w}");
                }
            }
        }
    }
}
