//! A plan that has run once on a thread runs again without allocating.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ndarray::{Array4, Array5};
use upsample::{Filter, Resize, StreamingStores, Tensor4, Tensor4Mut, Update};

/// Counts the allocations of the thread that asks for it.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of the second of two runs.
fn of_second_run(mut run: impl FnMut()) -> usize {
    run();
    let before = COUNT.with(Cell::get);
    run();
    COUNT.with(Cell::get) - before
}

#[test]
fn the_second_run_allocates_nothing() {
    // One thread: what rayon does to hand work over is its own affair.
    let work = || {
        let methods = [
            ("nearest", Resize::nearest()),
            ("linear", Resize::linear()),
            ("cubic", Resize::cubic()),
            ("antialias", Resize::cubic().antialias(true)),
            ("lanczos", Resize::filter(Filter::Lanczos { lobes: 3 }).streaming(StreamingStores::Always)),
        ];
        for (name, resize) in methods {
            for size in [[80, 60], [13, 9], [31, 70]] {
                let plan = resize.plan([40, 30], size).unwrap();
                let x = Array4::<f32>::ones((2, 3, 40, 30));
                let mut y = Array4::<f32>::zeros((2, 3, size[0], size[1]));
                assert_eq!(of_second_run(|| plan.forward_into(&x, &mut y).unwrap()), 0, "{name} {size:?}");
                let mut dx = x.clone();
                assert_eq!(
                    of_second_run(|| plan.input_gradient_into(&y, &mut dx, Update::Overwrite).unwrap()),
                    0,
                    "{name} {size:?} backward"
                );
                assert_eq!(
                    of_second_run(|| plan.input_gradient_into(&y, &mut dx, Update::Add).unwrap()),
                    0,
                    "{name} {size:?} backward, added"
                );
                let bytes = Array4::<u8>::ones((2, 40, 30, 3));
                let mut larger = Array4::<u8>::ones((2, size[0], size[1], 3));
                let run = || plan.forward_into(Tensor4::from_nhwc(bytes.view()), Tensor4Mut::from_nhwc(larger.view_mut())).unwrap();
                assert_eq!(of_second_run(run), 0, "{name} {size:?} bytes");
            }
            let plan = resize.plan([6, 7, 8], 2.0).unwrap();
            let x = Array5::<f64>::ones((1, 2, 6, 7, 8));
            let mut y = Array5::<f64>::ones((1, 2, 12, 14, 16));
            assert_eq!(of_second_run(|| plan.forward_into(&x, &mut y).unwrap()), 0, "{name} volume");
        }
    };
    #[cfg(feature = "rayon")]
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work);
    #[cfg(not(feature = "rayon"))]
    work();
}
