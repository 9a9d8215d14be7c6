//! What trips everyone: each trap has a test of its name. And what cannot be done: each error with its numbers.

use common::backends;
use ndarray::{Array1, Array3, Array4, array, s};
use upsample::{
    Axis, Backend, Coordinates, Element, Error, Filter, FloatElement, NearestRule, PerAxis, Profile, Resize, ResizePlan, Rounding,
    StreamingStores, Target, Tensor4, Tensor4Mut, Update, ndarray,
};

fn line<A: Element>(plan: &ResizePlan<1>, x: &[A]) -> Vec<A> {
    let x = Array3::from_shape_vec((1, 1, x.len()), x.to_vec()).unwrap();
    plan.forward(&x).unwrap().into_raw_vec_and_offset().0
}

#[test]
fn nearest_2_to_82_at_41() {
    // f32 rounds 41 · (2/82) to just below 1; the exact rule gives 1.
    let torch = line(&Resize::nearest().plan([2], [82]).unwrap(), &[0_u8, 1]);
    assert_eq!((torch[40], torch[41], torch[42]), (0, 0, 1));
    let exact = line(&Resize::nearest_by(NearestRule::Integer).plan([2], [82]).unwrap(), &[0_u8, 1]);
    assert_eq!((exact[40], exact[41], exact[42]), (0, 1, 1));
}

#[test]
fn out_1() {
    let x = [1.0, 2.0, 5.0, 9.0];
    // Half-pixel with one output pixel is not special: the middle of the picture.
    assert_eq!(line(&Resize::linear().plan([4], [1]).unwrap(), &x), [3.5]);
    assert_eq!(line(&Resize::nearest().plan([4], [1]).unwrap(), &x), [1.0]);
    let pytorch_half_pixel = Resize::linear().coordinates(Coordinates::PytorchHalfPixel);
    assert_eq!(line(&pytorch_half_pixel.plan([4], [1]).unwrap(), &x), [1.0]);
}

#[test]
fn align_corners_with_out_1() {
    let plan = Resize::linear().coordinates(Coordinates::AlignCorners).plan([4], [1]).unwrap();
    assert_eq!(line(&plan, &[7.0, 2.0, 5.0, 9.0]), [7.0]);
}

#[test]
fn scale_against_size() {
    // 3 pixels at scale 1.5 are 4; with the scale the ratio is 1/1.5, with the size it is 3/4.
    let x = [0.0, 1.0, 2.0];
    let by_scale = line(&Resize::linear().plan([3], [1.5]).unwrap(), &x);
    let by_size = line(&Resize::linear().plan([3], [4]).unwrap(), &x);
    let recomputed = line(&Resize::linear().recompute_scale(true).plan([3], [1.5]).unwrap(), &x);
    approx::assert_relative_eq!(by_scale[1], 0.5, epsilon = 1e-12);
    approx::assert_relative_eq!(by_size[1], 0.625, epsilon = 1e-12);
    assert_eq!(by_size, recomputed);
}

#[cfg(feature = "half")]
#[test]
fn from_539_to_540_in_half_precision() {
    // Positions above 512 have no half-pixel in f16; they are computed in f32 whatever the type.
    let x: Vec<half::f16> = (0..539).map(|i| half::f16::from_f32((i % 7) as f32)).collect();
    let wide: Vec<f32> = x.iter().map(|v| v.to_f32()).collect();
    let plan = Resize::linear().plan([539], [540]).unwrap();
    for (half, single) in line(&plan, &x).iter().zip(line(&plan, &wide)) {
        assert_eq!(*half, half::f16::from_f32(single));
    }
}

#[test]
fn bicubic_with_and_without_antialias_differ_even_when_enlarging() {
    let x = [0.0, 1.0, 0.0, 0.0, 1.0];
    let plain = line(&Resize::cubic().plan([5], [10]).unwrap(), &x);
    let antialiased = line(&Resize::cubic().antialias(true).plan([5], [10]).unwrap(), &x);
    assert_ne!(plain, antialiased);
}

