//! Resizing, in output elements a second: method × type × layout × size, planned into a buffer, planned and allocating, and in one line,
//! which plans anew for every call; then the gradient.
//!
//! `cargo bench --bench resize -- bicubic/f32` runs what matches.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array4;
use upsample::{Element, Error, FloatElement, Output, Resize, ResizePlan, Tensor4, Tensor4Mut, Update, bicubic, bilinear, nearest};

const METHODS: [Method; 3] = [Method::Nearest, Method::Bilinear, Method::Bicubic];
const LAYOUTS: [Layout; 2] = [Layout::Nchw, Layout::Nhwc];
/// A thumbnail, the features inside a network, a picture: channels, height, width. All are doubled.
const SIZES: [[usize; 3]; 3] = [[3, 32, 32], [64, 128, 128], [3, 540, 960]];
const FEATURES: [usize; 3] = SIZES[1];

#[derive(Debug, Clone, Copy)]
enum Method {
    Nearest,
    Bilinear,
    Bicubic,
}

impl Method {
    fn plan(self, [_, height, width]: [usize; 3]) -> ResizePlan<2> {
        let resize = match self {
            Self::Nearest => Resize::nearest(),
            Self::Bilinear => Resize::bilinear(),
            Self::Bicubic => Resize::bicubic(),
        };
        resize.plan([height, width], 2.0).unwrap()
    }

    fn one_line<A: Element>(self, x: Tensor4<'_, A>) -> Result<Output<A, 2>, Error> {
        match self {
            Self::Nearest => nearest(x, 2.0),
            Self::Bilinear => bilinear(x, 2.0),
            Self::Bicubic => bicubic(x, 2.0),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    Nchw,
    Nhwc,
}

/// An array in the memory order of its layout.
struct Batch<A> {
    array: Array4<A>,
    layout: Layout,
}

impl<A: Element> Batch<A> {
    fn new(layout: Layout, [channels, height, width]: [usize; 3]) -> Self {
        let shape = match layout {
            Layout::Nchw => [1, channels, height, width],
            Layout::Nhwc => [1, height, width, channels],
        };
        let mut state = 1_u32;
        let array = Array4::from_shape_simple_fn(shape, || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            A::from_f64(f64::from(state >> 24))
        });
        Self { array, layout }
    }

    fn tensor(&self) -> Tensor4<'_, A> {
        match self.layout {
            Layout::Nchw => (&self.array).into(),
            Layout::Nhwc => Tensor4::from_nhwc(self.array.view()),
        }
    }

    fn tensor_mut(&mut self) -> Tensor4Mut<'_, A> {
        match self.layout {
            Layout::Nchw => (&mut self.array).into(),
            Layout::Nhwc => Tensor4Mut::from_nhwc(self.array.view_mut()),
        }
    }
}

/// The name of a case, which can be asked for on the command line.
fn case<A>(method: Method, layout: Layout, [channels, height, width]: [usize; 3]) -> BenchmarkId {
    let name = format!("{method:?}/{}/{layout:?}", std::any::type_name::<A>()).to_lowercase();
    BenchmarkId::new(name, format!("{channels}x{height}x{width}"))
}

fn doubled([channels, height, width]: [usize; 3]) -> [usize; 3] {
    [channels, 2 * height, 2 * width]
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(600));
    group
}

/// Calls `run` for each method, layout and size, after the group has been told how many elements come out.
fn each_case(
    group: &mut BenchmarkGroup<'_, WallTime>,
    sizes: &[[usize; 3]],
    mut run: impl FnMut(&mut BenchmarkGroup<'_, WallTime>, Method, Layout, [usize; 3]),
) {
    for method in METHODS {
        for layout in LAYOUTS {
            for &size in sizes {
                group.throughput(Throughput::Elements(doubled(size).iter().product::<usize>() as u64));
                run(group, method, layout, size);
            }
        }
    }
}

fn into_buffer<A: Element>(group: &mut BenchmarkGroup<'_, WallTime>) {
    each_case(group, &SIZES, |group, method, layout, size| {
        let (x, mut y, plan) = (Batch::<A>::new(layout, size), Batch::<A>::new(layout, doubled(size)), method.plan(size));
        group.bench_function(case::<A>(method, layout, size), |b| b.iter(|| plan.forward_into(x.tensor(), y.tensor_mut()).unwrap()));
    });
}

fn planned(criterion: &mut Criterion) {
    let mut into = group(criterion, "into a buffer");
    into_buffer::<f32>(&mut into);
    into_buffer::<f64>(&mut into);
    into_buffer::<u8>(&mut into);
    into.finish();

    let mut allocating = group(criterion, "allocating");
    each_case(&mut allocating, &SIZES, |group, method, layout, size| {
        let (x, plan) = (Batch::<f32>::new(layout, size), method.plan(size));
        group.bench_function(case::<f32>(method, layout, size), |b| b.iter(|| plan.forward(x.tensor()).unwrap()));
    });
    allocating.finish();
}

fn in_one_line(criterion: &mut Criterion) {
    let mut group = group(criterion, "one line");
    each_case(&mut group, &SIZES, |group, method, layout, size| {
        let x = Batch::<f32>::new(layout, size);
        group.bench_function(case::<f32>(method, layout, size), |b| b.iter(|| method.one_line(x.tensor()).unwrap()));
    });
    group.finish();
}

fn backward<A: FloatElement>(group: &mut BenchmarkGroup<'_, WallTime>) {
    each_case(group, &[FEATURES], |group, method, layout, size| {
        let (dy, mut dx, plan) = (Batch::<A>::new(layout, doubled(size)), Batch::<A>::new(layout, size), method.plan(size));
        group.bench_function(case::<A>(method, layout, size), |b| {
            b.iter(|| plan.input_gradient_into(dy.tensor(), dx.tensor_mut(), Update::Overwrite).unwrap())
        });
    });
}

/// In elements of the output gradient, which are read.
fn gradient(criterion: &mut Criterion) {
    let mut group = group(criterion, "gradient");
    backward::<f32>(&mut group);
    backward::<f64>(&mut group);
    group.finish();
}

criterion_group!(benches, planned, in_one_line, gradient);
criterion_main!(benches);
