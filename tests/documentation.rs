//! Every public function and type shows how it is used: in an example of its own, or in that of the operator it is a form of.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names that `src/lib.rs` and the public modules hand on.
fn is_public(name: &str, folder: &Path) -> bool {
    let hands_on = |file: PathBuf| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut shown = text.split("pub use ").skip(1).filter_map(|list| list.split(';').next());
        shown.any(|list| list.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name))
    };
    let public_modules = ["checkerboard", "rearrange"];
    hands_on(PathBuf::from("../src/lib.rs"))
        || public_modules.iter().any(|module| folder.ends_with(module) && hands_on(folder.join("mod.rs")))
}

#[test]
fn public_items_have_examples() {
    let mut files = Vec::new();
    sources(Path::new("../src"), &mut files);
    let mut missing = Vec::new();
    let mut seen = 0;
    for file in files {
        let (mut docs, mut hidden) = (String::new(), false);
        // Modules of one file that are public: what stands in them at the left margin is public too.
        let open = ["output_size.rs", "initial_weights.rs"].iter().any(|name| file.ends_with(name));
        for line in fs::read_to_string(&file).unwrap().lines() {
            if let Some(text) = line.trim().strip_prefix("///") {
                docs += text;
                docs += "\n";
            } else if line.trim().starts_with("#[") {
                hidden |= line.contains("doc(hidden)");
            } else {
                let declared =
                    ["pub fn ", "pub const fn ", "pub struct ", "pub enum ", "pub trait "].iter().find_map(|kind| line.strip_prefix(kind));
                let name = declared.and_then(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next());
                if let Some(name) = name.filter(|name| !hidden && (open || is_public(name, file.parent().unwrap()))) {
                    seen += 1;
                    let twin = name.ends_with("_into") || ["CustomFilter", "SpatialRank", "ConvElement"].contains(&name);
                    if !twin && !docs.contains("```") {
                        missing.push(format!("{}: {name}", file.display()));
                    }
                }
                (docs, hidden) = (String::new(), false);
            }
        }
    }
    assert!(seen > 60, "only {seen} public items found");
    assert!(missing.is_empty(), "without an example:\n{}", missing.join("\n"));
}