#[test]
fn infinity_and_nan_stay_where_they_are() {
    // A tap outside the picture is never read: the last output pixel is the last input pixel.
    for method in [Resize::linear(), Resize::cubic(), Resize::filter(Filter::Lanczos { lobes: 3 })] {
        let y = line(&method.plan([9], [18]).unwrap(), &[f32::INFINITY, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert!(y[17].is_finite() && y[14].is_finite(), "{method:?} {y:?}");
    }
    let y = line(&Resize::linear().plan([4], [8]).unwrap(), &[1.0, 2.0, 3.0, f64::INFINITY]);
    assert_eq!(y[7], f64::INFINITY);
    assert_eq!(y[4], 2.75);
    let y = line(&Resize::linear().plan([4], [8]).unwrap(), &[1.0, 2.0, 3.0, f64::NAN]);
    assert!(y[7].is_nan() && y[5].is_nan() && !y[4].is_nan());
    // Rows of different numbers of taps are filled up without taps of weight 0.
    let y = line(&Resize::linear().antialias(true).plan([10], [4]).unwrap(), &[f64::INFINITY, 1., 1., 1., 1., 1., 1., 1., 1., 1.]);
    assert!(y[0] == f64::INFINITY && (y[3] - 1.0).abs() < 1e-12, "{y:?}");
}

#[test]
fn integers_are_rounded_and_saturated() {
    let up = Resize::cubic().plan([4], [8]).unwrap();
    assert_eq!(line(&up, &[0_u8, 255, 255, 0]).iter().max(), Some(&255));
    assert_eq!(line(&up, &[i8::MIN, i8::MAX, i8::MAX, i8::MIN]).iter().max(), Some(&i8::MAX));
    assert_eq!(line(&up, &[i32::MIN, i32::MAX, i32::MAX, i32::MIN]).iter().max(), Some(&i32::MAX));
    assert_eq!(line(&up, &[0_u16, 65535, 65535, 0]).iter().min(), Some(&0));
    // Halves away from zero, bytes half up.
    let half = Resize::linear().coordinates(Coordinates::AlignCorners).plan([2], [3]).unwrap();
    assert_eq!(line(&half, &[-1_i16, -2])[1], -2);
    assert_eq!(line(&half, &[1_i32, 2])[1], 2);
    assert_eq!(line(&half, &[1_u8, 2])[1], 2);
}

#[test]
fn extrapolation_and_mirrored_regions() {
    let crop = |start, end| Resize::linear().coordinates(Coordinates::TfCropAndResize { start, end }).extrapolation(-1.0);
    let x = [0.0, 1.0, 2.0, 3.0];
    assert_eq!(line(&crop(1.0, 0.0).plan([4], [4]).unwrap(), &x), [3.0, 2.0, 1.0, 0.0]);
    assert_eq!(line(&crop(0.5, 1.5).plan([4], [3]).unwrap(), &x), [1.5, 3.0, -1.0]);
    // The gradient of a constant is 0, even where dy is infinite.
    let plan = crop(0.5, 1.5).plan([4], [3]).unwrap();
    let dx = plan.input_gradient(&array![[[0.0, 0.0, f64::INFINITY]]]).unwrap();
    assert_eq!(dx, array![[[0.0, 0.0, 0.0, 0.0]]]);
    let nearest = Resize::nearest().coordinates(Coordinates::TfCropAndResize { start: 0.5, end: 1.5 }).extrapolation(9.0);
    assert_eq!(line(&nearest.plan([4], [3]).unwrap(), &[0_u8, 1, 2, 3]), [1, 3, 9]);
}

#[test]
fn the_double_gradient_is_the_forward_pass() {
    let plan = Resize::cubic().plan([5, 4], [7, 9]).unwrap();
    let back = |dy: &Array4<f64>| plan.input_gradient(dy).unwrap();
    let v = Array4::from_shape_fn((1, 1, 5, 4), |(_, _, h, w)| (h * 7 + w * 3) as f64 % 5.0);
    // d/d(dy) of <backward(dy), v>, one unit vector at a time, is forward(v).
    let forward = plan.forward(&v).unwrap();
    for h in 0..7 {
        for w in 0..9 {
            let mut unit = Array4::zeros((1, 1, 7, 9));
            unit[[0, 0, h, w]] = 1.0;
            approx::assert_relative_eq!((&back(&unit) * &v).sum(), forward[[0, 0, h, w]], epsilon = 1e-12);
        }
    }
}

#[test]
fn gradients_can_be_added() {
    let plan = Resize::bilinear().plan([3, 4], 2.0).unwrap();
    let dy = Array4::from_shape_fn((2, 3, 6, 8), |(n, c, h, w)| (n + c * 2 + h * 3 + w) as f32);
    let mut dx = Array4::from_elem((2, 3, 3, 4), 10.0_f32);
    plan.input_gradient_into(&dy, &mut dx, Update::Add).unwrap();
    assert_eq!(dx, plan.input_gradient(&dy).unwrap() + 10.0);
}

#[test]
fn empty_batches_and_zero_channels_give_empty_results() {
    for shape in [(0, 3, 4, 4), (2, 0, 4, 4)] {
        let y = upsample::bilinear(&Array4::<f32>::zeros(shape), 2.0).unwrap();
        assert_eq!(y.dim(), (shape.0, shape.1, 8, 8));
        let y = upsample::nearest(&Array4::<u8>::zeros(shape), 2.0).unwrap();
        assert_eq!(y.dim(), (shape.0, shape.1, 8, 8));
    }
}

#[test]
fn layouts_agree_to_the_last_bit() {
    let x = Array4::from_shape_fn((2, 3, 7, 11), |(n, c, h, w)| ((n * 131 + c * 37 + h * 17 + w * 5) % 29) as f32 / 7.0);
    let nhwc = x.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned();
    let mut wide = Array4::<f32>::zeros((2, 3, 14, 22));
    wide.slice_mut(s![.., .., ..;-2, ..;-2]).assign(&x);
    let mirrored = wide.slice(s![.., .., ..;-2, ..;-2]);
    for resize in [Resize::nearest(), Resize::linear(), Resize::cubic(), Resize::cubic().antialias(true), Resize::area()] {
        for size in [[14, 22], [9, 30], [3, 4], [20, 5]] {
            let plan = resize.plan([7, 11], size).unwrap();
            let plain = plan.forward(&x).unwrap();
            assert!(plain.is_standard_layout());
            let last = plan.forward(Tensor4::from_nhwc(nhwc.view())).unwrap();
            assert!(last.view().permuted_axes([0, 2, 3, 1]).is_standard_layout());
            assert_eq!(plain, last, "{resize:?} {size:?}");
            assert_eq!(plain, plan.forward(mirrored).unwrap(), "{resize:?} {size:?}");
            let mut into = Array4::<f32>::zeros((2, size[0], size[1], 3));
            plan.forward_into(&x, Tensor4Mut::from_nhwc(into.view_mut())).unwrap();
            assert_eq!(plain, into.permuted_axes([0, 3, 1, 2]), "{resize:?} {size:?}");
        }
    }
}

/// A halved width has a loop of its own, where rows can be read as they lie.
#[test]
fn halving_in_one_pass_is_both_passes_to_the_last_bit() {
    fn halve<A: FloatElement + num_traits::Float>(number: impl Fn(usize) -> A) {
        for (height_factor, height, width) in
            [(1, 5, 16), (2, 3, 8), (2, 4, 17), (2, 9, 31), (3, 4, 33), (4, 2, 40), (5, 3, 16), (2, 3, 3), (2, 40, 64)]
        {
            let (small, large) = ([height, width], [height * height_factor, width * 2]);
            let x = Array4::from_shape_fn((2, 3, large[0], large[1]), |(n, c, h, w)| number(n * 131 + c * 37 + h * 17 + w * 5));
            let mut wide = Array4::zeros((2, 3, large[0], 2 * large[1]));
            wide.slice_mut(s![.., .., .., ..;-2]).assign(&x);
            let apart = wide.slice(s![.., .., .., ..;-2]);
            for backend in backends() {
                for streaming in [StreamingStores::Always, StreamingStores::Never] {
                    let options = |resize: Resize| resize.backend(backend).streaming(streaming);
                    let area = options(Resize::area()).plan(large, small).unwrap();
                    let name = format!("{small:?} {large:?} {backend:?} {streaming:?}");
                    assert_eq!(area.forward(&x).unwrap(), area.forward(apart).unwrap(), "area, {name}");
                    let nearest = options(Resize::nearest()).plan(small, large).unwrap();
                    let dx = nearest.input_gradient(&x).unwrap();
                    assert_eq!(dx, nearest.input_gradient(apart).unwrap(), "gradient of nearest, {name}");
                    let mut sum = dx.mapv(|value| value + A::one());
                    let expected = ndarray::Zip::from(&sum).and(&dx).map_collect(|&sum, &dx| sum + dx);
                    nearest.input_gradient_into(&x, &mut sum, Update::Add).unwrap();
                    assert_eq!(sum, expected, "added, {name}");
                }
            }
        }
    }
    halve(|i| (i % 29) as f32 / 7.0 - 2.0);
    halve(|i| (i % 31) as f64 / 7.0 - 2.0);
}

/// Sums over rows of bytes take whole registers of two rows at a time: of 2, 3, 4, 6 and 8 taps, the last register beyond the row or not.
#[test]
fn bytes_are_the_same_on_every_backend_streamed_or_not() {
    let lanczos = |lobes| Resize::filter(Filter::Lanczos { lobes });
    let methods: [(&str, Resize, [usize; 2]); 6] = [
        ("2 taps", Resize::linear(), [23, 1]),
        ("3 taps", Resize::area(), [3, 1]),
        ("4 taps", lanczos(2), [19, 1]),
        ("6 taps", lanczos(3), [19, 2]),
        ("8 taps", lanczos(4), [21, 1]),
        ("11 taps", Resize::cubic().antialias(true), [4, 1]),
    ];
    for (name, resize, [height, factor]) in methods {
        for (channels, width) in [(1, 5), (1, 64), (1, 191), (3, 43), (4, 50)] {
            // Steps between extremes make sums that have to be cut to a byte.
            let extremes = |(_, c, h, w): (usize, usize, usize, usize)| [0, 255, 31, 254, 255, 0, 128][(h * h + c + w / 2) % 7];
            let x = Array4::<u8>::from_shape_fn((1, channels, 9, width), extremes);
            let pixels = x.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned().permuted_axes([0, 3, 1, 2]);
            let size = [height, width * factor];
            let expected = resize.clone().backend(Backend::Portable).plan([9, width], size).unwrap().forward(&x).unwrap();
            for backend in backends() {
                for streaming in [StreamingStores::Always, StreamingStores::Never] {
                    let plan = resize.clone().backend(backend).streaming(streaming).plan([9, width], size).unwrap();
                    let found = plan.forward(&pixels).unwrap();
                    assert_eq!(found, expected, "{name}, {channels} channels, {width} pixels, {backend:?}, {streaming:?}");
                }
            }
        }
    }
}

/// Many taps of a byte are summed pixel by pixel, for four rows together and then one by one; at the borders as for any type. Or they are
/// picked from windows of one or two lines; or, where all weights are multiples of 1/128, summed in 16 bits.
#[test]
fn shrunk_bytes_are_the_same_on_every_backend() {
    let antialiased = |filter| Resize::filter(filter).antialias(true);
    let methods = [
        ("linear", Resize::linear().antialias(true)),
        ("cubic", Resize::cubic().antialias(true)),
        ("Lanczos", antialiased(Filter::Lanczos { lobes: 3 })),
        ("area", Resize::area()),
        ("Pillow's Lanczos", antialiased(Filter::Lanczos { lobes: 3 }).profile(Profile::Pillow)),
        ("cubic, aligned corners", Resize::cubic().coordinates(Coordinates::AlignCorners)),
        ("cubic, weights above 2", Resize::cubic().cubic_coefficient(-16.0)),
        ("cubic, weights above 256", Resize::cubic().cubic_coefficient(-2000.0)),
    ];
    let sizes = [
        ([11, 191], [9, 40]),
        ([5, 50], [5, 21]),
        ([9, 17], [4, 3]),
        ([14, 300], [13, 7]),
        ([1, 90], [1, 31]),
        ([3, 700], [2, 500]),
        ([15, 300], [11, 53]),
        ([16, 320], [8, 160]),
        ([9, 640], [5, 160]),
        ([24, 520], [3, 65]),
    ];
    for (name, resize) in methods {
        for ([height, width], size) in sizes {
            for channels in 1..=5 {
                let extremes =
                    |(_, c, h, w): (usize, usize, usize, usize)| [0, 255, 31, 254, 255, 0, 128, 7, 255][(h * h + c + w * w / 3) % 9];
                let x = Array4::<u8>::from_shape_fn((1, channels, height, width), extremes);
                let pixels = x.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned().permuted_axes([0, 3, 1, 2]);
                let expected = resize.clone().backend(Backend::Portable).plan([height, width], size).unwrap().forward(&x).unwrap();
                for backend in backends() {
                    let plan = resize.clone().backend(backend).plan([height, width], size).unwrap();
                    let name = format!("{name}, {channels} channels, {height} × {width} → {size:?}, {backend:?}");
                    assert_eq!(plan.forward(&pixels).unwrap(), expected, "{name}");
                    assert_eq!(plan.forward(&x).unwrap(), expected, "{name}, planes");
                }
            }
        }
    }
}

/// Interpolating filters are 0 at other whole distances, to the last bit: an axis that keeps its size costs nothing.
#[test]
fn an_axis_that_keeps_its_size_is_left_alone() {
    let lanczos = |lobes| Resize::filter(Filter::Lanczos { lobes });
    for (name, resize) in [("linear", Resize::linear()), ("cubic", Resize::cubic()), ("Lanczos 3", lanczos(3)), ("Lanczos 4", lanczos(4))] {
        let x = Array4::from_shape_fn((1, 2, 12, 9), |(_, c, h, w)| ((c * 31 + h * 17 + w * 5) % 23) as f32 / 7.0 - 1.0);
        for resize in [resize.clone(), resize.antialias(true)] {
            assert_eq!(resize.plan([12, 9], [12, 9]).unwrap().forward(&x).unwrap(), x, "{name}");
            let wide = resize.plan([12, 9], [12, 20]).unwrap().forward(&x).unwrap();
            let rows = x.to_shape((24, 1, 9)).unwrap();
            let alone = resize.plan([9], [20]).unwrap().forward(rows.view()).unwrap();
            assert_eq!(wide, alone.to_shape((1, 2, 12, 20)).unwrap(), "{name}");
        }
    }
}

/// Every error of planning and running, with its numbers.
#[test]
fn errors_name_the_argument_the_axis_and_the_numbers() {
    let plan = |input: [usize; 2], target: Target<2>| Resize::bilinear().plan(input, target).unwrap_err();
    let huge = usize::MAX / 2;
    let cases: Vec<(&str, Error, Error)> = vec![
        ("zero input", plan([0, 4], Target::Size([2, 2])), Error::ZeroSize { argument: "input", axis: Axis::Height }),
        ("zero output", plan([4, 4], Target::Size([2, 0])), Error::ZeroSize { argument: "output", axis: Axis::Width }),
        ("scale 0", plan([4, 4], Target::Scale([0.0, 1.0])), Error::InvalidScale { axis: Axis::Height, scale: 0.0 }),
        ("negative scale", plan([4, 4], Target::Scale([1.0, -2.0])), Error::InvalidScale { axis: Axis::Width, scale: -2.0 }),
        ("infinite scale", plan([4, 4], Target::from(f64::INFINITY)), Error::InvalidScale { axis: Axis::Height, scale: f64::INFINITY }),
        ("small scale", plan([4, 4], Target::from(0.2)), Error::ScaleTooSmall { axis: Axis::Height, scale: 0.2, input: 4 }),
        ("scale that overflows", plan([4, 4], Target::from(1e18)), Error::SizeOverflow { argument: "output", axis: Axis::Height }),
        ("huge size", plan([4, 4], Target::Size([huge, huge])), Error::TooLarge { argument: "output", shape: vec![huge, huge] }),
        (
            "antialiased nearest",
            Resize::nearest().antialias(true).plan([4], [8]).unwrap_err(),
            Error::Unsupported { what: "nearest with antialias".to_owned(), why: "there is no filter to apply it to" },
        ),
        (
            "coordinates of another rank",
            Resize::linear().coordinates([Coordinates::HalfPixel; 3]).plan([4, 4], 2.0).unwrap_err(),
            Error::AxisCount { argument: "coordinates", expected: 2, found: 3 },
        ),
        (
            "a region without end",
            Resize::linear().coordinates(Coordinates::TfCropAndResize { start: 0.0, end: f64::INFINITY }).plan([4], [8]).unwrap_err(),
            Error::InvalidParameter { parameter: "region end", value: f64::INFINITY, requirement: "a finite number" },
        ),
        (
            "support 0",
            Resize::filter(Filter::custom(0.0, |_| 1.0)).plan([4], [8]).unwrap_err(),
            Error::InvalidParameter { parameter: "filter support", value: 0.0, requirement: "positive and below 10^9 pixels" },
        ),
    ];
    for (name, found, expected) in cases {
        assert_eq!(found, expected, "{name}");
    }
    assert!(matches!(plan([4, 4], Target::from(f64::NAN)), Error::InvalidScale { scale, .. } if scale.is_nan()));
    let text = plan([4, 4], Target::Scale([1.0, -2.0])).to_string();
    assert_eq!(text, "scale of the width axis is -2; it must be a positive finite number");
}

#[test]
fn a_wrong_buffer_is_refused_and_untouched() {
    let plan = Resize::bilinear().plan([4, 4], 2.0).unwrap();
    let x = Array4::<f32>::ones((1, 2, 4, 4));
    let wrong: [((usize, usize, usize, usize), Axis, usize, usize); 4] = [
        ((1, 2, 8, 9), Axis::Width, 8, 9),
        ((1, 2, 7, 8), Axis::Height, 8, 7),
        ((1, 3, 8, 8), Axis::Channel, 2, 3),
        ((2, 2, 8, 8), Axis::Batch, 1, 2),
    ];
    for (shape, axis, expected, found) in wrong {
        let mut y = Array4::from_elem(shape, 5.0_f32);
        let error = plan.forward_into(&x, &mut y).unwrap_err();
        assert_eq!(error, Error::ShapeMismatch { argument: "output", axis, expected, found });
        assert!(y.iter().all(|&value| value == 5.0));
    }
    let error = plan.forward(&Array4::<f32>::ones((1, 2, 4, 5))).unwrap_err();
    assert_eq!(error, Error::ShapeMismatch { argument: "input", axis: Axis::Width, expected: 4, found: 5 });
    let error = plan.input_gradient(&Array4::<f32>::ones((1, 2, 4, 8))).unwrap_err();
    assert_eq!(error, Error::ShapeMismatch { argument: "output gradient", axis: Axis::Height, expected: 8, found: 4 });
}

#[test]
fn rules_of_their_own() {
    let ramp: Vec<u8> = (0..5).collect();
    let rounded = |coordinates: Coordinates, rounding| {
        let resize = Resize::nearest().profile(Profile::Onnx).coordinates(PerAxis::All(coordinates)).rounding(rounding);
        line(&resize.plan([5], [8]).unwrap(), &ramp)
    };
    assert_eq!(rounded(Coordinates::HalfPixel, Rounding::Floor), [0, 0, 1, 1, 2, 2, 3, 4]);
    assert_eq!(rounded(Coordinates::Asymmetric, Rounding::Ceil), [0, 1, 2, 2, 3, 4, 4, 4]);
    assert_eq!(rounded(Coordinates::TfHalfPixelForNn, Rounding::Floor), [0, 0, 1, 2, 2, 3, 4, 4]);
    let exact = line(&Resize::nearest_by(NearestRule::IntegerExact).plan([5], [8]).unwrap(), &ramp);
    assert_eq!(exact, [0, 0, 1, 2, 2, 3, 4, 4]);
    let tent = Filter::custom(1.0, |distance: f64| 1.0 - distance.abs());
    let x = Array1::linspace(0.0, 1.0, 9).to_vec();
    assert_eq!(
        line(&Resize::filter(tent).plan([9], [20]).unwrap(), &x),
        line(&Resize::linear().profile(Profile::Onnx).plan([9], [20]).unwrap(), &x)
    );
}

/// Every output pixel is written and is the one that the rule names, whatever the sizes and the number of interleaved channels.
#[test]
fn nearest_writes_every_pixel() {
    for channels in 1..6 {
        for input in 1..7 {
            for output in 1..24 {
                let x = Array4::from_shape_fn((1, input, input, channels), |(_, h, w, c)| (h * 40 + w * 6 + c) as u8);
                let plan = Resize::nearest_by(NearestRule::IntegerExact).plan([input; 2], [output; 2]).unwrap();
                let mut y = Array4::from_elem((1, output, output, channels), 255);
                plan.forward_into(Tensor4::from_nhwc(x.view()), Tensor4Mut::from_nhwc(y.view_mut())).unwrap();
                let source = |o: usize| (2 * o + 1) * input / (2 * output);
                let expected = Array4::from_shape_fn(y.dim(), |(_, h, w, c)| x[[0, source(h), source(w), c]]);
                assert_eq!(y, expected, "{input} to {output}, {channels} channels");
                let planes = plan.forward(&x.view().permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned()).unwrap();
                assert_eq!(planes.permuted_axes([0, 2, 3, 1]), expected, "planes, {input} to {output}");
            }
        }
    }
}

/// A region of the input that is doubled leaves some of its pixels out.
#[test]
fn a_doubled_region_is_narrower_than_twice_the_input() {
    let region = Coordinates::TfCropAndResize { start: 0.002, end: 0.497 }; // of 101 pixels, from 0.2 on in steps of 0.5
    let nearest = Resize::nearest().profile(Profile::Onnx).rounding(Rounding::Floor).coordinates(region);
    for streaming in [StreamingStores::Always, StreamingStores::Never] {
        let plan = nearest.clone().streaming(streaming).plan([101, 101], [100, 100]).unwrap();
        let x = Array4::from_shape_fn((1, 2, 101, 101), |(_, c, h, w)| (c * 7919 + h * 101 + w) as f32);
        let expected = Array4::from_shape_fn((1, 2, 100, 100), |(_, c, h, w)| x[[0, c, h / 2, w / 2]]);
        assert_eq!(plan.forward(&x).unwrap(), expected, "{streaming:?}");
    }
}

/// Pixels of 1, 2, 3, 4 and 8 bytes are doubled whole registers at a time, others one by one; rows end anywhere.
#[test]
fn doubling_writes_every_pixel_twice() {
    /// Three bytes and one of padding.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Padded(u16, u8);

    fn double<A: Copy + PartialEq + std::fmt::Debug + Send + Sync + 'static>(number: impl Fn(usize) -> A) {
        for width in (1..20).chain([31, 32, 33, 47, 48, 63, 64, 65, 100]) {
            for backend in backends() {
                for streaming in [StreamingStores::Always, StreamingStores::Never] {
                    let plan = Resize::nearest().backend(backend).streaming(streaming).plan([3, width], 2.0).unwrap();
                    for channels in 1..=5 {
                        let x = Array4::from_shape_fn((2, 3, width, channels), |(n, h, w, c)| number(n * 1000 + h * 317 + w * 5 + c));
                        let x = x.view().permuted_axes([0, 3, 1, 2]);
                        let name = format!("{width} × {channels}, {backend:?} {streaming:?}");
                        let expected = Array4::from_shape_fn((2, channels, 6, 2 * width), |(n, c, h, w)| x[[n, c, h / 2, w / 2]]);
                        assert_eq!(plan.forward_any(x).unwrap(), expected, "channels last, {name}");
                        assert_eq!(plan.forward_any(&x.as_standard_layout()).unwrap(), expected, "planes, {name}");
                    }
                }
            }
        }
    }
    double(|i| i as u8);
    double(|i| i as u16);
    double(|i| i as f32);
    double(|i| i as f64);
    double(|i| [i as u8, (i / 3) as u8, 7]);
    double(|i| [i; 2]);
    double(|i| Padded(i as u16, (i / 5) as u8));
    double(|i| (i % 2 == 0).then_some(i as u32));
}

#[test]
fn a_scale_that_keeps_the_size_copies_as_pytorch_does() {
    // 13 pixels at scale 1.06 are 13 again: PyTorch copies them, except in bicubic.
    let x: Vec<f64> = (0..13).map(|i| f64::from(i * i % 11)).collect();
    assert_eq!(line(&Resize::linear().plan([13], [1.06]).unwrap(), &x), x);
    assert_eq!(line(&Resize::cubic().antialias(true).plan([13], [1.06]).unwrap(), &x), x);
    assert_ne!(line(&Resize::cubic().plan([13], [1.06]).unwrap(), &x), x);
    assert_ne!(line(&Resize::linear().profile(Profile::Onnx).plan([13], [1.06]).unwrap(), &x), x);
}

#[test]
fn positions_of_f32_are_rounded_as_pytorch_rounds_them() {
    // A ramp shows the positions; PyTorch 2.15 gives these very numbers.
    let ramp = |n: usize| (0..n).map(|i| i as f32).collect::<Vec<_>>();
    let position = |n: usize, m: usize, o: usize| (n as f32 / m as f32) * (o as f32 + 0.5) - 0.5;
    for (n, m) in [(657, 1971), (425, 399), (539, 540)] {
        let y = line(&Resize::linear().plan([n], [m]).unwrap(), &ramp(n));
        for (o, &y) in y.iter().enumerate() {
            let expected = position(n, m, o).clamp(0.0, (n - 1) as f32);
            assert!((y - expected).abs() <= expected * f32::EPSILON, "{n} to {m} at {o}: {y} {expected}");
        }
    }
}

/// Pictures of bytes are rounded between the passes, so their order shows: Pillow begins with the height where that loses more than twice
/// as many pixels as the width.
#[test]
fn the_order_of_passes_is_pillows() {
    let x = Array4::from_shape_fn((1, 1, 52, 27), |(_, _, h, w)| ((h * 89 + w * 57 + h * w) % 256) as u8);
    let lanczos = || Resize::filter(Filter::Lanczos { lobes: 3 }).profile(Profile::Pillow);
    let pass = |x: &Array4<u8>, size: [usize; 2]| lanczos().plan([x.dim().2, x.dim().3], size).unwrap().forward(x).unwrap();
    for (height, width, height_first) in [(26, 23, true), (32, 12, false), (60, 40, false), (20, 27, true), (40, 30, true), (40, 21, false)]
    {
        let stepwise =
            if height_first { pass(&pass(&x, [height, 27]), [height, width]) } else { pass(&pass(&x, [52, width]), [height, width]) };
        assert_eq!(pass(&x, [height, width]), stepwise, "{height}×{width}");
    }
}
