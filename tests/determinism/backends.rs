//! Every backend of the machine gives the portable one's numbers, up to the rounding of fused multiply-adds and of another order of the
//! sums.

use upsample::Backend;

use crate::operators::sums;

#[test]
fn backends_agree_within_rounding() {
    let portable = sums(Backend::Portable);
    let mut compared = 0;
    for backend in Backend::available() {
        let found = sums(backend);
        assert_eq!(found.len(), portable.len());
        for (expected, found) in portable.iter().zip(&found) {
            let largest = expected.values.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
            // A whole number may be rounded up on one side of a half and down on the other, whatever its size.
            let allowed = if expected.name.contains("i16") || expected.name.contains("u8") {
                expected.tolerance
            } else {
                expected.tolerance * largest
            };
            assert_eq!(expected.values.len(), found.values.len(), "{}", expected.name);
            for (place, (a, b)) in expected.values.iter().zip(&found.values).enumerate() {
                assert!((a - b).abs() <= allowed, "{}: {backend:?} has {b} at {place}, portable {a} ± {allowed:e}", expected.name);
            }
            compared += 1;
        }
    }
    println!("{compared} results of {:?}", Backend::available());
}
