//! Transposed convolution, forward and both gradients, f32. Throughput is in floating-point operations (elements are FLOP): two for each
//! multiplication of the definition. `RAYON_NUM_THREADS=1 cargo bench --bench conv_transpose` for one thread.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use ndarray::Array4;
use upsample::{ConvTranspose, Update};

struct Shape {
    name: &'static str,
    input: [usize; 4],
    channels: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    output_padding: usize,
    groups: usize,
}

const fn shape(name: &'static str, input: [usize; 4], channels: usize, [kernel, stride, padding]: [usize; 3]) -> Shape {
    Shape { name, input, channels, kernel, stride, padding, output_padding: 0, groups: 1 }
}

const SHAPES: [Shape; 7] = [
    shape("k2 s2, 1x128x64x64 to 64", [1, 128, 64, 64], 64, [2, 2, 0]),
    shape("k4 s2 p1, 16x512x8x8 to 256", [16, 512, 8, 8], 256, [4, 2, 1]),
    shape("k4 s2 p1, 4x128x32x32 to 64", [4, 128, 32, 32], 64, [4, 2, 1]),
    Shape { output_padding: 1, ..shape("k3 s2 p1 op1, 1x64x64x64 to 32", [1, 64, 64, 64], 32, [3, 2, 1]) },
    Shape { groups: 21, ..shape("k16 s8 p4, 21 groups, 64x64", [1, 21, 64, 64], 21, [16, 8, 4]) },
    shape("k9 s3 p3, 1x56x128x128 to 1", [1, 56, 128, 128], 1, [9, 3, 3]),
    shape("k3 s1 p1, 1x64x64x64 to 64", [1, 64, 64, 64], 64, [3, 1, 1]),
];

impl Shape {
    fn operator(&self) -> ConvTranspose {
        ConvTranspose::new().stride(self.stride).padding(self.padding).output_padding(self.output_padding).groups(self.groups)
    }

    fn weight(&self) -> [usize; 4] {
        [self.input[1], self.channels / self.groups, self.kernel, self.kernel]
    }

    fn operations(&self) -> u64 {
        (2 * self.input.iter().product::<usize>() * self.channels / self.groups * self.kernel * self.kernel) as u64
    }
}

/// Numbers without a pattern, from -0.5 to 0.5.
fn noise(shape: [usize; 4]) -> Array4<f32> {
    let mut state = 1_u32;
    Array4::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    })
}

fn group<'c>(criterion: &'c mut Criterion, name: &str, shape: &Shape) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("conv_transpose {name}"));
    group.throughput(Throughput::Elements(shape.operations())).sample_size(20).measurement_time(Duration::from_secs(2));
    group
}

fn conv_transpose(criterion: &mut Criterion) {
    for shape in &SHAPES {
        let plan = shape.operator().plan([shape.input[2], shape.input[3]], [shape.kernel; 2]).expect("a valid shape");
        let (x, weight) = (noise(shape.input), noise(shape.weight()));
        let mut y = plan.forward(&x, &weight, None).expect("a valid shape");
        let dy = noise(y.dim().into());
        let (mut dx, mut dw) = (x.clone(), weight.clone());
        let prepared = plan.prepare(&weight).expect("a valid shape");
        let run = |result: Result<(), upsample::Error>| result.expect("a valid shape");
        group(criterion, "forward", shape)
            .bench_function(shape.name, |bench| bench.iter(|| run(plan.forward_into(black_box(&x), &weight, None, &mut y))));
        group(criterion, "forward, weights prepared", shape)
            .bench_function(shape.name, |bench| bench.iter(|| run(prepared.forward_into(black_box(&x), None, &mut y))));
        group(criterion, "input gradient", shape).bench_function(shape.name, |bench| {
            bench.iter(|| run(plan.input_gradient_into(black_box(&dy), &weight, &mut dx, Update::Overwrite)))
        });
        group(criterion, "weight gradient", shape).bench_function(shape.name, |bench| {
            bench.iter(|| run(plan.weight_gradient_into(black_box(&x), &dy, &mut dw, Update::Overwrite)))
        });
    }
}

criterion_group!(benches, conv_transpose);
criterion_main!(benches);
