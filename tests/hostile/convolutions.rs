//! Transposed convolution and convolution: descriptions, plans, runs, gradients, prepared weights.

use ndarray::{Array1, Array3, Array4, Array5};
use upsample::{AutoPad, Axis, ConvTranspose, Convolution, Error, PerAxis, Update};

use crate::{Row, bad, untouched, untouched_bias};

const HUGE: usize = isize::MAX as usize;

fn ones(shape: [usize; 4]) -> Array4<f32> {
    Array4::ones(shape)
}

pub(crate) fn table() -> Vec<Row> {
    let mut table = Vec::new();
    transposed_plans(&mut table);
    plans(&mut table);
    transposed_runs(&mut table);
    transposed_gradients(&mut table);
    runs(&mut table);
    prepared(&mut table);
    table
}

fn transposed_plans(t: &mut Vec<Row>) {
    let new = ConvTranspose::new;
    bad!(t, "kernel 0", new().plan([4, 4], [3, 0]), Error::InvalidAxisParameter { parameter: "kernel", axis: Axis::Width, value: 0, .. });
    bad!(
        t,
        "stride 0",
        new().stride([0, 1]).plan([4, 4], [3, 3]),
        Error::InvalidAxisParameter { parameter: "stride", axis: Axis::Height, value: 0, .. }
    );
    bad!(
        t,
        "dilation 0",
        new().dilation(0).plan([4], [3]),
        Error::InvalidAxisParameter { parameter: "dilation", axis: Axis::Length, value: 0, .. }
    );
    bad!(t, "no groups", new().groups(0).plan([4], [3]), Error::InvalidParameter { parameter: "groups", .. });
    bad!(t, "no pixels", new().plan([4, 0, 4], [3, 3, 3]), Error::ZeroSize { argument: "input", axis: Axis::Height });
    bad!(
        t,
        "cropped away",
        new().padding(2).plan([1], [3]),
        Error::NoOutput { axis: Axis::Length, input: 1, kernel: 3, dilated_kernel: 3, padding_begin: 2, padding_end: 2 }
    );
    bad!(t, "cropped at one end", new().padding_of(0, 9).plan([4], [3]), Error::NoOutput { padding_begin: 0, padding_end: 9, .. });
    bad!(
        t,
        "output padding",
        new().stride(2).output_padding(2).plan([4], [3]),
        Error::InvalidAxisParameter { parameter: "output padding", value: 2, .. }
    );
    bad!(
        t,
        "output padding of usize::MAX",
        new().stride(2).output_padding(usize::MAX).plan([4], [3]),
        Error::InvalidAxisParameter { parameter: "output padding", .. }
    );
    bad!(t, "huge stride", new().stride(HUGE).plan([4], [3]), Error::SizeOverflow { argument: "output", axis: Axis::Length });
    bad!(t, "huge kernel", new().plan([4], [usize::MAX]), Error::SizeOverflow { axis: Axis::Length, .. });
    bad!(t, "huge dilation", new().dilation(usize::MAX).plan([4], [3]), Error::SizeOverflow { argument: "dilated kernel", .. });
    bad!(t, "huge input", new().plan([usize::MAX], [1]), Error::SizeOverflow { argument: "output", .. });
    bad!(t, "huge padding", new().padding(usize::MAX).plan([4], [3]), Error::SizeOverflow { argument: "padding", .. });
    bad!(
        t,
        "huge groups",
        new().groups(usize::MAX).forward(&ones([1, 4, 3, 3]), &ones([4, 2, 2, 2]), None),
        Error::Groups { groups: usize::MAX, .. } | Error::SizeOverflow { .. }
    );
    bad!(
        t,
        "stride of three axes",
        new().stride([1, 2, 3]).plan([4, 4], [3, 3]),
        Error::AxisCount { argument: "stride", expected: 2, found: 3 }
    );
    bad!(
        t,
        "padding of one axis",
        new().padding([1]).plan([4, 4], [3, 3]),
        Error::AxisCount { argument: "padding", expected: 2, found: 1 }
    );
    bad!(
        t,
        "end of three axes",
        new().padding_of(0, [1, 1, 1]).plan([4, 4], [3, 3]),
        Error::AxisCount { argument: "padding", expected: 2, found: 3 }
    );
    bad!(
        t,
        "dilation of no axes",
        new().dilation(PerAxis::Each(vec![])).plan([4], [3]),
        Error::AxisCount { argument: "dilation", expected: 1, found: 0 }
    );
    bad!(
        t,
        "output padding of two axes",
        new().output_padding([0, 0]).plan([4], [3]),
        Error::AxisCount { argument: "output padding", expected: 1, found: 2 }
    );
    bad!(
        t,
        "output shape of two axes",
        new().output_shape([8, 8]).plan([4], [3]),
        Error::AxisCount { argument: "output shape", expected: 1, found: 2 }
    );
    bad!(t, "output shape 0", new().output_shape(0).plan([4], [3]), Error::UnreachableSize { requested: 0, nearest: 1, .. });
    bad!(
        t,
        "output shape too large",
        new().stride(2).output_shape(20).plan([4], [3]),
        Error::UnreachableSize { input: 4, requested: 20, nearest: 10, .. }
    );
    bad!(
        t,
        "output shape of usize::MAX",
        new().stride(2).output_shape(usize::MAX).plan([4], [3]),
        Error::UnreachableSize { requested: usize::MAX, .. }
    );
    bad!(
        t,
        "output shape with a huge stride",
        new().stride(usize::MAX).output_shape(usize::MAX).plan([1], [3]),
        Error::UnreachableSize { .. } | Error::SizeOverflow { .. }
    );
    bad!(t, "padding beside output_shape", new().padding(1).output_shape(4).plan([4], [3]), Error::Unsupported { .. });
    bad!(
        t,
        "padding beside output_shape of another rank",
        new().padding([1]).output_shape([4, 4]).plan([4, 4], [3, 3]),
        Error::AxisCount { .. }
    );
    bad!(t, "output size beside output_shape", new().output_size(6).output_shape(6).plan([4], [3]), Error::Unsupported { .. });
    bad!(t, "output size beside auto_pad", new().output_size(6).auto_pad(AutoPad::Valid).plan([4], [3]), Error::Unsupported { .. });
    bad!(
        t,
        "output size beside output padding",
        new().stride(2).output_size(9).output_padding(1).plan([4], [3]),
        Error::Unsupported { .. }
    );
    bad!(
        t,
        "output size of two axes",
        new().output_size([6, 6]).plan([4], [3]),
        Error::AxisCount { argument: "output size", expected: 1, found: 2 }
    );
    for size in [0, 1, 8, 11, HUGE, usize::MAX] {
        bad!(
            t,
            format!("output size {size}"),
            new().stride(2).output_size(size).plan([4], [3]),
            Error::OutputSizeOutOfRange { axis: Axis::Length, input: 4, smallest: 9, largest: 10, .. }
        );
    }
    bad!(t, "output size, cropped away", new().padding(4).output_size(1).plan([1], [3]), Error::NoOutput { .. });
    bad!(t, "output size of nothing", new().output_size(1).plan([0], [3]), Error::ZeroSize { argument: "input", .. });
    bad!(
        t,
        "output size with a huge stride",
        new().stride(usize::MAX).output_size(HUGE + 1).plan([2], [3]),
        Error::OutputSizeOutOfRange { .. } | Error::SizeOverflow { .. }
    );
    bad!(t, "output size with a huge dilation", new().dilation(usize::MAX).output_size(9).plan([2], [3]), Error::SizeOverflow { .. });
    bad!(t, "wider than isize", new().padding_of(isize::MIN, 0).plan([4], [3]), Error::SizeOverflow { argument: "output", .. });
    bad!(
        t,
        "wider than memory",
        new().padding_of(-isize::MAX / 2, 0).forward(&ones([1, 1, 2, 2]), &ones([1, 1, 2, 2]), None),
        Error::TooLarge { .. } | Error::SizeOverflow { .. } | Error::OutOfMemory { .. }
    );
    bad!(t, "both paddings below isize", new().padding(isize::MIN).plan([4], [3]), Error::SizeOverflow { argument: "padding", .. });
    bad!(t, "padding beside auto_pad", new().padding(1).auto_pad(AutoPad::SameUpper).plan([4], [3]), Error::Unsupported { .. });
    bad!(t, "auto_pad overflows", new().stride(HUGE).auto_pad(AutoPad::SameLower).plan([4], [3]), Error::SizeOverflow { .. });
    bad!(t, "doubling 0", ConvTranspose::doubling(0), Error::InvalidAxisParameter { parameter: "kernel", value: 0, .. });
    bad!(
        t,
        "doubling 0 of an axis",
        ConvTranspose::doubling([3, 0]),
        Error::InvalidAxisParameter { parameter: "kernel", axis: Axis::Number(1), .. }
    );
    bad!(t, "doubling usize::MAX", ConvTranspose::doubling(usize::MAX), Error::SizeOverflow { .. } | Error::UnreachableSize { .. });
    bad!(
        t,
        "doubling of another rank",
        ConvTranspose::doubling([4, 4]).and_then(|deconv| deconv.plan([5], [4])),
        Error::AxisCount { expected: 1, found: 2, .. }
    );
}

