//! The Rust half of `benches/peers/compare`: this crate and its Rust peers, driven line by line.
//!
//! A request is one line on standard input, its answer one line on standard output.
//!
//! | request | answer |
//! |---|---|
//! | `prepare CASE` (JSON, see [`case`]) | JSON: for each engine `{"ready": {"allocated": .., "reused": ..}}` or `{"skipped": "why"}` |
//! | `output ENGINE FILE` | `ok`; the engine's output is in FILE, raw |
//! | `round ENGINE allocated|reused BUDGET` | nanoseconds of one call: the median of as many as fit into BUDGET nanoseconds |
//! | `copy plain|streaming` | bytes read and written a second, or `none` |
//! | `multiply` | fused multiply-adds a second, times two |
//!
//! An answer that begins with `error` says what went wrong. The number of threads is that of the environment: `RAYON_NUM_THREADS`.

mod burn;
mod candle;
mod case;
mod engine;
mod fast_image_resize;
mod hardware;
mod pic_scale;
mod products;
mod upsample_convolution;
mod upsample_picture;
mod upsample_resize;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use case::Case;
use engine::Engine;

/// Makes an engine for a case, or says why there is none.
type Make = fn(&Case) -> Result<Engine, String>;

/// Every engine, by the name that the tables show.
const ENGINES: [(&str, Make); 10] = [
    ("upsample", upsample_engine),
    ("upsample prepared", upsample_convolution::prepared),
    ("upsample with plan", upsample_picture::planning),
    ("upsample AVX2", upsample_picture::avx2),
    ("fast_image_resize", fast_image_resize::engine),
    ("pic-scale", pic_scale::engine),
    ("candle", candle::engine),
    ("burn-flex", burn::engine),
    ("gemm", products::gemm_crate),
    ("matrixmultiply", products::matrixmultiply_crate),
];

fn upsample_engine(case: &Case) -> Result<Engine, String> {
    match case {
        _ if case.picture => upsample_picture::planned(case),
        _ if case.is_resize() => upsample_resize::engine(case),
        _ => upsample_convolution::engine(case),
    }
}

/// The engines of the case that was prepared last.
type Ready = BTreeMap<&'static str, Engine>;

fn main() {
    // A peer that panics is skipped by name; its trace would only clutter the table.
    std::panic::set_hook(Box::new(|_| {}));
    let mut ready = Ready::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let answer = catch_unwind(AssertUnwindSafe(|| answer(&line, &mut ready)))
            .unwrap_or_else(|panic| Err(format!("panicked: {}", panic_text(panic.as_ref()))))
            .unwrap_or_else(|error| format!("error {}", error.replace('\n', " ")));
        println!("{answer}");
        std::io::stdout().flush().expect("standard output is open");
    }
}

fn answer(line: &str, ready: &mut Ready) -> Result<String, String> {
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    match command {
        "prepare" => prepare(&Case::parse(rest)?, ready),
        "output" => {
            let (name, file) = rest.rsplit_once(' ').ok_or("output ENGINE FILE")?;
            let bytes = (find(ready, name)?.output)();
            std::fs::write(file, bytes).map_err(|error| error.to_string())?;
            Ok("ok".to_owned())
        }
        "round" => {
            let mut words = rest.rsplitn(3, ' ');
            let budget = words.next().and_then(|word| word.parse().ok()).ok_or("round ENGINE allocated|reused BUDGET")?;
            let into = words.next().ok_or("allocated or reused?")?;
            let nanoseconds = find(ready, words.next().unwrap_or(""))?.round(into, budget)?;
            Ok(nanoseconds.to_string())
        }
        "copy" => Ok(hardware::copy(rest == "streaming").map_or("none".to_owned(), |speed| speed.to_string())),
        "multiply" => Ok(hardware::multiply_adds().to_string()),
        _ => Err(format!("unknown request {command:?}")),
    }
}

fn find<'a>(ready: &'a mut Ready, name: &str) -> Result<&'a mut Engine, String> {
    ready.get_mut(name).ok_or(format!("{name:?} is not prepared"))
}

fn prepare(case: &Case, ready: &mut Ready) -> Result<String, String> {
    ready.clear();
    let mut report = serde_json::Map::new();
    for (name, make) in ENGINES {
        if !case.engines.iter().any(|wanted| wanted == name) {
            continue;
        }
        let made = catch_unwind(AssertUnwindSafe(|| make(case))).unwrap_or_else(|panic| Err(panic_text(panic.as_ref())));
        let line = match made {
            Ok(engine) => {
                let line = serde_json::json!({"ready": {"allocated": engine.allocated.is_some(), "reused": engine.reused.is_some()}});
                ready.insert(name, engine);
                line
            }
            Err(why) => serde_json::json!({ "skipped": why }),
        };
        report.insert(name.to_owned(), line);
    }
    serde_json::to_string(&report).map_err(|error| error.to_string())
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
