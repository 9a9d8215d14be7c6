//! 1, 2, 3 and 8 threads: the same bits.

use rayon::ThreadPoolBuilder;
use upsample::Backend;

use crate::operators::{Computed, exact, sums};

fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn everything() -> Vec<Computed> {
    let mut all = sums(Backend::best());
    all.extend(exact());
    all
}

#[test]
fn threads_do_not_change_a_bit() {
    let one = with_threads(1, everything);
    assert!(one.len() > 300, "{} operators", one.len());
    assert!(one.iter().all(|computed| !computed.values.is_empty()));
    for threads in [2, 3, 8] {
        let many = with_threads(threads, everything);
        assert_eq!(many.len(), one.len());
        for (one, many) in one.iter().zip(&many) {
            let same =
                one.values.len() == many.values.len() && one.values.iter().zip(&many.values).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{} differs with {threads} threads", one.name);
        }
    }
}