fn plans(t: &mut Vec<Row>) {
    let new = Convolution::new;
    bad!(
        t,
        "convolution: kernel 0",
        new().plan([4, 4], [0, 3]),
        Error::InvalidAxisParameter { parameter: "kernel", axis: Axis::Height, .. }
    );
    bad!(t, "convolution: stride 0", new().stride(0).plan([4], [3]), Error::InvalidAxisParameter { parameter: "stride", .. });
    bad!(
        t,
        "convolution: dilation 0",
        new().dilation([1, 0]).plan([4, 4], [3, 3]),
        Error::InvalidAxisParameter { parameter: "dilation", axis: Axis::Width, .. }
    );
    bad!(t, "convolution: no groups", new().groups(0).plan([4], [3]), Error::InvalidParameter { parameter: "groups", .. });
    bad!(t, "convolution: no pixels", new().padding(4).plan([0], [3]), Error::ZeroSize { argument: "input", axis: Axis::Length });
    bad!(t, "convolution: larger kernel", new().plan([4], [5]), Error::NoOutput { input: 4, kernel: 5, .. });
    bad!(
        t,
        "convolution: larger dilated",
        new().dilation(3).plan([4, 4], [2, 3]),
        Error::NoOutput { axis: Axis::Width, dilated_kernel: 7, .. }
    );
    bad!(t, "convolution: huge padding", new().padding(HUGE).plan([4], [3]), Error::SizeOverflow { .. });
    bad!(t, "convolution: huge input", new().plan([usize::MAX], [3]), Error::SizeOverflow { argument: "padded input", .. });
    bad!(
        t,
        "convolution: huge dilation",
        new().dilation(usize::MAX).plan([4], [3]),
        Error::SizeOverflow { argument: "dilated kernel", .. }
    );
    bad!(
        t,
        "convolution: stride of two axes",
        new().stride([1, 1]).plan([4], [3]),
        Error::AxisCount { argument: "stride", expected: 1, found: 2 }
    );
    bad!(
        t,
        "convolution: begin of three axes",
        new().padding_of([0; 3], 0).plan([4], [3]),
        Error::AxisCount { argument: "padding", expected: 1, found: 3 }
    );
}

