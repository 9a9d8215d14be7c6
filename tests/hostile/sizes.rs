//! The calculator and the solver.

use upsample::output_size::{ScaleRule, Window, conv_transpose, convolution, scaled, solve};
use upsample::{Axis, Error};

use crate::{Row, bad};

const MAX: usize = usize::MAX;
const HUGE: usize = isize::MAX as usize;
const AXIS: Axis = Axis::Number(0);

pub(crate) fn table() -> Vec<Row> {
    let mut t = Vec::new();
    let k = Window::new;
    for (name, window) in [("kernel", k(0)), ("stride", k(3).stride(0)), ("dilation", k(3).dilation(0))] {
        bad!(t, format!("transposed: {name} 0"), conv_transpose(4, &window), Error::InvalidAxisParameter { axis: AXIS, value: 0, .. });
        bad!(t, format!("convolution: {name} 0"), convolution(4, &window), Error::InvalidAxisParameter { axis: AXIS, value: 0, .. });
        bad!(t, format!("solve: {name} 0"), solve(4, 8, &window), Error::InvalidAxisParameter { axis: AXIS, value: 0, .. });
        bad!(t, format!("extent: {name} 0"), window.dilated_kernel(), Error::InvalidAxisParameter { axis: AXIS, value: 0, .. });
    }
    bad!(t, "extent overflows", k(3).dilation(MAX).dilated_kernel(), Error::SizeOverflow { argument: "dilated kernel", axis: AXIS });
    bad!(t, "transposed: nothing", conv_transpose(0, &k(3)), Error::ZeroSize { argument: "input", axis: AXIS });
    bad!(
        t,
        "transposed: cropped",
        conv_transpose(1, &k(3).padding(2)),
        Error::NoOutput { input: 1, kernel: 3, padding_begin: 2, padding_end: 2, .. }
    );
    bad!(t, "transposed: exactly cropped", conv_transpose(2, &k(3).padding(2)), Error::NoOutput { input: 2, .. });
    bad!(t, "transposed: huge stride", conv_transpose(4, &k(3).stride(MAX)), Error::SizeOverflow { argument: "output", .. });
    bad!(t, "transposed: huge input", conv_transpose(MAX, &k(1)), Error::SizeOverflow { argument: "output", .. });
    bad!(t, "transposed: huge kernel", conv_transpose(1, &k(MAX)), Error::SizeOverflow { argument: "output", .. });
    bad!(t, "transposed: beyond isize", conv_transpose(2, &k(2).stride(HUGE)), Error::SizeOverflow { argument: "output", .. });
    bad!(
        t,
        "transposed: padding overflows",
        conv_transpose(4, &k(3).padding_of(isize::MAX, 1)),
        Error::SizeOverflow { argument: "padding", .. }
    );
    bad!(
        t,
        "transposed: padding overflows below",
        conv_transpose(4, &k(3).padding(isize::MIN)),
        Error::SizeOverflow { argument: "padding", .. }
    );
    bad!(
        t,
        "transposed: wider than isize",
        conv_transpose(4, &k(3).padding_of(-isize::MAX, 0)),
        Error::SizeOverflow { argument: "output", .. }
    );
    bad!(
        t,
        "transposed: output padding",
        conv_transpose(4, &k(3).output_padding(1)),
        Error::InvalidAxisParameter { parameter: "output padding", value: 1, .. }
    );
    bad!(
        t,
        "transposed: huge output padding",
        conv_transpose(4, &k(3).stride(2).output_padding(MAX)),
        Error::InvalidAxisParameter { parameter: "output padding", value: MAX, .. }
    );
    bad!(
        t,
        "transposed: output padding overflows, though padding would take it back",
        conv_transpose(1, &k(3).stride(MAX).padding_of(0, isize::MAX).output_padding(MAX - 2)),
        Error::SizeOverflow { argument: "output", axis: AXIS }
    );
    bad!(t, "convolution: nothing", convolution(0, &k(1).padding(3)), Error::ZeroSize { argument: "input", axis: AXIS });
    bad!(t, "convolution: kernel", convolution(2, &k(3)), Error::NoOutput { input: 2, kernel: 3, .. });
    bad!(
        t,
        "convolution: output padding",
        convolution(4, &k(3).stride(2).output_padding(1)),
        Error::InvalidAxisParameter { parameter: "output padding", value: 1, .. }
    );
    bad!(
        t,
        "convolution: huge padding",
        convolution(4, &k(3).padding_of(isize::MAX, 0)),
        Error::SizeOverflow { argument: "padded input", .. }
    );
    bad!(
        t,
        "convolution: all cropped",
        convolution(4, &k(3).padding_of(-1, -1)),
        Error::NoOutput { input: 4, padding_begin: -1, padding_end: -1, .. }
    );
    bad!(
        t,
        "convolution: cropped beyond isize",
        convolution(4, &k(3).padding_of(isize::MIN, 0)),
        Error::NoOutput { padding_begin: isize::MIN, .. }
    );
    bad!(t, "convolution: padding overflows", convolution(4, &k(3).padding(isize::MAX)), Error::SizeOverflow { argument: "padding", .. });
    bad!(t, "convolution: huge input", convolution(MAX, &k(3)), Error::SizeOverflow { argument: "padded input", .. });
    bad!(t, "solve: nothing", solve(0, 8, &k(3)), Error::ZeroSize { argument: "input", axis: AXIS });
    bad!(t, "solve: to nothing", solve(4, 0, &k(3)), Error::UnreachableSize { input: 4, requested: 0, nearest: 1, .. });
    bad!(t, "solve: too far", solve(4, 11, &k(3).stride(2)), Error::UnreachableSize { input: 4, requested: 11, nearest: 10, .. });
    bad!(t, "solve: to usize::MAX", solve(4, MAX, &k(3).stride(2)), Error::UnreachableSize { requested: MAX, nearest: 10, .. });
    bad!(t, "solve: huge input", solve(MAX, 8, &k(3)), Error::SizeOverflow { .. });
    bad!(t, "solve: huge stride", solve(1, MAX, &k(3).stride(MAX)), Error::SizeOverflow { .. } | Error::UnreachableSize { .. });
    for rule in [ScaleRule::Floor, ScaleRule::Round] {
        bad!(t, format!("{rule:?}: NaN"), scaled(4, f64::NAN, rule), Error::InvalidScale { axis: AXIS, scale } if scale.is_nan());
        bad!(t, format!("{rule:?}: infinite"), scaled(4, f64::INFINITY, rule), Error::InvalidScale { scale: f64::INFINITY, .. });
        bad!(t, format!("{rule:?}: zero"), scaled(4, 0.0, rule), Error::InvalidScale { scale: 0.0, .. });
        bad!(t, format!("{rule:?}: minus zero"), scaled(4, -0.0, rule), Error::InvalidScale { .. });
        bad!(t, format!("{rule:?}: negative"), scaled(4, -2.0, rule), Error::InvalidScale { scale: -2.0, .. });
        bad!(t, format!("{rule:?}: tiny"), scaled(4, 1e-3, rule), Error::ScaleTooSmall { scale: 1e-3, input: 4, .. });
        bad!(t, format!("{rule:?}: largest"), scaled(4, f64::MAX, rule), Error::SizeOverflow { argument: "output", .. });
        bad!(t, format!("{rule:?}: of usize::MAX"), scaled(MAX, 1.0, rule), Error::SizeOverflow { argument: "output", .. });
        bad!(t, format!("{rule:?}: of nothing"), scaled(0, 2.0, rule), Error::ZeroSize { argument: "input", .. });
    }
    t
}
