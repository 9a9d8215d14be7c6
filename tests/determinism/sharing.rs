//! One plan, described once, run by many threads at the same time while its tables are still being made: all get the same bits.

use std::sync::Barrier;
use std::thread;

use ndarray::Array4;
use upsample::{ConvTranspose, Filter, Resize};

use crate::operators::noise;

const THREADS: usize = 8;
const ROUNDS: usize = 12;

/// Every thread begins at the same moment; all results must be the first one's.
fn agree<R: PartialEq + Send>(name: &str, run: impl Fn() -> R + Sync) {
    let barrier = Barrier::new(THREADS);
    let results: Vec<Vec<R>> = thread::scope(|scope| {
        let work = || {
            barrier.wait();
            (0..ROUNDS).map(|_| run()).collect()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let alone = run();
    assert!(results.iter().flatten().all(|result| *result == alone), "{name}: threads that share a plan differ");
}

#[test]
fn a_resize_plan_is_shared() {
    let x = noise((1, 3, 60, 70), 1);
    let bytes = x.mapv(|v| (v * 127.0 + 128.0) as u8);
    let double = x.mapv(f64::from);
    for (name, resize) in [
        ("nearest", Resize::nearest()),
        ("linear", Resize::linear()),
        ("cubic", Resize::cubic().antialias(true)),
        ("Lanczos", Resize::filter(Filter::Lanczos { lobes: 3 })),
    ] {
        for size in [[120, 140], [33, 95]] {
            // A plan of its own for each: the tables of a type and of the gradient are made by whoever asks first.
            let plan = resize.plan([60, 70], size).unwrap();
            agree(name, || plan.forward(&x).unwrap());
            let plan = resize.plan([60, 70], size).unwrap();
            let y = Array4::<f32>::ones((1, 3, size[0], size[1]));
            agree(name, || (plan.backward(&y).unwrap(), plan.forward(&bytes).unwrap(), plan.forward(&double).unwrap()));
        }
    }
}

#[test]
fn a_convolution_plan_is_shared() {
    let (x, weight) = (noise((2, 12, 14, 15), 2), noise((12, 9, 4, 4), 3));
    let plan = ConvTranspose::new().stride(2).padding(1).plan([14, 15], [4, 4]).unwrap();
    let prepared = plan.prepare(&weight).unwrap();
    agree("forward", || (plan.forward(&x, &weight, None).unwrap(), prepared.forward(&x, None).unwrap()));
    let dy = noise((2, 9, 28, 30), 4);
    agree("gradients", || {
        (plan.input_gradient(&dy, &weight).unwrap(), plan.weight_gradient(&x, &dy).unwrap(), plan.bias_gradient(&dy).unwrap())
    });
}

/// Plans and what they are made of can be sent to threads and shared by them.
#[test]
fn plans_are_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<Resize>();
    check::<upsample::ResizePlan<2>>();
    check::<ConvTranspose>();
    check::<upsample::ConvTransposePlan<3>>();
    check::<upsample::PreparedConvTranspose<f32, 2>>();
    check::<upsample::ConvolutionPlan<1>>();
    check::<upsample::PreparedConvolution<f64, 2>>();
    check::<upsample::rearrange::MaxPool<2>>();
    check::<upsample::Tensor4<'static, f32>>();
    check::<upsample::Error>();
}