fn transposed_runs(t: &mut Vec<Row>) {
    let new = || ConvTranspose::new().stride(2).padding(1);
    let plan = move || new().plan([4, 5], [4, 4]).unwrap(); // 8 × 10
    let bias = |len| Array1::<f32>::ones(len);
    bad!(
        t,
        "weight of other channels",
        new().forward(&ones([1, 3, 4, 5]), &ones([2, 6, 4, 4]), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Channel, expected: 2, found: 3 }
    );
    bad!(
        t,
        "groups",
        new().groups(2).forward(&ones([1, 3, 4, 5]), &ones([3, 6, 4, 4]), None),
        Error::Groups { channels: 3, groups: 2, .. }
    );
    bad!(
        t,
        "bias too short",
        new().forward(&ones([1, 3, 4, 5]), &ones([3, 6, 4, 4]), Some(&bias(5))),
        Error::ShapeMismatch { argument: "bias", expected: 6, found: 5, .. }
    );
    bad!(
        t,
        "bias of groups",
        new().groups(3).forward(&ones([1, 3, 4, 5]), &ones([3, 2, 4, 4]), Some(&bias(2))),
        Error::ShapeMismatch { argument: "bias", expected: 6, found: 2, .. }
    );
    bad!(
        t,
        "empty kernel",
        new().forward(&ones([1, 3, 4, 5]), &ones([3, 6, 0, 4]), None),
        Error::InvalidAxisParameter { parameter: "kernel", axis: Axis::Height, .. }
    );
    bad!(
        t,
        "empty picture",
        new().forward(&ones([1, 3, 4, 0]), &ones([3, 6, 4, 4]), None),
        Error::ZeroSize { argument: "input", axis: Axis::Width }
    );
    bad!(
        t,
        "signal: weight",
        ConvTranspose::new().forward(&Array3::<f64>::ones((1, 2, 5)), &Array3::ones((3, 1, 2)), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Channel, expected: 3, found: 2 }
    );
    bad!(
        t,
        "volume: weight",
        ConvTranspose::new().forward(&Array5::<f32>::ones((1, 2, 2, 2, 2)), &Array5::ones((1, 1, 2, 2, 2)), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Channel, expected: 1, found: 2 }
    );
    bad!(
        t,
        "plan: input",
        plan().forward(&ones([1, 3, 5, 5]), &ones([3, 6, 4, 4]), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Height, expected: 4, found: 5 }
    );
    bad!(
        t,
        "plan: kernel",
        plan().forward(&ones([1, 3, 4, 5]), &ones([3, 6, 4, 3]), None),
        Error::ShapeMismatch { argument: "weight", axis: Axis::Width, expected: 4, found: 3 }
    );
    bad!(
        t,
        "into: height",
        untouched((1, 6, 9, 10), |y| plan().forward_into(&ones([1, 3, 4, 5]), &ones([3, 6, 4, 4]), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Height, expected: 8, found: 9 }
    );
    bad!(
        t,
        "into: channels",
        untouched((1, 5, 8, 10), |y| plan().forward_into(&ones([1, 3, 4, 5]), &ones([3, 6, 4, 4]), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Channel, expected: 6, found: 5 }
    );
    bad!(
        t,
        "into: batch",
        untouched((2, 6, 8, 10), |y| plan().forward_into(&ones([1, 3, 4, 5]), &ones([3, 6, 4, 4]), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Batch, expected: 1, found: 2 }
    );
    bad!(
        t,
        "into: bias",
        untouched((1, 6, 8, 10), |y| plan().forward_into(&ones([1, 3, 4, 5]), &ones([3, 6, 4, 4]), Some(&bias(7)), y)),
        Error::ShapeMismatch { argument: "bias", expected: 6, found: 7, .. }
    );
    bad!(
        t,
        "into: weight",
        untouched((1, 6, 8, 10), |y| plan().forward_into(&ones([1, 3, 4, 5]), &ones([4, 6, 4, 4]), None, y)),
        Error::ShapeMismatch { argument: "input", axis: Axis::Channel, expected: 4, found: 3 }
    );
    bad!(
        t,
        "output too large for memory",
        ConvTranspose::new().stride(1 << 31).forward(&ones([1, 1, 3, 3]), &ones([1, 1, 1, 1]), None),
        Error::TooLarge { argument: "output", .. }
    );
    bad!(
        t,
        "output of a tebibyte of channels",
        ConvTranspose::new().stride(1 << 24).forward(&ones([1, 1, 3, 3]), &ones([1, 1, 1, 1]), None),
        Error::OutOfMemory { argument: "output", .. }
    );
}

fn transposed_gradients(t: &mut Vec<Row>) {
    let new = || ConvTranspose::new().stride(2).padding(1);
    let plan = move || new().plan([4, 5], [4, 4]).unwrap(); // 8 × 10
    let weight = || ones([3, 6, 4, 4]);
    bad!(
        t,
        "input gradient: size",
        plan().input_gradient(&ones([1, 6, 8, 9]), &weight()),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Width, expected: 10, found: 9 }
    );
    bad!(
        t,
        "input gradient: channels",
        plan().input_gradient(&ones([1, 5, 8, 10]), &weight()),
        Error::ShapeMismatch { expected: 6, found: 5, .. } | Error::ShapeMismatch { expected: 5, found: 6, .. }
    );
    bad!(
        t,
        "input gradient: between two sizes",
        new().input_gradient(&ones([1, 6, 9, 10]), &weight()),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Height, .. }
    );
    bad!(
        t,
        "input gradient: no pixels",
        new().input_gradient(&ones([1, 6, 0, 10]), &weight()),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Height, found: 0, .. }
    );
    bad!(
        t,
        "input gradient: output_shape",
        new().output_shape(8).input_gradient(&ones([1, 6, 8, 10]), &weight()),
        Error::Unsupported { .. }
    );
    bad!(
        t,
        "input gradient: stride 0",
        ConvTranspose::new().stride(0).input_gradient(&ones([1, 6, 8, 10]), &weight()),
        Error::InvalidAxisParameter { parameter: "stride", .. }
    );
    bad!(
        t,
        "input gradient: same, stride 0",
        ConvTranspose::new().stride(0).auto_pad(AutoPad::SameUpper).input_gradient(&ones([1, 6, 8, 10]), &weight()),
        Error::InvalidAxisParameter { parameter: "stride", .. }
    );
    bad!(
        t,
        "input gradient into: size",
        untouched((1, 3, 4, 4), |dx| plan().input_gradient_into(&ones([1, 6, 8, 10]), &weight(), dx, Update::Overwrite)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Width, expected: 5, found: 4 }
    );
    bad!(
        t,
        "input gradient into: channels",
        untouched((1, 4, 4, 5), |dx| plan().input_gradient_into(&ones([1, 6, 8, 10]), &weight(), dx, Update::Overwrite)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Channel, expected: 3, found: 4 }
    );
    bad!(
        t,
        "input gradient added: batch",
        untouched((2, 3, 4, 5), |dx| plan().input_gradient_into(&ones([1, 6, 8, 10]), &weight(), dx, Update::Add)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Batch, expected: 1, found: 2 }
    );
    bad!(
        t,
        "weight gradient: input",
        plan().weight_gradient(&ones([1, 3, 4, 4]), &ones([1, 6, 8, 10])),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, expected: 5, found: 4 }
    );
    bad!(
        t,
        "weight gradient: output",
        plan().weight_gradient(&ones([1, 3, 4, 5]), &ones([1, 6, 8, 8])),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Width, expected: 10, found: 8 }
    );
    bad!(
        t,
        "weight gradient: batch",
        plan().weight_gradient(&ones([1, 3, 4, 5]), &ones([2, 6, 8, 10])),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Batch, expected: 1, found: 2 }
    );
    bad!(
        t,
        "weight gradient: groups",
        new().groups(2).weight_gradient(&ones([1, 3, 4, 5]), &ones([1, 6, 8, 10]), [4, 4]),
        Error::Groups { channels: 3, groups: 2, .. }
    );
    bad!(
        t,
        "weight gradient: groups of the output",
        new().groups(3).weight_gradient(&ones([1, 3, 4, 5]), &ones([1, 4, 8, 10]), [4, 4]),
        Error::Groups { channels: 4, groups: 3, .. }
    );
    bad!(
        t,
        "weight gradient: kernel 0",
        new().weight_gradient(&ones([1, 3, 4, 5]), &ones([1, 6, 8, 10]), [0, 4]),
        Error::InvalidAxisParameter { parameter: "kernel", .. }
    );
    bad!(
        t,
        "weight gradient: kernel usize::MAX",
        new().weight_gradient(&ones([1, 3, 4, 5]), &ones([1, 6, 8, 10]), [usize::MAX, 4]),
        Error::SizeOverflow { .. }
    );
    bad!(
        t,
        "weight gradient into: kernel",
        untouched((3, 6, 4, 3), |dw| plan().weight_gradient_into(&ones([1, 3, 4, 5]), &ones([1, 6, 8, 10]), dw, Update::Overwrite)),
        Error::ShapeMismatch { axis: Axis::Width, expected: 4, found: 3, .. }
    );
    bad!(
        t,
        "weight gradient into: channels",
        untouched((3, 5, 4, 4), |dw| plan().weight_gradient_into(&ones([1, 3, 4, 5]), &ones([1, 6, 8, 10]), dw, Update::Overwrite)),
        Error::ShapeMismatch { argument: "weight gradient", axis: Axis::Number(1), expected: 6, found: 5 }
    );
    bad!(
        t,
        "weight gradient added: channels",
        untouched((2, 6, 4, 4), |dw| plan().weight_gradient_into(&ones([1, 3, 4, 5]), &ones([1, 6, 8, 10]), dw, Update::Add)),
        Error::ShapeMismatch { expected: 3, found: 2, .. }
    );
    bad!(
        t,
        "bias gradient: size",
        plan().bias_gradient(&ones([1, 6, 8, 9])),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Width, expected: 10, found: 9 }
    );
    bad!(
        t,
        "bias gradient into: entries",
        untouched_bias(5, |db| plan().bias_gradient_into(&ones([1, 6, 8, 10]), db, Update::Overwrite)),
        Error::ShapeMismatch { expected: 6, found: 5, .. }
    );
    bad!(
        t,
        "bias gradient into: size",
        untouched_bias(6, |db| plan().bias_gradient_into(&ones([1, 6, 7, 10]), db, Update::Overwrite)),
        Error::ShapeMismatch { argument: "output gradient", .. }
    );
    bad!(
        t,
        "bias gradient added: entries",
        untouched_bias(7, |db| plan().bias_gradient_into(&ones([1, 6, 8, 10]), db, Update::Add)),
        Error::ShapeMismatch { expected: 6, found: 7, .. }
    );
}

