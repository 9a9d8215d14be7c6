//! Descriptions, plans, runs, gradients, single axes of any array.

use ndarray::{Array2, Array3, Array4, Array5, ArrayD, IxDyn};
use upsample::{
    AspectRatio, AxesTarget, Axis, Coordinates, Error, Filter, NearestRule, PerAxis, Profile, Resize, Rounding, Target, Tensor4Mut, Update,
    bicubic, bilinear, linear, nearest, trilinear,
};

use crate::{Row, bad, untouched};

const HUGE: usize = isize::MAX as usize / 4;

fn picture() -> Array4<f32> {
    Array4::ones((2, 3, 4, 5))
}

pub(crate) fn table() -> Vec<Row> {
    let mut table = Vec::new();
    one_line(&mut table);
    targets(&mut table);
    options(&mut table);
    runs(&mut table);
    axes(&mut table);
    table
}

fn one_line(t: &mut Vec<Row>) {
    let signal = || Array3::<f32>::ones((2, 3, 5));
    let volume = || Array5::<f32>::ones((1, 1, 2, 3, 4));
    bad!(t, "nearest, scale 0", nearest(&picture(), 0.0), Error::InvalidScale { axis: Axis::Height, scale: 0.0 });
    bad!(t, "nearest, size 0", nearest(&picture(), [4, 0]), Error::ZeroSize { argument: "output", axis: Axis::Width });
    bad!(t, "nearest, huge", nearest(&signal(), [1 << 40]), Error::SizeOverflow { argument: "weight table", axis: Axis::Length });
    bad!(
        t,
        "nearest, no pixels",
        nearest(&Array4::<u8>::ones((1, 1, 3, 0)), 2.0),
        Error::ZeroSize { argument: "input", axis: Axis::Width }
    );
    bad!(t, "linear, NaN", linear(&signal(), f64::NAN), Error::InvalidScale { axis: Axis::Length, scale } if scale.is_nan());
    bad!(t, "linear, size 0", linear(&signal(), [0]), Error::ZeroSize { argument: "output", axis: Axis::Length });
    bad!(t, "linear, no pixels", linear(&Array3::<f64>::ones((1, 1, 0)), [3]), Error::ZeroSize { argument: "input", axis: Axis::Length });
    bad!(t, "bilinear, infinite", bilinear(&picture(), f64::INFINITY), Error::InvalidScale { axis: Axis::Height, scale: f64::INFINITY });
    bad!(t, "bilinear, negative", bilinear(&picture(), [2.0, -1.0]), Error::InvalidScale { axis: Axis::Width, scale: -1.0 });
    bad!(t, "bilinear, tiny", bilinear(&picture(), 0.1), Error::ScaleTooSmall { axis: Axis::Height, scale: 0.1, input: 4 });
    bad!(
        t,
        "bilinear, subnormal",
        bilinear(&picture(), f64::MIN_POSITIVE / 8.0),
        Error::ScaleTooSmall { axis: Axis::Height, input: 4, .. }
    );
    bad!(t, "bilinear, largest", bilinear(&picture(), f64::MAX), Error::SizeOverflow { argument: "output", axis: Axis::Height });
    bad!(t, "bilinear, 2^40 wide", bilinear(&picture(), [1, 1 << 40]), Error::SizeOverflow { argument: "weight table", axis: Axis::Width });
    bad!(t, "bicubic, usize::MAX", bicubic(&picture(), [usize::MAX; 2]), Error::TooLarge { argument: "output", .. });
    bad!(t, "bicubic, no rows", bicubic(&Array4::<u8>::ones((1, 1, 0, 5)), 2.0), Error::ZeroSize { argument: "input", axis: Axis::Height });
    bad!(t, "bicubic, product overflows", bicubic(&picture(), [HUGE, 8]), Error::TooLarge { argument: "output", .. });
    bad!(
        t,
        "bicubic, too many bytes",
        bicubic(&Array4::<f64>::ones((1 << 10, 1 << 10, 1, 1)), [1 << 17, 1 << 17]),
        Error::TooLarge { .. } | Error::OutOfMemory { .. }
    );
    bad!(t, "trilinear, depth 0", trilinear(&volume(), [0, 3, 4]), Error::ZeroSize { argument: "output", axis: Axis::Depth });
    bad!(
        t,
        "trilinear, no slices",
        trilinear(&Array5::<i16>::ones((1, 1, 0, 2, 2)), 2.0),
        Error::ZeroSize { argument: "input", axis: Axis::Depth }
    );
    bad!(t, "trilinear, NaN width", trilinear(&volume(), [1.0, 1.0, f64::NAN]), Error::InvalidScale { axis: Axis::Width, .. });
}

