//! Calls take the memory that their plans tell: not more, and more than half of it. Where memory cannot be had, they say so.
//! Alone in its binary, for it counts every allocation, and refuses some.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array4, Array5, ArrayD, IxDyn};
use upsample::checkerboard::Overlap;
use upsample::initial_weights::{InterpolationKernel, icnr};
use upsample::output_size::Window;
use upsample::rearrange::*;
use upsample::{AxesTarget, Error, Filter, MemoryUse, Resize, Tensor4};

/// The system's allocator, with a count of the bytes in use and of the most there were, and a limit to what it gives at once.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

// SAFETY: every call is passed on to the system's allocator, or refused as an allocator may.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LIMIT.load(Ordering::SeqCst) {
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

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs on fresh threads, which have no buffers yet. Rayon's own books are made beforehand.
fn on_fresh_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let touch = || std::thread::sleep(std::time::Duration::from_millis(1));
            rayon::join(|| rayon::join(touch, touch), || rayon::join(touch, touch));
            work()
        })
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

/// What a call may use of a thread's or rayon's own memory.
const SLACK: usize = 16 * 1024;

/// `held` bytes of what was told are there already.
fn assert_kept(name: &str, told: MemoryUse, held: usize, threads: usize, taken: usize) {
    let most = told.output_bytes + told.scratch_bytes(threads) - held;
    assert!(taken <= most + SLACK, "{name}, {threads} threads: takes {taken} bytes, told {most}: {told:?}");
    let fewest = told.output_bytes + told.scratch_bytes(1) - held;
    assert!(2 * (taken + SLACK) >= fewest, "{name}, {threads} threads: takes {taken} bytes, told {fewest}: {told:?}");
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
            let told = plan.backward_memory(&dy).unwrap();
            let taken = on_fresh_threads(threads, || peak(|| drop(plan.backward(&dy).unwrap())));
            assert_kept(&format!("{name}, backward"), told, told.shared_bytes, threads, taken);
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
    let (deep, bytes) = (Array4::<u8>::ones((1, 900, 60, 60)), x.mapv(|_| 1_u8));
    LIMIT.store(1 << 20, Ordering::SeqCst);
    let table: [(&str, Result<(), Error>); 17] = [
        ("resize", plan.forward(&x).map(drop)),
        ("resize, bytes", plan.forward(&bytes).map(drop)),
        ("resize, gradient", back.backward(&x).map(drop)),
        ("resize, table", Resize::linear().plan([100_000], [200_000]).map(drop)),
        ("nearest, table", Resize::nearest().plan([100], [900_000]).map(drop)),
        ("area, table", Resize::area().plan([900_000], [100]).map(drop)),
        ("nearest", Resize::nearest().plan([100, 100], 9.0).unwrap().forward_any(&x).map(drop)),
        ("axes", Resize::linear().resize_axes(field.view(), &[0, 1], &AxesTarget::Size(vec![900, 900])).map(drop)),
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

#[test]
fn calls_take_what_they_tell() {
    // One test, since all of them share the count.
    for threads in [1, 2] {
        resizing(threads);
    }
    tables();
    rearranging();
    refused();
}
