//! Source files as tokens: comments are gone, and so is code that is compiled for tests only, or that runs at compile time.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use std::path::{Path, PathBuf};

/// A source file, less its tests.
#[derive(Debug)]
pub struct Source {
    /// Path relative to the root of the workspace.
    pub path: String,
    /// Its tokens, in order.
    pub tokens: Vec<Token>,
}

/// A name, a mark, a literal, or an opening or closing bracket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// As it is written; strings have their quotes.
    pub text: String,
    /// Line in the file, from 1.
    pub line: usize,
}

/// Reads all source files under `folder`, less those which are modules for tests only.
pub fn read_all(root: &Path, folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root.join(folder), &mut paths);
    paths.sort();
    let mut sources = Vec::new();
    let mut for_tests: Vec<PathBuf> = Vec::new();
    for path in &paths {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let (source, test_modules) = parse(&shown, &text);
        sources.push((path, source));
        // `mod name;` in a/b.rs is a/b/name.rs or a/b/name/…; in a/mod.rs, a/lib.rs and a/main.rs it is a/name….
        let stem = path.with_extension("");
        let is_root = ["mod", "lib", "main"].iter().any(|name| stem.ends_with(name));
        let home = if is_root { path.parent().unwrap_or(root).to_path_buf() } else { stem };
        for_tests.extend(test_modules.iter().map(|name| home.join(name)));
    }
    sources
        .retain(|(path, _)| !for_tests.iter().any(|m| path.with_extension("") == *m || path.starts_with(m)));
    sources.into_iter().map(|(_, source)| source).collect()
}

/// The tokens of a file, and the names of its modules for tests that are files of their own.
pub fn parse(path: &str, text: &str) -> (Source, Vec<String>) {
    let stream: TokenStream = text.parse().unwrap_or_else(|e| panic!("{path} is not Rust: {e}"));
    let mut reader = Reader { tokens: Vec::new(), test_modules: Vec::new() };
    reader.flatten(stream);
    (Source { path: path.into(), tokens: reader.tokens }, reader.test_modules)
}

impl Source {
    /// The lines where `words` stand one after the other.
    pub fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        let found = |window: &[Token]| window.iter().zip(words).all(|(token, word)| token.text == *word);
        self.tokens.windows(words.len()).filter(|window| found(window)).map(|window| window[0].line).collect()
    }

    /// The lines where a path such as `std::fs` is used, be it `std::fs::read` or one of `use std::{fs, io}`.
    pub fn lines_with_path(&self, path: &str) -> Vec<usize> {
        let parts: Vec<&str> = path.split("::").collect();
        let (last, parents) = parts.split_last().expect("a path has parts");
        let mut start: Vec<&str> = Vec::new();
        for parent in parents {
            start.extend([*parent, ":", ":"]);
        }
        let mut lines = Vec::new();
        for (i, token) in self.tokens.iter().enumerate() {
            let rest = &self.tokens[i..];
            let begins = rest.len() > start.len() && rest.iter().zip(&start).all(|(t, s)| t.text == *s);
            if !begins {
                continue;
            }
            let after = &rest[start.len()..];
            let in_group =
                !parents.is_empty() && after[0].text == "{" && names_in_braces(after).contains(last);
            if after[0].text == *last || in_group {
                lines.push(token.line);
            }
        }
        lines
    }
}

struct Reader {
    tokens: Vec<Token>,
    test_modules: Vec<String>,
}

impl Reader {
    fn flatten(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut i = 0;
        while let Some(tree) = trees.get(i) {
            if let Some(attribute) = attribute_at(&trees, i) {
                let text = attribute.stream().to_string();
                // Comments with three slashes are attributes to a lexer.
                if text.starts_with("doc =") {
                    i = end_of_attribute(&trees, i);
                    continue;
                }
                if is_for_tests(&text) {
                    i = self.skip_item(&trees, i);
                    continue;
                }
            }
            if let Some(length) = checked_by_compiler(&trees[i..]) {
                i += length;
                continue;
            }
            match tree {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    self.push(open, group.span_open());
                    self.flatten(group.stream());
                    self.push(close, group.span_close());
                }
                other => self.push(&other.to_string(), other.span()),
            }
            i += 1;
        }
    }

    fn push(&mut self, text: &str, span: Span) {
        self.tokens.push(Token { text: text.into(), line: span.start().line });
    }

    /// The index behind the item whose attribute is at `start`; notes it if it is a module in a file of its own.
    fn skip_item(&mut self, trees: &[TokenTree], start: usize) -> usize {
        let mut i = start;
        while attribute_at(trees, i).is_some() {
            i = end_of_attribute(trees, i);
        }
        let mut previous = String::new();
        while let Some(tree) = trees.get(i) {
            i += 1;
            match tree {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
                TokenTree::Punct(mark) if mark.as_char() == ';' || mark.as_char() == ',' => break,
                TokenTree::Ident(name) if previous == "mod" => self.test_modules.push(name.to_string()),
                _ => {}
            }
            previous = tree.to_string();
        }
        i
    }
}

