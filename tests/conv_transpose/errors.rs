//! What cannot be done is refused with the numbers.

use ndarray::{Array1, Array4};
use upsample::{AutoPad, Axis, ConvTranspose, Convolution, Error, Update};

fn zeros(shape: [usize; 4]) -> Array4<f32> {
    Array4::zeros(shape)
}

fn invalid(parameter: &'static str, axis: Axis, value: usize, requirement: &str) -> Error {
    Error::InvalidAxisParameter { parameter, axis, value, requirement: requirement.to_owned() }
}

#[test]
fn plans() {
    let new = ConvTranspose::new;
    let plan = |deconv: ConvTranspose, input: [usize; 2], kernel: [usize; 2]| deconv.plan(input, kernel).unwrap_err();
    let no_output = Error::NoOutput { axis: Axis::Width, input: 1, kernel: 3, dilated_kernel: 3, padding_begin: 2, padding_end: 2 };
    let overflow = Error::SizeOverflow { argument: "output", axis: Axis::Height };
    let table = [
        ("stride 0", plan(new().stride([1, 0]), [4, 4], [3, 3]), invalid("stride", Axis::Width, 0, "at least 1")),
        ("dilation 0", plan(new().dilation([0, 1]), [4, 4], [3, 3]), invalid("dilation", Axis::Height, 0, "at least 1")),
        ("kernel 0", plan(new(), [4, 4], [3, 0]), invalid("kernel", Axis::Width, 0, "at least 1")),
        (
            "output padding as large as the stride",
            plan(new().stride(2).output_padding(2), [4, 4], [3, 3]),
            invalid("output padding", Axis::Height, 2, "smaller than the stride (2) or the dilation (1)"),
        ),
        ("everything cropped", plan(new().padding([0, 2]), [4, 1], [3, 3]), no_output),
        ("no pixels", plan(new(), [4, 0], [3, 3]), Error::ZeroSize { argument: "input", axis: Axis::Width }),
        ("three numbers", plan(new().stride([1, 2, 3]), [4, 4], [3, 3]), Error::AxisCount { argument: "stride", expected: 2, found: 3 }),
        (
            "one output size for two axes",
            plan(new().output_shape([4]), [4, 4], [3, 3]),
            Error::AxisCount { argument: "output shape", expected: 2, found: 1 },
        ),
        (
            "no groups",
            plan(new().groups(0), [4, 4], [3, 3]),
            Error::InvalidParameter { parameter: "groups", value: 0.0, requirement: "at least 1" },
        ),
        (
            "too large an output shape",
            plan(new().stride(2).output_shape([10, 11]), [4, 4], [3, 3]),
            Error::UnreachableSize { axis: Axis::Width, input: 4, requested: 11, nearest: 10 },
        ),
        (
            "output shape 0",
            plan(new().output_shape([0, 4]), [4, 4], [3, 3]),
            Error::UnreachableSize { axis: Axis::Height, input: 4, requested: 0, nearest: 1 },
        ),
        ("size overflows", plan(new().stride(usize::MAX / 2), [4, 4], [3, 3]), overflow.clone()),
        ("same size overflows", plan(new().stride(usize::MAX / 2).auto_pad(AutoPad::SameUpper), [4, 4], [3, 3]), overflow.clone()),
        ("input overflows", plan(new(), [usize::MAX, 4], [3, 3]), overflow),
        (
            "padding overflows",
            plan(new().padding(usize::MAX), [4, 4], [3, 3]),
            Error::SizeOverflow { argument: "padding", axis: Axis::Height },
        ),
        (
            "kernel overflows",
            plan(new().dilation(usize::MAX), [4, 4], [3, 3]),
            Error::SizeOverflow { argument: "dilated kernel", axis: Axis::Height },
        ),
    ];
    for (name, found, expected) in table {
        assert_eq!(found, expected, "{name}");
    }
    assert!(matches!(plan(new().padding(1).auto_pad(AutoPad::Valid), [4, 4], [3, 3]), Error::Unsupported { .. }));
    assert!(matches!(plan(new().padding(usize::MAX).auto_pad(AutoPad::Valid), [4, 4], [3, 3]), Error::Unsupported { .. }));
    assert!(matches!(ConvTranspose::doubling(0), Err(Error::InvalidAxisParameter { .. })));
    assert!(ConvTranspose::doubling(usize::MAX).is_err());
}

