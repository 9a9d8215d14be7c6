//! Calls take the memory that their plans tell: not more, and of resizing more than half of it. Where memory cannot be had, they say so.
//! Alone in its binary, for it counts every allocation, and refuses some.

#[cfg(feature = "rayon")]
mod exhausted;
mod scratch;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use common::{backends, spatial};
use ndarray::{Array3, Array4, Array5, ArrayD, IxDyn};
use upsample::checkerboard::{Overlap, StrideSpectrum};
use upsample::initial_weights::{InterpolationKernel, icnr};
use upsample::output_size::Window;
use upsample::rearrange::*;
use upsample::{
    AxesTarget, Backend, ConvTranspose, Convolution, Coordinates, Error, Filter, FloatElement, MemoryUse, Precision, Resize, ResizeConv,
    Tensor4, Update,
};

/// The system's allocator, with a count of the bytes in use and of the most there were, and a limit to what it gives at once.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
/// How many large allocations are given before one is refused.
static GIVEN: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Whether further ones are given after that.
static FURTHER: AtomicBool = AtomicBool::new(true);
/// The bytes that may be in use, of which small allocations take what they like.
static TOTAL: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Larger ones than this are counted down.
const LARGE: usize = 1 << 16;

// SAFETY: every call is passed on to the system's allocator, or refused as an allocator may.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LIMIT.load(Ordering::SeqCst) {
            return std::ptr::null_mut();
        }
        if layout.size() > LARGE && GIVEN.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down) == Ok(0) {
            return std::ptr::null_mut();
        }
        if layout.size() > LARGE && IN_USE.load(Ordering::SeqCst).saturating_add(layout.size()) > TOTAL.load(Ordering::SeqCst) {
            return std::ptr::null_mut();
        }
        MOST.fetch_max(IN_USE.fetch_add(layout.size(), Ordering::SeqCst) + layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// One less, but for `usize::MAX`, which stands for all.
fn count_down(given: usize) -> Option<usize> {
    let refused = if FURTHER.load(Ordering::SeqCst) { usize::MAX } else { 0 };
    (given < usize::MAX).then(|| given.checked_sub(1).unwrap_or(refused))
}

/// Held by a test while it counts: all share the count.
static ALONE: Mutex<()> = Mutex::new(());

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs on fresh threads, which have no buffers yet. Rayon's own books are made beforehand.
fn on_fresh_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    {
        let mut handles = Vec::new();
        let spawn = |thread: rayon::ThreadBuilder| {
            handles.push(std::thread::spawn(|| thread.run()));
            Ok(())
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).spawn_handler(spawn).build().unwrap();
        let result = pool.install(|| {
            let touch = || std::thread::sleep(std::time::Duration::from_millis(1));
            rayon::join(|| rayon::join(touch, touch), || rayon::join(touch, touch));
            work()
        });
        drop(pool);
        // A pool does not wait for its threads; what they still free would be missing from the next count.
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        result
    }
    #[cfg(not(feature = "rayon"))]
    {
        let _ = threads;
        std::thread::scope(|scope| scope.spawn(work).join().unwrap())
    }
}

/// The most memory in use during `work`, beyond what was in use before.
fn peak(work: impl FnOnce()) -> usize {
    let before = IN_USE.load(Ordering::SeqCst);
    MOST.store(before, Ordering::SeqCst);
    work();
    MOST.load(Ordering::SeqCst) - before
}

/// What a call may use of a thread's or rayon's own memory, on several threads.
const SLACK: usize = 16 * 1024;
/// And on one: small, for with several threads a list that was not told shows only where two of them hold it at once.
const SLACK_OF_ONE: usize = 1024;

/// `held` bytes of what was told are there already.
fn assert_kept(name: &str, told: MemoryUse, held: usize, threads: usize, taken: usize) {
    let most = told.output_bytes + told.scratch_bytes(threads) - held;
    assert!(taken <= most + SLACK, "{name}, {threads} threads: takes {taken} bytes, told {most}: {told:?}");
    let fewest = told.output_bytes + told.scratch_bytes(1) - held;
    assert!(2 * (taken + SLACK) >= fewest, "{name}, {threads} threads: takes {taken} bytes, told {fewest}: {told:?}");
}