/// Every method refuses every kind of target in the same words.
fn targets(t: &mut Vec<Row>) {
    type Method = fn() -> Resize;
    let methods: [(&str, Method); 9] = [
        ("nearest", Resize::nearest),
        ("nearest-exact", Resize::nearest_exact),
        ("nearest, integer", || Resize::nearest_by(NearestRule::Integer)),
        ("nearest, Pillow", || Resize::nearest().profile(Profile::Pillow)),
        ("linear", Resize::linear),
        ("cubic", Resize::cubic),
        ("Lanczos", || Resize::filter(Filter::Lanczos { lobes: 3 })),
        ("antialiased", || Resize::linear().antialias(true)),
        ("area", Resize::area),
    ];
    for (name, method) in methods {
        bad!(t, format!("{name}: no input"), method().plan([4, 0], [8, 8]), Error::ZeroSize { argument: "input", axis: Axis::Width });
        bad!(t, format!("{name}: no output"), method().plan([4, 4], [0, 8]), Error::ZeroSize { argument: "output", axis: Axis::Height });
        bad!(t, format!("{name}: huge input"), method().plan([usize::MAX, 4], [8, 8]), Error::TooLarge { argument: "input", .. });
        bad!(
            t,
            format!("{name}: huge output"),
            method().plan([4, 4], [HUGE, 1]),
            Error::SizeOverflow { argument: "weight table", axis: Axis::Height }
        );
        bad!(
            t,
            format!("{name}: long input"),
            method().plan([HUGE], [HUGE]),
            Error::SizeOverflow { argument: "weight table", axis: Axis::Length }
        );
        bad!(
            t,
            format!("{name}: 2^32 pixels"),
            method().plan([4], [1 << 32]),
            Error::SizeOverflow { argument: "weight table", axis: Axis::Length }
        );
        bad!(t, format!("{name}: infinite scale"), method().plan([4], f64::NEG_INFINITY), Error::InvalidScale { axis: Axis::Length, .. });
        bad!(
            t,
            format!("{name}: huge scale"),
            method().output_size([4, 4], [1.0, 1e300]),
            Error::SizeOverflow { argument: "output", axis: Axis::Width }
        );
        bad!(
            t,
            format!("{name}: volume too large"),
            method().output_size([1, 1, 1], [HUGE, HUGE, 1]),
            Error::TooLarge { argument: "output", .. }
        );
        bad!(t, format!("{name}: scale of huge input"), method().plan([HUGE], 1.0), Error::SizeOverflow { .. });
    }
}