fn attribute_at(trees: &[TokenTree], i: usize) -> Option<&Group> {
    let Some(TokenTree::Punct(mark)) = trees.get(i) else { return None };
    match trees.get(end_of_attribute(trees, i) - 1) {
        Some(TokenTree::Group(group)) if mark.as_char() == '#' && group.delimiter() == Delimiter::Bracket => {
            Some(group)
        }
        _ => None,
    }
}

/// How many trees belong to `const { … }` or `const _: () = …;`: an assertion in there never reaches a running program.
fn checked_by_compiler(trees: &[TokenTree]) -> Option<usize> {
    let is_name = |tree: &TokenTree, name| matches!(tree, TokenTree::Ident(ident) if ident == name);
    match trees {
        [a, TokenTree::Group(group), ..] if is_name(a, "const") && group.delimiter() == Delimiter::Brace => {
            Some(2)
        }
        [a, b, ..] if is_name(a, "const") && is_name(b, "_") => {
            let end = |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == ';');
            trees.iter().position(end).map(|end| end + 1)
        }
        _ => None,
    }
}

/// `#[…]` are two trees, `#![…]` are three.
fn end_of_attribute(trees: &[TokenTree], i: usize) -> usize {
    match trees.get(i + 1) {
        Some(TokenTree::Punct(mark)) if mark.as_char() == '!' => i + 3,
        _ => i + 2,
    }
}

/// `test`, `cfg(test)`, `cfg(all(test, …))`; not `cfg(not(test))`, nor `cfg(any(test, …))`, which is compiled elsewhere too.
fn is_for_tests(attribute: &str) -> bool {
    let text: String = attribute.chars().filter(|c| !c.is_whitespace()).collect();
    let condition = text.strip_prefix("cfg(").and_then(|rest| rest.strip_suffix(')'));
    let all = condition.and_then(|condition| condition.strip_prefix("all(")).unwrap_or_default();
    let in_all = all.trim_end_matches(')').split(',').any(|part| part == "test");
    text == "test" || condition == Some("test") || in_all
}

/// The names at the top level of `{a, b::{c, d}, e as f}`: a, b, e.
fn names_in_braces(tokens: &[Token]) -> Vec<&str> {
    let mut depth = 0;
    let mut names = Vec::new();
    let mut previous = "";
    for token in tokens {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 1 && (previous == "{" || previous == ",") => names.push(name),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        previous = &token.text;
    }
    names
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let tokens = parse("x.rs", text).0.tokens;
        tokens.into_iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_tests_are_gone_and_the_rest_is_there() {
        assert_eq!(words("//! a\n/// b\nfn f() { /* c */ g(\"// d\") }"), "fn f ( ) { g ( \"// d\" ) }");
        assert_eq!(words("#[cfg(test)]\n#[allow(x)]\nmod tests { a }\nmod b {}"), "mod b { }");
        assert_eq!(words("#[cfg(all(test, not(loom)))] use a::b; c"), "c");
        assert_eq!(
            words("const _: () = { assert!(a) }; const { assert!(b) }; const C: u8 = d;"),
            "; const C : u8 = d ;"
        );
        assert_eq!(words("#[test] fn a() -> u8 { b } c"), "c");
        assert!(words("#[cfg(not(test))] fn a() {}").contains("fn a"));
        assert!(words("#[cfg(any(test, x))] fn a() {}").contains("fn a"));
    }

    #[test]
    fn modules_for_tests_in_their_own_file_are_known_by_name() {
        assert_eq!(parse("x.rs", "#[cfg(test)] mod trials; mod other;").1, ["trials"]);
    }

    #[test]
    fn a_path_is_found_alone_and_in_a_group() {
        let lines = |text: &str| parse("x.rs", text).0.lines_with_path("std::fs");
        assert_eq!(lines("\nuse std::fs;"), [2]);
        assert_eq!(lines("std::fs::read()"), [1]);
        assert_eq!(lines("use std::{io::{self, fs}, fs as files};"), [1]);
        assert_eq!(lines("use std::{io::{self, fs}};"), [0_usize; 0]);
        assert_eq!(lines("my::fs"), [0_usize; 0]);
    }
}