/// Calls that did not take what was told: all of the table are looked at before the test fails.
static BROKEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs `work` on fresh threads. What is told of it is an upper bound; on one thread it is less than three times what is taken.
fn takes(name: &str, what: &str, told: MemoryUse, held: usize, threads: usize, work: impl FnOnce() + Send) {
    let taken = on_fresh_threads(threads, || peak(work));
    let most = told.output_bytes + told.scratch_bytes(threads) - held;
    let slack = if threads > 1 { SLACK } else { SLACK_OF_ONE };
    let kept = taken <= most + slack && (threads > 1 || 3 * (taken + SLACK) >= most);
    if !kept {
        BROKEN.lock().unwrap().push(format!("{name}, {what}, {threads} threads: takes {taken} bytes, told {most}: {told:?}"));
    }
}

/// A (transposed) convolution of the table.
struct Case {
    name: &'static str,
    /// Batch, channels, height, width of the coarse grid.
    coarse: [usize; 4],
    /// Channels of a group of the fine grid.
    fine: usize,
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
    dilation: usize,
    groups: usize,
}

/// Every engine, in every direction: strips, reduced multiplications with filters evaluated once or each time, row by row.
const CASES: [Case; 18] = [
    Case { name: "one picture", coarse: [1, 600, 3, 4], fine: 300, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 1 },
    Case { name: "one picture, groups", coarse: [1, 300, 5, 4], fine: 40, kernel: [5, 5], stride: 1, padding: 2, dilation: 1, groups: 3 },
    Case {
        name: "one pixel, many channels",
        coarse: [3, 300, 1, 1],
        fine: 400,
        kernel: [4, 4],
        stride: 1,
        padding: 0,
        dilation: 1,
        groups: 1,
    },
    Case { name: "k4 s2", coarse: [1, 64, 60, 70], fine: 32, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 1 },
    Case { name: "k4 s2, tiny", coarse: [16, 128, 8, 8], fine: 64, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 1 },
    Case { name: "k3 s1", coarse: [2, 32, 50, 50], fine: 48, kernel: [3, 3], stride: 1, padding: 1, dilation: 1, groups: 1 },
    Case { name: "k6 s2", coarse: [1, 48, 40, 40], fine: 32, kernel: [6, 6], stride: 2, padding: 2, dilation: 1, groups: 1 },
    Case { name: "k2 s2", coarse: [1, 128, 30, 30], fine: 64, kernel: [2, 2], stride: 2, padding: 0, dilation: 1, groups: 1 },
    Case { name: "uneven batch", coarse: [31, 128, 8, 8], fine: 64, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 1 },
    Case { name: "uneven rows", coarse: [1, 32, 8, 569], fine: 8, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 1 },
    Case { name: "many groups", coarse: [2, 384, 16, 16], fine: 384, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 12 },
    Case { name: "many channels", coarse: [1, 300, 10, 12], fine: 260, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 1 },
    Case { name: "depthwise", coarse: [2, 60, 60, 60], fine: 1, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 60 },
    Case { name: "k16 s8, groups", coarse: [1, 21, 20, 20], fine: 1, kernel: [16, 16], stride: 8, padding: 4, dilation: 1, groups: 21 },
    Case { name: "few channels", coarse: [1, 2, 100, 120], fine: 2, kernel: [4, 4], stride: 2, padding: 1, dilation: 1, groups: 1 },
    Case { name: "one output channel", coarse: [1, 56, 64, 64], fine: 1, kernel: [9, 9], stride: 3, padding: 3, dilation: 1, groups: 1 },
    Case { name: "dilated groups", coarse: [1, 48, 40, 40], fine: 16, kernel: [3, 3], stride: 2, padding: 2, dilation: 3, groups: 3 },
    Case { name: "one pixel", coarse: [1, 1, 1, 1], fine: 1, kernel: [3, 3], stride: 1, padding: 0, dilation: 1, groups: 1 },
];

