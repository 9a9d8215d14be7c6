//! What the ways to enlarge cost, beside each other: 64 channels of 64×64 pixels to 128×128, f32, as inside a network.
//! The figures in the documentation are those of `RAYON_NUM_THREADS=1 cargo bench --bench enlarging`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array4;
use upsample::rearrange::{ChannelOrder, MaxPool, NailSpan, pixel_shuffle_into, zero_insert_into};
use upsample::{ConvTranspose, Convolution, Resize, ResizeConv};

fn numbers(shape: (usize, usize, usize, usize)) -> Array4<f32> {
    let mut state = 1_u32;
    Array4::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    })
}

fn enlarging(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("enlarging");
    let x = numbers((1, 64, 64, 64));
    let mut y = numbers((1, 64, 128, 128));
    group.throughput(Throughput::Elements(y.len() as u64));

    for (name, resize) in [("nearest", Resize::nearest()), ("bilinear", Resize::bilinear()), ("bicubic", Resize::bicubic())] {
        let plan = resize.plan([64, 64], 2.0).unwrap();
        group.bench_function(name, |b| b.iter(|| plan.forward_into(&x, &mut y).unwrap()));
    }
    let (pooled, indices) = MaxPool::new(2).forward(&y).unwrap();
    let unpool = MaxPool::new(2).unpool([128, 128]);
    group.bench_function("max unpooling", |b| b.iter(|| unpool.forward_into(&pooled, &indices, &mut y).unwrap()));
    group.bench_function("zero insertion", |b| b.iter(|| zero_insert_into(&x, 2, NailSpan::Blocks, &mut y).unwrap()));
    let deep = numbers((1, 256, 64, 64));
    group.bench_function("pixel shuffle", |b| b.iter(|| pixel_shuffle_into(&deep, 2, ChannelOrder::ChannelFirst, &mut y).unwrap()));

    for kernel in [2, 3, 4] {
        let up = ConvTranspose::doubling(kernel).unwrap().prepare(&numbers((64, 64, kernel, kernel)), [64, 64]).unwrap();
        group
            .bench_function(format!("transposed convolution {kernel}x{kernel}"), |b| b.iter(|| up.forward_into(&x, None, &mut y).unwrap()));
    }
    for (name, resize) in [("nearest, fused", None), ("bilinear", Some(Resize::bilinear()))] {
        let up = ResizeConv::doubling(3).unwrap();
        let up = resize.map_or(up.clone(), |resize| up.resize(resize));
        let up = up.prepare(&numbers((64, 64, 3, 3)), [64, 64]).unwrap();
        group.bench_function(format!("resize-convolution 3x3, {name}"), |b| b.iter(|| up.forward_into(&x, None, &mut y).unwrap()));
    }
    // What the fused one replaces, and what comes before a pixel shuffle.
    let (resize, convolution) = (Resize::nearest().plan([64, 64], 2.0).unwrap(), Convolution::new().padding(1));
    let two = convolution.plan([128, 128], [3, 3]).unwrap().prepare(&numbers((64, 64, 3, 3))).unwrap();
    let mut large = y.clone();
    group.bench_function("nearest, then convolution 3x3", |b| {
        b.iter(|| {
            resize.forward_into(&x, &mut large).unwrap();
            two.forward_into(&large, None, &mut y).unwrap();
        });
    });
    let before = convolution.plan([64, 64], [3, 3]).unwrap().prepare(&numbers((256, 64, 3, 3))).unwrap();
    let mut deep = deep;
    group.bench_function("convolution 3x3, then pixel shuffle", |b| {
        b.iter(|| {
            before.forward_into(&x, None, &mut deep).unwrap();
            pixel_shuffle_into(&deep, 2, ChannelOrder::ChannelFirst, &mut y).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, enlarging);
criterion_main!(benches);
