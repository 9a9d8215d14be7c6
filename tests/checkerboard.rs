//! Overlap counted by hand, spectra by the definition, advice by trying everything nearer.

use std::f64::consts::TAU;

use ndarray::{Array2, Array3, Array4, Array5, array};
use proptest::prelude::*;
use upsample::checkerboard::{Overlap, StrideSpectrum, WeightOverlap, nearest_even};
use upsample::output_size::{Window, conv_transpose};
use upsample::{Axis, Error};

/// Puts a mark on every position that a copy of the kernel covers, then crops.
fn counted_by_hand(input: usize, window: &Window) -> Vec<usize> {
    let mut marks = vec![0; input * window.stride + window.kernel * window.dilation + window.output_padding];
    for i in 0..input {
        for tap in 0..window.kernel {
            marks[i * window.stride + tap * window.dilation] += 1;
        }
    }
    let full = (input - 1) * window.stride + (window.kernel - 1) * window.dilation + 1 + window.output_padding;
    (window.padding_begin..full as isize - window.padding_end)
        .map(|place| usize::try_from(place).map_or(0, |place| marks.get(place).copied().unwrap_or(0)))
        .collect()
}

fn windows() -> impl Strategy<Value = Window> {
    (1..9_usize, 1..6_usize, 1..5_usize, -2..4_isize, -2..4_isize, 0..4_usize).prop_map(|(kernel, stride, dilation, begin, end, extra)| {
        Window::new(kernel).stride(stride).dilation(dilation).padding_of(begin, end).output_padding(extra % stride.max(dilation))
    })
}

