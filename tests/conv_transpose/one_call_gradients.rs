//! The input gradient in one call finds the size of the input: of every valid forward pass, over all small signals.

use ndarray::{Array3, ArrayView1};
use upsample::{AutoPad, Axis, ConvTranspose, Convolution, Error};

/// The numbers of a small signal's transposed convolution.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    kernel: usize,
    stride: usize,
    dilation: usize,
    begin: isize,
    end: isize,
    output_padding: usize,
}

impl Numbers {
    fn conv_transpose(&self) -> ConvTranspose {
        let deconv = ConvTranspose::new().stride(self.stride).dilation(self.dilation).padding_of(self.begin, self.end);
        deconv.output_padding(self.output_padding)
    }

    fn convolution(&self) -> Convolution {
        Convolution::new().stride(self.stride).dilation(self.dilation).padding_of(self.begin, self.end)
    }

    /// By the formula of PyTorch's documentation; not positive where nothing is left.
    fn size(&self, input: usize) -> i64 {
        let reach = (input - 1) * self.stride + self.dilation * (self.kernel - 1) + self.output_padding + 1;
        reach as i64 - (self.begin + self.end) as i64
    }

    /// The sizes of outputs that inputs of up to so many pixels have.
    fn sizes(&self, inputs: usize) -> Vec<usize> {
        (1..=inputs).filter_map(|input| usize::try_from(self.size(input)).ok().filter(|&size| size > 0)).collect()
    }

    /// The gradient by its definition: each input pixel collects what its copy of the kernel meets. `begin` is how much is cropped there.
    fn gradient(&self, dy: ArrayView1<'_, f64>, weight: ArrayView1<'_, f64>, input: usize, begin: isize) -> Vec<f64> {
        let at = |place: usize| usize::try_from(place as isize - begin).ok().and_then(|place| dy.get(place)).copied().unwrap_or(0.0);
        (0..input).map(|i| weight.iter().enumerate().map(|(tap, w)| w * at(i * self.stride + tap * self.dilation)).sum()).collect()
    }
}

/// All small windows.
fn all() -> impl Iterator<Item = Numbers> {
    let shapes = (1..=5).flat_map(|kernel| (1..=4).flat_map(move |stride| (1..=3).map(move |dilation| [kernel, stride, dilation])));
    shapes.flat_map(|[kernel, stride, dilation]| {
        let paddings = (-2..=3).flat_map(|begin| (-2..=3).map(move |end| [begin, end]));
        paddings.flat_map(move |[begin, end]| {
            (0..stride.max(dilation)).map(move |output_padding| Numbers { kernel, stride, dilation, begin, end, output_padding })
        })
    })
}

/// Whole numbers, so that every sum is exact.
fn signal(len: usize, first: usize) -> Array3<f64> {
    Array3::from_shape_fn((1, 1, len), |(_, _, place)| ((place * 7 + first) % 11) as f64 - 4.0)
}

const INPUTS: usize = 6;

#[test]
fn every_forward_pass_has_its_input_gradient() {
    let mut count = 0;
    for numbers in all() {
        let (deconv, weight) = (numbers.conv_transpose(), signal(numbers.kernel, 3));
        for input in 1..=INPUTS {
            let Some(size) = usize::try_from(numbers.size(input)).ok().filter(|&size| size > 0) else {
                assert!(deconv.plan([input], [numbers.kernel]).is_err(), "{numbers:?}, {input} pixels");
                continue;
            };
            let dy = signal(size, 1);
            let dx = deconv.input_gradient(&dy, &weight).unwrap_or_else(|error| panic!("{numbers:?}, {input} pixels: {error}"));
            let (of_dy, of_weight) = (dy.as_slice().unwrap().into(), weight.as_slice().unwrap().into());
            let expected = numbers.gradient(of_dy, of_weight, input, numbers.begin);
            assert_eq!(dx.into_raw_vec_and_offset().0, expected, "{numbers:?}, {input} pixels");
            count += 1;
        }
    }
    assert!(count > 10_000, "{count}");
}

