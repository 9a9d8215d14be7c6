//! What every engine is to the measurement: a call into a new output, a call into a reused one, and the output as bytes.

use std::time::{Duration, Instant};

/// One operator of one library, ready to run.
pub struct Engine {
    /// Computes into a new output and drops it.
    pub allocated: Option<Box<dyn FnMut()>>,
    /// Computes into an output that lives as long as the engine.
    pub reused: Option<Box<dyn FnMut()>>,
    /// Computes and gives the bytes of the output, in the case's order of axes.
    pub output: Box<dyn FnMut() -> Vec<u8>>,
}

/// A call that takes longer needs no call before it to warm caches up.
const LONG: Duration = Duration::from_millis(50);

impl Engine {
    /// Nanoseconds of one call: the median of those that fit into the budget, at least one.
    pub fn round(&mut self, into: &str, budget: u64) -> Result<u64, String> {
        let call = match into {
            "allocated" => self.allocated.as_mut(),
            "reused" => self.reused.as_mut(),
            _ => None,
        };
        let call = call.ok_or(format!("no call of the kind {into:?}"))?;
        let first = time(call);
        if first > LONG {
            return Ok(nanoseconds(first));
        }
        let mut times = Vec::new();
        let start = Instant::now();
        while times.is_empty() || nanoseconds(start.elapsed()) < budget {
            times.push(time(call));
        }
        times.sort_unstable();
        Ok(nanoseconds(times[times.len() / 2]))
    }
}

fn time(call: &mut Box<dyn FnMut()>) -> Duration {
    let start = Instant::now();
    call();
    start.elapsed()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