fn divisors_in_common(a: usize, b: usize) -> bool {
    (2..=a.min(b)).any(|divisor| a.is_multiple_of(divisor) && b.is_multiple_of(divisor))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn overlap_is_what_is_counted_by_hand(input in 1..12_usize, window in windows()) {
        let Ok(size) = conv_transpose(input, &window) else { return Ok(()) };
        let overlap = Overlap::of([input], [window]).unwrap();
        let counted = counted_by_hand(input, &window);
        prop_assert_eq!(counted.len(), size);
        prop_assert_eq!(overlap.counts().to_vec(), counted.clone());
        prop_assert_eq!(overlap.is_even_everywhere(), counted.iter().all(|&count| count == counted[0]));
        // Far from the border of a long input.
        let long = counted_by_hand(60, &window);
        let far = (long.len() / 2..).take(window.stride).map(|o| ((o as isize + window.padding_begin) as usize % window.stride, long[o]));
        for (phase, count) in far {
            prop_assert_eq!(overlap.phases()[phase], count, "phase {}", phase);
        }
    }

    #[test]
    fn even_is_where_the_stride_divides_the_kernel(window in windows()) {
        let window = window.padding(0).output_padding(0);
        let overlap = Overlap::of([4], [window]).unwrap();
        let expected = window.kernel % window.stride == 0 && !divisors_in_common(window.dilation, window.stride);
        prop_assert_eq!(overlap.is_even(), expected);
        prop_assert_eq!(overlap.ratio() == 1.0, expected);
        prop_assert_eq!(overlap.spectrum().unevenness() < 1e-12, expected);
        let (most, fewest) = (overlap.phases().iter().max().unwrap(), overlap.phases().iter().min().unwrap());
        prop_assert_eq!(overlap.ratio(), *most as f64 / *fewest as f64);
    }

    #[test]
    fn counts_of_axes_multiply(input in [1..5_usize, 1..5_usize, 1..5_usize], windows in [windows(), windows(), windows()]) {
        if (0..3).any(|axis| conv_transpose(input[axis], &windows[axis]).is_err()) {
            return Ok(());
        }
        let [d, h, w]: [Vec<usize>; 3] = std::array::from_fn(|axis| counted_by_hand(input[axis], &windows[axis]));
        let volume = Array3::from_shape_fn((d.len(), h.len(), w.len()), |(z, y, x)| d[z] * h[y] * w[x]);
        let found = Overlap::of(input, windows).unwrap();
        prop_assert_eq!(found.counts(), volume);
        let picture = Array2::from_shape_fn((h.len(), w.len()), |(y, x)| h[y] * w[x]);
        let found = Overlap::of([input[1], input[2]], [windows[1], windows[2]]).unwrap();
        prop_assert_eq!(found.counts(), picture);
    }

    #[test]
    fn advice_is_even_keeps_the_size_and_is_nearest(input in 1..9_usize, window in windows()) {
        // The advice crops; it does not widen.
        let window = window.padding_of(window.padding_begin.max(0), window.padding_end.max(0));
        let Ok(size) = conv_transpose(input, &window) else { return Ok(()) };
        let even = nearest_even(input, &window).unwrap();
        prop_assert_eq!(conv_transpose(input, &even).unwrap(), size);
        prop_assert_eq!(even.stride, window.stride);
        let overlap = Overlap::of([input], [even]).unwrap();
        prop_assert!(overlap.is_even());
        if Overlap::of([input], [window]).unwrap().is_even() {
            prop_assert_eq!(even, window);
        } else if !divisors_in_common(window.dilation, window.stride) {
            prop_assert_eq!(even.dilation, window.dilation);
            let distance = even.kernel.abs_diff(window.kernel);
            for kernel in (1..=even.kernel + distance).filter(|kernel| kernel % window.stride == 0 && kernel.abs_diff(window.kernel) < distance) {
                let reachable = (0..20).any(|begin| (0..20).any(|end| (0..window.stride.max(window.dilation)).any(|extra| {
                    let nearer = Window { kernel, ..window }.padding_of(begin, end).output_padding(extra);
                    begin.abs_diff(end) <= 1 && conv_transpose(input, &nearer) == Ok(size)
                })));
                prop_assert!(!reachable, "kernel {} would be nearer than {}", kernel, even.kernel);
            }
        }
    }

    #[test]
    fn spectrum_is_the_fourier_transform(size in [4..9_usize, 4..9_usize], stride in [1..5_usize, 1..5_usize], mean in -3.0..3.0_f64, seed: u64) {
        let mut state = seed | 1;
        let picture = Array4::from_shape_simple_fn((2, 2, size[0], size[1]), || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1 << 24) - 0.5 + mean
        });
        let spectrum = StrideSpectrum::of(&picture, stride).unwrap();
        let (height, width) = (size[0] / stride[0] * stride[0], size[1] / stride[1] * stride[1]);
        let mut all = 0.0;
        for ((j, k), &energy) in spectrum.energies().indexed_iter() {
            let mut expected = 0.0;
            for plane in picture.outer_iter().flat_map(|picture| picture.into_outer_iter()) {
                let (mut re, mut im) = (0.0, 0.0);
                for (h, w) in (0..height).flat_map(|h| (0..width).map(move |w| (h, w))) {
                    let angle = TAU * (j as f64 / stride[0] as f64 * h as f64 + k as f64 / stride[1] as f64 * w as f64);
                    re += plane[[h, w]] * angle.cos();
                    im -= plane[[h, w]] * angle.sin();
                    all += if (j, k) == (0, 0) { plane[[h, w]] * plane[[h, w]] } else { 0.0 };
                }
                expected += (re * re + im * im) / (height * width) as f64;
            }
            prop_assert!((energy - expected).abs() < 1e-10, "{:?}: {} {}", (j, k), energy, expected);
        }
        let sum = spectrum.constant() + spectrum.at_stride() + spectrum.rest();
        prop_assert!((sum - all).abs() < 1e-10 * all, "{} {}", sum, all);
    }

    #[test]
    fn weights_answer_a_constant_input_as_the_convolution_does(
        kernel in [1..6_usize, 1..6_usize], stride in [1..4_usize, 1..4_usize], dilation in [1..3_usize, 1..3_usize], groups in 1..3_usize,
    ) {
        let weight = Array4::from_shape_fn((4, 3, kernel[0], kernel[1]), |(i, o, h, w)| ((i * 5 + o * 7 + h * 3 + w * 11) % 13) as f64 - 4.0);
        let windows = [0, 1].map(|axis| Window::new(kernel[axis]).stride(stride[axis]).dilation(dilation[axis]));
        let found = WeightOverlap::of(&weight, windows, groups).unwrap();
        // The transposed convolution of ones, scattered, and read in the middle.
        let n = 12;
        let size = [0, 1].map(|axis| (n - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1);
        let mut y = Array3::<f64>::zeros((3 * groups, size[0], size[1]));
        let mut sums = Array4::<f64>::zeros((4, 3, stride[0], stride[1]));
        for ((input, output, h, w), &value) in weight.indexed_iter() {
            sums[[input, output, h * dilation[0] % stride[0], w * dilation[1] % stride[1]]] += value;
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                y[[input / (4 / groups) * 3 + output, i * stride[0] + h * dilation[0], j * stride[1] + w * dilation[1]]] += value;
            }
        }
        prop_assert_eq!(found.sums(), sums);
        let middle = [0, 1].map(|axis| size[axis] / 2 / stride[axis] * stride[axis]);
        for ((_, channel, h, w), &response) in found.response().indexed_iter() {
            prop_assert_eq!(response, y[[channel, middle[0] + h, middle[1] + w]]);
        }
        prop_assert_eq!(found.unevenness().len(), 3 * groups);
    }
}

