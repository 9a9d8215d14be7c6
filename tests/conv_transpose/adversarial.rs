//! Data that fewer multiplications could spoil: every output's error is judged by what that output reads.
//!
//! The oracle sums in `f64` from the definition, and sums the magnitudes beside it. For sums of `K` products an output may be wrong by
//! `16·ε·K·Σ|x||w|`; infinities and NaN are to be where the definition has them.

use ndarray::{Array4, ArrayView4};
use upsample::{Backend, ConvTranspose, Precision};

use common::backends;

/// Numbers without a pattern.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Data by name. `channel` and `place` are the element's channel and its place in the plane.
fn data(name: &str, shape: [usize; 4], seed: u64) -> Array4<f32> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
    Array4::from_shape_fn(shape, |(n, c, h, w)| {
        let (normal, uniform) = (random.normal(), random.uniform());
        let value = match name {
            "ones" => 1.0,
            "a share" => 1.0 / shape[0] as f64,
            "normal" => normal,
            "positive" => normal.abs(),
            "rectified" => normal.max(0.0),
            "half are zero" => normal * f64::from(uniform < 0.5),
            "few are not zero" => normal * f64::from(uniform < 0.05),
            "one outlier in all channels" if (h, w) == (shape[2] / 2, shape[3] / 3) => -1e9,
            "one outlier in all channels" => 1.0,
            "one outlier" if (c, h, w) == (shape[1] / 2, shape[2] / 2, shape[3] / 3) => 1e7,
            "one outlier" => normal,
            "outliers" => normal * if uniform < 0.01 { 1e6 } else { 1.0 },
            "log-normal 1" => normal.exp(),
            "log-normal 2" => (2.0 * normal).exp() * if uniform < 0.5 { -1.0 } else { 1.0 },
            "log-normal 4" => (4.0 * normal).exp() * if uniform < 0.5 { -1.0 } else { 1.0 },
            "one channel each" => f64::from((n + c) % shape[0].max(shape[1]) == 0) * normal,
            "diagonal" => f64::from(n % shape[1] == c) * (1.0 + uniform),
            "channels of all sizes" => normal * 10_f64.powi((c % 13) as i32 - 6),
            "first channels of all sizes" => normal * 10_f64.powi(6 - (n % 13) as i32),
            "black beside white" => normal * f64::from(w < shape[3] / 2),
            "dark beside light" => normal * if w < shape[3] / 2 { 1.0 } else { 1e-6 },
            "huge" => 8.5e37 * if uniform < 0.5 { 1.0 } else { -0.5 },
            "large" => normal * 1e25,
            "small" => normal * 1e-25,
            "tiny" => normal * 1e-38,
            _ => panic!("{name}"),
        };
        value as f32
    })
}

/// A shape that fewer multiplications are for: channels in and out, kernel, stride, padding, output padding, size.
struct Shape {
    name: &'static str,
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
    output_padding: usize,
    size: [usize; 2],
}

const SHAPES: [Shape; 5] = [
    Shape { name: "k4 s2", channels: [32, 16], kernel: 4, stride: 2, padding: 1, output_padding: 0, size: [11, 13] },
    Shape { name: "k3 s1", channels: [32, 32], kernel: 3, stride: 1, padding: 1, output_padding: 0, size: [12, 15] },
    Shape { name: "k3 s2", channels: [32, 32], kernel: 3, stride: 2, padding: 1, output_padding: 1, size: [9, 11] },
    Shape { name: "k6 s2", channels: [32, 8], kernel: 6, stride: 2, padding: 2, output_padding: 0, size: [9, 10] },
    Shape { name: "k3 s1, few channels", channels: [8, 32], kernel: 3, stride: 1, padding: 1, output_padding: 0, size: [7, 50] },
];

/// What the definition gives in `f64`, the sum of the magnitudes, and how many products are not left out.
struct Expected {
    sum: Array4<f64>,
    magnitude: Array4<f64>,
    products: f64,
}

impl Expected {
    /// Of entries of the form of `like`.
    fn new(like: &Array4<f32>, products: usize) -> Self {
        Self { sum: Array4::zeros(like.dim()), magnitude: Array4::zeros(like.dim()), products: products as f64 }
    }

    fn add(&mut self, place: [usize; 4], product: f64) {
        self.sum[place] += product;
        self.magnitude[place] += product.abs();
    }
}