fn runs(t: &mut Vec<Row>) {
    let new = || Convolution::new().stride(2).padding(1);
    let plan = move || new().plan([8, 10], [4, 4]).unwrap(); // 4 × 5
    let weight = || ones([6, 3, 4, 4]);
    bad!(
        t,
        "convolution: weight",
        new().forward(&ones([1, 4, 8, 10]), &weight(), None),
        Error::ShapeMismatch { expected: 3, found: 4, .. } | Error::ShapeMismatch { expected: 4, found: 3, .. }
    );
    bad!(
        t,
        "convolution: groups",
        new().groups(4).forward(&ones([1, 12, 8, 10]), &weight(), None),
        Error::Groups { channels: 6, groups: 4, .. }
    );
    bad!(
        t,
        "convolution: bias",
        new().forward(&ones([1, 3, 8, 10]), &weight(), Some(&Array1::ones(3))),
        Error::ShapeMismatch { argument: "bias", expected: 6, found: 3, .. }
    );
    bad!(
        t,
        "convolution: empty picture",
        new().forward(&ones([1, 3, 0, 10]), &weight(), None),
        Error::ZeroSize { argument: "input", axis: Axis::Height }
    );
    bad!(
        t,
        "convolution: input gradient",
        new().input_gradient(&ones([1, 6, 4, 5]), &weight(), [8, 13]),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Width, expected: 6, found: 5 }
    );
    bad!(
        t,
        "convolution: input gradient of nothing",
        new().input_gradient(&ones([1, 6, 4, 5]), &weight(), [0, 10]),
        Error::ZeroSize { argument: "input", axis: Axis::Height }
    );
    bad!(
        t,
        "convolution: input gradient of too much",
        new().input_gradient(&ones([1, 6, 4, 5]), &weight(), [usize::MAX, 10]),
        Error::SizeOverflow { .. }
    );
    bad!(
        t,
        "convolution: weight gradient",
        new().weight_gradient(&ones([1, 3, 8, 10]), &ones([1, 6, 4, 4]), [4, 4]),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Width, expected: 5, found: 4 }
    );
    bad!(
        t,
        "convolution: weight gradient, batch",
        new().weight_gradient(&ones([2, 3, 8, 10]), &ones([1, 6, 4, 5]), [4, 4]),
        Error::ShapeMismatch { axis: Axis::Batch, .. }
    );
    bad!(
        t,
        "convolution plan: input",
        plan().forward(&ones([1, 3, 8, 9]), &weight(), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, expected: 10, found: 9 }
    );
    bad!(
        t,
        "convolution plan: kernel",
        plan().forward(&ones([1, 3, 8, 10]), &ones([6, 3, 3, 4]), None),
        Error::ShapeMismatch { argument: "weight", axis: Axis::Height, expected: 4, found: 3 }
    );
    bad!(
        t,
        "convolution into",
        untouched((1, 6, 4, 4), |y| plan().forward_into(&ones([1, 3, 8, 10]), &weight(), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 5, found: 4 }
    );
    bad!(
        t,
        "convolution: input gradient into",
        untouched((1, 3, 8, 9), |dx| plan().input_gradient_into(&ones([1, 6, 4, 5]), &weight(), dx, Update::Overwrite)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Width, expected: 10, found: 9 }
    );
    bad!(
        t,
        "convolution: input gradient added",
        untouched((1, 2, 8, 10), |dx| plan().input_gradient_into(&ones([1, 6, 4, 5]), &weight(), dx, Update::Add)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Channel, expected: 3, found: 2 }
    );
    bad!(
        t,
        "convolution: weight gradient into",
        untouched((6, 3, 4, 5), |dw| plan().weight_gradient_into(&ones([1, 3, 8, 10]), &ones([1, 6, 4, 5]), dw, Update::Overwrite)),
        Error::ShapeMismatch { axis: Axis::Width, expected: 4, found: 5, .. }
    );
    bad!(
        t,
        "convolution: weight gradient added",
        untouched((5, 3, 4, 4), |dw| plan().weight_gradient_into(&ones([1, 3, 8, 10]), &ones([1, 6, 4, 5]), dw, Update::Add)),
        Error::ShapeMismatch { expected: 6, found: 5, .. }
    );
    bad!(
        t,
        "convolution: bias gradient",
        plan().bias_gradient(&ones([1, 6, 3, 5])),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Height, expected: 4, found: 3 }
    );
    bad!(
        t,
        "convolution: bias gradient into",
        untouched_bias(2, |db| plan().bias_gradient_into(&ones([1, 6, 4, 5]), db, Update::Overwrite)),
        Error::ShapeMismatch { expected: 6, found: 2, .. }
    );
    bad!(
        t,
        "convolution: bias gradient added",
        untouched_bias(2, |db| plan().bias_gradient_into(&ones([1, 6, 4, 5]), db, Update::Add)),
        Error::ShapeMismatch { expected: 6, found: 2, .. }
    );
}