#[test]
fn known_configurations() {
    for (name, window, phases, ratio, unevenness) in [
        ("k3 s2", Window::new(3).stride(2), vec![2, 1], 2.0, 0.1),
        ("k4 s2", Window::new(4).stride(2), vec![2, 2], 1.0, 0.0),
        ("k5 s3", Window::new(5).stride(3), vec![2, 2, 1], 2.0, 2.0 / 27.0),
        ("k2 s3: gaps", Window::new(2).stride(3), vec![1, 1, 0], f64::INFINITY, 1.0 / 3.0),
        ("dilation 2 misses every other", Window::new(4).stride(2).dilation(2), vec![4, 0], f64::INFINITY, 0.5),
        ("dilation 3 does not", Window::new(4).stride(2).dilation(3), vec![2, 2], 1.0, 0.0),
        ("s1", Window::new(3), vec![3], 1.0, 0.0),
    ] {
        let overlap = Overlap::of([9], [window]).unwrap();
        assert_eq!((overlap.phases().to_vec(), overlap.ratio()), (phases, ratio), "{name}");
        assert!((overlap.spectrum().unevenness() - unevenness).abs() < 1e-15, "{name}: {}", overlap.spectrum().unevenness());
    }
    assert!(Overlap::of([5, 5], [Window::new(2).stride(2); 2]).unwrap().is_even_everywhere());
    // As much energy at the two axes' frequencies, and less at the diagonal one.
    let picture = Overlap::of([5, 5], [Window::new(3).stride(2); 2]).unwrap();
    assert_eq!(picture.spectrum().energies().mapv(|energy| energy * 16.0), array![[324.0, 36.0], [36.0, 4.0]]);
}

#[test]
fn windows_of_any_size_are_counted_at_once() {
    let far = Window::new(1 << 40).stride((1 << 20) + 1).padding_of(1 << 39, (1 << 39) - 3);
    let overlap = Overlap::of([2], [far]).unwrap();
    assert!(overlap.counts().iter().all(|&count| count == 2));
    assert_eq!(nearest_even(1, &Window::new(2).stride(1 << 40)).unwrap().kernel, 1 << 40);
}

#[test]
fn pictures_without_and_with_a_checkerboard() {
    let board = |strength: f64| Array4::from_shape_fn((1, 1, 9, 9), |(_, _, h, w)| 5.0 + strength * ((h + w) % 2) as f64);
    let clean = StrideSpectrum::of(&board(0.0), 2).unwrap();
    assert_eq!((clean.share(), clean.unevenness(), clean.prominence(), clean.constant()), (0.0, 0.0, 0.0, 25.0 * 64.0));
    let found = StrideSpectrum::of(&board(0.5), 2).unwrap();
    assert_eq!((found.share(), found.prominence()), (1.0, f64::INFINITY));
    assert_eq!(found.energies()[[1, 1]], 4.0);
    // A constant that floating point cannot average exactly has no checkerboard either.
    let tenth = StrideSpectrum::of(&Array5::from_elem((3, 1, 6, 6, 6), 0.1_f32), 3).unwrap();
    assert_eq!((tenth.share(), tenth.unevenness()), (0.0, 0.0));
    let signal = StrideSpectrum::of(&array![[[1_u8, 3, 1, 3]]], 2).unwrap();
    assert_eq!(signal.energies(), array![16.0, 4.0]);
}

#[test]
fn bad_input_is_refused_with_the_numbers() {
    let no_output = Error::NoOutput { axis: Axis::Width, input: 1, kernel: 2, dilated_kernel: 2, padding_begin: 1, padding_end: 1 };
    assert_eq!(Overlap::of([3, 1], [Window::new(2), Window::new(2).padding(1)]).unwrap_err(), no_output);
    assert!(matches!(nearest_even(0, &Window::new(3)), Err(Error::ZeroSize { .. })));
    let picture = Array4::<f32>::zeros((1, 1, 4, 3));
    for stride in [[0, 1], [1, 4]] {
        assert!(matches!(StrideSpectrum::of(&picture, stride), Err(Error::InvalidAxisParameter { parameter: "stride", .. })));
    }
    let windows = [Window::new(4).stride(2), Window::new(3).stride(2)];
    assert_eq!(
        WeightOverlap::of(&Array4::<f32>::zeros((6, 2, 4, 3)), windows, 4).unwrap_err(),
        Error::Groups { argument: "weight", channels: 6, groups: 4 }
    );
    let mismatch = Error::ShapeMismatch { argument: "weight", axis: Axis::Width, expected: 3, found: 4 };
    assert_eq!(WeightOverlap::of(&Array4::<f32>::zeros((6, 2, 4, 4)), windows, 1).unwrap_err(), mismatch);
    assert!(WeightOverlap::of(&Array4::<f32>::zeros((6, 2, 4, 3)), [windows[0], Window::new(3).stride(0)], 1).is_err());
}