fn convolutions<A: FloatElement>(threads: usize, precision: Precision, backend: Backend) {
    for Case { name, coarse: [n, c, h, w], fine, kernel, stride, padding, dilation, groups } in CASES {
        let name = &format!("{name}, {precision:?}, {backend:?}, {} bytes", size_of::<A>());
        let deconv = ConvTranspose::new().stride(stride).padding(padding).dilation(dilation).groups(groups);
        let plan = deconv.precision(precision).backend(backend).plan([h, w], kernel).unwrap();
        let [oh, ow] = plan.output_size();
        let ones = |shape| Array4::<A>::from_elem(shape, A::from_f64(1.0));
        let (x, weight, dy) = (ones((n, c, h, w)), ones((c, fine, kernel[0], kernel[1])), ones((n, fine * groups, oh, ow)));
        let told = plan.forward_memory(&x, &weight).unwrap();
        takes(name, "forward", told, 0, threads, || drop(plan.forward(&x, &weight, None).unwrap()));
        let told = plan.input_gradient_memory(&dy, &weight).unwrap();
        takes(name, "input gradient", told, 0, threads, || drop(plan.input_gradient(&dy, &weight).unwrap()));
        let told = plan.weight_gradient_memory(&x, &dy).unwrap();
        takes(name, "weight gradient", told, 0, threads, || drop(plan.weight_gradient(&x, &dy).unwrap()));
        let taken = on_fresh_threads(threads, || peak(|| drop(plan.bias_gradient(&dy).unwrap())));
        assert!(taken <= 2 * fine * groups * size_of::<A>() + SLACK, "{name}, bias gradient: {taken} bytes");
        let before = IN_USE.load(Ordering::SeqCst);
        // On a thread of its own, whose scratch goes with it.
        let fast = on_fresh_threads(1, || plan.prepare(&weight).unwrap());
        // Rayon frees what earlier pools left behind whenever it comes by: of small weights, more than they hold.
        let held = IN_USE.load(Ordering::SeqCst).saturating_sub(before);
        let told = fast.forward_memory(&x).unwrap();
        assert!(held <= told.shared_bytes + SLACK, "{name}: prepared weights hold {held} bytes, told {told:?}");
        takes(name, "prepared", told, held.min(told.shared_bytes), threads, || drop(fast.forward(&x, None).unwrap()));
        let conv = Convolution::new().stride(stride).padding(padding).dilation(dilation).groups(groups);
        let plan = conv.precision(precision).backend(backend).plan([oh, ow], kernel).unwrap();
        let told = plan.forward_memory(&dy, &weight).unwrap();
        takes(name, "convolution", told, 0, threads, || drop(plan.forward(&dy, &weight, None).unwrap()));
    }
}

/// Fused, and in two steps.
fn resize_convolutions(threads: usize) {
    let cases = [
        ("doubling", ResizeConv::doubling(3).unwrap(), [40, 50]),
        ("tripling", ResizeConv::new().factor(3).padding(1), [30, 30]),
        ("bilinear", ResizeConv::new().resize(Resize::bilinear()).factor(2).padding(1), [40, 50]),
        ("nearest by a fraction", ResizeConv::new().scale(1.5).padding(1), [40, 50]),
    ];
    for (name, up, size) in cases {
        let plan = up.plan(size, [3, 3]).unwrap();
        let [h, w] = plan.output_size();
        let x = Array4::<f32>::ones((2, 24, size[0], size[1]));
        let (weight, dy) = (Array4::<f32>::ones((24, 16, 3, 3)), Array4::<f32>::ones((2, 16, h, w)));
        // The tables of the resize are held by the plan, and made when they are asked for.
        let told = plan.forward_memory(&x, &weight).unwrap();
        takes(name, "forward", told, 0, threads, || drop(plan.forward(&x, &weight, None).unwrap()));
        let told = plan.input_gradient_memory(&dy, &weight).unwrap();
        takes(name, "input gradient", told, 0, threads, || drop(plan.input_gradient(&dy, &weight).unwrap()));
        let told = plan.weight_gradient_memory(&x, &dy).unwrap();
        takes(name, "weight gradient", told, 0, threads, || drop(plan.weight_gradient(&x, &dy).unwrap()));
        let fast = plan.prepare(&weight).unwrap();
        let told = fast.forward_memory(&x).unwrap();
        takes(name, "prepared", told, 0, threads, || drop(fast.forward(&x, None).unwrap()));
    }
}