fn prepared(t: &mut Vec<Row>) {
    let new = || ConvTranspose::new().stride(2);
    let fast = move || new().prepare(&ones([3, 6, 2, 2]), [4, 5]).unwrap();
    bad!(t, "prepare: no pixels", new().prepare(&ones([3, 6, 2, 2]), [0, 5]), Error::ZeroSize { argument: "input", axis: Axis::Height });
    bad!(
        t,
        "prepare: kernel",
        new().plan([4, 5], [2, 2]).unwrap().prepare(&ones([3, 6, 2, 3])),
        Error::ShapeMismatch { argument: "weight", axis: Axis::Width, expected: 2, found: 3 }
    );
    bad!(t, "prepare: groups", new().groups(2).prepare(&ones([3, 6, 2, 2]), [4, 5]), Error::Groups { channels: 3, groups: 2, .. });
    bad!(
        t,
        "prepared: input",
        fast().forward(&ones([1, 3, 4, 4]), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, expected: 5, found: 4 }
    );
    bad!(
        t,
        "prepared: channels",
        fast().forward(&ones([1, 4, 4, 5]), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Channel, expected: 3, found: 4 }
    );
    bad!(
        t,
        "prepared: bias",
        fast().forward(&ones([1, 3, 4, 5]), Some(&Array1::ones(1))),
        Error::ShapeMismatch { argument: "bias", expected: 6, found: 1, .. }
    );
    bad!(
        t,
        "prepared into",
        untouched((1, 6, 8, 9), |y| fast().forward_into(&ones([1, 3, 4, 5]), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 10, found: 9 }
    );
    let plan = || Convolution::new().plan([4, 5], [2, 2]).unwrap();
    let fast = move || plan().prepare(&ones([6, 3, 2, 2])).unwrap();
    bad!(
        t,
        "prepared convolution: kernel",
        plan().prepare(&ones([6, 3, 1, 2])),
        Error::ShapeMismatch { argument: "weight", axis: Axis::Height, expected: 2, found: 1 }
    );
    bad!(
        t,
        "prepared convolution: input",
        fast().forward(&ones([1, 3, 5, 5]), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Height, expected: 4, found: 5 }
    );
    bad!(
        t,
        "prepared convolution into",
        untouched((1, 6, 3, 3), |y| fast().forward_into(&ones([1, 3, 4, 5]), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 4, found: 3 }
    );
}
