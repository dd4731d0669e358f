//! Rust text as tokens, as far as paths need them: no comments, no text in
//! quotes, no tests.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// A word, `::`, or one other character.
    pub(super) text: String,
    pub(super) line: usize,
}

/// What is compiled into the product, and the names of the files that are not
/// (`#[cfg(test)] mod tests;`).
pub(super) fn product(text: &str) -> (Vec<Token>, Vec<String>) {
    let tokens = tokens(text, 1);
    let (mut kept, mut test_modules) = (Vec::new(), Vec::new());
    let mut rest = tokens.as_slice();
    while let Some(first) = rest.first() {
        let attribute = attribute(rest);
        if !is_test(attribute) {
            let (now, later) = rest.split_at(attribute.len().max(1));
            if attribute.is_empty() {
                kept.push(first.clone());
            } else {
                kept.extend(now.iter().cloned());
            }
            rest = later;
            continue;
        }
        let (item, later) = rest.split_at(attribute.len() + item_len(&rest[attribute.len()..]));
        if let [.., module, name, end] = item
            && module.text == "mod"
            && end.text == ";"
        {
            test_modules.push(name.text.clone());
        }
        rest = later;
    }
    (kept, test_modules)
}

/// `#[…]` at the beginning, or nothing.
fn attribute(tokens: &[Token]) -> &[Token] {
    let [hash, open, ..] = tokens else { return &[] };
    if hash.text != "#" || open.text != "[" {
        return &[];
    }
    &tokens[..1 + closed(&tokens[1..])]
}

/// Whether what has this attribute is compiled for tests only.
fn is_test(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute.iter().map(|token| token.text.as_str()).collect();
    match words.as_slice() {
        ["#", "[", "test", "]"] => true,
        ["#", "[", "cfg", "(", condition @ .., ")", "]"] => match condition {
            ["test"] => true,
            ["all", "(", ..] => condition.contains(&"test") && !condition.contains(&"not"),
            _ => false,
        },
        _ => false,
    }
}

/// Up to its `;`, or the end of its block.
fn item_len(tokens: &[Token]) -> usize {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" => return at + 1,
            "{" => return at + closed(&tokens[at..]),
            "(" | "[" => at += closed(&tokens[at..]),
            _ => at += 1,
        }
    }
    at
}

/// From an opening bracket up to and with its closing one.
pub(super) fn closed(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn tokens(text: &str, mut line: usize) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, is_code) = piece(rest);
        let (piece, later) = rest.split_at(length);
        if is_code && !first.is_whitespace() {
            tokens.push(Token { text: piece.to_owned(), line });
        } else if let Some(path) = path_in_quotes(piece) {
            // `#[serde(with = "crate::…")]`
            tokens.extend(self::tokens(path, line));
        }
        line += piece.matches('\n').count();
        rest = later;
    }
    tokens
}

fn path_in_quotes(piece: &str) -> Option<&str> {
    let path = piece.strip_prefix('"')?.strip_suffix('"')?;
    let is_path = path.starts_with("crate::") || path.starts_with("super::");
    (is_path && path.chars().all(|char| is_word(char) || char == ':')).then_some(path)
}

/// The length of what comes first, and whether it is code: a word or a sign.
fn piece(text: &str) -> (usize, bool) {
    if text.starts_with("//") {
        return (text.find('\n').unwrap_or(text.len()), false);
    }
    if text.starts_with("/*") {
        return (block_comment(text), false);
    }
    if let Some(length) = raw_string(text) {
        return (length, false);
    }
    let after_prefix = ["b\"", "c\"", "\"", "b'", "'"]
        .iter()
        .find_map(|start| text.starts_with(start).then(|| (start.len(), start.ends_with('"'))));
    match after_prefix {
        Some((start, true)) => return (quoted(text, start, '"'), false),
        Some((start, false)) => return (start_of_quote(text, start), false),
        None => {}
    }
    if text.starts_with("::") {
        return (2, true);
    }
    let word = text.find(|char| !is_word(char)).unwrap_or(text.len());
    let first = text.chars().next().map_or(0, char::len_utf8);
    (word.max(first), true)
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| start + at + end.len()))
}

fn quoted(text: &str, start: usize, end: char) -> usize {
    let mut escaped = false;
    for (at, char) in text[start..].char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            char if char == end => return start + at + char.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A character in quotes, or a lifetime.
fn start_of_quote(text: &str, start: usize) -> usize {
    let mut chars = text[start..].chars();
    let (first, second) = (chars.next(), chars.next());
    if first == Some('\\') || second == Some('\'') {
        return quoted(text, start, '\'');
    }
    let rest = &text[start..];
    start + rest.find(|char| !is_word(char)).unwrap_or(rest.len())
}
