//! Every backend of the machine gives the portable one's numbers, up to the rounding of fused multiply-adds and of another order of the
//! sums.

use common::backends;
use upsample::Backend;

use crate::operators::{Allowed, Computed, sums};

/// How far each number may be from the portable one's, and how much of that it is, at most.
fn compare(backend: Backend, expected: &Computed, found: &Computed) -> f64 {
    assert_eq!(expected.values.len(), found.values.len(), "{}", expected.name);
    let largest = expected.values.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    let mut most = 0.0_f64;
    for (place, (a, b)) in expected.values.iter().zip(&found.values).enumerate() {
        let allowed = match &expected.allowed {
            Allowed::OfLargest(tolerance) => tolerance * largest,
            Allowed::Steps(steps) => *steps,
            Allowed::Each(each) => each[place],
        };
        assert!((a - b).abs() <= allowed, "{}: {backend:?} has {b} at {place}, portable {a} ± {allowed:e}", expected.name);
        if allowed > 0.0 {
            most = most.max((a - b).abs() / allowed);
        }
    }
    most
}

#[test]
fn backends_agree_within_rounding() {
    let portable = sums(Backend::Portable);
    for backend in backends() {
        let found = sums(backend);
        assert_eq!(found.len(), portable.len());
        let whole = |computed: &Computed| matches!(computed.allowed, Allowed::Steps(_));
        let mut most = (0.0_f64, "");
        for (expected, found) in portable.iter().zip(&found) {
            let part = compare(backend, expected, found);
            if part > most.0 && !whole(expected) {
                most = (part, &expected.name);
            }
        }
        println!("{backend:?}: {} results, at most {:.2} of what is allowed: {}", found.len(), most.0, most.1);
    }
}
