//! Pictures of every kind: Pillow's to the last bit, light and opacity against sums in `f64`, layouts, and what is refused.

use crate::golden::report;
use common::{Reference, numbers};
use ndarray::{Array3, ArrayD, ArrayView3, Axis, Ix3, s};
use upsample::picture::{Fit, Light, PictureResize, Sample, View, ViewMut, resize, thumbnail};
use upsample::{Backend, Error, Filter, Profile, Resize, ndarray};

fn filter(name: &str) -> PictureResize {
    match name {
        "box" => PictureResize::filter(Filter::Box),
        "bilinear" => PictureResize::bilinear(),
        "hamming" => PictureResize::filter(Filter::Hamming),
        "bicubic" => PictureResize::bicubic(),
        "lanczos" => PictureResize::lanczos3(),
        name => panic!("{name}"),
    }
}

fn random(shape: (usize, usize, usize), seed: usize) -> Array3<f64> {
    Array3::from_shape_fn(shape, |(y, x, c)| {
        let mut state = seed + 7919 * y + 104_729 * x + 1_299_709 * c;
        (0..3).for_each(|_| state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) ^ (state >> 29));
        (state >> 40) as f64 / (1_u64 << 24) as f64
    })
}

#[test]
fn fitted_pictures_are_those_of_pillow() {
    let mut reference = Reference::open("golden/pillow_fit.json", "golden/pillow_fit.npz");
    let (mut seen, mut failures) = (0, Vec::new());
    for case in reference.cases.clone() {
        let x: ArrayD<u8> = reference.read(&format!("in/{}", case["input"].as_str().unwrap()));
        let y: ArrayD<u8> = reference.read(&format!("{}/y", case["id"]));
        let (x, y) = (x.into_dimensionality::<Ix3>().unwrap(), y.into_dimensionality::<Ix3>().unwrap());
        let asked = numbers(&case["asked"], 2).unwrap();
        let mut described = filter(case["filter"].as_str().unwrap());
        if let Some(gap) = case["gap"].as_f64() {
            described = described.reducing_gap(gap);
        }
        if let Some(edges) = numbers(&case["box"], 4) {
            described = described.crop([edges[1], edges[0]], [edges[3], edges[2]]);
        }
        let channels = x.dim().2;
        described = match case["call"].as_str().unwrap() {
            "resize" => described,
            "cover" => described.fit(Fit::Cover),
            "contain" => described.fit(Fit::Contain),
            "pad" => {
                let given = numbers(&case["colour"], channels).unwrap();
                let mut colour = [0.0; 4];
                colour[..channels].copy_from_slice(&given);
                described.fit(Fit::Pad(colour))
            }
            "thumbnail" => described.fit(Fit::Thumbnail).reducing_gap(2.0),
            call => panic!("{call}"),
        };
        let asked = [asked[0] as usize, asked[1] as usize];
        for backend in Backend::available() {
            let found = described.clone().backend(backend).resize(&x, asked).unwrap();
            if found != y {
                let differing = found.iter().zip(&y).filter(|(a, b)| a != b).count();
                failures.push(format!("{differing} bytes, {:?} {backend:?}: {case}", found.dim()));
            }
        }
        if case["call"] == "thumbnail" {
            assert_eq!(thumbnail(&x, asked).unwrap(), y);
        }
        seen += 1;
    }
    report(&failures, seen, 8 * (5 * (3 * 4 + 4) + 4));
}

/// Weights of output pixel `o` for all input pixels: bilinear, stretched when shrinking.
fn weights(n: usize, m: usize, o: usize) -> Vec<f64> {
    let scale = n as f64 / m as f64;
    let (stretch, centre) = (scale.max(1.0), (o as f64 + 0.5) * scale);
    let weight = |i: usize| (1.0 - ((i as f64 + 0.5 - centre) / stretch).abs()).max(0.0);
    let sum: f64 = (0..n).map(weight).sum();
    (0..n).map(|i| weight(i) / sum).collect()
}

fn decoded(light: Light, x: f64) -> f64 {
    match light {
        Light::Srgb if x <= 0.04045 => x / 12.92,
        Light::Srgb => ((x + 0.055) / 1.055).powf(2.4),
        Light::Gamma(gamma) => x.powf(gamma),
        _ => x,
    }
}

