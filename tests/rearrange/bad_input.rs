//! What cannot be done is refused with the numbers, and nothing has been written then.

use ndarray::{Array3, Array4, array};
use upsample::rearrange::*;
use upsample::{Axis, Error};

fn picture(shape: [usize; 4]) -> Array4<f32> {
    Array4::from_shape_fn(shape, |(n, c, h, w)| (((n * 7 + c) * 7 + h) * 7 + w) as f32)
}

fn bad(parameter: &'static str, axis: Axis, value: usize, requirement: &str) -> Error {
    Error::InvalidAxisParameter { parameter, axis, value, requirement: requirement.to_owned() }
}

#[test]
fn errors_name_the_argument_and_the_numbers() {
    let x = picture([1, 6, 4, 5]);
    let order = ChannelOrder::ChannelFirst;
    for (name, found, expected) in [
        ("channels", pixel_shuffle(&x, 2, order), bad("size", Axis::Channel, 6, "a multiple of 4, the pixels of a block of 2×2")),
        ("sides", pixel_shuffle(&x, [1, 4], order), bad("size", Axis::Channel, 6, "a multiple of 4, the pixels of a block of 1×4")),
        ("block of 0", pixel_shuffle(&x, [2, 0], order), bad("block", Axis::Width, 0, "at least 1")),
        ("overflow", pixel_shuffle(&x, [usize::MAX, 1], order), Error::SizeOverflow { argument: "output", axis: Axis::Height }),
        ("overflowing block", pixel_shuffle(&x, usize::MAX, order), Error::SizeOverflow { argument: "block", axis: Axis::Width }),
        ("empty", pixel_shuffle(&picture([1, 4, 0, 5]), 2, order), Error::ZeroSize { argument: "x", axis: Axis::Height }),
        ("width", pixel_unshuffle(&x, 2, order), bad("size", Axis::Width, 5, "a multiple of the block (2)")),
        ("factor", zero_insert(&x, [1, 0], NailSpan::Blocks), bad("factor", Axis::Width, 0, "at least 1")),
        ("decimation", decimate(&x, 0), bad("factor", Axis::Height, 0, "at least 1")),
        ("far", zero_insert(&x, usize::MAX, NailSpan::Blocks), Error::SizeOverflow { argument: "output", axis: Axis::Height }),
        (
            "more than memory",
            zero_insert(&x, 1 << 40, NailSpan::Blocks),
            Error::TooLarge { argument: "output", shape: vec![1, 6, 1, 4 << 40, 5 << 40] },
        ),
        ("crop", center_crop(&x, [5, 5]), bad("crop", Axis::Height, 5, "at most 4 where it begins at 0 of 4 pixels")),
        ("crop outside", crop(&x, [3, 1], [2, 2]), bad("crop", Axis::Height, 2, "at most 1 where it begins at 3 of 4 pixels")),
        ("crop beyond", crop(&x, [9, 1], [1, 2]), bad("crop", Axis::Height, 1, "at most 0 where it begins at 9 of 4 pixels")),
        ("crop of nothing", center_crop(&x, [4, 0]), Error::ZeroSize { argument: "crop", axis: Axis::Width }),
        ("pad", zero_pad(&x, [1, 0], [4, 5]), bad("padded picture", Axis::Height, 4, "at least 4 more than where the picture begins (1)")),
    ] {
        assert_eq!(found.unwrap_err(), expected, "{name}");
    }
}

#[test]
fn pooling_refuses_windows_that_see_nothing() {
    let x = picture([1, 2, 4, 5]);
    for (name, pool, expected) in [
        ("kernel", MaxPool::new([2, 0]), bad("kernel", Axis::Width, 0, "at least 1")),
        ("stride", MaxPool::new(2).stride([0, 1]), bad("stride", Axis::Height, 0, "at least 1")),
        (
            "padding",
            MaxPool::new(3).padding([1, 2]),
            bad("padding", Axis::Width, 2, "at most half the window, which is 3 with its dilation"),
        ),
        (
            "dilation",
            MaxPool::new([2, 1]).dilation([9, 1]).padding([5, 0]),
            bad("dilation", Axis::Height, 9, "at most the size (4), so that every window sees a pixel"),
        ),
        (
            "too large a window",
            MaxPool::new([5, 1]),
            Error::NoOutput { axis: Axis::Height, input: 4, kernel: 5, dilated_kernel: 5, padding_begin: 0, padding_end: 0 },
        ),
    ] {
        assert_eq!(pool.forward(&x).unwrap_err(), expected, "{name}");
    }
    assert!(MaxPool::new(usize::MAX).forward(&x).is_err());
    assert!(MaxPool::new(usize::MAX / 2).padding(usize::MAX / 4).forward(&x).is_err());
    // A huge window that is mostly padding takes no longer than a small one.
    let huge = MaxPool::new((1 << 40) + 1).padding(1 << 39).stride(1);
    assert_eq!(huge.forward(&array![[[1.0, 3.0, 2.0]]]).unwrap(), (array![[[3.0, 3.0, 3.0]]], array![[[1, 1, 1]]]));
}

