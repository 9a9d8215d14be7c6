//! What the fuzz targets share: arrays without a pattern in every layout. The oracles stand in the targets, plain `f64` loops.

use arbitrary::Arbitrary;
use upsample::ndarray::{Array5, ArrayView5, Axis, s};

/// How an array lies in memory.
#[derive(Debug, Clone, Copy, Arbitrary, PartialEq, Eq)]
pub enum Layout {
    RowMajor,
    ChannelsLast,
    Mirrored,
    /// Every other element of a larger array.
    Spaced,
    /// One row for all of them, by a stride of zero.
    Broadcast,
}

/// What the elements are.
#[derive(Debug, Clone, Copy, Arbitrary, PartialEq, Eq)]
pub enum Values {
    Finite,
    /// Among them NaN, infinities, the largest and the smallest numbers: nothing may panic, nothing else is asked.
    Hostile,
}

/// Numbers without a pattern from -1 to 1.
pub fn noise(shape: [usize; 5], seed: u16, values: Values) -> Array5<f64> {
    let mut state = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    Array5::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (state >> 54) as f64 / 512.0 - 1.0;
        match (values, state >> 60) {
            (Values::Hostile, 0) => f64::NAN,
            (Values::Hostile, 1) => f64::INFINITY,
            (Values::Hostile, 2) => f64::MIN,
            (Values::Hostile, 3) => f64::MIN_POSITIVE / 3.0,
            _ => number,
        }
    })
}

/// An array that lies in memory as asked.
pub struct Laid<A> {
    array: Array5<A>,
    shape: [usize; 5],
}

impl<A: Copy> Laid<A> {
    pub fn new(values: &Array5<A>, layout: Layout) -> Self {
        let shape: [usize; 5] = values.dim().into();
        let array = match layout {
            Layout::RowMajor => values.clone(),
            Layout::ChannelsLast => {
                let last = values.view().permuted_axes([0, 2, 3, 4, 1]).as_standard_layout().into_owned();
                last.permuted_axes([0, 4, 1, 2, 3])
            }
            Layout::Mirrored => {
                let mut mirrored = values.slice(s![.., ..;-1, .., ..;-1, ..;-1]).as_standard_layout().into_owned();
                [1, 3, 4].into_iter().for_each(|axis| mirrored.invert_axis(Axis(axis)));
                mirrored
            }
            Layout::Spaced if !values.is_empty() => {
                let [n, c, d, h, w] = shape;
                let wide = Array5::from_shape_fn((n, c, d, 2 * h, 3 * w), |(n, c, d, h, w)| values[[n, c, d, h / 2, w / 3]]);
                wide.slice_move(s![.., .., .., ..;2, ..;3])
            }
            Layout::Broadcast if shape[3] > 0 => values.slice(s![.., .., .., ..1, ..]).to_owned(),
            Layout::Spaced | Layout::Broadcast => values.clone(),
        };
        Self { array, shape }
    }

    pub fn view(&self) -> ArrayView5<'_, A> {
        self.array.broadcast(self.shape).unwrap()
    }
}

/// Compares with an oracle, within `tolerance`.
#[track_caller]
pub fn assert_close<'a>(what: &str, found: impl IntoIterator<Item = f64>, expected: impl IntoIterator<Item = &'a f64>, tolerance: f64) {
    for (place, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{what}: element {place} is {found}, expected {expected} ± {tolerance}");
    }
}
