//! A fused resize-convolution never holds the enlarged picture. Alone in its binary, for it counts every allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array4;
use upsample::{Resize, ResizeConv};

/// The system's allocator, with a count of the bytes in use and of the most there were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
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

/// The most memory in use during `work`, beyond what was in use before.
fn peak(work: impl FnOnce() + Send) -> usize {
    let before = IN_USE.load(Ordering::SeqCst);
    MOST.store(before, Ordering::SeqCst);
    work();
    MOST.load(Ordering::SeqCst) - before
}

#[test]
fn the_enlarged_picture_never_exists() {
    const MIB: usize = 1 << 20;
    let (channels, size, factor) = (64, 192, 3);
    let x = Array4::<f32>::ones((1, channels, size, size));
    let enlarged = x.len() * factor * factor * size_of::<f32>(); // 81 MiB
    let weight = Array4::<f32>::ones((channels, 2, 3, 3));
    let mut y = Array4::<f32>::zeros((1, 2, factor * size, factor * size));
    let dy = y.clone();
    let (mut dx, mut dw) = (x.clone(), weight.clone());
    let fused = ResizeConv::new().factor(factor).padding(1);
    let two_steps = fused.clone().resize(Resize::bilinear());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let mut measured = |up: &ResizeConv| {
        pool.install(|| {
            [
                ("forward", peak(|| up.forward_into(&x, &weight, None, &mut y).unwrap())),
                ("input gradient", peak(|| up.input_gradient_into(&dy, &weight, &mut dx).unwrap())),
                ("weight gradient", peak(|| up.weight_gradient_into(&x, &dy, &mut dw).unwrap())),
            ]
        })
    };
    for (name, peak) in measured(&fused) {
        println!("fused, {name}: {peak} bytes; enlarged the picture has {enlarged}");
        assert!(peak <= 10 * MIB, "{name}: {peak} bytes");
    }
    // The measure sees it where it is.
    for (name, peak) in measured(&two_steps) {
        println!("two steps, {name}: {peak} bytes");
        assert!(peak >= enlarged, "{name}: {peak} bytes");
    }
}