/// The three sums of a transposed convolution: every pair of input and output pixels that share a tap.
fn define(shape: &Shape, x: &Array4<f32>, weight: &Array4<f32>, dy: &Array4<f32>) -> [Expected; 3] {
    let (batch, taps) = (x.dim().0, shape.kernel.div_ceil(shape.stride).pow(2));
    let [source, out] = shape.channels;
    let (_, _, height, width) = dy.dim();
    let mut y = Expected::new(dy, source * taps);
    let mut dx = Expected::new(x, out * shape.kernel * shape.kernel);
    let mut dw = Expected::new(weight, batch * shape.size[0] * shape.size[1]);
    for ((n, c, h, w), &pixel) in x.indexed_iter() {
        for (th, tw) in (0..shape.kernel).flat_map(|th| (0..shape.kernel).map(move |tw| (th, tw))) {
            let at = |i: usize, tap: usize| (i * shape.stride + tap).checked_sub(shape.padding);
            let (Some(oh), Some(ow)) = (at(h, th), at(w, tw)) else { continue };
            if oh >= height || ow >= width {
                continue;
            }
            for o in 0..out {
                let [pixel, tap, gradient] = [pixel, weight[[c, o, th, tw]], dy[[n, o, oh, ow]]].map(f64::from);
                y.add([n, o, oh, ow], pixel * tap);
                dx.add([n, c, h, w], gradient * tap);
                dw.add([c, o, th, tw], pixel * gradient);
            }
        }
    }
    [y, dx, dw]
}

/// The largest error, in units of `ε·K·Σ|x||w|`. Sums near the ends of the range are left out, where `f32` itself gives up.
fn worst(found: &ArrayView4<f32>, expected: &Expected) -> f64 {
    let mut worst = 0.0_f64;
    for (&found, (&sum, &magnitude)) in found.iter().zip(expected.sum.iter().zip(&expected.magnitude)) {
        if magnitude >= f64::from(f32::MAX) / 4.0 {
            continue;
        }
        let underflow = f64::from(f32::MIN_POSITIVE) * f64::from(f32::EPSILON) * expected.products;
        let unit = f64::from(f32::EPSILON) / 2.0 * expected.products * magnitude + underflow;
        let error = (f64::from(found) - sum).abs() / unit;
        worst = if error.is_nan() { f64::INFINITY } else { worst.max(error) };
    }
    worst
}

/// The worst of forward, prepared forward, both gradients.
fn judge(shape: &Shape, backend: Backend, precision: Precision, [x, weight, dy]: [&Array4<f32>; 3], expected: &[Expected; 3]) -> [f64; 4] {
    let deconv = ConvTranspose::new()
        .precision(Precision::Reduced)
        .stride(shape.stride)
        .padding(shape.padding)
        .output_padding(shape.output_padding)
        .backend(backend)
        .precision(precision);
    let plan = deconv.plan(shape.size, [shape.kernel; 2]).unwrap();
    [
        worst(&plan.forward(x, weight, None).unwrap().view(), &expected[0]),
        worst(&plan.prepare(weight).unwrap().forward(x, None).unwrap().view(), &expected[0]),
        worst(&plan.input_gradient(dy, weight).unwrap().view(), &expected[1]),
        worst(&plan.weight_gradient(x, dy).unwrap().view(), &expected[2]),
    ]
}

const PIXELS: [&str; 21] = [
    "ones",
    "normal",
    "positive",
    "rectified",
    "half are zero",
    "few are not zero",
    "one outlier in all channels",
    "one outlier",
    "outliers",
    "log-normal 1",
    "log-normal 2",
    "log-normal 4",
    "one channel each",
    "channels of all sizes",
    "black beside white",
    "dark beside light",
    "huge",
    "large",
    "small",
    "tiny",
    "diagonal",
];

const WEIGHTS: [&str; 10] = [
    "a share",
    "normal",
    "rectified",
    "half are zero",
    "few are not zero",
    "log-normal 1",
    "log-normal 4",
    "diagonal",
    "channels of all sizes",
    "first channels of all sizes",
];

