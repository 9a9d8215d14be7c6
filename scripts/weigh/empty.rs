//! What a program weighs without the library.

fn main() {
    std::process::exit(i32::from(std::env::args().len() > 100))
}
