//! Work and memory are bounded by input and output, however long a filter is and however far a region goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array3, Array4, ArrayD, IxDyn};
use upsample::{AspectRatio, AxesTarget, Coordinates, Error, Filter, Profile, Resize, Rounding, Target, ndarray};

/// A tent that counts how often it is asked.
fn counting(support: f64) -> (Filter, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let tent = move |distance: f64| {
        asked.fetch_add(1, Ordering::Relaxed);
        1.0 - distance.abs() / support
    };
    (Filter::custom(support, tent), count)
}

/// What a plan may ask of a filter for each output pixel, besides each input pixel: the outside is summed by samples.
const SAMPLES: usize = 4096;

#[test]
fn filters_are_asked_a_bounded_number_of_times() {
    let far = Coordinates::TfCropAndResize { start: 0.0, end: 3e7 };
    let plain = |filter| Resize::filter(filter);
    let long = |filter| Resize::filter(filter).antialias(true);
    type Description = fn(Filter) -> Resize;
    let cropped: Box<dyn Fn(Filter) -> Resize> = Box::new(move |filter| Resize::filter(filter).antialias(true).coordinates(far));
    let onnx: Description = |filter| Resize::filter(filter).antialias(true).profile(Profile::Onnx);
    let rows: Vec<(&str, f64, Box<dyn Fn(Filter) -> Resize>, [usize; 1], Target<1>)> = vec![
        ("one pixel", 1e8, Box::new(plain), [1], Target::Size([1])),
        ("one pixel, enlarged", 1e8, Box::new(plain), [1], Target::Size([5])),
        ("two pixels", 1e8, Box::new(plain), [2], Target::Size([2])),
        ("two pixels, enlarged", 1e8, Box::new(plain), [2], Target::Size([7])),
        ("two pixels, antialiased", 1e8, Box::new(long), [2], Target::Size([1])),
        ("ONNX", 1e8, Box::new(onnx), [3], Target::Size([2])),
        ("a far region", 1.0, cropped, [11], Target::Size([4])),
        ("a small scale", 10.0, Box::new(onnx), [4], Target::Scale([0.25])),
    ];
    for (name, support, description, input, target) in rows {
        let (filter, count) = counting(support);
        let plan = description(filter).plan(input, target).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (asked, most) = (count.load(Ordering::Relaxed), plan.output_size()[0] * (input[0] + SAMPLES));
        assert!(asked <= most, "{name}: {asked} times, more than {most}");
        let y = plan.forward(&Array3::<f64>::ones((1, 1, input[0]))).unwrap();
        assert!(y.iter().all(|value| (value - 1.0).abs() <= 1e-12 || *value == 0.0), "{name}: {y}");
    }
}

/// The scale of a long axis stretches the filter of a short one.
#[test]
fn kept_proportions_stretch_within_bounds() {
    for (length, antialias) in [(100_000_000, false), (1_000_000, true)] {
        let (filter, count) = counting(2.0);
        let resize = Resize::filter(filter).aspect_ratio(AspectRatio::NotLarger).antialias(antialias);
        let plan = resize.plan([length, 4], [1, 4]).unwrap();
        assert_eq!(plan.output_size(), [1, 1]);
        let (asked, most) = (count.load(Ordering::Relaxed), if antialias { length + 4 + 2 * SAMPLES } else { 2 * SAMPLES });
        assert!(asked <= most, "{length}: {asked} times");
    }
}

#[test]
fn tables_are_no_longer_than_the_input() {
    let many = Resize::filter(Filter::Lanczos { lobes: 255 }).plan([2], [100_000]).unwrap();
    let far = Coordinates::TfCropAndResize { start: 0.0, end: 3e7 };
    let region = Resize::linear().antialias(true).coordinates(far).plan([11], [4]).unwrap();
    let memory = [
        many.forward_memory(&Array3::<f32>::zeros((1, 1, 2))).unwrap(),
        many.forward_memory(&Array3::<f64>::zeros((1, 1, 2))).unwrap(),
        many.forward_memory(&Array3::<u8>::zeros((1, 1, 2))).unwrap(),
        region.forward_memory(&Array3::<f32>::zeros((1, 1, 11))).unwrap(),
    ];
    for memory in memory {
        assert!(memory.scratch_bytes(1) < 10_000_000, "{memory:?}");
    }
    let y = many.forward(&ndarray::array![[[1.0, 1.0]]]).unwrap();
    assert!(y.iter().all(|value| (value - 1.0_f64).abs() <= 1e-12));
}

