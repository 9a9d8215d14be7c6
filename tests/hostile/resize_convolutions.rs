//! Resize, then convolution: descriptions, plans, runs, gradients, prepared weights; fused, and in two steps.

use ndarray::{Array1, Array3, Array4};
use upsample::{Axis, Error, Resize, ResizeConv, Update};

use crate::{Row, bad, untouched, untouched_bias};

const HUGE: usize = isize::MAX as usize;

fn ones(shape: [usize; 4]) -> Array4<f32> {
    Array4::ones(shape)
}

pub(crate) fn table() -> Vec<Row> {
    let mut table = Vec::new();
    plans(&mut table);
    for up in [ResizeConv::doubling(3).unwrap(), ResizeConv::doubling(3).unwrap().resize(Resize::bilinear())] {
        runs(&mut table, &up.groups(2));
    }
    table
}

fn plans(t: &mut Vec<Row>) {
    let new = || ResizeConv::new().factor(2).padding(1);
    let parameter = |t: &mut Vec<Row>, name, up: ResizeConv, fits| {
        t.push(Row::new(name, move || up.plan([8, 8], [3, 3]).map(drop), fits, "the parameter"));
    };
    parameter(t, "factor 0", new().factor(0), |e| matches!(e, Error::InvalidAxisParameter { parameter: "factor", value: 0, .. }));
    parameter(t, "factors of three axes", new().factor([1, 2, 3]), |e| matches!(e, Error::AxisCount { expected: 2, found: 3, .. }));
    parameter(t, "padding of one axis", new().padding([1]), |e| matches!(e, Error::AxisCount { argument: "padding", found: 1, .. }));
    parameter(t, "dilation 0", new().dilation(0), |e| matches!(e, Error::InvalidAxisParameter { parameter: "dilation", .. }));
    parameter(t, "no groups", new().groups(0), |e| matches!(e, Error::InvalidParameter { parameter: "groups", .. }));
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let up = new().scale(scale);
        let fits = |e: &Error| matches!(e, Error::InvalidScale { .. } | Error::InvalidParameter { .. } | Error::SizeOverflow { .. });
        t.push(Row::new(format!("scale {scale}"), move || up.plan([8, 8], [3, 3]).map(drop), fits, "the scale"));
    }
    parameter(t, "no size", new().size([0, 4]), |e| matches!(e, Error::ZeroSize { .. }));
    parameter(t, "huge size", new().size(HUGE), |e| {
        matches!(e, Error::SizeOverflow { .. } | Error::TooLarge { .. } | Error::OutOfMemory { .. })
    });
    parameter(t, "huge factor", new().factor(HUGE), |e| matches!(e, Error::SizeOverflow { .. } | Error::TooLarge { .. }));
    parameter(t, "huge padding", new().padding(HUGE), |e| matches!(e, Error::SizeOverflow { .. }));
    parameter(t, "huge dilation", new().dilation(HUGE), |e| matches!(e, Error::SizeOverflow { .. } | Error::NoOutput { .. }));
    bad!(
        t,
        "dilation that leads the summed kernel beyond isize",
        ResizeConv::new().dilation(1 << 62).padding_of((1_isize << 62) + 1, 0).plan([5], [2]),
        Error::SizeOverflow { axis: Axis::Length, .. }
    );
    parameter(t, "size too small", new().padding(0).size(2), |e| matches!(e, Error::NoOutput { .. }));
    parameter(t, "everything cropped", new().padding(-8), |e| matches!(e, Error::NoOutput { padding_begin: -8, padding_end: -8, .. }));
    parameter(t, "cropped below isize", new().padding(isize::MIN), |e| matches!(e, Error::SizeOverflow { .. } | Error::NoOutput { .. }));
    bad!(t, "crop overflows", new().padding_of(isize::MIN, isize::MAX).plan([8], [3]), Error::SizeOverflow { .. } | Error::NoOutput { .. });
    bad!(t, "kernel 0", new().plan([8, 8], [0, 3]), Error::InvalidAxisParameter { parameter: "kernel", axis: Axis::Height, .. });
    bad!(t, "huge kernel", new().plan([8], [usize::MAX]), Error::SizeOverflow { .. } | Error::NoOutput { .. });
    bad!(t, "no pixels", new().plan([8, 0, 8], [3, 3, 3]), Error::ZeroSize { argument: "input", axis: Axis::Height });
    bad!(t, "huge input", new().plan([usize::MAX], [3]), Error::SizeOverflow { .. });
    bad!(t, "doubling 0", ResizeConv::doubling(0), Error::InvalidAxisParameter { parameter: "kernel", .. });
    bad!(t, "doubling usize::MAX", ResizeConv::doubling(usize::MAX).and_then(|up| up.plan([8], [usize::MAX])), Error::SizeOverflow { .. });
}

