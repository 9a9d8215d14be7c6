//! Which backends a test runs.

use upsample::Backend;

/// Every backend of the machine, at least those that its instructions are known to be enough for. Prints them.
pub fn backends() -> Vec<Backend> {
    let all = Backend::available();
    println!("backends: {all:?}");
    assert_eq!(all.first(), Some(&Backend::Portable));
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
        assert!(all.contains(&Backend::Avx2), "a machine with AVX2 runs {all:?}");
    }
    #[cfg(target_arch = "aarch64")]
    assert!(all.contains(&Backend::Neon), "a machine with NEON runs {all:?}");
    all
}