/// As many rows as tables can number, all of them the same memory.
#[test]
fn inputs_of_astronomical_size_are_resized() {
    const ROWS: usize = u32::MAX as usize;
    let pair = Array4::from_shape_vec((1, 1, 1, 2), vec![3.0_f32, 5.0]).unwrap();
    let x = pair.broadcast((1, 1, ROWS, 2)).unwrap();
    let bytes = pair.mapv(|value| value as u8);
    let region = Coordinates::TfCropAndResize { start: 0.0, end: 1.0 };
    for rule in [Coordinates::AlignCorners, Coordinates::HalfPixel, region] {
        for resize in [Resize::linear(), Resize::cubic(), Resize::nearest().rounding(Rounding::Floor)] {
            for profile in [Profile::Torch, Profile::Onnx] {
                let plan = resize.clone().profile(profile).coordinates(rule).plan([ROWS, 2], [2, 2]).unwrap();
                let name = format!("{resize:?} {rule:?}");
                assert_eq!(plan.forward(x).unwrap(), ndarray::array![[[[3.0, 5.0], [3.0, 5.0]]]], "{name}");
                let y = plan.forward(bytes.broadcast((1, 1, ROWS, 2)).unwrap()).unwrap();
                assert_eq!(y, ndarray::array![[[[3, 5], [3, 5]]]], "{name}");
            }
        }
    }
    for profile in [Profile::Torch, Profile::OpenCv, Profile::Pillow, Profile::Jax, Profile::TensorFlow] {
        let plan = Resize::nearest().profile(profile).plan([ROWS, 2], [2, 2]).unwrap();
        assert_eq!(plan.forward(x).unwrap().dim(), (1, 1, 2, 2), "{profile:?}");
    }
    let part = Resize::linear().crop(0.0, [7.0, 2.0]).plan([ROWS, 2], [2, 2]);
    assert!(matches!(part, Err(Error::AxisCount { .. }) | Ok(_)));
    let part = Resize::linear().crop([0.0, 0.0], [4e9, 2.0]).plan([ROWS, 2], [2, 2]).unwrap();
    assert_eq!(part.forward(x).unwrap(), ndarray::array![[[[3.0, 5.0], [3.0, 5.0]]]]);
}

/// Nothing is gone through where there is nothing.
#[test]
fn empty_arrays_are_empty_at_once() {
    let x = ArrayD::<f32>::zeros(IxDyn(&[1 << 40, 0, 1, 4, 4]));
    let target = AxesTarget::Size(vec![8, 8]);
    for resize in [Resize::linear(), Resize::nearest(), Resize::area()] {
        let y = resize.resize_axes(x.view(), &[3, 4], &target).unwrap();
        assert_eq!(y.shape(), [1 << 40, 0, 1, 8, 8]);
        let dx = resize.resize_axes_input_gradient(y.view(), x.shape(), &[3, 4], &target).unwrap();
        assert_eq!(dx.shape(), x.shape());
    }
}

/// Very many outside taps are summed by samples in regular steps, some four pixels apart here. Of a bell that is 1000 pixels wide the rule of
/// midpoints is off by `4²/24 / 1000²` of the sum.
#[test]
fn samples_outside_stand_for_all() {
    let bell = Filter::custom(20.0, |distance| (-distance * distance / 50.0).exp());
    let plan = Resize::filter(bell.clone()).profile(Profile::Onnx).antialias(true).plan([200], [1]).unwrap();
    let one_hot = Array3::from_shape_fn((1, 200, 200), |(_, c, i)| f64::from(u8::from(c == i)));
    let y = plan.forward(&one_hot).unwrap();
    for (i, expected) in clamped_sum(&bell, 0, 200, 1).into_iter().enumerate() {
        assert!((y[[0, i, 0]] - expected).abs() <= 1e-6, "{i}: {}, not {expected}", y[[0, i, 0]]);
    }
}

/// The weights of all `n` pixels for output pixel `o` of `m`, clamped, where taps are summed one by one wherever they lie.
fn clamped_sum(filter: &Filter, o: usize, n: usize, m: usize) -> Vec<f64> {
    let (o, n, m) = (o as i64, n as i64, m as i64);
    let longest = n.max(m);
    let mut weights = vec![0.0; n as usize];
    let reach = (filter.support() * longest as f64 / m as f64).ceil() as i64 + n + 2;
    for k in -reach..n + reach {
        // (k - position) / stretch in whole numbers, so that ties are ties.
        let distance = (2 * m * k + m - (2 * o + 1) * n) as f64 / (2 * longest) as f64;
        weights[k.clamp(0, n - 1) as usize] += filter.weight(distance);
    }
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

#[test]
fn outside_taps_count_for_the_border() {
    let filters = [
        Filter::Box,
        Filter::Linear,
        Filter::Hamming,
        Filter::Cubic { a: -0.75 },
        Filter::Mitchell,
        Filter::BSpline,
        Filter::Spline36,
        Filter::MagicKernelSharp2013,
        Filter::MagicKernelSharp2021,
        Filter::Lanczos { lobes: 3 },
        Filter::Lanczos { lobes: 40 },
        Filter::Gaussian,
        Filter::custom(4.0, |distance| (-distance * distance / 2.0).exp()),
    ];
    let mut failures = Vec::new();
    for filter in &filters {
        for (n, m) in (1..=12).flat_map(|n| (1..=12).map(move |m| (n, m))).chain([(3, 50), (50, 3), (200, 1), (1, 200), (2, 33)]) {
            let plan = Resize::filter(filter.clone()).profile(Profile::Onnx).antialias(true).plan([n], [m]).unwrap();
            let one_hot = Array3::from_shape_fn((1, n, n), |(_, c, i)| f64::from(u8::from(c == i)));
            let y = plan.forward(&one_hot).unwrap();
            for o in 0..m {
                let expected = clamped_sum(filter, o, n, m);
                if !(0..n).all(|i| (y[[0, i, o]] - expected[i]).abs() <= 1e-12) {
                    failures.push(format!("{filter:?} {n} to {m}, pixel {o}: {} {expected:?}", y.slice(ndarray::s![0, .., o])));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures[..failures.len().min(20)].join("\n"));
}
