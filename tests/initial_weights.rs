//! A transposed convolution with these weights is the interpolation away from the border; how far it differs at the border.

use ndarray::{Array1, Array3, Array4, Array5, Axis, s};
use upsample::checkerboard::WeightOverlap;
use upsample::initial_weights::{InterpolationKernel, icnr};
use upsample::output_size::Window;
use upsample::rearrange::{ChannelOrder, pixel_shuffle};
use upsample::{ConvTranspose, Error, Resize};

/// Scatters copies of the kernel; one channel.
fn transposed_convolution(x: &Array1<f64>, taps: &[f64], window: &Window) -> Vec<f64> {
    let mut full = vec![0.0; (x.len() - 1) * window.stride + taps.len()];
    for (i, value) in x.iter().enumerate() {
        for (tap, weight) in taps.iter().enumerate() {
            full[i * window.stride + tap] += value * weight;
        }
    }
    full[window.padding_begin as usize..full.len() - window.padding_end as usize].to_vec()
}

/// The value at output pixel `o`: every input pixel weighted by the filter of its distance, pixels beyond the border repeated or missing.
fn interpolate(x: &Array1<f64>, factor: usize, o: usize, filter: &dyn Fn(f64) -> f64, repeat: bool) -> f64 {
    let position = (o as f64 + 0.5) / factor as f64 - 0.5;
    let last = x.len() as isize - 1;
    (-5..=last + 5)
        .filter(|&i| repeat || (0..=last).contains(&i))
        .map(|i| x[i.clamp(0, last) as usize] * filter((position - i as f64).abs()))
        .sum()
}

fn keys(a: f64) -> impl Fn(f64) -> f64 {
    move |x| match x {
        x if x < 1.0 => (a + 2.0) * x.powi(3) - (a + 3.0) * x.powi(2) + 1.0,
        x if x < 2.0 => a * x.powi(3) - 5.0 * a * x.powi(2) + 8.0 * a * x - 4.0 * a,
        _ => 0.0,
    }
}

#[test]
fn transposed_convolution_is_the_interpolation() {
    let x = Array1::from_vec(vec![3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0, 6.0, -5.0, 3.0]);
    for factor in 1..=8 {
        let half_up = |distance: f64| if distance < 0.5 { 1.0 } else { 0.0 };
        let cases: [(&str, InterpolationKernel<1>, usize, Box<dyn Fn(f64) -> f64>); 4] = [
            ("nearest", InterpolationKernel::nearest(factor).unwrap(), factor, Box::new(half_up)),
            ("linear", InterpolationKernel::linear(factor).unwrap(), 2 * factor - factor % 2, Box::new(|x: f64| (1.0 - x).max(0.0))),
            ("cubic -0.75", InterpolationKernel::cubic(factor, -0.75).unwrap(), 4 * factor - factor % 2, Box::new(keys(-0.75))),
            ("cubic -0.5", InterpolationKernel::cubic(factor, -0.5).unwrap(), 4 * factor - factor % 2, Box::new(keys(-0.5))),
        ];
        for (name, kernel, size, filter) in cases {
            let [window] = kernel.windows();
            assert_eq!((window.kernel, window.stride), (size, factor), "{name}, factor {factor}");
            let y = transposed_convolution(&x, &kernel.taps()[0], &window);
            assert_eq!(y.len(), x.len() * factor, "{name}, factor {factor}");
            let border = window.padding_begin as usize;
            for (o, &value) in y.iter().enumerate() {
                // Everywhere it is the interpolation of a picture with nothing around it ...
                let expected = interpolate(&x, factor, o, &filter, false);
                assert!((value - expected).abs() < 1e-12, "{name}, factor {factor}, pixel {o}: {value}, expected {expected}");
                // ... and away from the border the one that everybody means.
                let repeated = interpolate(&x, factor, o, &filter, true);
                let inside = o >= border && o < y.len() - border;
                assert!(!inside || (value - repeated).abs() < 1e-12, "{name}, factor {factor}, pixel {o}: {value}, expected {repeated}");
            }
        }
    }
}

