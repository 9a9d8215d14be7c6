//! Any operator of the crate on NumPy files, to hold it against your own framework.
//!
//! ```text
//! cargo run --release --example apply -- resize --input x.npy --output y.npy --method linear --scale 2,2
//! ```
//!
//! The rank comes from the file (3: N×C×L, 4: N×C×H×W, 5: N×C×D×H×W), the element type too. What cannot be done ends with exit code 2
//! and one line on standard error; an output file is then left as it was.

#[path = "apply/command.rs"]
mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(std::env::args_os()) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(help)) => {
            print!("{help}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("apply: {message}");
            ExitCode::from(2)
        }
    }
}