fn encoded(light: Light, x: f64) -> f64 {
    match light {
        Light::Srgb if x <= 0.003_130_8 => 12.92 * x,
        Light::Srgb => 1.055 * x.powf(1.0 / 2.4) - 0.055,
        Light::Gamma(gamma) => x.powf(1.0 / gamma),
        _ => x,
    }
}

/// The resized picture in `f64`, of numbers of which 1 is white.
fn oracle(x: &Array3<f64>, [height, width]: [usize; 2], light: Light, alpha: bool) -> Array3<f64> {
    let (h, w, channels) = x.dim();
    let (rows, columns): (Vec<_>, Vec<_>) =
        ((0..height).map(|o| weights(h, height, o)).collect(), (0..width).map(|o| weights(w, width, o)).collect());
    let opacity = |y: usize, x_: usize| if alpha { x[[y, x_, channels - 1]] } else { 1.0 };
    let sum = |oy: usize, ox: usize, value: &dyn Fn(usize, usize) -> f64| -> f64 {
        let row = |y: usize| (0..w).map(|x_| columns[ox][x_] * value(y, x_)).sum::<f64>();
        (0..h).map(|y| if rows[oy][y] == 0.0 { 0.0 } else { rows[oy][y] * row(y) }).sum()
    };
    Array3::from_shape_fn((height, width, channels), |(oy, ox, c)| {
        let total = sum(oy, ox, &opacity);
        if alpha && c == channels - 1 {
            return total;
        }
        let light_sum = sum(oy, ox, &|y, x_| opacity(y, x_) * decoded(light, x[[y, x_, c]]));
        if total > 0.0 { encoded(light, light_sum / total) } else { 0.0 }
    })
}

fn check_light<A: Sample + Into<f64>>(most: f64, tolerance: f64, stored: impl Fn(f64) -> A) {
    for (channels, light, size) in [
        (1, Light::Srgb, [7, 9]),
        (3, Light::Srgb, [7, 9]),
        (3, Light::Srgb, [40, 55]),
        (3, Light::Gamma(2.2), [7, 9]),
        (3, Light::Gamma(0.5), [11, 30]),
        (4, Light::Stored, [40, 55]),
        (2, Light::Srgb, [7, 9]),
        (4, Light::Srgb, [7, 9]),
        (4, Light::Srgb, [33, 20]),
        (4, Light::Gamma(1.8), [33, 20]),
    ] {
        if light == Light::Stored && most == 255.0 {
            continue; // bytes have Pillow's roundings
        }
        // Dark numbers, where the curve is steep, and opacities of 0 and 1 too.
        let mut x = random((23, 31, channels), channels).mapv(|value| value.powi(3));
        if channels % 2 == 0 {
            x.slice_mut(s![.., .., channels - 1]).mapv_inplace(|value| (4.0 * value - 0.5).clamp(0.0, 1.0));
        }
        let x = x.mapv(|value| stored(value * most));
        let expected = oracle(&x.mapv(|value| value.into() / most), size, light, channels % 2 == 0);
        for backend in Backend::available() {
            let y = PictureResize::bilinear().light(light).backend(backend).resize(&x, size).unwrap();
            for ((index, &found), &expected) in y.indexed_iter().zip(&expected) {
                // A colour that is next to invisible is known as well as its opacity.
                let visible = if channels % 2 == 0 { expected_alpha(&y, index).into() / most } else { 1.0 };
                let tolerance = if visible > 0.0 { tolerance / visible.min(1.0) } else { most };
                let error = (found.into() - expected * most).abs();
                assert!(error <= tolerance, "{error} at {index:?}: {found:?} of {channels} channels, {light:?}, {size:?}, {backend:?}");
            }
        }
    }
}

fn expected_alpha<A: Copy>(y: &Array3<A>, (row, column, _): (usize, usize, usize)) -> A {
    y[[row, column, y.dim().2 - 1]]
}

#[test]
fn light_and_opacity_are_those_of_f64() {
    check_light::<u8>(255.0, 1.0, |value| value.round() as u8);
    check_light::<u16>(65_535.0, 2.0, |value| value.round() as u16);
    check_light::<f32>(1.0, 2e-5, |value| value as f32);
}