/// Sizes between two outputs are refused, and the error names one that there is: the next smaller, or the smallest of all.
#[test]
fn sizes_that_no_input_has_are_refused_with_one_that_some_has() {
    for numbers in all() {
        let (deconv, weight) = (numbers.conv_transpose(), signal(numbers.kernel, 3));
        let sizes = numbers.sizes(32);
        for size in (1..=24).filter(|size| !sizes.contains(size)) {
            let smaller = sizes.iter().copied().filter(|&other| other < size).max();
            let expected = smaller.unwrap_or(sizes[0]);
            let mismatch = Error::ShapeMismatch { argument: "output gradient", axis: Axis::Length, expected, found: size };
            assert_eq!(deconv.input_gradient(&signal(size, 1), &weight), Err(mismatch), "{numbers:?}");
        }
    }
}

#[test]
fn with_automatic_padding_too() {
    for numbers in all().filter(|numbers| numbers.begin == 0 && numbers.end == 0) {
        for auto_pad in [AutoPad::SameUpper, AutoPad::SameLower, AutoPad::Valid] {
            let (deconv, weight) = (numbers.conv_transpose().auto_pad(auto_pad), signal(numbers.kernel, 3));
            for input in 1..=INPUTS {
                let plan = deconv.plan([input], [numbers.kernel]).unwrap();
                let [size] = plan.output_size();
                assert_eq!(size as i64, if auto_pad == AutoPad::Valid { numbers.size(input) } else { (input * numbers.stride) as i64 });
                let dy = signal(size, 1);
                let label = || format!("{numbers:?}, {auto_pad:?}, {input} pixels");
                let dx = deconv.input_gradient(&dy, &weight).unwrap_or_else(|error| panic!("{}: {error}", label()));
                assert_eq!(dx, plan.input_gradient(&dy, &weight).unwrap(), "{}", label());
                // What is cropped at the beginning follows from ONNX's formula.
                let total = numbers.size(input) - size as i64;
                let begin = if auto_pad == AutoPad::SameUpper { total.max(0) / 2 } else { (total.max(0) + 1) / 2 };
                let (of_dy, of_weight) = (dy.as_slice().unwrap().into(), weight.as_slice().unwrap().into());
                let expected = numbers.gradient(of_dy, of_weight, input, begin as isize);
                assert_eq!(dx.into_raw_vec_and_offset().0, expected, "{}", label());
            }
        }
    }
}

/// The convolution is told the size of its input, so every size will do that its forward pass takes.
#[test]
fn every_convolution_has_its_input_gradient() {
    for numbers in all().filter(|numbers| numbers.output_padding == 0) {
        let (conv, weight) = (numbers.convolution(), signal(numbers.kernel, 3));
        for input in 1..=2 * INPUTS {
            let room = input as i64 + (numbers.begin + numbers.end) as i64 - (numbers.dilation * (numbers.kernel - 1)) as i64 - 1;
            let forward = conv.forward(&signal(input, 5), &weight, None);
            assert_eq!(forward.is_ok(), room >= 0, "{numbers:?}, {input} pixels");
            let Ok(y) = forward else { continue };
            assert_eq!(y.len(), room as usize / numbers.stride + 1, "{numbers:?}, {input} pixels");
            let dx = conv.input_gradient(&y, &weight, [input]).unwrap();
            // Each output puts down a copy of the kernel.
            let mut expected = vec![0.0; input];
            for (o, dy) in y.iter().enumerate() {
                for (tap, w) in weight.iter().enumerate() {
                    let place = usize::try_from((o * numbers.stride + tap * numbers.dilation) as isize - numbers.begin).ok();
                    if let Some(sum) = place.and_then(|place| expected.get_mut(place)) {
                        *sum += w * dy;
                    }
                }
            }
            assert_eq!(dx.into_raw_vec_and_offset().0, expected, "{numbers:?}, {input} pixels");
        }
    }
}
