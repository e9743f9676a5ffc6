//! The commands that documents tell people to type, taken out of the text as a shell would read them. It
//! must not know which commands there are.

/// The commands of a document's indented blocks that begin with this program, each as its words.
pub fn in_blocks(text: &str, program: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(typed) = line.strip_prefix("    ") else {
            continue;
        };
        let mut command = typed.trim().to_owned();
        while let Some(begun) = command.strip_suffix('\\') {
            let rest = lines.next().unwrap_or_default().trim();
            command = format!("{begun}{rest}");
        }
        commands.push(words(&command));
    }
    commands.retain(|command| command.first().is_some_and(|word| word == program));
    commands
}

/// The commands of this program that stand in a document's running text, between backquotes.
pub fn in_text(text: &str, program: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = spans(text).iter().map(|span| words(span)).collect();
    commands.retain(|command| command.first().is_some_and(|word| word == program));
    commands
}

/// What stands between backquotes, outside of indented blocks; a span may go on over a line's end.
pub fn spans(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("    "))
        .collect();
    let prose = prose.join("\n");
    let spans = prose.split('`').skip(1).step_by(2);
    spans.map(|span| span.replace('\n', " ")).collect()
}

/// A line as a shell's words: quotes bind, and what follows a number sign is a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => word.get_or_insert_default().push(letter),
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            _ if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    let text = "Type `greenlane\nstatus`, or `ls`:\n\n    greenlane rail announce t.csv --eta +6h   # a comment\n    greenlane officer lift \\\n        H --reason 'it''s \"fine\"'\n    cargo test\n";
    assert_eq!(in_text(text, "greenlane"), [["greenlane", "status"]]);
    assert_eq!(
        in_blocks(text, "greenlane"),
        [
            vec!["greenlane", "rail", "announce", "t.csv", "--eta", "+6h"],
            vec![
                "greenlane",
                "officer",
                "lift",
                "H",
                "--reason",
                "its \"fine\""
            ],
        ]
    );
}
