//! Checkerboards and initial weights.

use ndarray::{Array3, Array4};
use upsample::checkerboard::{Overlap, StrideSpectrum, WeightOverlap, nearest_even};
use upsample::initial_weights::{InterpolationKernel, icnr};
use upsample::output_size::Window;
use upsample::rearrange::ChannelOrder;
use upsample::{Axis, Error};

use crate::{Row, bad};

pub(crate) fn table() -> Vec<Row> {
    let mut t = Vec::new();
    let k = Window::new;
    let picture = || Array4::<f32>::ones((1, 2, 4, 5));
    bad!(t, "overlap: nothing", Overlap::of([0, 4], [k(3); 2]), Error::ZeroSize { argument: "input", axis: Axis::Height });
    bad!(
        t,
        "overlap: kernel 0",
        Overlap::of([4, 4], [k(3), k(0)]),
        Error::InvalidAxisParameter { parameter: "kernel", axis: Axis::Width, .. }
    );
    bad!(t, "overlap: cropped", Overlap::of([1], [k(3).padding(2)]), Error::NoOutput { axis: Axis::Length, .. });
    bad!(t, "overlap: huge stride", Overlap::of([4], [k(3).stride(usize::MAX)]), Error::SizeOverflow { .. });
    bad!(t, "overlap: huge phases", Overlap::of([1], [k(3).stride(usize::MAX)]), Error::TooLarge { .. });
    bad!(t, "overlap: too large", Overlap::of([1 << 40, 1 << 40], [k(1); 2]), Error::TooLarge { argument: "overlap", .. });
    bad!(t, "overlap: beyond memory", Overlap::of([1 << 24, 1 << 24], [k(1); 2]), Error::OutOfMemory { argument: "overlap", .. });
    bad!(
        t,
        "spectrum: stride 0",
        StrideSpectrum::of(&picture(), [2, 0]),
        Error::InvalidAxisParameter { parameter: "stride", axis: Axis::Width, value: 0, .. }
    );
    bad!(
        t,
        "spectrum: stride of more than the picture",
        StrideSpectrum::of(&picture(), 5),
        Error::InvalidAxisParameter { parameter: "stride", axis: Axis::Height, value: 5, .. }
    );
    bad!(t, "spectrum: usize::MAX", StrideSpectrum::of(&picture(), usize::MAX), Error::InvalidAxisParameter { parameter: "stride", .. });
    bad!(
        t,
        "spectrum: no pixels",
        StrideSpectrum::of(&Array4::<f32>::ones((1, 1, 4, 0)), 1),
        Error::ZeroSize { argument: "picture", axis: Axis::Width }
    );
    let weight = || Array4::<f64>::ones((4, 3, 3, 3));
    bad!(
        t,
        "weight overlap: kernel",
        WeightOverlap::of(&weight(), [k(3), k(4)], 1),
        Error::ShapeMismatch { argument: "weight", axis: Axis::Width, expected: 4, found: 3 }
    );
    bad!(
        t,
        "weight overlap: groups",
        WeightOverlap::of(&weight(), [k(3); 2], 3),
        Error::Groups { argument: "weight", channels: 4, groups: 3 }
    );
    bad!(t, "weight overlap: no groups", WeightOverlap::of(&weight(), [k(3); 2], 0), Error::Groups { groups: 0, .. });
    bad!(
        t,
        "weight overlap: stride 0",
        WeightOverlap::of(&weight(), [k(3), k(3).stride(0)], 1),
        Error::InvalidAxisParameter { parameter: "stride", axis: Axis::Width, .. }
    );
    bad!(
        t,
        "weight overlap: dilation overflows",
        WeightOverlap::of(&weight(), [k(3), k(3).dilation(usize::MAX)], 1),
        Error::SizeOverflow { axis: Axis::Width, .. }
    );
    bad!(t, "weight overlap: huge stride", WeightOverlap::of(&weight(), [k(3).stride(usize::MAX); 2], 1), Error::TooLarge { .. });
    bad!(
        t,
        "weight overlap: huge groups",
        WeightOverlap::of(&Array4::<f64>::ones((0, 3, 3, 3)), [k(3); 2], usize::MAX),
        Error::SizeOverflow { argument: "response", .. }
    );
    bad!(t, "nearest even: nothing", nearest_even(0, &k(3)), Error::ZeroSize { .. });
    bad!(t, "nearest even: kernel 0", nearest_even(4, &k(0)), Error::InvalidAxisParameter { parameter: "kernel", .. });
    bad!(t, "nearest even: stride 0", nearest_even(4, &k(3).stride(0)), Error::InvalidAxisParameter { parameter: "stride", .. });
    bad!(t, "nearest even: cropped", nearest_even(1, &k(3).padding(5)), Error::NoOutput { .. });
    bad!(t, "nearest even: huge stride", nearest_even(2, &k(3).stride(usize::MAX)), Error::SizeOverflow { .. });
    bad!(
        t,
        "nearest kernel: factor 0",
        InterpolationKernel::<1>::nearest(0),
        Error::InvalidAxisParameter { parameter: "factor", value: 0, .. }
    );
    bad!(
        t,
        "linear kernel: factor 0",
        InterpolationKernel::<2>::linear([2, 0]),
        Error::InvalidAxisParameter { parameter: "factor", axis: Axis::Width, .. }
    );
    bad!(
        t,
        "cubic kernel: factor 0",
        InterpolationKernel::<3>::cubic(0, -0.5),
        Error::InvalidAxisParameter { parameter: "factor", axis: Axis::Depth, .. }
    );
    bad!(
        t,
        "cubic kernel: NaN",
        InterpolationKernel::<1>::cubic(2, f64::NAN),
        Error::InvalidParameter { parameter: "cubic coefficient", .. }
    );
    bad!(t, "linear kernel: overflow", InterpolationKernel::<1>::linear(usize::MAX), Error::SizeOverflow { argument: "kernel", .. });
    bad!(
        t,
        "nearest kernel: overflow",
        InterpolationKernel::<1>::nearest(usize::MAX),
        Error::OutOfMemory { argument: "kernel", .. } | Error::SizeOverflow { .. }
    );
    bad!(t, "cubic kernel: beyond memory", InterpolationKernel::<1>::cubic(1 << 44, -0.5), Error::OutOfMemory { argument: "kernel", .. });
    bad!(
        t,
        "diagonal: too many channels",
        InterpolationKernel::<2>::linear(2).and_then(|kernel| kernel.diagonal::<f32>(usize::MAX)),
        Error::TooLarge { argument: "weights", .. }
    );
    bad!(
        t,
        "depthwise: too many channels",
        InterpolationKernel::<2>::linear(2).and_then(|kernel| kernel.depthwise::<f32>(1 << 60)),
        Error::TooLarge { argument: "weights", .. }
    );
    bad!(
        t,
        "depthwise: beyond memory",
        InterpolationKernel::<1>::linear(2).and_then(|kernel| kernel.depthwise::<f32>(1 << 46)),
        Error::OutOfMemory { argument: "weights", .. }
    );
    let filters = || Array3::<f32>::ones((2, 3, 4));
    bad!(
        t,
        "ICNR: block 0",
        icnr(&filters(), 0, ChannelOrder::DepthFirst),
        Error::InvalidAxisParameter { parameter: "block", value: 0, .. }
    );
    bad!(
        t,
        "ICNR: huge block",
        icnr(&filters(), usize::MAX, ChannelOrder::DepthFirst),
        Error::SizeOverflow { argument: "weights", axis: Axis::Channel }
    );
    bad!(t, "ICNR: too large", icnr(&filters(), usize::MAX / 4, ChannelOrder::ChannelFirst), Error::TooLarge { argument: "weights", .. });
    bad!(t, "ICNR: beyond memory", icnr(&filters(), 1 << 43, ChannelOrder::ChannelFirst), Error::OutOfMemory { argument: "weights", .. });
    t
}
