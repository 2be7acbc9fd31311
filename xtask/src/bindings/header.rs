//! types.h as data: its enums and constants, with what is said about them. It is ours, so it is read by the way that it is written in.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// What stands in it.
pub(super) struct Header {
    enums: BTreeMap<String, Enum>,
    constants: BTreeMap<String, Constant>,
}

/// An enum.
pub(super) struct Enum {
    pub(super) doc: String,
    pub(super) members: Vec<Member>,
}

/// One of its values.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) value: i64,
    pub(super) doc: String,
}

/// A constant that is a number.
pub(super) struct Constant {
    pub(super) value: i64,
    pub(super) doc: String,
}

impl Header {
    pub(super) fn parse(text: &str) -> Result<Header> {
        let mut header = Header { enums: BTreeMap::new(), constants: BTreeMap::new() };
        let mut doc = String::new();
        let mut members: Option<Vec<Member>> = None;
        for line in text.lines().map(str::trim) {
            if let Some(list) = &mut members {
                if let Some(name) = line.strip_prefix('}') {
                    let name = name.trim().trim_end_matches(';').to_owned();
                    let members = members.take().unwrap_or_default();
                    ensure!(!members.is_empty(), "{name} has no values");
                    header.enums.insert(name, Enum { doc: std::mem::take(&mut doc), members });
                } else if let Some((name, rest)) = line.split_once('=') {
                    let (value, said) = rest.split_once("/**<").unwrap_or((rest, ""));
                    let value = value.trim().trim_end_matches(',');
                    let value = value.parse().with_context(|| format!("{line}: {value:?} is no number"))?;
                    let said = said.trim().trim_end_matches("*/").trim();
                    list.push(Member { name: name.trim().into(), value, doc: said.into() });
                }
            } else if line == "typedef enum {" {
                members = Some(Vec::new());
            } else if let Some(said) = line.strip_prefix("/** ").and_then(|rest| rest.strip_suffix("*/")) {
                doc = said.trim().into();
            } else if let Some(rest) = line.strip_prefix("#define ") {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                if let Ok(value) = value.trim().trim_matches(['(', ')']).parse() {
                    header.constants.insert(name.into(), Constant { value, doc: doc.replace('#', "") });
                }
            }
        }
        Ok(header)
    }

    /// The values of an enum without the beginning that they share; not those that are no value (`Unknown`, `Max`, all bits).
    pub(super) fn members(&self, name: &str, prefix: &str) -> Vec<Member> {
        let all = self.enums.get(name).into_iter().flat_map(|found| &found.members);
        let short = |member: &Member| Member {
            name: member.name.strip_prefix(prefix).unwrap_or(&member.name).into(),
            value: member.value,
            doc: member.doc.clone(),
        };
        all.map(short)
            .filter(|member| !["Unknown", "Max", "MaskAll"].contains(&member.name.as_str()))
            .collect()
    }

    /// What is said about an enum.
    pub(super) fn doc(&self, name: &str) -> &str {
        self.enums.get(name).map_or("", |found| &found.doc)
    }

    /// All constants.
    pub(super) fn constants(&self) -> impl Iterator<Item = (&str, &Constant)> {
        self.constants.iter().map(|(name, constant)| (name.as_str(), constant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enums_and_constants_are_read_with_what_is_said_about_them() {
        let text = "/** Levels. */\ntypedef enum {\n    kLUnknown = 0,\n    kLOne = 1, /**< The first. */\n    kLMax\n} L;\n\n\
                    /** The least. */\n#define LEAST (-5)\n#define X_H\n#define ALL UINT64_MAX\n";
        let header = Header::parse(text).unwrap();
        let members = header.members("L", "kL");
        assert_eq!((members.len(), members[0].name.as_str(), members[0].value), (1, "One", 1));
        assert_eq!((members[0].doc.as_str(), header.doc("L")), ("The first.", "Levels."));
        let constants: Vec<_> = header.constants().map(|(name, c)| (name, c.value, c.doc.as_str())).collect();
        assert_eq!(constants, [("LEAST", -5, "The least.")]);
    }
}