/// The operators of the crate themselves: away from the border the transposed convolution gives what the resize gives. At the border it
/// lacks the weight of the pixels that the resize repeats: where all pixels are alike, the share below is missing and nothing else.
#[test]
fn conv_transpose_with_these_weights_is_resize() {
    let x = Array4::from_shape_fn((2, 3, 6, 7), |(n, c, h, w)| ((n * 61 + c * 17 + h * 29 + w * 13) % 23) as f64 / 8.0 - 1.0);
    let ones = Array4::<f64>::ones((1, 3, 6, 7));
    // Of the border of a constant picture, how much is missing at most: in a corner 1 - (3/4)² with factor 2.
    for (name, factor, resize, kernel, missing) in [
        ("bilinear 2", 2, Resize::bilinear(), InterpolationKernel::<2>::linear(2), 1.0 - 0.75 * 0.75),
        ("bilinear 3", 3, Resize::bilinear(), InterpolationKernel::linear(3), 1.0 - 4.0 / 9.0),
        ("bilinear 4", 4, Resize::bilinear(), InterpolationKernel::linear(4), 1.0 - 0.625 * 0.625),
        ("bicubic 2", 2, Resize::bicubic(), InterpolationKernel::cubic(2, -0.75), 1.0 - 0.7734375 * 0.7734375),
        ("nearest 3", 3, Resize::nearest(), InterpolationKernel::nearest(3), 0.0),
    ] {
        let kernel = kernel.unwrap();
        let [window, _] = kernel.windows();
        let plan = resize.plan([6, 7], factor as f64).unwrap();
        let depthwise = ConvTranspose::new().stride(window.stride).padding(window.padding_begin).groups(3);
        let mixing = ConvTranspose::new().stride(window.stride).padding(window.padding_begin);
        let expected = plan.forward(&x).unwrap();
        for (deconv, weight) in [(&depthwise, kernel.depthwise::<f64>(3).unwrap()), (&mixing, kernel.diagonal(3).unwrap())] {
            let found = deconv.forward(&x, &weight, None).unwrap();
            assert_eq!(found.dim(), expected.dim(), "{name}");
            let border = window.padding_begin as usize;
            let inside = s![.., .., border..6 * factor - border, border..7 * factor - border];
            for (found, expected) in found.slice(inside).iter().zip(expected.slice(inside)) {
                assert!((found - expected).abs() < 1e-12, "{name}: {found}, expected {expected}");
            }
            let dark = deconv.forward(&ones, &weight, None).unwrap();
            let most = dark.iter().fold(0.0_f64, |most, value| most.max((1.0 - value).abs()));
            assert!((most - missing).abs() < 1e-12, "{name}: {most} is missing, expected {missing}");
        }
    }
}

/// The border is darker by the weight that falls outside: a quarter with factor 2, nearly half with large factors.
#[test]
fn the_border_is_darker() {
    let ones = Array1::from_elem(6, 1.0);
    for (factor, first) in [(1, 1.0), (2, 0.75), (3, 2.0 / 3.0), (4, 0.625), (8, 0.5625), (64, 0.5078125)] {
        let kernel = InterpolationKernel::<1>::linear(factor).unwrap();
        let y = transposed_convolution(&ones, &kernel.taps()[0], &kernel.windows()[0]);
        assert!((y[0] - first).abs() < 1e-12, "factor {factor}: {}", y[0]);
        assert!((y[y.len() - 1] - first).abs() < 1e-12, "factor {factor}");
        assert!(y[factor / 2..y.len() - factor / 2].iter().all(|value| (value - 1.0).abs() < 1e-12), "factor {factor}");
    }
}