#[test]
fn a_picture_that_keeps_its_size_keeps_its_numbers() {
    let bytes = Array3::from_shape_fn((16, 16, 1), |(y, x, _)| (16 * y + x) as u8);
    let words = Array3::from_shape_fn((256, 256, 1), |(y, x, _)| (256 * y + x) as u16);
    for light in [Light::Stored, Light::Srgb, Light::Gamma(2.2)] {
        assert_eq!(PictureResize::bicubic().light(light).resize(&bytes, [16, 16]).unwrap(), bytes);
        assert_eq!(PictureResize::bicubic().light(light).resize(&words, [256, 256]).unwrap(), words);
        // Constant along the axis that changes: every number goes through the curve and back.
        let longer = PictureResize::bilinear().light(light).resize(&bytes.view().into_shape_with_order((256, 1, 1)).unwrap(), [256, 3]);
        assert!(longer.unwrap().indexed_iter().all(|((y, _, _), &value)| usize::from(value) == y), "{light:?}");
    }
}

#[test]
fn fine_lines_become_the_grey_of_half_the_light() {
    let lines = Array3::from_shape_fn((64, 64, 3), |(y, _, _)| if y % 2 == 0 { 0_u8 } else { 255 });
    let grey = PictureResize::filter(Filter::Box).linear_light().resize(&lines, [16, 16]).unwrap();
    assert!(grey.iter().all(|&value| value == 188), "{grey}");
}

#[test]
fn infinite_and_negative_light_of_floats_stays() {
    let x = ndarray::array![[[-0.5_f32], [f32::INFINITY], [4.0]]];
    let y = PictureResize::nearest().linear_light().resize(&x, [1, 3]).unwrap();
    assert_eq!(y, x);
    let y = PictureResize::filter(Filter::Box).linear_light().resize(&ndarray::array![[[-0.5_f32], [-0.5], [4.0], [4.0]]], [1, 2]).unwrap();
    assert!((y[[0, 0, 0]] + 0.5).abs() < 1e-5 && (y[[0, 1, 0]] - 4.0).abs() < 1e-5, "{y}");
}

/// Whatever the layout, the picture is the same.
#[test]
fn layouts_make_no_difference() {
    for (channels, light) in
        [(1, Light::Srgb), (2, Light::Stored), (3, Light::Srgb), (4, Light::Stored), (4, Light::Srgb), (5, Light::Srgb), (300, Light::Srgb)]
    {
        let x = random((20, 17, channels), 5).mapv(|value| (value * 255.0) as u8);
        let described = PictureResize::bicubic().light(light);
        let expected = described.resize(&x, [9, 30]).unwrap();
        let planar = x.view().permuted_axes([2, 0, 1]).as_standard_layout().into_owned().permuted_axes([1, 2, 0]);
        assert_eq!(described.resize(&planar, [9, 30]).unwrap(), expected, "{channels} channels, planar");
        let flipped = x.slice(s![..;-1, ..;-1, ..]).to_owned();
        let view: ArrayView3<'_, u8> = flipped.slice(s![..;-1, ..;-1, ..]);
        assert_eq!(described.resize(&View::new(view), [9, 30]).unwrap(), expected, "{channels} channels, flipped");
        let mut y = Array3::<u8>::zeros((channels, 9, 30));
        described.resize_into(&x, ViewMut::new(y.view_mut().permuted_axes([1, 2, 0]))).unwrap();
        assert_eq!(y.permuted_axes([1, 2, 0]), expected, "{channels} channels, into planes");
    }
}

#[test]
fn alpha_can_be_left_alone() {
    let x = random((12, 10, 4), 3).mapv(|value| (value * 255.0) as u8);
    let straight = PictureResize::bilinear().premultiply(false).resize(&x, [5, 6]).unwrap();
    let colours = PictureResize::bilinear().resize(&View::new(x.view()).without_alpha(), [5, 6]).unwrap();
    assert_eq!(straight, colours);
    for c in 0..4 {
        let plane = x.index_axis(Axis(2), c).insert_axis(Axis(2));
        let alone = PictureResize::bilinear().resize(&plane, [5, 6]).unwrap();
        assert_eq!(straight.slice(s![.., .., c..=c]), alone);
    }
}