#[test]
fn empty_batches_are_fine() {
    let x = picture([0, 4, 6, 6]);
    assert_eq!(pixel_shuffle(&x, 2, ChannelOrder::DepthFirst).unwrap().dim(), (0, 1, 12, 12));
    assert_eq!(pixel_unshuffle(&picture([2, 0, 6, 6]), 2, ChannelOrder::DepthFirst).unwrap().dim(), (2, 0, 3, 3));
    let (y, indices) = MaxPool::new(2).forward(&x).unwrap();
    assert_eq!(y.dim(), (0, 4, 3, 3));
    assert_eq!(MaxUnpool::to([6, 6]).forward(&y, &indices).unwrap().dim(), (0, 4, 6, 6));
    assert_eq!(MaxUnpool::to([6, 6]).input_gradient(&x, &indices).unwrap().dim(), (0, 4, 3, 3));
    assert_eq!(MaxPool::new(2).input_gradient(&y, &indices, [6, 6]).unwrap().dim(), (0, 4, 6, 6));
    assert_eq!(center_crop(&x, [2, 2]).unwrap().dim(), (0, 4, 2, 2));
    assert_eq!(zero_insert(&x, 2, NailSpan::Blocks).unwrap().dim(), (0, 4, 12, 12));
    // No pixels at all, but axes as long as can be.
    let long = Array3::<f32>::zeros((0, 1, 1 << 60));
    assert_eq!(MaxPool::new(2).forward(&long).unwrap().0.dim(), (0, 1, 1 << 59));
}

#[test]
fn indices_out_of_range_are_refused() {
    let x = array![[[1.0, 2.0]], [[3.0, 4.0]]];
    let out_of_range = |index, position, limit| Error::IndexOutOfRange { argument: "indices", index, position, limit };
    let plane = MaxUnpool::to([4]);
    let tensor = plane.index_space(IndexSpace::Tensor);
    for (name, unpool, indices, expected) in [
        ("too large", plane, array![[[0, 3]], [[4, 9]]], out_of_range(4, 2, 4)),
        ("negative", plane, array![[[0, -1]], [[4, 9]]], out_of_range(-1, 1, 4)),
        ("beyond the tensor", tensor, array![[[0, 7]], [[8, 1]]], out_of_range(8, 2, 8)),
        ("beyond where they count", plane.counted_in([3]), array![[[0, 2]], [[2, 3]]], out_of_range(3, 3, 3)),
    ] {
        assert_eq!(unpool.forward(&x, &indices).unwrap_err(), expected, "{name}");
        let mut untouched = Array3::from_elem((2, 1, 4), -7.0);
        assert_eq!(unpool.forward_into(&x, &indices, &mut untouched).unwrap_err(), expected, "{name}");
        assert!(untouched.iter().all(|&value| value == -7.0), "{name}");
        let dy = Array3::from_elem((2, 1, 4), 1.0);
        assert_eq!(unpool.input_gradient(&dy, &indices).unwrap_err(), expected, "{name}");
    }
    let pool = MaxPool::new(2);
    let found = pool.input_gradient(&x, &array![[[0, 3]], [[4, 9]]], [4]).unwrap_err();
    assert_eq!(found, out_of_range(4, 2, 4));
    let larger = bad("size in which the indices count", Axis::Length, 5, "at most the output's (4)");
    assert_eq!(plane.counted_in([5]).forward(&x, &array![[[0, 1]], [[0, 1]]]).unwrap_err(), larger);
}

#[test]
fn wrong_shapes_are_refused_before_anything_is_written() {
    let x = picture([1, 4, 4, 4]);
    let wrong = |argument, axis, expected, found| Error::ShapeMismatch { argument, axis, expected, found };
    let mut out = Array4::from_elem((1, 1, 8, 7), -7.0_f32);
    let order = ChannelOrder::ChannelFirst;
    for (name, found, expected) in [
        ("shuffle", pixel_shuffle_into(&x, 2, order, &mut out), wrong("output", Axis::Width, 8, 7)),
        ("unshuffle", pixel_unshuffle_into(&x, 2, order, &mut out), wrong("output", Axis::Channel, 16, 1)),
        ("zero insertion", zero_insert_into(&x, 2, NailSpan::Blocks, &mut out), wrong("output", Axis::Channel, 4, 1)),
        ("decimation", decimate_into(&x, 2, &mut out), wrong("output", Axis::Channel, 4, 1)),
        ("crop", crop_into(&picture([1, 2, 9, 9]), [0, 0], &mut out), wrong("output", Axis::Channel, 2, 1)),
        ("pad", zero_pad_into(&picture([2, 1, 3, 3]), [0, 0], &mut out), wrong("output", Axis::Batch, 2, 1)),
        ("pool", MaxPool::new(2).forward_into(&x, &mut out, &mut Array4::zeros((1, 4, 2, 2))), wrong("output", Axis::Channel, 4, 1)),
        (
            "indices of the pool",
            MaxPool::new(2).forward_into(&x, &mut Array4::zeros((1, 4, 2, 2)), &mut Array4::zeros((1, 4, 2, 1))),
            wrong("indices", Axis::Width, 2, 1),
        ),
        (
            "gradient of the pool",
            MaxPool::new(2).input_gradient_into(&picture([1, 1, 4, 4]), &Array4::zeros((1, 1, 4, 4)), &mut out),
            wrong("gradient of the output", Axis::Width, 3, 4),
        ),
        ("unpool", MaxUnpool::to([8, 8]).forward_into(&x, &Array4::zeros((1, 4, 4, 4)), &mut out), wrong("output", Axis::Channel, 4, 1)),
        (
            "indices of the unpool",
            MaxUnpool::to([8, 7]).forward_into(&picture([1, 1, 2, 2]), &Array4::zeros((1, 1, 2, 3)), &mut out),
            wrong("indices", Axis::Width, 2, 3),
        ),
    ] {
        assert_eq!(found.unwrap_err(), expected, "{name}");
    }
    assert!(out.iter().all(|&value| value == -7.0));
}