/// With two groups, from 4 × 5 to 8 × 10.
fn runs(t: &mut Vec<Row>, up: &ResizeConv) {
    let plan = |up: &ResizeConv| up.plan([4, 5], [3, 3]).unwrap();
    macro_rules! row {
        ($name:expr, |$up:ident| $call:expr, $pattern:pat) => {
            let $up = up.clone();
            bad!(t, $name, $call, $pattern);
        };
    }
    let (x, weight, dy) = (|| ones([1, 4, 4, 5]), || ones([4, 3, 3, 3]), || ones([1, 6, 8, 10]));
    row!(
        "input's channels",
        |up| up.forward(&ones([1, 2, 4, 5]), &weight(), None),
        Error::ShapeMismatch { argument: "input", expected: 4, found: 2, .. }
    );
    row!("weight's groups", |up| up.forward(&x(), &ones([3, 3, 3, 3]), None), Error::Groups { channels: 3, groups: 2, .. });
    row!(
        "bias",
        |up| up.forward(&x(), &weight(), Some(&Array1::ones(3))),
        Error::ShapeMismatch { argument: "bias", expected: 6, found: 3, .. }
    );
    row!("no pixels", |up| up.forward(&ones([1, 4, 0, 5]), &weight(), None), Error::ZeroSize { argument: "input", .. });
    row!("empty kernel", |up| up.forward(&x(), &ones([4, 3, 0, 3]), None), Error::InvalidAxisParameter { parameter: "kernel", .. });
    row!(
        "plan: input",
        |up| plan(&up).forward(&ones([1, 4, 5, 5]), &weight(), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Height, .. }
    );
    row!(
        "plan: kernel",
        |up| plan(&up).forward(&x(), &ones([4, 3, 3, 2]), None),
        Error::ShapeMismatch { argument: "weight", axis: Axis::Width, .. }
    );
    row!(
        "signal's weight",
        |up| up.forward(&Array3::<f32>::ones((1, 4, 5)), &Array3::ones((6, 1, 3)), None),
        Error::ShapeMismatch { argument: "input", expected: 6, found: 4, .. }
    );
    row!(
        "into: size",
        |up| untouched((1, 6, 8, 9), |y| plan(&up).forward_into(&x(), &weight(), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, .. }
    );
    row!(
        "into: channels",
        |up| untouched((1, 5, 8, 10), |y| plan(&up).forward_into(&x(), &weight(), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Channel, .. }
    );
    row!(
        "into: bias",
        |up| untouched((1, 6, 8, 10), |y| plan(&up).forward_into(&x(), &weight(), Some(&Array1::ones(7)), y)),
        Error::ShapeMismatch { argument: "bias", .. }
    );
    row!(
        "input gradient: size",
        |up| plan(&up).input_gradient(&ones([1, 6, 8, 11]), &weight()),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Width, .. }
    );
    row!(
        "input gradient: channels",
        |up| plan(&up).input_gradient(&ones([1, 5, 8, 10]), &weight()),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Channel, .. }
    );
    row!(
        "input gradient into: batch",
        |up| untouched((2, 4, 4, 5), |dx| plan(&up).input_gradient_into(&dy(), &weight(), dx, Update::Overwrite)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Batch, .. }
    );
    row!(
        "input gradient added: channels",
        |up| untouched((1, 3, 4, 5), |dx| plan(&up).input_gradient_into(&dy(), &weight(), dx, Update::Add)),
        Error::ShapeMismatch { argument: "input gradient", axis: Axis::Channel, .. }
    );
    row!(
        "weight gradient: batch",
        |up| plan(&up).weight_gradient(&x(), &ones([2, 6, 8, 10])),
        Error::ShapeMismatch { argument: "output gradient", axis: Axis::Batch, .. }
    );
    row!(
        "weight gradient: groups",
        |up| plan(&up).weight_gradient(&ones([1, 3, 4, 5]), &dy()),
        Error::Groups { argument: "input", channels: 3, groups: 2 }
    );
    row!(
        "weight gradient into: channels",
        |up| untouched((4, 2, 3, 3), |dw| plan(&up).weight_gradient_into(&x(), &dy(), dw, Update::Overwrite)),
        Error::ShapeMismatch { argument: "weight gradient", .. }
    );
    row!(
        "weight gradient added: kernel",
        |up| untouched((4, 3, 3, 2), |dw| plan(&up).weight_gradient_into(&x(), &dy(), dw, Update::Add)),
        Error::ShapeMismatch { argument: "weight gradient", .. }
    );
    row!(
        "bias gradient: size",
        |up| plan(&up).bias_gradient(&ones([1, 6, 8, 9])),
        Error::ShapeMismatch { argument: "output gradient", .. }
    );
    row!(
        "bias gradient into: length",
        |up| untouched_bias(5, |db| plan(&up).bias_gradient_into(&dy(), db, Update::Overwrite)),
        Error::ShapeMismatch { argument: "bias gradient", expected: 6, found: 5, .. }
    );
    row!("prepare: kernel", |up| plan(&up).prepare(&ones([4, 3, 2, 3])), Error::ShapeMismatch { argument: "weight", .. });
    row!("prepare: groups", |up| plan(&up).prepare(&ones([5, 3, 3, 3])), Error::Groups { channels: 5, groups: 2, .. });
    row!(
        "prepared: input",
        |up| plan(&up).prepare(&weight()).unwrap().forward(&ones([1, 4, 4, 4]), None),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, .. }
    );
    row!(
        "prepared into: output",
        |up| untouched((1, 6, 9, 10), |y| plan(&up).prepare(&weight()).unwrap().forward_into(&x(), None, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Height, .. }
    );
    row!(
        "memory: input",
        |up| plan(&up).forward_memory(&ones([1, 4, 4, 4]), &weight()),
        Error::ShapeMismatch { argument: "input", axis: Axis::Width, .. }
    );
}