fn resizing(threads: usize) {
    let methods = [
        ("nearest", Resize::nearest()),
        ("linear", Resize::linear()),
        ("cubic", Resize::cubic()),
        ("antialiased", Resize::cubic().antialias(true)),
        ("Lanczos", Resize::filter(Filter::Lanczos { lobes: 3 })),
        ("area", Resize::area()),
    ];
    for (name, resize) in methods {
        for (input, output) in [([300, 200], [600, 400]), ([400, 500], [90, 70]), ([64, 2000], [33, 4001]), ([20, 30], [500, 900])] {
            let plan = resize.plan(input, output).unwrap();
            let name = format!("{name} {input:?} to {output:?}");
            let x = Array4::<f32>::ones((1, 3, input[0], input[1]));
            let last = Array4::<u8>::ones((2, input[0], input[1], 3));
            let dy = Array4::<f32>::ones((1, 3, output[0], output[1]));
            // The first call of a fresh plan makes its tables; asking makes them too, so what is told is held from then on.
            let told = plan.forward_memory(&x).unwrap();
            let taken = on_fresh_threads(threads, || peak(|| drop(plan.forward(&x).unwrap())));
            assert_kept(&name, told, told.shared_bytes, threads, taken);
            let told = plan.forward_memory(Tensor4::from_nhwc(last.view())).unwrap();
            let taken = on_fresh_threads(threads, || peak(|| drop(plan.forward(Tensor4::from_nhwc(last.view())).unwrap())));
            assert_kept(&format!("{name}, bytes"), told, told.shared_bytes, threads, taken);
            let told = plan.input_gradient_memory(&dy).unwrap();
            let taken = on_fresh_threads(threads, || peak(|| drop(plan.input_gradient(&dy).unwrap())));
            assert_kept(&format!("{name}, backward"), told, told.shared_bytes, threads, taken);
        }
        // The channels of a single pixel are neighbours, whatever the layout.
        for input in [[64, 64], [1, 30_000]] {
            let plan = resize.plan(input, [1, 1]).unwrap();
            let (x, bytes) = (Array4::<f32>::ones((1, 64, input[0], input[1])), Array4::<u8>::ones((1, 8, input[0], input[1])));
            let dy = Array4::<f32>::ones((1, 64, 1, 1));
            let told = plan.forward_memory(&x).unwrap();
            let taken = on_fresh_threads(threads, || peak(|| drop(plan.forward(&x).unwrap())));
            assert_kept(&format!("{name} {input:?} to a pixel"), told, told.shared_bytes, threads, taken);
            let told = plan.forward_memory(&bytes).unwrap();
            let taken = on_fresh_threads(threads, || peak(|| drop(plan.forward(&bytes).unwrap())));
            assert_kept(&format!("{name} {input:?} to a pixel, bytes"), told, told.shared_bytes, threads, taken);
            let told = plan.input_gradient_memory(&dy).unwrap();
            let taken = on_fresh_threads(threads, || peak(|| drop(plan.input_gradient(&dy).unwrap())));
            assert_kept(&format!("{name} {input:?} to a pixel, backward"), told, told.shared_bytes, threads, taken);
        }
        let plan = resize.plan([20, 50, 60], [40, 70, 130]).unwrap();
        let x = Array5::<f64>::ones((1, 2, 20, 50, 60));
        let told = plan.forward_memory(&x).unwrap();
        let taken = on_fresh_threads(threads, || peak(|| drop(plan.forward(&x).unwrap())));
        assert_kept(&format!("{name}, volume"), told, told.shared_bytes, threads, taken);
    }
}

