//! Which backends a test runs.

use upsample::Backend;

/// The backends that this machine has to run, whose features are asked for here, too: a test of each of them cannot pass without them.
pub fn backends() -> Vec<Backend> {
    let found = Backend::available();
    println!("backends: {found:?}");
    let mut expected = vec![Backend::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! has { ($($feature:tt),+) => { $(std::is_x86_feature_detected!($feature))&&+ } }
        let avx2 = has!("avx2", "fma", "f16c");
        let avx512 = avx2 && has!("avx512f", "avx512bw", "avx512dq", "avx512vl");
        let rows = [(Backend::Avx2, avx2), (Backend::Avx512, avx512), (Backend::Avx512Vnni, avx512 && has!("avx512vnni", "avx512vbmi"))];
        expected.extend(rows.into_iter().filter(|(_, has)| *has).map(|(backend, _)| backend));
    }
    #[cfg(target_arch = "aarch64")]
    expected.push(Backend::Neon);
    assert_eq!(found, expected, "the backends of this machine");
    found
}
