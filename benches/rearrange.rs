//! The rearranging operators, in bytes read and written a second: nothing is computed, so the memory bus is the limit.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array4, s};
use upsample::rearrange::{
    ChannelOrder, MaxPool, MaxUnpool, NailSpan, center_crop, pixel_shuffle, pixel_shuffle_into, pixel_unshuffle, zero_insert,
};
use upsample::{Tensor4, Tensor4Mut};

fn picture(shape: [usize; 4]) -> Array4<f32> {
    let mut state = 1_u32;
    Array4::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    })
}

fn rearrange(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rearrange");
    let moved = |elements: usize| Throughput::Bytes(elements as u64 * 4);

    for shape in [[1, 256, 128, 128], [1, 12, 1080, 960], [8, 256, 8, 8]] {
        let x = picture(shape);
        let y = pixel_shuffle(&x, 2, ChannelOrder::ChannelFirst).unwrap();
        let mut out = y.clone();
        group.throughput(moved(2 * x.len()));
        group.bench_function(format!("pixel shuffle {shape:?}"), |b| {
            b.iter(|| pixel_shuffle(&x, 2, ChannelOrder::ChannelFirst).unwrap());
        });
        group.bench_function(format!("pixel shuffle into {shape:?}"), |b| {
            b.iter(|| pixel_shuffle_into(&x, 2, ChannelOrder::ChannelFirst, &mut out).unwrap());
        });
        group.bench_function(format!("pixel unshuffle to {shape:?}"), |b| {
            b.iter(|| pixel_unshuffle(&y, 2, ChannelOrder::ChannelFirst).unwrap());
        });
    }
    let nhwc = picture([1, 128, 128, 256]);
    let mut out = picture([1, 256, 256, 64]);
    group.bench_function("pixel shuffle into, channels last [1, 256, 128, 128]", |b| {
        b.iter(|| {
            let x = Tensor4::from_nhwc(nhwc.view());
            pixel_shuffle_into(x, 2, ChannelOrder::DepthFirst, Tensor4Mut::from_nhwc(out.view_mut())).unwrap();
        });
    });

    let x = picture([1, 64, 256, 256]);
    for (name, pool) in [("2x2", MaxPool::new(2)), ("3x3 stride 2", MaxPool::new(3).stride(2).padding(1))] {
        let (y, indices) = pool.forward(&x).unwrap();
        let unpool = MaxUnpool::to([256, 256]);
        group.throughput(moved(x.len() + 3 * y.len()));
        group.bench_function(format!("max pool {name}"), |b| b.iter(|| pool.forward(&x).unwrap()));
        group.bench_function(format!("max pool gradient {name}"), |b| b.iter(|| pool.input_gradient(&y, &indices, [256, 256]).unwrap()));
        group.bench_function(format!("max unpool {name}"), |b| b.iter(|| unpool.forward(&y, &indices).unwrap()));
        group.bench_function(format!("max unpool gradient {name}"), |b| b.iter(|| unpool.input_gradient(&x, &indices).unwrap()));
    }
    let quarter = x.slice(s![.., .., ..128, ..128]);
    group.throughput(moved(x.len() + quarter.len()));
    group.bench_function("zero insertion", |b| b.iter(|| zero_insert(quarter, 2, NailSpan::Blocks).unwrap()));
    group.throughput(moved(2 * quarter.len()));
    group.bench_function("centre crop", |b| b.iter(|| center_crop(&x, [128, 128]).unwrap()));
    group.finish();
}

criterion_group!(benches, rearrange);
criterion_main!(benches);