/// What a plan of long tables holds, and the peak of making them.
fn tables() {
    for (name, resize) in [("linear", Resize::linear()), ("antialiased", Resize::cubic().antialias(true)), ("nearest", Resize::nearest())] {
        let x = Array4::<f32>::ones((1, 1, 1, 60_000));
        let before = IN_USE.load(Ordering::SeqCst);
        let plan = resize.plan([1, 60_000], [1, 45_000]).unwrap();
        let told = plan.forward_memory(&x).unwrap();
        let held = IN_USE.load(Ordering::SeqCst) - before;
        // PyTorch's f64 has tables of its own, which count as the plan's, not as the call's.
        assert!(held <= 4 * told.shared_bytes && 2 * held >= told.shared_bytes, "{name}: holds {held}, told {told:?}");
    }
}

/// Operators that move pixels take their output and nothing else.
fn rearranging() {
    let x = Array4::<f32>::ones((2, 16, 50, 60));
    let pool = MaxPool::new(2);
    let (y, indices) = pool.forward(&x).unwrap();
    let unpool = pool.unpool([50, 60]);
    let elements = 2 * 16 * 50 * 60 * size_of::<f32>();
    let order = ChannelOrder::DepthFirst;
    let table: [(&str, usize, &(dyn Fn() + Sync)); 8] = [
        ("shuffle", elements, &|| drop(pixel_shuffle(&x, 4, order).unwrap())),
        ("unshuffle", elements, &|| drop(pixel_unshuffle(&x, [5, 6], order).unwrap())),
        ("nails", 9 * elements, &|| drop(zero_insert(&x, 3, NailSpan::Blocks).unwrap())),
        ("crop", elements / 4, &|| drop(center_crop(&x, [25, 30]).unwrap())),
        ("pool and indices", elements / 4 * 3, &|| drop(pool.forward(&x).unwrap())),
        ("pool, gradient", elements, &|| drop(pool.input_gradient(&y, &indices, [50, 60]).unwrap())),
        ("unpool", elements, &|| drop(unpool.forward(&y, &indices).unwrap())),
        ("unpool, gradient, a bit a pixel", elements / 4 + elements / 32, &|| drop(unpool.input_gradient(&x, &indices).unwrap())),
    ];
    for (name, bytes, run) in table {
        let taken = on_fresh_threads(1, || peak(run));
        assert!((bytes..=bytes + SLACK).contains(&taken), "{name}: {taken} bytes, expected {bytes}");
    }
}