fn mismatch<T>(argument: &'static str, axis: Axis, expected: usize, found: usize) -> Result<T, Error> {
    Err(Error::ShapeMismatch { argument, axis, expected, found })
}

#[test]
fn shapes() {
    let deconv = ConvTranspose::new().stride(2);
    let (x, weight) = (zeros([1, 4, 5, 6]), zeros([4, 3, 2, 2]));
    let bias = Array1::<f32>::zeros(2);
    let plan = deconv.plan([5, 6], [2, 2]).unwrap();
    assert_eq!(deconv.forward(&zeros([1, 3, 5, 6]), &weight, None), mismatch("input", Axis::Channel, 4, 3));
    assert_eq!(deconv.forward(&x, &weight, Some(&bias)), mismatch("bias", Axis::Channel, 3, 2));
    assert_eq!(deconv.clone().groups(3).forward(&x, &weight, None), Err(Error::Groups { argument: "weight", channels: 4, groups: 3 }));
    assert_eq!(plan.forward_into(&x, &weight, None, &mut zeros([2, 3, 10, 12])), mismatch("output", Axis::Batch, 1, 2));
    assert_eq!(plan.forward_into(&x, &weight, None, &mut zeros([1, 4, 10, 12])), mismatch("output", Axis::Channel, 3, 4));
    assert_eq!(plan.forward_into(&x, &weight, None, &mut zeros([1, 3, 11, 12])), mismatch("output", Axis::Height, 10, 11));
    assert_eq!(deconv.input_gradient(&zeros([1, 2, 10, 12]), &weight), mismatch("output gradient", Axis::Channel, 3, 2));
    assert_eq!(deconv.input_gradient(&zeros([1, 3, 10, 13]), &weight), mismatch("output gradient", Axis::Width, 12, 13));
    assert!(matches!(deconv.clone().output_shape(10).input_gradient(&zeros([1, 3, 10, 10]), &weight), Err(Error::Unsupported { .. })));
    let dy = zeros([1, 3, 10, 12]);
    assert_eq!(deconv.weight_gradient(&x, &dy, [3, 2]), mismatch("output gradient", Axis::Height, 11, 10));
    assert_eq!(deconv.weight_gradient(&zeros([2, 4, 5, 6]), &dy, [2, 2]), mismatch("output gradient", Axis::Batch, 2, 1));
    assert_eq!(
        deconv.clone().groups(2).weight_gradient(&x, &dy, [2, 2]),
        Err(Error::Groups { argument: "output gradient", channels: 3, groups: 2 })
    );
    assert_eq!(
        plan.weight_gradient_into(&x, &dy, &mut zeros([4, 2, 2, 2]), Update::Overwrite),
        mismatch("weight gradient", Axis::Number(1), 3, 2)
    );
    assert_eq!(plan.bias_gradient_into(&dy, &mut Array1::zeros(2), Update::Overwrite), mismatch("bias gradient", Axis::Channel, 3, 2));

    assert_eq!(plan.forward(&zeros([1, 4, 5, 7]), &weight, None), mismatch("input", Axis::Width, 6, 7));
    assert_eq!(plan.forward(&x, &zeros([4, 3, 2, 3]), None), mismatch("weight", Axis::Width, 2, 3));
    assert_eq!(plan.bias_gradient(&zeros([1, 3, 10, 11])), mismatch("output gradient", Axis::Width, 12, 11));
    let prepared = plan.prepare(&weight).unwrap();
    assert_eq!(prepared.forward(&zeros([1, 3, 5, 6]), None), mismatch("input", Axis::Channel, 4, 3));
    assert_eq!(prepared.forward(&x, Some(&bias)), mismatch("bias", Axis::Channel, 3, 2));
    assert_eq!(prepared.forward_into(&x, None, &mut zeros([1, 3, 10, 11])), mismatch("output", Axis::Width, 12, 11));
}

