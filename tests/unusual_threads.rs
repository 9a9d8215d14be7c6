//! Calls from threads that are ending, and where no other thread can be started.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};

use ndarray::Array4;
use upsample::{ConvTranspose, Filter, Resize, ResizeConv};

fn numbers(shape: [usize; 4]) -> Array4<f32> {
    Array4::from_shape_fn(shape, |(n, c, h, w)| ((n * 5 + c * 3 + h * 7 + w * w) % 19) as f32 - 9.0)
}

/// The bits of calls of every engine that takes scratch memory; large enough for several threads.
fn results() -> Vec<(&'static str, Vec<u64>)> {
    fn bits<A: Copy + Into<f64>>(array: &Array4<A>) -> Vec<u64> {
        array.iter().map(|&value| value.into().to_bits()).collect()
    }
    let x = numbers([2, 8, 60, 70]);
    let weight = numbers([8, 20, 4, 4]);
    let resize = Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true).plan([60, 70], [131, 33]).unwrap();
    let deconv = ConvTranspose::new().stride(2).padding(1).plan([60, 70], [4, 4]).unwrap();
    let y = resize.forward(&x).unwrap();
    let dy = deconv.forward(&x, &weight, None).unwrap();
    let few = ConvTranspose::new().stride(2).padding(1).groups(8);
    vec![
        ("resize", bits(&y)),
        ("resize, bytes", bits(&resize.forward(&x.mapv(|value| value.abs() as u8)).unwrap())),
        ("resize, f64", bits(&resize.forward(&x.mapv(f64::from)).unwrap())),
        ("resize, gradient", bits(&resize.input_gradient(&y).unwrap())),
        ("nearest", bits(&Resize::nearest().plan([60, 70], 2.0).unwrap().forward(&x).unwrap())),
        ("transposed convolution", bits(&dy)),
        ("prepared", bits(&deconv.prepare(&weight).unwrap().forward(&x, None).unwrap())),
        ("depthwise", bits(&few.forward(&x, &numbers([8, 1, 4, 4]), None).unwrap())),
        ("input gradient", bits(&deconv.input_gradient(&dy, &weight).unwrap())),
        ("weight gradient", bits(&deconv.weight_gradient(&x, &dy).unwrap())),
        ("resize, then convolve", bits(&ResizeConv::doubling(3).unwrap().forward(&x, &numbers([8, 4, 3, 3]), None).unwrap())),
    ]
}

/// Computes when the thread ends, and sends what it got.
struct Last(Sender<Vec<(&'static str, Vec<u64>)>>);

impl Drop for Last {
    fn drop(&mut self) {
        // Nobody listens to a second one.
        let _ = self.0.send(results());
    }
}

thread_local! {
    static BEFORE: RefCell<Option<Last>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// The memory that the thread keeps from call to call may be gone by then.
#[test]
fn threads_that_are_ending() {
    let expected = results();
    let (send, receive) = channel();
    // Whatever the order in which a thread gives up what is its own: one comes after the crate's.
    let work = move || {
        BEFORE.set(Some(Last(send.clone())));
        results();
        AFTER.set(Some(Last(send)));
    };
    std::thread::spawn(work).join().expect("the thread ends by itself");
    let found: Vec<_> = receive.iter().collect();
    assert_eq!(found.len(), 2, "both have computed");
    for found in found {
        for ((name, expected), (_, found)) in expected.iter().zip(&found) {
            assert!(expected == found, "{name}");
        }
    }
}

/// What a pool that cannot start leaves: this thread, and the same bits.
#[cfg(all(feature = "rayon", target_os = "linux", not(miri)))]
mod without_a_pool {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::process::Command;

    use super::results;

    const CHILD: &str = "UPSAMPLE_WITHOUT_A_POOL";

    fn digest() -> String {
        let digest = |(name, bits): (&str, Vec<u64>)| {
            let mut hasher = DefaultHasher::new();
            bits.hash(&mut hasher);
            format!("{name}: {:016x}", hasher.finish())
        };
        results().into_iter().map(digest).collect::<Vec<_>>().join("; ")
    }

    /// Stacks of a quarter of a GiB for 64 threads, where a process may have two GiB.
    #[test]
    fn one_thread_does_it() {
        let (test, binary) = ("without_a_pool::in_the_child", std::env::current_exe().unwrap());
        let limited = format!("ulimit -v 2097152; exec \"$0\" --exact {test} --nocapture");
        let mut command = Command::new("sh");
        command.arg("-c").arg(limited).arg(&binary);
        command.env(CHILD, "1").env("RUST_MIN_STACK", "268435456").env("RAYON_NUM_THREADS", "64");
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}{complaint}");
        assert!(told.contains(&digest()), "other bits: {told}");
    }

    #[test]
    fn in_the_child() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        println!("{}", digest());
        // Rayon itself panics where there is no pool.
        assert!(std::panic::catch_unwind(rayon::current_num_threads).is_err(), "the pool has started");
    }
}
