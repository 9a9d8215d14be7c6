//! Operators that move, choose or count: the same bits on every backend.

use ndarray::{Array4, Array5};
use upsample::checkerboard::{Overlap, StrideSpectrum, WeightOverlap};
use upsample::initial_weights::{InterpolationKernel, icnr};
use upsample::output_size::Window;
use upsample::rearrange::*;

use super::{Ledger, noise};

pub(super) fn calls(ledger: &mut Ledger) {
    let x = noise((2, 12, 30, 32), 20);
    for order in [ChannelOrder::ChannelFirst, ChannelOrder::DepthFirst] {
        ledger.record(format!("pixel shuffle, {order:?}"), &pixel_shuffle(&x, 2, order).unwrap());
        ledger.record(format!("pixel unshuffle, {order:?}"), &pixel_unshuffle(&x, [3, 4], order).unwrap());
        ledger.record(format!("ICNR, {order:?}"), &icnr(&x, 2, order).unwrap());
    }
    ledger.record("zero insertion", &zero_insert(&x, 3, NailSpan::Between).unwrap());
    ledger.record("decimation", &decimate(&x, 2).unwrap());
    ledger.record("crop", &center_crop(&x, [13, 21]).unwrap());
    ledger.record("padding", &center_pad(&x, [50, 55]).unwrap());
    let pool = MaxPool::new(3).stride(2);
    let (y, indices) = pool.forward(&x).unwrap();
    ledger.record("max pooling", &y);
    ledger.record("max pooling, indices", &indices.mapv(|index| index as f64));
    ledger.record("max pooling, gradient", &pool.input_gradient(&y, &indices, [30, 32]).unwrap());
    let unpool = pool.unpool([30, 32]);
    let back: Array4<f32> = unpool.forward(&y, &indices).unwrap();
    ledger.record("max unpooling", &back);
    ledger.record("max unpooling, gradient", &unpool.input_gradient(&back, &indices).unwrap());
    ledger.record("spectrum", StrideSpectrum::of(&x, 3).unwrap().energies());
    let windows = [Window::new(3).stride(2); 2];
    ledger.record("overlap", &Overlap::of([40, 30], windows).unwrap().counts().mapv(|count| count as f64));
    let weight = noise((8, 4, 3, 3), 21);
    ledger.record("overlap of weights", WeightOverlap::of(&weight, windows, 2).unwrap().response());
    let weights: Array5<f32> = InterpolationKernel::<3>::cubic(3, -0.75).unwrap().depthwise(5).unwrap();
    ledger.record("initial weights", &weights);
}
