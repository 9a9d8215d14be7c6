//! One plan, described once, run by many threads at the same time while its tables are still being made: all get the same bits.

use std::sync::Barrier;
use std::thread;

use ndarray::Array4;
use upsample::{ConvTranspose, Filter, Resize, checkerboard, rearrange};

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
            agree(name, || (plan.input_gradient(&y).unwrap(), plan.forward(&bytes).unwrap(), plan.forward(&double).unwrap()));
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
    // What describes an operator, and what it is described with.
    check::<(Resize, ConvTranspose, upsample::Convolution, upsample::ResizeConv)>();
    check::<(upsample::Filter, upsample::CustomFilter, upsample::Profile, upsample::Coordinates, upsample::AspectRatio)>();
    check::<(upsample::PerAxis<f64>, upsample::EachAxis<2>, upsample::Target<3>, upsample::AxesTarget, upsample::Rounding)>();
    check::<(upsample::NearestRule, upsample::Precision, upsample::AutoPad, upsample::Backend, upsample::StreamingStores)>();
    check::<(upsample::output_size::Window, upsample::output_size::ScaleRule)>();
    // Plans, and what they prepare and tell.
    check::<(upsample::ResizePlan<2>, upsample::ConvPlan<2>, upsample::Update)>();
    check::<(upsample::PreparedConv<f32, 2>, upsample::PreparedConv<f64, 3>)>();
    check::<(upsample::MemoryUse, upsample::Spatial<2>)>();
    // Operators that move pixels.
    check::<(rearrange::MaxPool<2>, rearrange::MaxUnpool<2>, rearrange::ChannelOrder, rearrange::IndexSpace, rearrange::NailSpan)>();
    // Advice and weights.
    check::<(checkerboard::Overlap<2>, checkerboard::StrideSpectrum<2>, checkerboard::WeightOverlap<2>)>();
    check::<(upsample::initial_weights::InterpolationKernel<2>,)>();
    // Views, outputs and errors.
    check::<(upsample::Tensor<'static, f32, 2>, upsample::TensorMut<'static, f32, 2>)>();
    check::<(upsample::Tensor3<'static, f32>, upsample::Tensor4<'static, f32>, upsample::Tensor5<'static, u8>)>();
    check::<(upsample::Tensor3Mut<'static, f32>, upsample::Tensor4Mut<'static, f32>, upsample::Tensor5Mut<'static, u8>)>();
    check::<(upsample::Output<f32, 2>, upsample::SpatialArray<f32, 2>)>();
    check::<(upsample::Error, upsample::Axis)>();
}

/// The list above names every public type.
#[test]
fn the_list_is_whole() {
    let (list, traits) = (include_str!("sharing.rs"), ["Element", "FloatElement", "SpatialRank"]);
    let exported =
        [include_str!("../../src/lib.rs"), include_str!("../../src/rearrange/mod.rs"), include_str!("../../src/checkerboard/mod.rs")];
    let declared = [include_str!("../../src/output_size.rs"), include_str!("../../src/initial_weights.rs")];
    let of_use = exported.iter().flat_map(|source| source.split("pub use ").skip(1)).filter_map(|rest| rest.split(';').next());
    let words = of_use.flat_map(|names| names.split(|letter: char| !letter.is_alphanumeric() && letter != '_'));
    let is_type = |word: &&str| word.starts_with(|letter: char| letter.is_uppercase());
    let items = declared.iter().flat_map(|source| source.lines());
    let items = items.filter_map(|line| line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum ")));
    let items = items.filter_map(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next());
    let names: Vec<&str> = words.filter(is_type).chain(items).filter(|name| !traits.contains(name)).collect();
    assert!(names.len() > 40, "{names:?}");
    let listed = |name: &str| list.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == name);
    let missing: Vec<_> = names.iter().filter(|name| !listed(name)).collect();
    assert!(missing.is_empty(), "not looked at: {missing:?}");
}