/// Where the allocator refuses, calls give an error that says how much was asked for, and none aborts.
fn refused() {
    let x = Array4::<f32>::ones((1, 4, 100, 100));
    let many = Array4::<f32>::ones((1024, 4, 2, 2));
    let indices = Array4::<i64>::zeros((1, 4, 100, 100));
    let mut mirrored = Array4::<f32>::zeros((1, 4, 900, 900));
    mirrored.invert_axis(ndarray::Axis(3));
    let plan = Resize::cubic().plan([100, 100], [900, 900]).unwrap();
    let back = Resize::linear().plan([900, 900], [100, 100]).unwrap();
    let field = ArrayD::<f32>::ones(IxDyn(&[100, 100]));
    let order = ChannelOrder::ChannelFirst;
    let unpool = MaxUnpool::to([900, 900]);
    let (weight, heavy) = (Array4::<f32>::ones((4, 3, 2, 2)), Array4::<f32>::ones((256, 256, 3, 3)));
    let (deconv, wide) = (ConvTranspose::new().stride(9), Array4::<f32>::ones((1, 1000, 1, 1)));
    let (long, point) = (Array3::<f32>::ones((1, 1, 70_000)), Array3::<f32>::ones((1, 1, 1)));
    let (deep, bytes) = (Array4::<u8>::ones((1, 900, 60, 60)), x.mapv(|_| 1_u8));
    LIMIT.store(1 << 20, Ordering::SeqCst);
    let table: [(&str, Result<(), Error>); 25] = [
        ("resize", plan.forward(&x).map(drop)),
        ("resize, bytes", plan.forward(&bytes).map(drop)),
        ("resize, gradient", back.input_gradient(&x).map(drop)),
        ("resize, table", Resize::linear().plan([100_000], [200_000]).map(drop)),
        ("nearest, table", Resize::nearest().plan([100], [900_000]).map(drop)),
        ("area, table", Resize::area().plan([900_000], [100]).map(drop)),
        ("nearest", Resize::nearest().plan([100, 100], 9.0).unwrap().forward_any(&x).map(drop)),
        ("axes", Resize::linear().resize_axes(field.view(), &[0, 1], &AxesTarget::Size(vec![900, 900])).map(drop)),
        ("transposed convolution", deconv.forward(&x, &weight, None).map(drop)),
        ("transposed convolution, weights", deconv.prepare(&heavy, [8, 8]).map(drop)),
        ("convolution", Convolution::new().padding(300).forward(&x, weight.view().permuted_axes([1, 0, 2, 3]), None).map(drop)),
        ("long kernel", ConvTranspose::new().forward(&point, &long, None).map(drop)),
        ("long kernel, input gradient", ConvTranspose::new().input_gradient(&long, &long).map(drop)),
        ("long kernel, weight gradient", ConvTranspose::new().weight_gradient(&point, &long, [70_000]).map(drop)),
        ("weight gradient", ConvTranspose::new().weight_gradient(&wide, &wide, [1, 1]).map(drop)),
        ("resize, then convolve", ResizeConv::new().factor(9).forward(&x, &weight, None).map(drop)),
        ("shuffle", pixel_shuffle(&deep, 30, order).map(drop)),
        ("nails", zero_insert(&x, 9, NailSpan::Blocks).map(drop)),
        ("padding", center_pad(&x, [900, 900]).map(drop)),
        ("unpool", unpool.forward(&x, &indices).map(drop)),
        ("unpool into another layout", unpool.forward_into(&x, &indices, &mut mirrored)),
        ("overlap", Overlap::of([1000, 1000], [Window::new(1); 2]).map(drop)),
        ("weights", InterpolationKernel::<2>::cubic(8, -0.5).unwrap().diagonal::<f32>(128).map(drop)),
        ("taps", InterpolationKernel::<1>::linear(1 << 20).map(drop)),
        ("ICNR", icnr(&many, 8, order).map(drop)),
    ];
    LIMIT.store(usize::MAX, Ordering::SeqCst);
    for (name, found) in table {
        let told = matches!(found, Err(Error::OutOfMemory { bytes, .. }) if bytes > 1 << 20);
        assert!(told, "{name}: {found:?}");
    }
    assert!(mirrored.iter().all(|&value| value == 0.0), "an output has been written to");
}

