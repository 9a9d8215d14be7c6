//! Convolutions bound their scratch memory by the caches, whatever the picture, and fused ones hold no enlarged picture. Alone in its binary,
//! for it counts every allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array4;
use upsample::{ConvTranspose, Resize, ResizeConv};

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

const MIB: usize = 1 << 20;

/// The most memory in use during `work`, beyond what was in use before.
fn peak(work: impl FnOnce() + Send) -> usize {
    let before = IN_USE.load(Ordering::SeqCst);
    MOST.store(before, Ordering::SeqCst);
    work();
    MOST.load(Ordering::SeqCst) - before
}

#[test]
fn scratch_is_bounded() {
    // One test, since both share the count.
    whatever_the_picture();
    the_enlarged_picture_never_exists();
}

fn whatever_the_picture() {
    let deconv = ConvTranspose::new().stride(2).padding(1);
    let weight = Array4::<f32>::ones((64, 8, 4, 4));
    let weights = weight.len() * size_of::<f32>();
    for size in [256, 512] {
        let x = Array4::<f32>::ones((1, 64, size, size));
        let mut y = Array4::<f32>::zeros((1, 8, 2 * size, 2 * size));
        let dy = y.clone();
        let (mut dx, mut dw) = (x.clone(), weight.clone());
        // Two fresh threads, that have no scratch yet.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| {
            let table = [
                ("forward", peak(|| deconv.forward_into(&x, &weight, None, &mut y).unwrap())),
                ("input gradient", peak(|| deconv.input_gradient_into(&dy, &weight, &mut dx).unwrap())),
                ("weight gradient", peak(|| deconv.weight_gradient_into(&x, &dy, &mut dw).unwrap())),
            ];
            for (name, peak) in table {
                println!("{name}, {size}×{size}: {peak} bytes; the input has {}", x.len() * size_of::<f32>());
                // The sums of the weight gradient are at most 4 MiB, however often positions are split.
                assert!(peak <= weights + 8 * MIB, "{name}, {size}×{size}: {peak} bytes");
            }
        });
        assert_eq!(y[[0, 0, size, size]], 256.0);
    }
}

fn the_enlarged_picture_never_exists() {
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
