//! Asking for a size: PyTorch's `output_size`, which keeps the padding, and ONNX's `output_shape`, which computes it.

use ndarray::{Array3, Array4};
use upsample::{AutoPad, Axis, ConvTranspose, Error};

/// 1, 2, 3, …
fn count(len: usize) -> Array3<f64> {
    Array3::from_shape_fn((1, 1, len), |(.., place)| (place + 1) as f64)
}

/// PyTorch 2.15: `ConvTranspose1d(1, 1, k, s, p, dilation=d)(x, output_size=[size])` of x = 1 … n and the weights 1 … k.
#[test]
fn numbers_of_pytorch() {
    let table: [(&str, [usize; 5], &[f64]); 12] = [
        ("k3 s2 p1", [5, 3, 2, 1, 1], &[2., 5., 4., 9., 6., 13., 8., 17., 10.]),
        ("k3 s2 p1, one more", [5, 3, 2, 1, 1], &[2., 5., 4., 9., 6., 13., 8., 17., 10., 15.]),
        ("k4 s3", [4, 4, 3, 0, 1], &[1., 2., 3., 6., 4., 6., 11., 6., 9., 16., 8., 12., 16.]),
        ("k4 s3, one more", [4, 4, 3, 0, 1], &[1., 2., 3., 6., 4., 6., 11., 6., 9., 16., 8., 12., 16., 0.]),
        ("k4 s3, two more", [4, 4, 3, 0, 1], &[1., 2., 3., 6., 4., 6., 11., 6., 9., 16., 8., 12., 16., 0., 0.]),
        ("k2 s5 p2", [3, 2, 5, 2, 1], &[0., 0., 0., 2., 4., 0., 0., 0.]),
        ("k2 s5 p2, two more", [3, 2, 5, 2, 1], &[0., 0., 0., 2., 4., 0., 0., 0., 3., 6.]),
        ("k2 s5 p2, four more", [3, 2, 5, 2, 1], &[0., 0., 0., 2., 4., 0., 0., 0., 3., 6., 0., 0.]),
        ("k5 s4 p3", [2, 5, 4, 3, 1], &[4., 7., 4.]),
        ("k5 s4 p3, three more", [2, 5, 4, 3, 1], &[4., 7., 4., 6., 8., 10.]),
        ("k3 s2 p1 d2", [3, 3, 2, 1, 2], &[0., 4., 0., 10., 0., 12., 0.]),
        ("k3 s2 p1 d2, one more", [3, 3, 2, 1, 2], &[0., 4., 0., 10., 0., 12., 0., 9.]),
    ];
    for (name, [input, kernel, stride, padding, dilation], expected) in table {
        let deconv = ConvTranspose::new().stride(stride).padding(padding).dilation(dilation).output_size(expected.len());
        let y = deconv.forward(&count(input), &count(kernel), None).unwrap();
        assert_eq!(y.into_raw_vec_and_offset().0, expected, "{name}");
    }
}

/// Over all small signals: the sizes that PyTorch's documentation names are had, with the padding and the output padding that they need;
/// others are refused with the range; and the gradient in one call finds the input.
#[test]
fn every_size_is_had_or_refused_with_the_range() {
    let shapes = (1..=5).flat_map(|kernel| (1..=4).flat_map(move |stride| (1..=3).map(move |dilation| [kernel, stride, dilation])));
    let windows = shapes.flat_map(|[k, s, d]| (0..=3).flat_map(move |begin| (0..=3).map(move |end| [k, s, d, begin, end])));
    for window @ [kernel, stride, dilation, begin, end] in windows {
        let deconv = ConvTranspose::new().stride(stride).dilation(dilation).padding_of(begin, end);
        for input in 1..=5 {
            let smallest = ((input - 1) * stride + dilation * (kernel - 1) + 1) as i64 - (begin + end) as i64;
            let largest = smallest + stride as i64 - 1;
            for size in 0..=(largest.max(0) as usize + 2) {
                let label = || format!("{window:?}: {input} to {size}");
                let sized = deconv.clone().output_size(size);
                let found = sized.plan([input], [kernel]);
                if largest < 1 {
                    assert!(matches!(found, Err(Error::NoOutput { .. })), "{}: {found:?}", label());
                } else if size == 0 || !(smallest..=largest).contains(&(size as i64)) {
                    let (smallest, largest) = (smallest.max(1) as usize, largest as usize);
                    let expected = Error::OutputSizeOutOfRange { axis: Axis::Length, input, requested: size, smallest, largest };
                    assert_eq!(found.unwrap_err(), expected, "{}", label());
                } else {
                    let output_padding = (size as i64 - smallest) as usize;
                    let plain = deconv.clone().output_padding(output_padding).plan([input], [kernel]).unwrap();
                    let plan = found.unwrap();
                    assert_eq!((plan.windows(), plan.output_size()), (plain.windows(), [size]), "{}", label());
                    let dx = sized.input_gradient(&count(size), &count(kernel)).unwrap_or_else(|error| panic!("{}: {error}", label()));
                    assert_eq!(dx, plain.input_gradient(&count(size), &count(kernel)).unwrap(), "{}", label());
                }
            }
        }
    }
}

/// Options of which one computes what the other says are refused, and the message names the two ways.
#[test]
fn one_way_at_a_time() {
    let new = || ConvTranspose::new().stride(2);
    let table = [
        ("padding, ONNX's way", new().padding(1).output_shape(9), "output_size keeps the padding"),
        ("padding of one end, ONNX's way", new().padding_of(0, 1).output_shape(9), "output_shape computes the padding"),
        ("both ways", new().output_shape(9).output_size(9), "as PyTorch does"),
        ("PyTorch's way and automatic padding", new().output_size(9).auto_pad(AutoPad::SameUpper), "auto_pad computes the padding"),
        ("PyTorch's way and output padding", new().output_size(9).output_padding(1), "output_size computes the output padding"),
        ("automatic padding and padding", new().padding(1).auto_pad(AutoPad::Valid), "auto_pad computes the padding"),
    ];
    for (name, deconv, part) in table {
        for error in [deconv.plan([5], [3]).unwrap_err(), deconv.input_gradient(&count(9), &count(3)).unwrap_err()] {
            assert!(matches!(error, Error::Unsupported { .. }), "{name}: {error:?}");
        }
        let message = deconv.plan([5], [3]).unwrap_err().to_string();
        assert!(message.contains(part), "{name}: {message}");
    }
    assert!(new().padding(0).output_shape(9).plan([5], [3]).is_ok(), "no padding is none");
}

/// With ONNX's way any larger input has the output, too: the gradient in one call says from which on.
#[test]
fn output_shape_needs_the_size_of_the_input() {
    for (kernel, stride, dilation) in [(3, 2, 1), (1, 3, 1), (4, 2, 3), (2, 1, 1)] {
        for size in 1..20 {
            let deconv = ConvTranspose::new().stride(stride).dilation(dilation).output_shape([size, size]);
            let smallest = (1..=20).find(|&input| deconv.plan([input; 2], [kernel; 2]).is_ok()).unwrap();
            let (dy, weight) = (Array4::<f32>::ones((1, 1, size, size)), Array4::<f32>::ones((1, 1, kernel, kernel)));
            let message = deconv.input_gradient(&dy, &weight).unwrap_err().to_string();
            assert!(
                message.contains(&format!("at least [{smallest}, {smallest}] pixels")),
                "{kernel} {stride} {dilation} {size}: {message}"
            );
        }
    }
}