#[test]
fn other_profiles_and_deep_pictures_are_those_of_resize() {
    let x = random((33, 21, 3), 9).mapv(|value| (value * 65_535.0) as u16);
    let y = PictureResize::new(Resize::bilinear().antialias(true)).resize(&x, [10, 40]).unwrap();
    let found = resize(&x, [10, 40]).unwrap();
    assert_eq!(found.dim(), (10, 40, 3));
    let linear = PictureResize::bilinear().resize(&x, [10, 40]).unwrap();
    assert!(linear.iter().zip(&y).all(|(&a, &b)| a.abs_diff(b) <= 1));
    let torch = PictureResize::bilinear().profile(Profile::Torch).resize(&x.mapv(f32::from), [10, 40]).unwrap();
    assert!(torch.iter().zip(&y).all(|(&a, &b)| (a - f32::from(b)).abs() <= 0.52));
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_written() {
    let x = Array3::<u8>::zeros((4, 6, 3));
    let mut y = Array3::<u8>::from_elem((2, 3, 4), 7);
    let messages = [
        View::from_slice(&[0_u8; 71], [4, 6], 3).err().map(|error| error.to_string()),
        View::from_slice(&[0_u8; 4], [usize::MAX, 2], 3).err().map(|error| error.to_string()),
        PictureResize::bicubic().resize_into(&x, &mut y).err().map(|error| error.to_string()),
        resize(&x, [0, 3]).err().map(|error| error.to_string()),
        resize(&Array3::<u8>::zeros((0, 6, 3)), [2, 3]).err().map(|error| error.to_string()),
        resize(&Array3::<u8>::zeros((4, 6, 0)), [2, 3]).err().map(|error| error.to_string()),
        resize(&x, f64::NAN).err().map(|error| error.to_string()),
        resize(&x, [usize::MAX, usize::MAX]).err().map(|error| error.to_string()),
        PictureResize::bilinear().crop([0.0, 0.0], [4.0, 6.5]).resize(&x, [2, 3]).err().map(|error| error.to_string()),
        PictureResize::bilinear().crop([-0.5, 0.0], [4.0, 6.0]).resize(&x, [2, 3]).err().map(|error| error.to_string()),
        PictureResize::bilinear().crop([2.0, 0.0], [2.0, 6.0]).fit(Fit::Cover).resize(&x, [2, 3]).err().map(|error| error.to_string()),
        PictureResize::bilinear().light(Light::Gamma(0.0)).resize(&x, [2, 3]).err().map(|error| error.to_string()),
        PictureResize::new(Resize::bilinear().crop(0.0, 2.0)).resize(&x, [2, 3]).err().map(|error| error.to_string()),
        PictureResize::bilinear().reducing_gap(0.5).resize(&x, [2, 3]).err().map(|error| error.to_string()),
    ];
    let expected = [
        "picture: the slice has 71 elements, expected 72",
        "picture: a tensor of shape [18446744073709551615, 2, 3] is larger than memory can address",
        "output: the channel axis has size 4, expected 3",
        "output: the height axis has size 0; it must be at least 1",
        "input: the height axis has size 0; it must be at least 1",
        "picture: the channel axis has size 0; it must be at least 1",
        "scale of the height axis is NaN; it must be a positive finite number",
        "output: a tensor of shape [18446744073709551615, 18446744073709551615] is larger than memory can address",
        "crop end is 6.5; it must be at most the picture's size",
        "crop begin is -0.5; it must be at least 0 and before the end",
        "crop begin is 2; it must be at least 0 and before the end",
        "gamma is 0; it must be from 0.1 to 10",
        "a picture's resize made of one that has a crop: ask for a part of a picture by `PictureResize::crop`",
        "reducing gap is 0.5; it must be a finite number, at least 1",
    ];
    for (found, expected) in messages.iter().zip(expected) {
        assert_eq!(found.as_deref(), Some(expected));
    }
    assert!(y.iter().all(|&value| value == 7));
    let plan = PictureResize::bicubic().plan([4, 6], [2, 3]).unwrap();
    assert!(matches!(plan.run(&Array3::<u8>::zeros((4, 5, 3))), Err(Error::ShapeMismatch { argument: "picture", .. })));
}

/// The same bits for any number of threads.
#[test]
fn threads_do_not_change_a_picture() {
    let x = random((700, 500, 4), 1).mapv(|value| (value * 255.0) as u8);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let linear = PictureResize::lanczos3().linear_light().resize(&x, [600, 800]).unwrap();
            (linear, resize(&x, [600, 300]).unwrap(), thumbnail(&x, [64, 64]).unwrap())
        })
    };
    assert!(run(1) == run(3));
}