#[test]
fn no_checkerboard_to_begin_with() {
    for factor in [1, 2, 3, 4, 5, 8] {
        for (name, kernel) in [
            ("nearest", InterpolationKernel::<2>::nearest([factor, 2]).unwrap()),
            ("linear", InterpolationKernel::linear([factor, 3]).unwrap()),
            ("cubic", InterpolationKernel::cubic([factor, 4], -0.75).unwrap()),
        ] {
            for (weight, groups) in [(kernel.depthwise::<f64>(3).unwrap(), 3), (kernel.diagonal(3).unwrap(), 1)] {
                let found = WeightOverlap::of(&weight, kernel.windows(), groups).unwrap();
                assert!(found.response().iter().all(|response| (response - 1.0).abs() < 1e-12), "{name}, factor {factor}");
                assert_eq!(found.spectrum().unevenness(), 0.0, "{name}, factor {factor}");
            }
        }
    }
}

#[test]
fn weights_are_products_on_the_channels_own_kernels() {
    let kernel = InterpolationKernel::<3>::linear([1, 2, 3]).unwrap();
    let depthwise: Array5<f32> = kernel.depthwise(2).unwrap();
    assert_eq!(depthwise.dim(), (2, 1, 1, 4, 5));
    let [d, h, w] = kernel.taps();
    for ((_, _, z, y, x), &weight) in depthwise.indexed_iter() {
        assert_eq!(weight, (d[z] * h[y] * w[x]) as f32);
    }
    let diagonal: Array5<f32> = kernel.diagonal(2).unwrap();
    for (input, output) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let expected = if input == output { depthwise.slice(s![input, 0, .., .., ..]).to_owned() } else { Array3::zeros((1, 4, 5)) };
        assert_eq!(diagonal.slice(s![input, output, .., .., ..]), expected);
    }
}

/// Convolution with padding 1, straight from the definition.
fn convolution(x: &Array4<f64>, weight: &Array4<f64>) -> Array4<f64> {
    let (_, channels, height, width) = x.dim();
    Array4::from_shape_fn((x.dim().0, weight.dim().0, height, width), |(n, o, h, w)| {
        let mut sum = 0.0;
        for (c, i, j) in (0..channels).flat_map(|c| (0..3).flat_map(move |i| (0..3).map(move |j| (c, i, j)))) {
            if (1..=height).contains(&(h + i)) && (1..=width).contains(&(w + j)) {
                sum += weight[[o, c, i, j]] * x[[n, c, h + i - 1, w + j - 1]];
            }
        }
        sum
    })
}

#[test]
fn icnr_begins_as_nearest_neighbour() {
    let number = |seed: usize| ((seed * 7919) % 23) as f64 - 11.0;
    let x = Array4::from_shape_fn((2, 3, 4, 5), |(n, c, h, w)| number(n * 61 + c * 17 + h * 5 + w));
    let weight = Array4::from_shape_fn((2, 3, 3, 3), |(o, c, h, w)| number(o * 31 + c * 9 + h * 3 + w));
    let small = convolution(&x, &weight);
    for order in [ChannelOrder::ChannelFirst, ChannelOrder::DepthFirst] {
        let weights = icnr(&weight, [2, 3], order).unwrap();
        assert_eq!(weights.len_of(Axis(0)), 12);
        let y = pixel_shuffle(&convolution(&x, &weights), [2, 3], order).unwrap();
        for ((n, c, h, w), &value) in y.indexed_iter() {
            assert_eq!(value, small[[n, c, h / 2, w / 3]], "{order:?}");
        }
    }
}

#[test]
fn bad_input_is_refused() {
    assert!(matches!(InterpolationKernel::<2>::linear([2, 0]), Err(Error::InvalidAxisParameter { parameter: "factor", .. })));
    assert!(matches!(InterpolationKernel::<1>::cubic(usize::MAX, -0.5), Err(Error::SizeOverflow { .. })));
    assert!(matches!(InterpolationKernel::<1>::linear(usize::MAX / 4), Err(Error::OutOfMemory { .. })));
    assert!(matches!(InterpolationKernel::<2>::linear(2).unwrap().diagonal::<f32>(1 << 40), Err(Error::TooLarge { .. })));
    assert!(icnr(&Array4::<f32>::zeros((1, 1, 3, 3)), 0, ChannelOrder::DepthFirst).is_err());
}
