//! The sources as the contract's tests read them: every Rust file of the tree, without its comments and
//! without the unit tests at its end.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// A Rust source file.
pub struct Source {
    /// From the root: `services/gate/src/domain/visit.rs`.
    pub path: String,
    /// What is compiled into the product: no comments, no unit tests.
    pub code: String,
}

impl Source {
    /// Whether it lies below a folder, or is that file.
    pub fn is_in(&self, place: &str) -> bool {
        self.path
            .strip_prefix(place)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The lines that hold one of these words, as `path:line: text`.
    pub fn lines_with(&self, words: &[&str]) -> Vec<String> {
        self.code
            .lines()
            .enumerate()
            .filter(|(_, line)| words.iter().any(|word| holds(line, word)))
            .map(|(index, line)| format!("{}:{}: {}", self.path, index + 1, line.trim()))
            .collect()
    }
}

/// Whether a line holds a word that is not part of a longer name to its left.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

/// Every product source below these folders of the root.
pub fn below(folders: &[&str]) -> Vec<Source> {
    let root = root();
    let mut sources = Vec::new();
    for folder in folders {
        collect(&root, &root.join(folder), &mut sources);
    }
    assert!(!sources.is_empty(), "no sources below {folders:?}");
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            sources.push(Source {
                path,
                code: product_code(&text),
            });
        }
    }
}

/// Lines keep their numbers: what is left out leaves an empty line.
fn product_code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let test_follows =
            line.trim() == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.contains("mod "));
        if test_follows {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap_or(line));
        }
        code.push('\n');
    }
    code
}

#[test]
fn comments_and_unit_tests_are_not_product_code() {
    let code = product_code(
        "//! sqlx::query\nlet a = 1; // tokio\n#[cfg(test)]\nmod tests {\n    use sqlx;\n}\n",
    );
    assert_eq!(code, "\nlet a = 1;\n");
    assert!(holds("let x = sqlx::query(a)", "sqlx::query"));
    assert!(!holds("let x = my_rand::x()", "rand::"));
}
