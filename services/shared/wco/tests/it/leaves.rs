//! A second, deliberately naive reader of XML: lists the values of a document
//! without any of the crate's code, to check the crate's account against. Only
//! for well-formed documents without CDATA, as the real ones are.

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf {
    /// Element names without prefixes and numbers; an attribute with `@`.
    pub path: String,
    /// The value, trimmed; whole numbers without leading zeros.
    pub value: String,
}

/// All values of a document, sorted.
pub fn of(bytes: &[u8]) -> Vec<Leaf> {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let text = without_comments(text.trim_start_matches('\u{feff}'));
    let mut leaves = Vec::new();
    let mut path = Vec::<String>::new();
    for piece in text.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').expect("a closed tag");
        if tag.starts_with('?') {
            continue;
        }
        if tag.starts_with('/') {
            path.pop();
        } else {
            let empty = tag.ends_with('/');
            let tag = tag.trim_end_matches('/');
            let name = tag.split_whitespace().next().expect("a name");
            path.push(plain_name(name));
            for (key, value) in attributes(&tag[name.len()..]) {
                push(&mut leaves, format!("/{}/@{key}", path.join("/")), &value);
            }
            if empty {
                path.pop();
            }
        }
        push(&mut leaves, format!("/{}", path.join("/")), after);
    }
    leaves.sort();
    leaves
}

/// A path as the crate writes it, without its numbers and without prefixes.
pub fn plain_path(path: &str) -> String {
    path.split('/')
        .map(|step| plain_name(step.split('[').next().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join("/")
}

/// A value in the form that leaves have.
pub fn plain_value(value: &str) -> String {
    let value = value.trim();
    match value.parse::<u32>() {
        Ok(number) if !value.starts_with('+') => number.to_string(),
        _ => value.to_owned(),
    }
}

fn push(leaves: &mut Vec<Leaf>, path: String, raw: &str) {
    let value = plain_value(&unescaped(raw));
    if !value.is_empty() {
        leaves.push(Leaf { path, value });
    }
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = comment.split_once("-->").expect("a closed comment").1;
    }
    kept.push_str(rest);
    kept
}

fn plain_name(name: &str) -> String {
    let local = name.rsplit(':').next().unwrap_or(name);
    ["_2", "md", "p"]
        .iter()
        .filter_map(|prefix| local.strip_prefix(prefix))
        .find(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        .unwrap_or(local)
        .to_owned()
}

fn attributes(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let quote = after.trim_start().chars().next().expect("a quote");
        let (value, after) = after
            .trim_start()
            .trim_start_matches(quote)
            .split_once(quote)
            .unwrap_or(("", after.trim_start().split_at(2).1));
        let key = key.trim();
        if !key.starts_with("xmlns") && !key.starts_with("xsi") {
            found.push((key.to_owned(), unescaped(value)));
        }
        rest = after;
    }
    found
}

fn unescaped(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace("&#038;", "&")
        .replace("&#9;", "\t")
        .replace("&#10;", "\n")
        .replace("&#13;", "\r")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}