#[test]
fn convolution() {
    let conv = Convolution::new();
    let (x, weight) = (zeros([1, 4, 5, 6]), zeros([2, 4, 3, 3]));
    let too_small = Error::NoOutput { axis: Axis::Height, input: 2, kernel: 3, dilated_kernel: 3, padding_begin: 0, padding_end: 0 };
    assert_eq!(conv.plan([2, 6], [3, 3]).unwrap_err(), too_small);
    assert_eq!(conv.clone().stride(0).plan([5, 6], [3, 3]).unwrap_err(), invalid("stride", Axis::Height, 0, "at least 1"));
    assert_eq!(conv.forward(&zeros([1, 3, 5, 6]), &weight, None), mismatch("input", Axis::Channel, 4, 3));
    assert_eq!(conv.input_gradient(&zeros([1, 2, 3, 4]), &weight, [5, 5]), mismatch("output gradient", Axis::Width, 3, 4));
    assert_eq!(conv.clone().groups(3).forward(&x, &weight, None), Err(Error::Groups { argument: "weight", channels: 2, groups: 3 }));
    let dy = zeros([1, 2, 3, 4]);
    assert_eq!(
        conv.clone().groups(3).weight_gradient(&x, &dy, [3, 3]),
        Err(Error::Groups { argument: "output gradient", channels: 2, groups: 3 })
    );
}

/// A size that memory cannot hold is an error, not an abort.
#[test]
fn too_large() {
    let x = Array4::<f32>::zeros((1, 1, 2, 2));
    let weight = Array4::<f32>::zeros((1, 1, 1, 1));
    let huge = ConvTranspose::new().stride(1 << 40).forward(&x, &weight, None);
    assert!(matches!(huge, Err(Error::TooLarge { .. })), "{huge:?}");
    let large = ConvTranspose::new().stride(1 << 29).forward(&x, &weight, None);
    assert!(matches!(large, Err(Error::OutOfMemory { .. } | Error::TooLarge { .. })), "{large:?}");
}

/// A stride far beyond the kernel costs what the output costs.
#[test]
fn stride_far_beyond_the_kernel() {
    let (x, weight) = (ndarray::Array3::from_elem((1, 1, 2), 3.0_f32), ndarray::array![[[2.0_f32, 5.0]]]);
    let y = ConvTranspose::new().stride(1_000_000).forward(&x, &weight, Some(&Array1::ones(1))).unwrap();
    assert_eq!(y.len(), 1_000_002);
    let others = y.iter().enumerate().filter(|(_, value)| **value != 1.0).map(|(o, value)| (o, *value)).collect::<Vec<_>>();
    assert_eq!(others, [(0, 7.0), (1, 16.0), (1_000_000, 7.0), (1_000_001, 16.0)]);
}

/// Numbers at the end of their range that still mean something.
#[test]
fn extreme_but_valid() {
    let far = 1_000_000_000_000_usize;
    let (x, weight) = (ndarray::Array5::from_elem((1, 1, 3, 3, 3), 3.0_f32), ndarray::Array5::from_elem((1, 1, 3, 3, 3), 2.0_f32));
    let conv = Convolution::new().dilation(far).padding(far);
    let y = conv.forward(&x, &weight, None).unwrap();
    assert_eq!(y, x.mapv(|x| x * 2.0), "only the tap in the middle reaches the picture");
    let dw = conv.weight_gradient(&x, &y, [3, 3, 3]).unwrap();
    assert_eq!((dw[[0, 0, 1, 1, 1]], dw.sum()), (27.0 * 18.0, 27.0 * 18.0));
    assert_eq!(conv.input_gradient(&y, &weight, [3, 3, 3]).unwrap(), y.mapv(|y| y * 2.0));
    let deconv = ConvTranspose::new().dilation(far).padding(far);
    assert_eq!(deconv.forward(&x, &weight, None).unwrap(), y);
    assert_eq!(deconv.input_gradient(&x, &weight).unwrap(), y);

    let conv = Convolution::new().stride(usize::MAX);
    let (x, weight) = (ndarray::Array3::from_elem((1, 1, 7), 3.0_f32), ndarray::Array3::from_elem((1, 1, 2), 2.0_f32));
    let y = conv.forward(&x, &weight, None).unwrap();
    assert_eq!(y, ndarray::array![[[12.0_f32]]]);
    assert_eq!(conv.input_gradient(&y, &weight, [7]).unwrap(), ndarray::array![[[24.0_f32, 24.0, 0.0, 0.0, 0.0, 0.0, 0.0]]]);
    assert_eq!(conv.weight_gradient(&x, &y, [2]).unwrap(), ndarray::array![[[36.0_f32, 36.0]]]);
    let kept = ConvTranspose::new().stride(usize::MAX);
    assert_eq!(kept.forward(&y, &weight, None).unwrap(), ndarray::array![[[24.0_f32, 24.0]]]);
}
