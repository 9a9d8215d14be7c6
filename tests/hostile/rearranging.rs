//! Pixel shuffle, zero insertion, cropping, pooling and unpooling, all with their `_into` forms.

use ndarray::{Array3, Array4, Array5};
use upsample::rearrange::*;
use upsample::{Axis, Error};

use crate::{Row, bad, untouched};

const ORDER: ChannelOrder = ChannelOrder::ChannelFirst;
const BLOCKS: NailSpan = NailSpan::Blocks;

fn ones(shape: [usize; 4]) -> Array4<f32> {
    Array4::ones(shape)
}

pub(crate) fn table() -> Vec<Row> {
    let mut table = Vec::new();
    shuffling(&mut table);
    nails(&mut table);
    cropping(&mut table);
    pooling(&mut table);
    unpooling(&mut table);
    table
}

fn shuffling(t: &mut Vec<Row>) {
    let x = || ones([1, 6, 4, 5]);
    bad!(
        t,
        "shuffle: channels",
        pixel_shuffle(&x(), 2, ORDER),
        Error::InvalidAxisParameter { parameter: "size", axis: Axis::Channel, value: 6, .. }
    );
    bad!(
        t,
        "shuffle: block 0",
        pixel_shuffle(&x(), [0, 2], ORDER),
        Error::InvalidAxisParameter { parameter: "block", axis: Axis::Height, value: 0, .. }
    );
    bad!(t, "shuffle: huge block", pixel_shuffle(&x(), usize::MAX, ORDER), Error::SizeOverflow { argument: "block", axis: Axis::Width });
    bad!(
        t,
        "shuffle: huge side",
        pixel_shuffle(&x(), [1, usize::MAX], ORDER),
        Error::SizeOverflow { argument: "output", axis: Axis::Width }
    );
    bad!(
        t,
        "shuffle: huge side, no channels",
        pixel_shuffle(&ones([1, 0, 4, 5]), [1 << 40, 1 << 20], ORDER),
        Error::TooLarge { argument: "output", .. }
    );
    bad!(t, "shuffle: no pixels", pixel_shuffle(&ones([1, 4, 4, 0]), 2, ORDER), Error::ZeroSize { argument: "x", axis: Axis::Width });
    bad!(
        t,
        "shuffle: signal",
        pixel_shuffle(&Array3::<f32>::ones((1, 3, 5)), 2, ORDER),
        Error::InvalidAxisParameter { parameter: "size", axis: Axis::Channel, value: 3, .. }
    );
    bad!(
        t,
        "shuffle: volume",
        pixel_shuffle(&Array5::<f32>::ones((1, 4, 2, 2, 2)), 2, ORDER),
        Error::InvalidAxisParameter { parameter: "size", axis: Axis::Channel, value: 4, .. }
    );
    bad!(
        t,
        "shuffle into: size",
        untouched((1, 3, 4, 11), |y| pixel_shuffle_into(&x(), [1, 2], ORDER, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 10, found: 11 }
    );
    bad!(
        t,
        "shuffle into: channels",
        untouched((1, 6, 4, 10), |y| pixel_shuffle_into(&x(), [1, 2], ORDER, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Channel, expected: 3, found: 6 }
    );
    bad!(
        t,
        "unshuffle: size",
        pixel_unshuffle(&x(), 2, ORDER),
        Error::InvalidAxisParameter { parameter: "size", axis: Axis::Width, value: 5, .. }
    );
    bad!(
        t,
        "unshuffle: block 0",
        pixel_unshuffle(&x(), 0, ORDER),
        Error::InvalidAxisParameter { parameter: "block", axis: Axis::Height, value: 0, .. }
    );
    bad!(t, "unshuffle: huge block", pixel_unshuffle(&x(), usize::MAX, ORDER), Error::SizeOverflow { argument: "block", .. });
    bad!(t, "unshuffle: no pixels", pixel_unshuffle(&ones([1, 4, 0, 5]), 2, ORDER), Error::ZeroSize { argument: "x", axis: Axis::Height });
    bad!(
        t,
        "unshuffle into: channels",
        untouched((1, 11, 2, 5), |y| pixel_unshuffle_into(&x(), [2, 1], ORDER, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Channel, expected: 12, found: 11 }
    );
    bad!(
        t,
        "unshuffle into: batch",
        untouched((2, 12, 2, 5), |y| pixel_unshuffle_into(&x(), [2, 1], ORDER, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Batch, expected: 1, found: 2 }
    );
}

fn nails(t: &mut Vec<Row>) {
    let x = || ones([1, 2, 4, 5]);
    bad!(
        t,
        "nails: factor 0",
        zero_insert(&x(), [2, 0], BLOCKS),
        Error::InvalidAxisParameter { parameter: "factor", axis: Axis::Width, value: 0, .. }
    );
    bad!(t, "nails: huge factor", zero_insert(&x(), usize::MAX, BLOCKS), Error::SizeOverflow { argument: "output", axis: Axis::Height });
    bad!(
        t,
        "nails between: huge factor",
        zero_insert(&x(), usize::MAX, NailSpan::Between),
        Error::SizeOverflow { argument: "output", axis: Axis::Height }
    );
    bad!(t, "nails: too large", zero_insert(&x(), 1 << 40, BLOCKS), Error::TooLarge { argument: "output", .. });
    bad!(t, "nails: beyond memory", zero_insert(&x(), 1 << 26, BLOCKS), Error::OutOfMemory { argument: "output", .. });
    bad!(t, "nails: no pixels", zero_insert(&ones([1, 2, 0, 5]), 2, BLOCKS), Error::ZeroSize { axis: Axis::Height, .. });
    bad!(
        t,
        "nails into: size",
        untouched((1, 2, 8, 9), |y| zero_insert_into(&x(), 2, BLOCKS, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 10, found: 9 }
    );
    bad!(
        t,
        "nails between, into: size",
        untouched((1, 2, 8, 9), |y| zero_insert_into(&x(), 2, NailSpan::Between, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Height, expected: 7, found: 8 }
    );
    bad!(t, "decimate: factor 0", decimate(&x(), 0), Error::InvalidAxisParameter { parameter: "factor", value: 0, .. });
    bad!(t, "decimate: no pixels", decimate(&ones([1, 2, 4, 0]), 2), Error::ZeroSize { axis: Axis::Width, .. });
    bad!(
        t,
        "decimate into: size",
        untouched((1, 2, 2, 2), |y| decimate_into(&x(), 2, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 3, found: 2 }
    );
    bad!(
        t,
        "decimate into: channels",
        untouched((1, 3, 2, 3), |y| decimate_into(&x(), 2, y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Channel, expected: 2, found: 3 }
    );
}

fn cropping(t: &mut Vec<Row>) {
    let x = || ones([1, 2, 4, 5]);
    bad!(
        t,
        "crop: too large",
        crop(&x(), [0, 0], [5, 5]),
        Error::InvalidAxisParameter { parameter: "crop", axis: Axis::Height, value: 5, .. }
    );
    bad!(
        t,
        "crop: outside",
        crop(&x(), [0, 6], [1, 1]),
        Error::InvalidAxisParameter { parameter: "crop", axis: Axis::Width, value: 1, .. }
    );
    bad!(
        t,
        "crop: overflow",
        crop(&x(), [usize::MAX, 0], [usize::MAX, 1]),
        Error::InvalidAxisParameter { parameter: "crop", axis: Axis::Height, value: usize::MAX, .. }
    );
    bad!(t, "crop: nothing", crop(&x(), [0, 0], [4, 0]), Error::ZeroSize { argument: "crop", axis: Axis::Width });
    bad!(
        t,
        "crop of nothing",
        crop(&ones([1, 2, 0, 5]), [0, 0], [1, 1]),
        Error::InvalidAxisParameter { parameter: "crop", axis: Axis::Height, .. } | Error::ZeroSize { .. }
    );
    bad!(
        t,
        "crop into: channels",
        untouched((1, 3, 2, 2), |y| crop_into(&x(), [0, 0], y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Channel, expected: 2, found: 3 }
    );
    bad!(
        t,
        "crop into: outside",
        untouched((1, 2, 2, 2), |y| crop_into(&x(), [3, 0], y)),
        Error::InvalidAxisParameter { parameter: "crop", axis: Axis::Height, value: 2, .. }
    );
    bad!(
        t,
        "center crop: too large",
        center_crop(&x(), [4, 6]),
        Error::InvalidAxisParameter { parameter: "crop", axis: Axis::Width, value: 6, .. }
    );
    bad!(t, "center crop: usize::MAX", center_crop(&x(), [usize::MAX; 2]), Error::InvalidAxisParameter { parameter: "crop", .. });
    bad!(
        t,
        "center crop into: too large",
        untouched((1, 2, 5, 5), |y| center_crop_into(&x(), y)),
        Error::InvalidAxisParameter { parameter: "crop", .. }
    );
    bad!(
        t,
        "pad: too small",
        zero_pad(&x(), [0, 0], [4, 4]),
        Error::InvalidAxisParameter { parameter: "padded picture", axis: Axis::Width, value: 4, .. }
    );
    bad!(
        t,
        "pad: begins too late",
        zero_pad(&x(), [1, 0], [4, 5]),
        Error::InvalidAxisParameter { parameter: "padded picture", axis: Axis::Height, .. }
    );
    bad!(
        t,
        "pad: overflow",
        zero_pad(&x(), [usize::MAX, 0], [usize::MAX, 5]),
        Error::InvalidAxisParameter { parameter: "padded picture", axis: Axis::Height, .. }
    );
    bad!(t, "pad: too large", zero_pad(&x(), [0, 0], [usize::MAX, usize::MAX]), Error::TooLarge { argument: "output", .. });
    bad!(t, "pad: nothing", zero_pad(&ones([1, 2, 0, 5]), [0, 0], [4, 5]), Error::ZeroSize { argument: "x", axis: Axis::Height });
    bad!(
        t,
        "pad into: batch",
        untouched((2, 2, 8, 8), |y| zero_pad_into(&x(), [0, 0], y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Batch, expected: 1, found: 2 }
    );
    bad!(
        t,
        "pad into: too small",
        untouched((1, 2, 3, 8), |y| zero_pad_into(&x(), [0, 0], y)),
        Error::InvalidAxisParameter { parameter: "padded picture", axis: Axis::Height, .. }
    );
    bad!(
        t,
        "center pad: too small",
        center_pad(&x(), [3, 9]),
        Error::InvalidAxisParameter { parameter: "padded picture", axis: Axis::Height, value: 3, .. }
    );
    bad!(
        t,
        "center pad into: too small",
        untouched((1, 2, 9, 3), |y| center_pad_into(&x(), y)),
        Error::InvalidAxisParameter { parameter: "padded picture", axis: Axis::Width, value: 3, .. }
    );
}

fn pooling(t: &mut Vec<Row>) {
    let x = || ones([1, 2, 4, 5]);
    let indices = |shape: [usize; 4]| Array4::<i64>::zeros(shape);
    let two = || MaxPool::<2>::new(2);
    bad!(t, "pool: kernel 0", MaxPool::<2>::new(0).forward(&x()), Error::InvalidAxisParameter { parameter: "kernel", .. });
    bad!(t, "pool: stride 0", two().stride(0).forward(&x()), Error::InvalidAxisParameter { parameter: "stride", .. });
    bad!(
        t,
        "pool: dilation 0",
        two().dilation([1, 0]).forward(&x()),
        Error::InvalidAxisParameter { parameter: "dilation", axis: Axis::Width, .. }
    );
    bad!(t, "pool: padding", two().padding(2).forward(&x()), Error::InvalidAxisParameter { parameter: "padding", value: 2, .. });
    bad!(t, "pool: padding of usize::MAX", two().padding(usize::MAX).forward(&x()), Error::SizeOverflow { .. });
    bad!(
        t,
        "pool: dilation over everything",
        MaxPool::<2>::new(2).dilation(9).padding(5).forward(&x()),
        Error::InvalidAxisParameter { parameter: "dilation", value: 9, .. }
    );
    bad!(t, "pool: larger kernel", MaxPool::<2>::new(6).forward(&x()), Error::NoOutput { axis: Axis::Height, input: 4, kernel: 6, .. });
    bad!(
        t,
        "pool: huge kernel",
        MaxPool::<2>::new(usize::MAX).forward(&x()),
        Error::NoOutput { kernel: usize::MAX, .. } | Error::SizeOverflow { .. }
    );
    bad!(t, "pool: no pixels", two().forward(&ones([1, 2, 4, 0])), Error::ZeroSize { axis: Axis::Width, .. });
    bad!(t, "pool: size of nothing", two().output_size([0, 4]), Error::ZeroSize { axis: Axis::Height, .. });
    bad!(t, "pool: size of too much", two().padding(1).output_size([usize::MAX, 4]), Error::SizeOverflow { axis: Axis::Height, .. });
    bad!(
        t,
        "pool into: output",
        untouched((1, 2, 2, 3), |y| two().forward_into(&x(), y, &mut indices([1, 2, 2, 2]))),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 2, found: 3 }
    );
    bad!(
        t,
        "pool into: indices",
        untouched((1, 2, 2, 2), |y| two().forward_into(&x(), y, &mut indices([1, 2, 2, 1]))),
        Error::ShapeMismatch { argument: "indices", axis: Axis::Width, expected: 2, found: 1 }
    );
    let dy = || ones([1, 2, 2, 2]);
    bad!(
        t,
        "pool gradient: size",
        two().input_gradient(&ones([1, 2, 2, 3]), &indices([1, 2, 2, 3]), [4, 5]),
        Error::ShapeMismatch { axis: Axis::Width, expected: 2, found: 3, .. }
    );
    bad!(
        t,
        "pool gradient: indices",
        two().input_gradient(&dy(), &indices([1, 1, 2, 2]), [4, 5]),
        Error::ShapeMismatch { argument: "indices", axis: Axis::Channel, expected: 2, found: 1 }
    );
    bad!(
        t,
        "pool gradient: negative index",
        two().input_gradient(&dy(), &indices([1, 2, 2, 2]).mapv(|_| -1), [4, 5]),
        Error::IndexOutOfRange { argument: "indices", index: -1, position: 0, limit: 20 }
    );
    bad!(
        t,
        "pool gradient: large index",
        two().input_gradient(&dy(), &indices([1, 2, 2, 2]).mapv(|_| i64::MAX), [4, 5]),
        Error::IndexOutOfRange { index: i64::MAX, .. }
    );
    bad!(t, "pool gradient: no input", two().input_gradient(&dy(), &indices([1, 2, 2, 2]), [0, 5]), Error::ZeroSize { .. });
    bad!(
        t,
        "pool gradient: huge input",
        two().input_gradient(&dy(), &indices([1, 2, 2, 2]), [usize::MAX, 5]),
        Error::SizeOverflow { .. } | Error::ShapeMismatch { .. }
    );
    bad!(
        t,
        "pool gradient into: channels",
        untouched((1, 3, 4, 5), |dx| two().input_gradient_into(&dy(), &indices([1, 2, 2, 2]), dx)),
        Error::ShapeMismatch { axis: Axis::Channel, expected: 2, found: 3, .. }
    );
    bad!(
        t,
        "pool gradient into: index",
        untouched((1, 2, 4, 5), |dx| two().input_gradient_into(&dy(), &indices([1, 2, 2, 2]).mapv(|_| 20), dx)),
        Error::IndexOutOfRange { index: 20, limit: 20, .. }
    );
}

fn unpooling(t: &mut Vec<Row>) {
    let x = || ones([1, 2, 2, 2]);
    let at = |index: i64| Array4::<i64>::from_elem((1, 2, 2, 2), index);
    let to = || MaxUnpool::to([4, 5]);
    bad!(
        t,
        "unpool: index",
        to().forward(&x(), &at(20)),
        Error::IndexOutOfRange { argument: "indices", index: 20, position: 0, limit: 20 }
    );
    bad!(t, "unpool: negative", to().forward(&x(), &at(i64::MIN)), Error::IndexOutOfRange { index: i64::MIN, .. });
    bad!(
        t,
        "unpool: index of the tensor",
        to().index_space(IndexSpace::Tensor).forward(&x(), &at(40)),
        Error::IndexOutOfRange { index: 40, limit: 40, .. }
    );
    bad!(
        t,
        "unpool: indices",
        to().forward(&x(), &Array4::<i64>::zeros((1, 2, 2, 1))),
        Error::ShapeMismatch { argument: "indices", axis: Axis::Width, expected: 2, found: 1 }
    );
    bad!(
        t,
        "unpool: batch",
        to().forward(&x(), &Array4::<i64>::zeros((2, 2, 2, 2))),
        Error::ShapeMismatch { argument: "indices", axis: Axis::Batch, expected: 1, found: 2 }
    );
    bad!(t, "unpool: to nothing", MaxUnpool::to([0, 5]).forward(&x(), &at(0)), Error::ZeroSize { argument: "output", axis: Axis::Height });
    bad!(
        t,
        "unpool: no pixels",
        to().forward(&ones([1, 2, 0, 2]), &Array4::<i64>::zeros((1, 2, 0, 2))),
        Error::ZeroSize { argument: "indices", axis: Axis::Height }
    );
    bad!(t, "unpool: too large", MaxUnpool::to([usize::MAX; 2]).forward(&x(), &at(0)), Error::TooLarge { argument: "output", .. });
    bad!(t, "unpool: beyond memory", MaxUnpool::to([1 << 24, 1 << 24]).forward(&x(), &at(0)), Error::OutOfMemory { .. });
    bad!(
        t,
        "unpool: counted in more",
        to().counted_in([4, 6]).forward(&x(), &at(0)),
        Error::InvalidAxisParameter { axis: Axis::Width, value: 6, .. }
    );
    bad!(t, "unpool: counted in nothing", to().counted_in([0, 5]).forward(&x(), &at(0)), Error::ZeroSize { axis: Axis::Height, .. });
    bad!(
        t,
        "unpool into: size",
        untouched((1, 2, 4, 4), |y| to().forward_into(&x(), &at(0), y)),
        Error::ShapeMismatch { argument: "output", axis: Axis::Width, expected: 5, found: 4 }
    );
    bad!(
        t,
        "unpool into: index",
        untouched((1, 2, 4, 5), |y| to().forward_into(&x(), &at(99), y)),
        Error::IndexOutOfRange { index: 99, .. }
    );
    bad!(
        t,
        "unpool gradient: size",
        to().input_gradient(&ones([1, 2, 4, 4]), &at(0)),
        Error::ShapeMismatch { argument: "gradient of the output", axis: Axis::Width, expected: 5, found: 4 }
    );
    bad!(t, "unpool gradient: index", to().input_gradient(&ones([1, 2, 4, 5]), &at(-3)), Error::IndexOutOfRange { index: -3, .. });
    bad!(
        t,
        "unpool gradient into: size",
        untouched((1, 2, 2, 3), |dx| to().input_gradient_into(&ones([1, 2, 4, 5]), &at(0), dx)),
        Error::ShapeMismatch { axis: Axis::Width, expected: 2, found: 3, .. }
    );
}