fn options(t: &mut Vec<Row>) {
    let crop = |start, end| Coordinates::TfCropAndResize { start, end };
    bad!(
        t,
        "NaN coefficient",
        Resize::cubic().cubic_coefficient(f64::NAN).plan([4], 2.0),
        Error::InvalidParameter { parameter: "cubic coefficient", .. }
    );
    bad!(
        t,
        "infinite coefficient",
        Resize::filter(Filter::Cubic { a: f64::INFINITY }).plan([4], 2.0),
        Error::InvalidParameter { parameter: "cubic coefficient", .. }
    );
    bad!(
        t,
        "region from NaN",
        Resize::linear().coordinates(crop(f64::NAN, 1.0)).plan([4], 2.0),
        Error::InvalidParameter { parameter: "region start", .. }
    );
    bad!(
        t,
        "region to infinity",
        Resize::linear().coordinates(crop(0.0, f64::INFINITY)).plan([4], 2.0),
        Error::InvalidParameter { parameter: "region end", .. }
    );
    bad!(
        t,
        "region of nearest",
        Resize::nearest().coordinates(crop(0.0, f64::NAN)).plan([4], 2.0),
        Error::InvalidParameter { parameter: "region end", .. }
    );
    bad!(
        t,
        "three rules for a picture",
        Resize::linear().coordinates([Coordinates::Asymmetric; 3]).plan([4, 4], 2.0),
        Error::AxisCount { argument: "coordinates", expected: 2, found: 3 }
    );
    bad!(
        t,
        "no rules",
        Resize::linear().coordinates(PerAxis::Each(vec![])).plan([4, 4], 2.0),
        Error::AxisCount { argument: "coordinates", expected: 2, found: 0 }
    );
    bad!(t, "area with coordinates", Resize::area().coordinates(Coordinates::AlignCorners).plan([4], 2.0), Error::Unsupported { .. });
    bad!(t, "area, antialiased", Resize::area().antialias(true).plan([4], 2.0), Error::Unsupported { .. });
    bad!(t, "area, excluding", Resize::area().exclude_outside(true).plan([4], 2.0), Error::Unsupported { .. });
    bad!(t, "nearest, antialiased", Resize::nearest().antialias(true).plan([4], 2.0), Error::Unsupported { .. });
    bad!(t, "nearest, excluding", Resize::nearest_exact().exclude_outside(true).plan([4], 2.0), Error::Unsupported { .. });
    bad!(
        t,
        "a rule with coordinates",
        Resize::nearest_by(NearestRule::Integer).coordinates(Coordinates::HalfPixel).plan([4], 2.0),
        Error::Unsupported { .. }
    );
    bad!(
        t,
        "support 0",
        Resize::filter(Filter::custom(0.0, |_| 1.0)).plan([4], 2.0),
        Error::InvalidParameter { parameter: "filter support", value: 0.0, .. }
    );
    bad!(
        t,
        "negative support",
        Resize::filter(Filter::custom(-1.0, |_| 1.0)).plan([4], 2.0),
        Error::InvalidParameter { parameter: "filter support", .. }
    );
    bad!(
        t,
        "NaN support",
        Resize::filter(Filter::custom(f64::NAN, |_| 1.0)).plan([4], 2.0),
        Error::InvalidParameter { parameter: "filter support", .. }
    );
    bad!(
        t,
        "infinite support",
        Resize::filter(Filter::custom(f64::INFINITY, |_| 1.0)).plan([4], 2.0),
        Error::InvalidParameter { parameter: "filter support", .. }
    );
    bad!(
        t,
        "support of 10^12",
        Resize::filter(Filter::custom(1e12, |_| 1.0)).plan([4], 2.0),
        Error::InvalidParameter { parameter: "filter support", .. }
    );
    bad!(
        t,
        "Lanczos without lobes",
        Resize::filter(Filter::Lanczos { lobes: 0 }).plan([4], 2.0),
        Error::InvalidParameter { parameter: "filter support", .. }
    );
    let kept = || Resize::linear().aspect_ratio(AspectRatio::NotSmaller);
    bad!(t, "proportions of nothing", kept().plan([0, 4], [8, 8]), Error::ZeroSize { argument: "input", axis: Axis::Height });
    bad!(t, "proportions kept, too large", kept().plan([1, 1 << 40], [1 << 30, 1]), Error::TooLarge { .. } | Error::SizeOverflow { .. });
    bad!(
        t,
        "a table beyond memory",
        Resize::filter(Filter::custom(9e8, |_| 1.0)).plan([4], [u32::MAX as usize]),
        Error::SizeOverflow { .. } | Error::OutOfMemory { .. }
    );
    bad!(
        t,
        "rounded, no output",
        Resize::nearest().rounding(Rounding::Ceil).plan([4], [0]),
        Error::ZeroSize { argument: "output", axis: Axis::Length }
    );
    bad!(
        t,
        "a target by hand",
        Resize::linear().plan([4, 4], Target::Scale([2.0, f64::NAN])),
        Error::InvalidScale { axis: Axis::Width, .. }
    );
}