/// Where there is no memory for scratch, or for a table that is made late, calls say so and leave the output as it is.
fn refused_scratch(threads: usize) {
    let deconv = ConvTranspose::doubling(4).unwrap().precision(Precision::Reduced);
    let (x, weight, mut y) = (Array4::<f32>::ones((16, 512, 8, 8)), Array4::ones((512, 64, 4, 4)), Array4::zeros((16, 64, 16, 16)));
    let fast = deconv.prepare(&weight, [8, 8]).unwrap();
    let mut dw = Array4::zeros((512, 64, 4, 4));
    let strict = deconv.clone().precision(Precision::Strict).plan([40, 40], [4, 4]).unwrap();
    let strict = strict.prepare(&Array4::<f64>::ones((64, 64, 4, 4))).unwrap();
    let (x_strict, mut y_strict) = (Array4::<f64>::ones((1, 64, 40, 40)), Array4::<f64>::zeros((1, 64, 80, 80)));
    let (x_few, w_few, mut y_few) = (Array4::<f32>::ones((1, 1, 4, 90_000)), Array4::ones((1, 1, 4, 4)), Array4::zeros((1, 1, 8, 180_000)));
    let mut dw_few = Array4::zeros((1, 1, 4, 4));
    let shrink = Resize::cubic().antialias(true).plan([2000, 3000], [3, 3000]).unwrap();
    let (x_shrink, mut y_shrink) = (Array4::<f32>::ones((1, 1, 2000, 3000)), Array4::<f32>::zeros((1, 1, 3, 3000)));
    let late = Resize::linear().plan([100_000], [200_000]).unwrap();
    let (x_late, mut y_late) = (Array3::<f32>::ones((1, 1, 100_000)), Array3::<f32>::zeros((1, 1, 200_000)));
    let (dy_late, mut dx_late) = (Array3::<f32>::ones((1, 1, 200_000)), Array3::<f32>::zeros((1, 1, 100_000)));
    let up = ResizeConv::doubling(3).unwrap().prepare(&Array4::<f32>::ones((512, 64, 3, 3)), [8, 8]).unwrap();
    let found = on_fresh_threads(threads, || {
        LIMIT.store(1 << 19, Ordering::SeqCst);
        let found = [
            ("evaluated pixels", fast.forward_into(&x, None, &mut y)),
            ("resize, then convolve", up.forward_into(&x, None, &mut y)),
            (
                "sums of the weight gradient",
                deconv.plan(spatial(&x), spatial(&dw)).and_then(|plan| plan.weight_gradient_into(&x, &y, &mut dw, Update::Overwrite)),
            ),
            ("strips", strict.forward_into(&x_strict, None, &mut y_strict)),
            ("rows", deconv.plan(spatial(&x_few), spatial(&w_few)).and_then(|plan| plan.forward_into(&x_few, &w_few, None, &mut y_few))),
            (
                "rows, weight gradient",
                deconv
                    .plan(spatial(&x_few), spatial(&dw_few))
                    .and_then(|plan| plan.weight_gradient_into(&x_few, &y_few, &mut dw_few, Update::Overwrite)),
            ),
            ("ring", shrink.forward_into(&x_shrink, &mut y_shrink)),
            ("late table", late.forward_into(&x_late, &mut y_late)),
            ("transposed table", late.input_gradient_into(&dy_late, &mut dx_late, Update::Overwrite)),
            ("transposed table, added", late.input_gradient_into(&dy_late, &mut dx_late, Update::Add)),
        ];
        LIMIT.store(usize::MAX, Ordering::SeqCst);
        found
    });
    for (name, found) in found {
        let told = matches!(found, Err(Error::OutOfMemory { bytes, .. }) if bytes > 1 << 19);
        assert!(told, "{name}, {threads} threads: {found:?}");
    }
    let written =
        [y.iter().any(|&v| v != 0.0), dw.iter().any(|&v| v != 0.0), y_few.iter().any(|&v| v != 0.0), dw_few.iter().any(|&v| v != 0.0)];
    let written = written.into_iter().chain([y_strict.iter().any(|&v| v != 0.0), y_shrink.iter().any(|&v| v != 0.0)]);
    let mut written = written.chain([y_late.iter().any(|&v| v != 0.0), dx_late.iter().any(|&v| v != 0.0)]);
    assert!(!written.any(|written| written), "an output has been written to");
    // With memory they succeed: nothing is kept that was half made.
    fast.forward_into(&x, None, &mut y).unwrap();
    late.forward_into(&x_late, &mut y_late).unwrap();
    late.input_gradient_into(&dy_late, &mut dx_late, Update::Overwrite).unwrap();
    assert!(y_late.iter().chain(&dx_late).all(|&value| value > 0.0) && y.iter().all(|&value| value != 0.0));
}