/// Judges every `step`th combination of pixels and weights, beginning with another one for each shape.
fn judge_all(step: usize) {
    let combinations: Vec<_> = PIXELS.iter().flat_map(|&pixels| WEIGHTS.iter().map(move |&weights| (pixels, weights))).collect();
    let mut failures = Vec::new();
    for (first, shape) in SHAPES.iter().enumerate() {
        let [source, out] = shape.channels;
        for (number, &(pixels, weights)) in combinations.iter().enumerate().skip(first).step_by(step) {
            let seed = number as u64;
            let x = data(pixels, [1 + number % 2, source, shape.size[0], shape.size[1]], seed);
            let weight = data(weights, [source, out, shape.kernel, shape.kernel], seed + 1000);
            let output = shape.size.map(|n| (n - 1) * shape.stride + shape.kernel + shape.output_padding - 2 * shape.padding);
            // The gradient has the kind of the pixels in half of the cases, and is ordinary in the others.
            let dy = data(if number % 3 == 0 { "normal" } else { pixels }, [x.dim().0, out, output[0], output[1]], seed + 2000);
            let expected = define(shape, &x, &weight, &dy);
            for backend in backends() {
                let found = judge(shape, backend, Precision::Standard, [&x, &weight, &dy], &expected);
                if found.iter().any(|&error| !(error <= 16.0)) {
                    failures.push(format!("{}, pixels {pixels}, weights {weights}, {backend:?}: {found:.1?}", shape.name));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} cases, in units of the bound (forward, prepared, dX, dW):\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn errors_are_those_of_the_definition() {
    judge_all(11);
}

/// Minutes.
#[test]
#[ignore = "every combination; CONTRIBUTING.md has the command"]
fn errors_of_every_combination() {
    judge_all(1);
}

/// An infinity or a NaN reaches the outputs that read it, and no others.
#[test]
fn infinities_stay_where_they_are_read() {
    for (shape, value) in SHAPES.iter().flat_map(|shape| [f32::INFINITY, f32::NAN].map(|value| (shape, value))) {
        let [source, out] = shape.channels;
        let deconv = ConvTranspose::new()
            .stride(shape.stride)
            .padding(shape.padding)
            .output_padding(shape.output_padding)
            .precision(Precision::Reduced);
        let weight = data("positive", [source, out, shape.kernel, shape.kernel], 1);
        let mut x = data("normal", [2, source, shape.size[0], shape.size[1]], 2);
        x[[1, 3, 4, 5]] = value;
        let plan = deconv.plan(shape.size, [shape.kernel; 2]).unwrap();
        let [height, width] = plan.output_size();
        let mut dy = data("normal", [2, out, height, width], 3);
        dy[[0, 1, 6, 7]] = value;
        for backend in backends() {
            let strict = deconv.clone().backend(backend).precision(Precision::Strict);
            let deconv = deconv.clone().backend(backend);
            let places = |array: Array4<f32>| array.mapv(|value| (value.is_nan(), value == f32::INFINITY));
            let check = |what: &str, found: Array4<f32>, expected: Array4<f32>| {
                assert_eq!(places(found), places(expected), "{}, {what}, {value}, {backend:?}", shape.name);
            };
            check("forward", deconv.forward(&x, &weight, None).unwrap(), strict.forward(&x, &weight, None).unwrap());
            check("dX", deconv.input_gradient(&dy, &weight).unwrap(), strict.input_gradient(&dy, &weight).unwrap());
            let kernel = [shape.kernel; 2];
            check("dW", deconv.weight_gradient(&x, &dy, kernel).unwrap(), strict.weight_gradient(&x, &dy, kernel).unwrap());
        }
    }
}

/// The judgement lets ordinary data through: what comes out has other bits than the plain sums.
#[test]
fn ordinary_data_take_fewer_multiplications() {
    // Kernels of 3 with stride 2 have too few products to save at this size.
    let shapes = SHAPES.iter().filter(|shape| shape.name != "k3 s2");
    for (shape, pixels) in shapes.flat_map(|shape| ["normal", "positive", "rectified"].map(|pixels| (shape, pixels))) {
        if pixels == "rectified" && shape.channels[0] < 32 {
            continue; // half of the numbers of few channels are 0: computed as it is defined
        }
        let [source, out] = shape.channels;
        let weight = data("normal", [source, out, shape.kernel, shape.kernel], 1);
        let x = data(pixels, [1, source, shape.size[0], shape.size[1]], 2);
        let deconv = ConvTranspose::new()
            .stride(shape.stride)
            .padding(shape.padding)
            .output_padding(shape.output_padding)
            .precision(Precision::Reduced);
        let reduced = deconv.forward(&x, &weight, None).unwrap();
        let strict = deconv.precision(Precision::Strict).forward(&x, &weight, None).unwrap();
        assert_ne!(reduced, strict, "{}, {pixels}", shape.name);
    }
}

/// A picture that is not even does not change how the others of its batch are computed.
#[test]
fn pictures_are_judged_one_by_one() {
    let shape = &SHAPES[0];
    let deconv = ConvTranspose::doubling(4).unwrap().precision(Precision::Reduced);
    let weight = data("normal", [32, 16, 4, 4], 1);
    let mut x = data("normal", [3, 32, 11, 13], 2);
    let alone = deconv.forward(&x, &weight, None).unwrap();
    x[[1, 0, 5, 5]] = 1e9;
    let beside = deconv.forward(&x, &weight, None).unwrap();
    for n in [0, 2] {
        assert_eq!(alone.index_axis(ndarray::Axis(0), n), beside.index_axis(ndarray::Axis(0), n), "{}, picture {n}", shape.name);
    }
    assert_eq!(deconv.prepare(&weight, [11, 13]).unwrap().forward(&x, None).unwrap(), beside);
}