fn runs(t: &mut Vec<Row>) {
    let plan = || Resize::linear().plan([4, 5], [8, 10]).unwrap();
    let copying = || Resize::nearest().plan([4, 5], [8, 10]).unwrap();
    let ones = |n, c, h, w| Array4::<f32>::ones((n, c, h, w));
    bad!(
        t,
        "forward, height",
        plan().forward(&ones(1, 1, 5, 5)),
        Error::ShapeMismatch { argument: "input", axis: Axis::Height, expected: 4, found: 5 }
    );
    bad!(
        t,
        "forward, width",
        plan().forward(&ones(1, 1, 4, 4)),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, expected: 5, found: 4 }
    );
    bad!(
        t,
        "forward, bytes",
        plan().forward(&Array4::<u8>::ones((1, 1, 4, 6))),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, expected: 5, found: 6 }
    );
    bad!(
        t,
        "forward of nothing",
        plan().forward(&ones(1, 1, 0, 5)),
        Error::ShapeMismatch { argument: "input", axis: Axis::Height, expected: 4, found: 0 }
    );
    bad!(
        t,
        "backward, height",
        plan().input_gradient(&ones(1, 1, 4, 10)),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Height, expected: 8, found: 4 }
    );
    bad!(
        t,
        "backward, width",
        plan().input_gradient(&ones(1, 1, 8, 9)),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Width, expected: 10, found: 9 }
    );
    bad!(
        t,
        "any, width",
        copying().forward_any(&Array4::<(u8, u8)>::from_elem((1, 1, 4, 4), (1, 2))),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, .. }
    );
    bad!(t, "any, by a filter", plan().forward_any(&Array4::<char>::from_elem((1, 1, 4, 5), 'x')), Error::Unsupported { .. });
    let extrapolating =
        || Resize::nearest().coordinates(Coordinates::TfCropAndResize { start: -1.0, end: 2.0 }).plan([4, 5], [8, 10]).unwrap();
    bad!(t, "any, extrapolated", extrapolating().forward_any(&Array4::<char>::from_elem((1, 1, 4, 5), 'x')), Error::Unsupported { .. });
    bad!(
        t,
        "any into, by a filter",
        untouched((1, 1, 8, 10), |y| plan().forward_any_into(&ones(1, 1, 4, 5), y)),
        Error::Unsupported { .. }
    );
    bad!(
        t,
        "any into, width",
        untouched((1, 1, 8, 9), |y| copying().forward_any_into(&ones(1, 1, 4, 5), y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 10, found: 9 }
    );
    bad!(
        t,
        "into, input",
        untouched((1, 1, 8, 10), |y| plan().forward_into(&ones(1, 1, 4, 4), y)),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, .. }
    );
    bad!(
        t,
        "into, height",
        untouched((1, 1, 7, 10), |y| plan().forward_into(&ones(1, 1, 4, 5), y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Height, expected: 8, found: 7 }
    );
    bad!(
        t,
        "into, width",
        untouched((1, 1, 8, 11), |y| plan().forward_into(&ones(1, 1, 4, 5), y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 10, found: 11 }
    );
    bad!(
        t,
        "into, batch",
        untouched((2, 1, 8, 10), |y| plan().forward_into(&ones(1, 1, 4, 5), y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Batch, expected: 1, found: 2 }
    );
    bad!(
        t,
        "into, channels",
        untouched((1, 4, 8, 10), |y| plan().forward_into(&ones(1, 3, 4, 5), y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Channel, expected: 3, found: 4 }
    );
    bad!(
        t,
        "into nothing",
        untouched((0, 1, 8, 10), |y| plan().forward_into(&ones(1, 1, 4, 5), y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Batch, expected: 1, found: 0 }
    );
    bad!(
        t,
        "into N×H×W×C",
        untouched((1, 8, 10, 2), |y| plan().forward_into(&ones(1, 3, 4, 5), Tensor4Mut::from_nhwc(y.view_mut()))),
        Error::ShapeMismatch { argument: "output", axis: Axis::Channel, expected: 3, found: 2 }
    );
    bad!(
        t,
        "backward into, height",
        untouched((1, 1, 5, 5), |dx| plan().input_gradient_into(&ones(1, 1, 8, 10), dx, Update::Overwrite)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Height, expected: 4, found: 5 }
    );
    bad!(
        t,
        "backward into, channels",
        untouched((1, 2, 4, 5), |dx| plan().input_gradient_into(&ones(1, 1, 8, 10), dx, Update::Overwrite)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Channel, expected: 1, found: 2 }
    );
    bad!(
        t,
        "backward into, gradient",
        untouched((1, 1, 4, 5), |dx| plan().input_gradient_into(&ones(1, 1, 8, 11), dx, Update::Overwrite)),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Width, .. }
    );
    bad!(
        t,
        "backward added, batch",
        untouched((3, 1, 4, 5), |dx| plan().input_gradient_into(&ones(1, 1, 8, 10), dx, Update::Add)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Batch, expected: 1, found: 3 }
    );
    bad!(
        t,
        "backward added, gradient",
        untouched((1, 1, 4, 5), |dx| plan().input_gradient_into(&ones(1, 1, 4, 5), dx, Update::Add)),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Height, expected: 8, found: 4 }
    );
}

fn axes(t: &mut Vec<Row>) {
    let field = || Array2::<f32>::ones((4, 5)).into_dyn();
    let size = |sizes: &[usize]| AxesTarget::Size(sizes.to_vec());
    let run = move |axes: &[usize], target: &AxesTarget| Resize::linear().resize_axes(field().view(), axes, target);
    bad!(t, "no axes", run(&[], &size(&[])), Error::Unsupported { .. });
    bad!(
        t,
        "four axes",
        Resize::linear().resize_axes(ArrayD::<f32>::ones(IxDyn(&[1; 4])).view(), &[0, 1, 2, 3], &size(&[2; 4])),
        Error::Unsupported { .. }
    );
    bad!(
        t,
        "more axes than there is stack for",
        Resize::linear().resize_axes(ArrayD::<f32>::ones(vec![1; 50_000]).view(), &[0], &size(&[2])),
        Error::Unsupported { .. }
    );
    bad!(t, "an axis that is not there", run(&[2], &size(&[3])), Error::InvalidAxisParameter { axis: Axis::Number(2), value: 2, .. });
    bad!(t, "axis usize::MAX", run(&[usize::MAX], &size(&[3])), Error::InvalidAxisParameter { value: usize::MAX, .. });
    bad!(t, "an axis twice", run(&[1, 1], &size(&[3, 3])), Error::InvalidAxisParameter { axis: Axis::Number(1), value: 1, .. });
    bad!(t, "fewer sizes than axes", run(&[0, 1], &size(&[3])), Error::AxisCount { expected: 2, found: 1, .. });
    bad!(t, "more sizes than axes", run(&[0], &size(&[3, 3])), Error::AxisCount { expected: 1, found: 2, .. });
    bad!(t, "no scales", run(&[0], &AxesTarget::Scale(vec![])), Error::AxisCount { expected: 1, found: 0, .. });
    bad!(t, "NaN for an axis", run(&[1], &AxesTarget::Scale(vec![f64::NAN])), Error::InvalidScale { .. });
    bad!(t, "size 0 for an axis", run(&[0, 1], &size(&[3, 0])), Error::ZeroSize { argument: "output", .. });
    bad!(t, "an axis of usize::MAX", run(&[0], &size(&[usize::MAX])), Error::TooLarge { .. });
    bad!(t, "a field too large", run(&[0, 1], &size(&[1 << 33, 1 << 33])), Error::TooLarge { .. } | Error::SizeOverflow { .. });
    bad!(
        t,
        "an empty axis",
        Resize::linear().resize_axes(Array2::<f32>::ones((0, 5)).into_dyn().view(), &[0], &size(&[3])),
        Error::ZeroSize { argument: "input", .. }
    );
    bad!(
        t,
        "a scalar",
        Resize::linear().resize_axes(ArrayD::<f32>::ones(IxDyn(&[])).view(), &[0], &size(&[3])),
        Error::InvalidAxisParameter { .. }
    );
    bad!(
        t,
        "rules for other axes",
        Resize::linear().coordinates([Coordinates::Asymmetric; 3]).resize_axes(field().view(), &[0, 1], &size(&[3, 3])),
        Error::AxisCount { argument: "coordinates", expected: 2, found: 3 }
    );
    let back = move |dy: &[usize], input: &[usize], axes: &[usize], target: &AxesTarget| {
        Resize::linear().resize_axes_input_gradient(ArrayD::<f32>::ones(dy).view(), input, axes, target)
    };
    bad!(
        t,
        "gradient of another rank",
        back(&[3, 5, 1], &[4, 5], &[0], &size(&[3])),
        Error::AxisCount { argument: "output gradient", expected: 2, found: 3 }
    );
    bad!(
        t,
        "gradient of another size",
        back(&[4, 5], &[4, 5], &[0], &size(&[3])),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Number(0), expected: 3, found: 4 }
    );
    bad!(
        t,
        "gradient of a huge input",
        back(&[3, 5], &[4, usize::MAX], &[0], &size(&[3])),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Number(1), .. }
    );
    bad!(t, "gradient of no axes", back(&[3, 5], &[4, 5], &[], &size(&[])), Error::Unsupported { .. });
    bad!(t, "gradient of an axis twice", back(&[3, 3], &[4, 4], &[0, 0], &size(&[3, 3])), Error::InvalidAxisParameter { .. });
    bad!(t, "gradient of an empty axis", back(&[3, 5], &[0, 5], &[0], &size(&[3])), Error::ZeroSize { argument: "input", .. });
}