/// Whichever of its large allocations a call does not get, it says so; what cannot fail would abort here.
fn refused_one_by_one() {
    let x = Array4::<f32>::ones((2, 40, 60, 50));
    let (signal, dy) = (Array3::<f32>::ones((1, 1, 50_000)), Array3::<f64>::ones((1, 1, 30_000)));
    let (weight, few) = (Array4::<f32>::ones((40, 33, 4, 4)), Array4::<f32>::ones((40, 1, 4, 4)));
    let many = Array3::<f32>::ones((1, 100_000, 1));
    let region = Coordinates::TfCropAndResize { start: -0.7, end: 1.7 };
    let deconv = ConvTranspose::doubling(4).unwrap();
    let y = deconv.forward(&x, &weight, None).unwrap();
    let up = ResizeConv::doubling(4).unwrap().resize(Resize::bilinear());
    let (pooled, indices) = MaxPool::new(2).forward(&x).unwrap();
    type Run<'a> = &'a (dyn Fn() -> Result<(), Error> + Sync);
    let table: [(&str, Run<'_>); 20] = [
        ("nearest, plan", &|| Resize::nearest().plan([50_000], [90_000]).map(drop)),
        ("linear, plan", &|| Resize::linear().plan([50_000], [90_000]).map(drop)),
        ("linear, plan by a scale", &|| Resize::linear().plan([50_000, 40_000], [1.37, 1.0]).map(drop)),
        ("antialiased, plan of one pixel", &|| Resize::linear().antialias(true).plan([50_000], [1]).map(drop)),
        ("area, plan", &|| Resize::area().plan([50_000], [30_000]).map(drop)),
        ("region, plan", &|| Resize::linear().coordinates(region).plan([50_000], [90_000]).map(drop)),
        ("nearest of a region", &|| Resize::nearest().coordinates(region).plan([50_000], [90_000])?.forward(&signal).map(drop)),
        ("linear", &|| Resize::linear().plan([50_000], [90_000])?.forward(&signal).map(drop)),
        ("Lanczos, gradient", &|| {
            Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true).plan([50_000], [30_000])?.input_gradient(&dy).map(drop)
        }),
        ("bicubic", &|| Resize::bicubic().plan([60, 50], [90, 110])?.forward(&x).map(drop)),
        ("transposed convolution", &|| deconv.forward(&x, &weight, None).map(drop)),
        ("transposed convolution, strict", &|| deconv.clone().precision(Precision::Strict).forward(&x, &weight, None).map(drop)),
        ("depthwise", &|| deconv.clone().groups(40).forward(&x, &few, None).map(drop)),
        ("input gradient", &|| deconv.input_gradient(&y, &weight).map(drop)),
        ("weight gradient", &|| deconv.weight_gradient(&x, &y, [4, 4]).map(drop)),
        ("bias gradient", &|| deconv.bias_gradient(&many).map(drop)),
        ("resize, then convolve", &|| up.forward(&x, &weight, None).map(drop)),
        ("spectrum", &|| StrideSpectrum::of(&signal, 4200).map(drop)),
        ("pool, gradient", &|| MaxPool::new(2).input_gradient(&pooled, &indices, [60, 50]).map(drop)),
        ("unpool, gradient", &|| MaxPool::new(2).unpool([60, 50]).input_gradient(&x, &indices).map(drop)),
    ];
    for (name, run) in table {
        let mut refused = 0;
        loop {
            let (found, left) = on_fresh_threads(1, || {
                GIVEN.store(refused, Ordering::SeqCst);
                (run(), GIVEN.swap(usize::MAX, Ordering::SeqCst))
            });
            if left != usize::MAX {
                assert!(found.is_ok(), "{name}: {found:?}, though nothing was refused");
                break;
            }
            assert!(matches!(found, Err(Error::OutOfMemory { .. })), "{name}, allocation {refused}: {found:?}");
            refused += 1;
        }
        assert!(refused > 0, "{name}: takes no memory");
    }
}

#[test]
fn calls_take_what_they_tell() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for threads in [1, 2] {
        resizing(threads);
        // What is more of AVX-512 VNNI is for bytes.
        for backend in backends().into_iter().filter(|&backend| backend != Backend::Avx512Vnni) {
            convolutions::<f32>(threads, Precision::Reduced, backend);
        }
        convolutions::<f32>(threads, Precision::Strict, Backend::best());
        convolutions::<f32>(threads, Precision::Standard, Backend::best());
        convolutions::<f64>(threads, Precision::Standard, Backend::best());
        #[cfg(feature = "half")]
        convolutions::<half::f16>(threads, Precision::Reduced, Backend::best());
        resize_convolutions(threads);
    }
    let broken = BROKEN.lock().unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    tables();
    scratch::is_bounded_whatever_the_picture();
    scratch::holds_no_enlarged_picture();
    rearranging();
    refused();
    for threads in [1, 2] {
        refused_scratch(threads);
    }
    refused_one_by_one();
}

#[cfg(feature = "rayon")]
#[test]
fn calls_say_so_where_memory_runs_out() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    exhausted::calls_say_so();
}
